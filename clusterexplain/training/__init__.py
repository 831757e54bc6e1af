"""theta(w): training as a deterministic, differentiable function of the data weights."""

from clusterexplain.training.optimizer import SGD, Adam, Optimizer
from clusterexplain.training.plan import BatchPlan
from clusterexplain.training.recipe import Recipe
from clusterexplain.training.retraining import train_replicas
from clusterexplain.training.trajectory import RecordedRun

__all__ = ["SGD", "Adam", "BatchPlan", "Optimizer", "Recipe", "RecordedRun", "train_replicas"]
