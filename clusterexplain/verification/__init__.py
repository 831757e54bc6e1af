"""Retrain without examples and compare with what was predicted."""

from clusterexplain.results.check import Check
from clusterexplain.results.removals import Removal, RemovalKind, RemovalName
from clusterexplain.results.smoothness import Smoothness
from clusterexplain.verification.levels import LEVELS
from clusterexplain.verification.metasmoothness import measure_smoothness
from clusterexplain.verification.query_sampling import choose_queries
from clusterexplain.verification.removal_sampler import RemovalSampler
from clusterexplain.verification.verify import verify

__all__ = [
    "LEVELS",
    "Check",
    "Removal",
    "RemovalKind",
    "RemovalName",
    "RemovalSampler",
    "Smoothness",
    "choose_queries",
    "measure_smoothness",
    "verify",
]
