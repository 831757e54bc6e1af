"""How work is dealt out: workers, memory and progress bars, knowing nothing of what is computed."""

from clusterexplain.execution.execution import DEFAULT_EXECUTION, SEQUENTIAL, Execution
from clusterexplain.execution.executors import effective_jobs, map_jobs, one_thread
from clusterexplain.execution.progress import progress

__all__ = ["DEFAULT_EXECUTION", "SEQUENTIAL", "Execution", "effective_jobs", "map_jobs", "one_thread", "progress"]
