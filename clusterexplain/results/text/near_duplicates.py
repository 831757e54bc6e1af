"""Near-duplicates with another label in words."""

from __future__ import annotations


def none_found(*, trained_on: bool) -> str:
    """Say what an empty list means: that there are none, or that none were looked for."""
    if not trained_on:
        return "Near-duplicates are looked for among training examples only."
    return "No near-duplicate has another label."
