"""Files that reports are made of: templates, styles, scripts, and the libraries that were taken over as they are."""

from importlib.resources import files


def asset(*names: str) -> str:
    """Return the text of a file in this folder."""
    return files("clusterexplain.report.assets").joinpath(*names).read_text(encoding="utf-8")
