"""Retrain without examples and compare with what was predicted."""

from clusterexplain.verification.check import Check, verify
from clusterexplain.verification.removals import Removal, draw_removals
from clusterexplain.verification.smoothness import Smoothness, measure_smoothness

__all__ = ["Check", "Removal", "Smoothness", "draw_removals", "measure_smoothness", "verify"]
