"""Word lists of published tests, with their sources."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def read_list(name: str) -> dict[str, Any]:
    """Return the content of a list that comes along: "weat", "related" or "analogies"."""
    content: dict[str, Any] = json.loads(files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return content
