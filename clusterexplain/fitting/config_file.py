"""A configuration as a TOML file: what `fit --config` reads and `config` prints.

The file has two tables. ``[fit]`` holds parameters of :class:`clusterexplain.ClusterExplainer` by name; one that is left out
has its default. ``[data]`` says what was fitted: file (or name of a data set), ids, text, metadata, labels, graph, task,
train, and how files of other kinds are read: embedding_column, table, use_rep, size, mode, skip_bad.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.fitting.config import Config

DATA_KEYS = (
    "file", "ids", "text", "metadata", "labels", "graph", "embedding_column", "table", "use_rep", "map", "size", "mode",
    "skip_bad",
    "targets", "task", "train",
)  # fmt: skip
"""What the table ``[data]`` may hold."""
LISTS, FLAGS = ("metadata",), ("train", "skip_bad")
"""Those that are a list of column names, and those that are true or false; all others are text."""
NO_SCALING = "none"
"""TOML has no null: this word stands for ``scaling=None``, as on the command line."""


@dataclasses.dataclass(frozen=True)
class ConfigFile:
    """The content of a configuration file.

    Attributes
    ----------
    parameters : dict
        Parameters of a ``ClusterExplainer`` by name.
    data : dict
        What is fitted, by ``DATA_KEYS``.
    """

    parameters: dict[str, Any]
    data: dict[str, Any]


def read_config(path: str | os.PathLike[str]) -> ConfigFile:
    """Read a configuration file.

    Parameters
    ----------
    path : path-like
        A TOML file.

    Returns
    -------
    ConfigFile
        Its two tables. Names and ``[data]`` are checked, parameters by ``fit``.

    Raises
    ------
    InvalidParameterError
        If the file cannot be read, or holds another table or name, or ``[data]`` a value of another type.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidParameterError(
            f"The configuration {path} cannot be read: {error}. Expected a TOML file; `clusterexplain config --run RUN` prints "
            f"one."
        ) from error
    known = {entry.name for entry in dataclasses.fields(Config)} - {"said"}
    _refuse_unknown(content, {"fit", "data"}, f"The configuration {path} has the table")
    tables = {name: content.get(name, {}) for name in ("fit", "data")}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise InvalidParameterError(f"{name}={table!r} in {path} must be a table, written as [{name}].")
    _refuse_unknown(tables["fit"], known, f"[fit] of {path} has")
    _refuse_unknown(tables["data"], set(DATA_KEYS), f"[data] of {path} has")
    for name, value in tables["data"].items():
        _check_data(name, value, path)
    parameters = dict(tables["fit"])
    if parameters.get("scaling") == NO_SCALING:
        parameters["scaling"] = None
    if isinstance(parameters.get("hidden"), list):
        parameters["hidden"] = tuple(parameters["hidden"])
    return ConfigFile(parameters, dict(tables["data"]))


def config_text(config: Config, data: Mapping[str, Any]) -> str:
    """Return the configuration file that repeats a fit.

    Parameters
    ----------
    config : Config
        Resolved: every default is written out, so that the file means the same after a default has changed.
    data : mapping
        What was fitted, by ``DATA_KEYS``; None is left out.

    Returns
    -------
    str
        TOML.
    """
    values = {name: value for name, value in config.to_dict().items() if name != "said"}
    values["scaling"] = NO_SCALING if values["scaling"] is None else values["scaling"]
    values["membership_score"] = config.said.get("membership_score", "auto")  # it is chosen once clusters are known
    tables = {"data": dict(data), "fit": values}
    blocks = []
    for name, table in tables.items():
        plain = {key: value for key, value in table.items() if value is not None and not isinstance(value, Mapping)}
        lines = [f"{key} = {_toml(value)}" for key, value in plain.items()]
        nested = {key: value for key, value in table.items() if isinstance(value, Mapping) and value}
        lines += [f"{key} = {_toml(value)}" for key, value in nested.items()]
        blocks.append("\n".join([f"[{name}]", *lines]))
    return "\n\n".join(blocks) + "\n"


def _check_data(name: str, value: object, path: str | os.PathLike[str]) -> None:
    """Refuse a value of the table ``[data]`` that is of another type."""
    if name in FLAGS:
        fine, expected = isinstance(value, bool), "true or false"
    elif name in LISTS:
        fine = isinstance(value, list) and all(isinstance(entry, str) for entry in value)
        expected = 'a list of column names, for example ["age"]'
    else:
        fine, expected = isinstance(value, str), "text in quotation marks"
    if not fine:
        raise InvalidParameterError(f"{name}={value!r} in [data] of {path} must be {expected}.")


def _toml(value: object) -> str:
    """Return a plain value as TOML writes it; JSON's strings and numbers are TOML's."""
    if isinstance(value, Mapping):
        entries = (f"{json.dumps(str(key))} = {_toml(entry)}" for key, entry in value.items() if entry is not None)
        return "{ " + ", ".join(entries) + " }"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return "inf" if value > 0 else "-inf" if value < 0 else "nan"
    return json.dumps(value)


def _refuse_unknown(given: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise InvalidParameterError(
            f"{where} {', '.join(map(repr, unknown))}, which is unknown. Expected some of {', '.join(sorted(known))}."
        )
