"""How the rows of a data set are shown: as text, or as a small picture."""

from clusterexplain.report.samples.preview import Renderer, SamplePreview
from clusterexplain.report.samples.previewer import SamplePreviewer

__all__ = ["Renderer", "SamplePreview", "SamplePreviewer"]
