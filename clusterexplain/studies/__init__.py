"""The experiments behind the method, each run by one command of ``clusterexplain reproduce``."""

from clusterexplain.studies.pieces import Pieces
from clusterexplain.studies.study import Study

__all__ = ["Pieces", "Study"]
