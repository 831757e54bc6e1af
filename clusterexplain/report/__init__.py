"""What people look at: one HTML file that needs no network."""

from clusterexplain.report.page import write_page
from clusterexplain.report.view import umap_view

__all__ = ["umap_view", "write_page"]
