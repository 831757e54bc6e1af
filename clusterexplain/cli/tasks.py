"""``--task package.module:factory``: a network of the user's own on the command line."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path

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
        sys.path.append(here)
    try:
        factory = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:
        raise InvalidParameterError(
            f"--task {name!r} cannot be imported: {type(error).__name__}: {error}. Expected a module that Python finds from "
            f"{here} or among the installed packages, and a function in it."
        ) from error
    return lambda data: _made(factory, data, name)


def _call(factory: object, data: Dataset, name: str) -> object:
    if not callable(factory):
        raise InvalidParameterError(
            f"--task {name!r} is a {type(factory).__name__}. Expected a function that returns an EmbeddingTask, or a task."
        )
    parameters = inspect.signature(factory).parameters.values()
    needed = [
        parameter
        for parameter in parameters
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    ]
    made: object = factory(data) if needed else factory()
    return made


def _made(factory: object, data: Dataset, name: str) -> EmbeddingTask:
    task = factory if isinstance(factory, EmbeddingTask) else _call(factory, data, name)
    if not isinstance(task, EmbeddingTask):
        raise InvalidParameterError(
            f"--task {name!r} returned a {type(task).__name__}. Expected an EmbeddingTask: "
            f"return EmbeddingTask.from_module(network, ...)."
        )
    task.source = name
    return task
