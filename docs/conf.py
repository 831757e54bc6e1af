"""Sphinx configuration."""

from clusterexplain._version import __version__

project = "clusterexplain"
author = "the clusterexplain developers"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "clusterexplain"
exclude_patterns = ["_build"]
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
suppress_warnings = ["myst.xref_missing"]
