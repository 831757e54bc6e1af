"""d theta / d w: the derivative of the trained parameters in the data weights, exact and approximate."""

from clusterexplain.influence.baselines import GradientCosine, GradientDot, gradient_dot, same_cluster
from clusterexplain.influence.curvature import Curvature, GaussNewton, Hessian, Restricted, Shifted
from clusterexplain.influence.implicit import Implicit
from clusterexplain.influence.jacobian import MethodReport, Record, TrainingJacobian
from clusterexplain.influence.objective import TrajectoryObjective
from clusterexplain.influence.registry import JacobianFactory, make_jacobian
from clusterexplain.influence.unrolled import Unrolled

__all__ = [
    "Curvature",
    "GaussNewton",
    "GradientCosine",
    "GradientDot",
    "Hessian",
    "Implicit",
    "JacobianFactory",
    "MethodReport",
    "Record",
    "Restricted",
    "Shifted",
    "TrainingJacobian",
    "TrajectoryObjective",
    "Unrolled",
    "gradient_dot",
    "make_jacobian",
    "same_cluster",
]
