"""Docstrings name what exists: every entry under Parameters and Attributes is a parameter, a field or an attribute."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import pytest

import clusterexplain

MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(clusterexplain.__path__, "clusterexplain.")
    if not found.name.endswith("__main__")
)


def entries(documented: Any, *sections: str) -> set[str]:
    """Return the names that the docstring's sections list, stars and all types left out."""
    text = inspect.cleandoc(documented.__doc__ or "")
    bodies = re.findall(rf"^(?:{'|'.join(sections)})\n-+\n(.*?)(?=^\S[^\n]*\n-+$|\Z)", text, flags=re.M | re.S)
    lines = [line for body in bodies for line in re.findall(r"^([*\w, ]+?) : ", body, flags=re.M)]
    return {name.strip(" *") for line in lines for name in line.split(",")}


def members(kind: type) -> set[str]:
    """Return fields, attributes, and what the methods of a class and of those it is made from assign to ``self``."""
    names = set(dir(kind))
    if not issubclass(kind, BaseException):  # they have no signature
        names |= set(inspect.signature(kind).parameters)
    for part in kind.__mro__:
        names |= set(inspect.get_annotations(part))
        if part.__module__.startswith(("clusterexplain.", "sklearn.")):
            lines = re.findall(r"^ *((?:self\.\w+(?:: [^=]+)?,? ?)+)=[^=]", inspect.getsource(part), flags=re.M)
            names |= {name for line in lines for name in re.findall(r"self\.(\w+)", line)}
    return names


def own(module: ModuleType) -> Iterator[Any]:
    """Return classes and functions that a module defines, and the functions of its classes."""
    for found in vars(module).values():
        if getattr(found, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(found):
            yield found
            yield from (member for member in vars(found).values() if isinstance(member, FunctionType))
        elif isinstance(found, FunctionType):
            yield found


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_name_what_exists(name: str) -> None:
    for documented in own(importlib.import_module(name)):
        if inspect.isclass(documented):
            known = members(documented) | {"n_features_in_", "feature_names_in_"}  # set by scikit-learn
            missing = entries(documented, "Parameters", "Attributes") - known
        else:
            parameters = inspect.signature(documented).parameters
            takes_more = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
            missing = set() if takes_more else entries(documented, "Parameters") - set(parameters)
        assert not missing, (
            f"{name}: the docstring of {documented.__qualname__} names {sorted(missing)}, which it has not"
        )
