"""Stability of samples in words."""

from __future__ import annotations


def stability_note(badge: str) -> str:
    """Return the sentence about how often a sample kept its cluster."""
    return f"Stability: {badge}."


def own_check_note(status: str) -> str:
    """Return the sentence about the check of one sample among several."""
    return f"Its own check: {status}."
