"""The name of every file and folder of a run directory; docs/runs.md says what each holds."""

from __future__ import annotations

MANIFEST = "run.json"
"""Configuration, versions, seeds, fingerprint of the data, checksums of the three files below."""
ARRAYS = "arrays.npz"
TENSORS = "tensors.safetensors"
METADATA = "metadata.parquet"
"""What is known about the rows; only where something is."""

MAP = "map.npy"
CHECK = "check.json"
STABILITY = "stability.npz"
NAMES = "names.json"
DISPLAY = "display.json"
CHECK_HISTORY = "check_history"
"""Folder of the checks before the newest one."""
RETRAININGS = "retrainings"
"""Folder of the parameters of retrained networks, each named by all that it depends on."""
PAGE = "why-SAMPLES.html"
"""A page that ``report`` wrote; it stays when the run is replaced, as a user's own files do."""

ABOUT_THE_FIT = (MAP, CHECK, CHECK_HISTORY, STABILITY, NAMES, DISPLAY)
"""What is written after the fit and is about this fit alone: it goes when the run is replaced. ``RETRAININGS`` stays, because
no retraining of another fit has the name of one of this fit."""
