"""Retrain without examples and compare with what was predicted."""

from clusterexplain.verification.check import Check
from clusterexplain.verification.levels import LEVELS
from clusterexplain.verification.over_seeds import explain_over_seeds
from clusterexplain.verification.procedure import verify
from clusterexplain.verification.queries import choose_queries
from clusterexplain.verification.selection import Pool, Removal
from clusterexplain.verification.smoothness import Smoothness, measure_smoothness

__all__ = [
    "LEVELS",
    "Check",
    "Pool",
    "Removal",
    "Smoothness",
    "choose_queries",
    "explain_over_seeds",
    "measure_smoothness",
    "verify",
]
