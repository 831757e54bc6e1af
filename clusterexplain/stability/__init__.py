"""How stable a clustering is: refits from other random starts and on other draws of the data, matched to the fit."""

from clusterexplain.stability.refits import bootstrap_weights, measure, refit_seeds
from clusterexplain.stability.result import Stability

__all__ = ["Stability", "bootstrap_weights", "measure", "refit_seeds"]
