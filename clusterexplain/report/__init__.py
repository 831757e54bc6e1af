"""What people look at: charts, one HTML file that needs no network, the card in a notebook."""

from clusterexplain.report.page import write_page
from clusterexplain.report.plots import Plots
from clusterexplain.report.projection import umap_view

__all__ = ["Plots", "umap_view", "write_page"]
