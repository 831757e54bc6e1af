"""d theta / d w: methods that pull cotangents on the trained parameters back to the data weights."""

from clusterexplain.influence.curvature import Curvature, GaussNewton, Hessian, Restricted, Shifted
from clusterexplain.influence.implicit import Implicit
from clusterexplain.influence.jacobian import Method
from clusterexplain.influence.objective import RunObjective
from clusterexplain.influence.unrolled import Unrolled

__all__ = [
    "Curvature",
    "GaussNewton",
    "Hessian",
    "Implicit",
    "Method",
    "Restricted",
    "RunObjective",
    "Shifted",
    "Unrolled",
]
