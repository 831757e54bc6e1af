"""The mixture-of-Gaussians experiment of the cross-loss paper, as published and corrected."""

from clusterexplain.experiments.mixture.run import run

__all__ = ["run"]
