"""What the settings of a training of word vectors may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from clusterexplain.exceptions import InvalidParameterError

DTYPES = {"float32": torch.float32, "float64": torch.float64}
WHOLE = ("dim", "n_steps")
POSITIVE = ("learning_rate", "eps", "init_scale", "negatives")


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings that cannot be trained with.

    Parameters
    ----------
    settings : mapping of str to object
        Parameters of :class:`clusterexplain.EmbeddingBias`; those that choose texts are checked where they are read.

    Raises
    ------
    InvalidParameterError
        If one is out of range.
    """
    for name in WHOLE:
        value = settings[name]
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise InvalidParameterError(f"{name}={value!r} is out of range. Expected a whole number of at least 1.")
    for name in POSITIVE:
        value = settings[name]
        if not (np.isfinite(value) and value > 0):
            raise InvalidParameterError(f"{name}={value!r} is out of range. Expected a positive number.")
    if not settings["weight_decay"] >= 0:
        raise InvalidParameterError(
            f"weight_decay={settings['weight_decay']!r} is out of range. Expected a number of at least 0."
        )
    if not 0 <= settings["held_out"] < 1:
        raise InvalidParameterError(
            f"held_out={settings['held_out']!r} is out of range. Expected a share from 0 to below 1."
        )
    if not 0 < settings["largest_share"] <= 1:
        raise InvalidParameterError(
            f"largest_share={settings['largest_share']!r} is out of range. Expected a share above 0 and at most 1."
        )
    if settings["dtype"] not in DTYPES:
        raise InvalidParameterError(
            f"dtype={settings['dtype']!r} is unknown. Expected one of {', '.join(map(repr, DTYPES))}."
        )
