"""What people look at: charts, one HTML file that needs no network, the card in a notebook."""

from clusterexplain.report.context import ReportContext
from clusterexplain.report.page import write_page
from clusterexplain.report.plots import Plots
from clusterexplain.report.projection import umap_coordinates, umap_view

__all__ = ["Plots", "ReportContext", "umap_coordinates", "umap_view", "write_page"]
