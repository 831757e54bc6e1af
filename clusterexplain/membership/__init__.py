"""s: how firmly a sample sits in its cluster, as a differentiable score."""

from clusterexplain.membership.margin import log_ratio_margin, membership_probabilities, runner_up

__all__ = ["log_ratio_margin", "membership_probabilities", "runner_up"]
