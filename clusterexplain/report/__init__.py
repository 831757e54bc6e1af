"""What people look at: charts, one HTML file that needs no network, the card in a notebook.

:mod:`clusterexplain.report.tables` makes frames from a fit and an explanation, :mod:`clusterexplain.report.charts` draws
frames, and the words come from :mod:`clusterexplain.results.text`. The estimator that was fitted is not needed: a
:class:`ReportContext` holds the fit of an explanation.
"""

from clusterexplain.report.card import bundle, check_bundle
from clusterexplain.report.charts import theme
from clusterexplain.report.context import ReportContext
from clusterexplain.report.export import save_chart, write_file
from clusterexplain.report.page import write_page
from clusterexplain.report.plots import Plots
from clusterexplain.report.projection import umap_coordinates, umap_view
from clusterexplain.report.samples.preview import Renderer, SamplePreview
from clusterexplain.report.to_anndata import write_to_anndata
from clusterexplain.report.vega_lite import as_dict

__all__ = [
    "Plots",
    "Renderer",
    "ReportContext",
    "SamplePreview",
    "as_dict",
    "bundle",
    "check_bundle",
    "save_chart",
    "theme",
    "umap_coordinates",
    "umap_view",
    "write_file",
    "write_page",
    "write_to_anndata",
]
