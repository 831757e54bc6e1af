"""d theta / d w: methods that pull cotangents on the trained parameters back to the data weights."""

from clusterexplain.influence.unrolled import Unrolled

__all__ = ["Unrolled"]
