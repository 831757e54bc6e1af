"""One value that says how a computation may use this machine; it never changes a result."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import TypeVar

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution.executors import effective_jobs, map_jobs
from clusterexplain.execution.progress import progress

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Execution:
    """Workers, memory and progress bars of a computation.

    Parameters
    ----------
    n_jobs : int or None, default=None
        Jobs that run side by side. As in scikit-learn, except that None means every core that this process may use.
    max_memory : float, default=2e9
        Bytes that the states of a recorded training may take.
    progress : bool, default=False
        Show a bar on a terminal for what takes longer than a second.

    Raises
    ------
    InvalidParameterError
        If a value is outside its range.

    Examples
    --------
    >>> Execution(n_jobs=1).map(lambda number: number**2, [1, 2, 3])
    [1, 4, 9]
    """

    n_jobs: int | None = None
    max_memory: float = 2e9
    progress: bool = False

    def __post_init__(self) -> None:
        jobs, memory = self.n_jobs, self.max_memory
        if jobs is not None and (not isinstance(jobs, Integral) or jobs == 0):
            raise InvalidParameterError(f"n_jobs={jobs!r} must be None or a whole number other than 0.")
        if not isinstance(memory, Real) or not math.isfinite(memory) or memory <= 0:
            raise InvalidParameterError(f"max_memory={memory!r} must be a finite number above 0.")
        # plain numbers, whatever numpy type they were given in: an execution is stored with its fit
        object.__setattr__(self, "n_jobs", None if jobs is None else int(jobs))
        object.__setattr__(self, "max_memory", float(memory))

    def map(self, function: Callable[[Job], Result], jobs: Sequence[Job]) -> list[Result]:
        """Return ``[function(job) for job in jobs]``, computed side by side; see :func:`.executors.map_jobs`.

        Parameters
        ----------
        function : callable
            Takes one job.
        jobs : sequence
            The jobs, cut beforehand in a way that does not depend on `n_jobs`.

        Returns
        -------
        list
            The results in job order.
        """
        return map_jobs(function, jobs, n_jobs=self.n_jobs)

    def track(self, items: Iterable[Job], label: str, *, total: int | None = None) -> Iterable[Job]:
        """Iterate with a progress bar if `progress` asks for one; see :func:`.progress.progress`.

        Parameters
        ----------
        items : iterable
            What to iterate over.
        label : str
            Shown before the bar.
        total : int, optional
            Number of items when `items` has no length.

        Returns
        -------
        iterable
            The same items.
        """
        return progress(items, label=label, total=total, show=self.progress)

    @property
    def n_workers(self) -> int:
        """How many jobs run side by side if there are enough of them."""
        return effective_jobs(self.n_jobs, sys.maxsize)

    def silent(self) -> Execution:
        """Return the same without progress bars, for a computation inside of one that shows its own."""
        return replace(self, progress=False)


DEFAULT_EXECUTION = Execution()
"""Every core that this process may use, 2 GB for a recorded training, no progress bars."""
SEQUENTIAL = Execution(n_jobs=1)
"""One job after the other, in the order in which they are given."""
