"""Sphinx configuration."""

from clusterexplain._version import __version__

project = "clusterexplain"
author = "the clusterexplain developers"
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "clusterexplain"
exclude_patterns = ["_build", "jupyter_execute"]
nb_execution_mode = "force"
nb_execution_excludepatterns = ["notebooks/*.ipynb"]  # their output is stored by docs/stored_notebooks.py
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_mime_priority_overrides = [("html", "text/html", 0), ("html", "image/svg+xml", 1), ("html", "image/png", 2)]
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
suppress_warnings = ["myst.xref_missing"]
