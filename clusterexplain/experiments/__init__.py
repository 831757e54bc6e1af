"""The experiments behind the method, each run by one command of ``clusterexplain reproduce``."""

from clusterexplain.experiments.result_cache import ResultCache
from clusterexplain.experiments.study import Study

__all__ = ["ResultCache", "Study"]
