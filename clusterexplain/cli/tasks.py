"""Code of the user's own on the command line, as package.module:name: ``--task`` a network, ``--reclusterer`` a function."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from clusterexplain.data import Dataset
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.models import EmbeddingTask

if TYPE_CHECKING:
    from clusterexplain.fitting.own_parts import OwnReclusterer


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
    factory = _imported("--task", name, "factory", "my_networks:make_task")
    return lambda data: _made(factory, data, name)


def find_reclusterer(name: str) -> OwnReclusterer:
    """Import what finds given labels anew; whether it can is said where it is used.

    Parameters
    ----------
    name : str
        ``package.module:name`` of a function ``(Z, sample_weight) -> labels`` or of an estimator.

    Returns
    -------
    callable or estimator
        As it was found.

    Raises
    ------
    InvalidParameterError
        If the name has another form or cannot be imported.
    """
    return cast("OwnReclusterer", _imported("--reclusterer", name, "function", "my_clusters:leiden"))


def _imported(flag: str, name: str, what: str, example: str) -> object:
    """Return an object of a module that Python finds, or that lies in the working directory."""
    module_name, colon, attribute = name.partition(":")
    if not (colon and module_name and attribute):
        raise InvalidParameterError(
            f"{flag} {name!r} names no {what}. Expected package.module:{what}, for example {example}."
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except Exception as error:
        raise InvalidParameterError(
            f"{flag} {name!r} cannot be imported: {type(error).__name__}: {error}. Expected a module that Python finds from "
            f"{here} or among the installed packages, and a function in it."
        ) from error


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
