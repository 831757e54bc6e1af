"""How stable a clustering is: refits from other random starts and on other draws of the data, matched to the fit."""

from clusterexplain.results.stability import Stability
from clusterexplain.verification.stability.refits import bootstrap_weights, measure, refit_seeds

__all__ = ["Stability", "bootstrap_weights", "measure", "refit_seeds"]
