"""``--task package.module:factory``: a network of the user's own on the command line."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clusterexplain.data import Dataset
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.models import EmbeddingTask


def find_factory(name: str) -> Callable[[Dataset], EmbeddingTask]:
    """Import a factory of tasks; the working directory counts as a place to import from.

    Parameters
    ----------
    name : str
        ``package.module:factory``.

    Returns
    -------
    callable
        Makes the task for a data set.

    Raises
    ------
    InvalidParameterError
        If the name has another form, cannot be imported, or makes something else.
    """
    module_name, colon, attribute = name.partition(":")
    if not (colon and module_name and attribute):
        raise InvalidParameterError(
            f"--task {name!r} names no factory. Expected package.module:factory, for example my_networks:make_task."
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        factory = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise InvalidParameterError(
            f"--task {name!r} cannot be imported: {error}. Expected a module that Python finds from {here} or among the "
            f"installed packages, and a function in it."
        ) from error
    return lambda data: _made(factory, data, name)


def _made(factory: Any, data: Dataset, name: str) -> EmbeddingTask:
    takes_data = bool(inspect.signature(factory).parameters)
    task = factory(data) if takes_data else factory()
    if not isinstance(task, EmbeddingTask):
        raise InvalidParameterError(
            f"--task {name!r} returned a {type(task).__name__}. Expected an EmbeddingTask: "
            f"return EmbeddingTask.from_module(network, ...)."
        )
    task.source = name
    return task
