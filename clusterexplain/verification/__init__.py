"""Retrain without examples and compare with what was predicted."""

from clusterexplain.verification.check import Check, verify
from clusterexplain.verification.removals import Removal, draw_removals

__all__ = ["Check", "Removal", "draw_removals", "verify"]
