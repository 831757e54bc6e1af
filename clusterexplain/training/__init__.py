"""theta(w): training as a deterministic, differentiable function of the data weights."""

from clusterexplain.training.compiled_steps import CompiledSteps, with_choices_kept
from clusterexplain.training.layout import Layout
from clusterexplain.training.optimizer import SGD, Adam, Optimizer
from clusterexplain.training.plan import BatchPlan
from clusterexplain.training.recipe import Recipe
from clusterexplain.training.retraining import retrain_many
from clusterexplain.training.torch_compat import jvp
from clusterexplain.training.tracing import trace
from clusterexplain.training.trajectory import Trajectory, train

__all__ = [
    "SGD",
    "Adam",
    "BatchPlan",
    "CompiledSteps",
    "Layout",
    "Optimizer",
    "Recipe",
    "Trajectory",
    "jvp",
    "retrain_many",
    "trace",
    "train",
    "with_choices_kept",
]
