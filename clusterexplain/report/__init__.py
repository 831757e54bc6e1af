"""What people look at: charts, one HTML file that needs no network, the card in a notebook."""

from clusterexplain.report.charts import theme
from clusterexplain.report.context import ReportContext
from clusterexplain.report.export import save_chart, write_file
from clusterexplain.report.page import write_page
from clusterexplain.report.plots import Plots
from clusterexplain.report.projection import umap_coordinates, umap_view
from clusterexplain.report.vega_lite import as_dict

__all__ = [
    "Plots",
    "ReportContext",
    "as_dict",
    "save_chart",
    "theme",
    "umap_coordinates",
    "umap_view",
    "write_file",
    "write_page",
]
