"""Retrain without examples and compare with what was predicted."""

from clusterexplain.explanation.seed_ensemble import explain_over_seeds
from clusterexplain.training.metasmoothness import Smoothness, measure_smoothness
from clusterexplain.verification.check import Check
from clusterexplain.verification.levels import LEVELS
from clusterexplain.verification.query_sampling import choose_queries
from clusterexplain.verification.removals import Removal, RemovalSampler
from clusterexplain.verification.verify import verify

__all__ = [
    "LEVELS",
    "Check",
    "Removal",
    "RemovalSampler",
    "Smoothness",
    "choose_queries",
    "explain_over_seeds",
    "measure_smoothness",
    "verify",
]
