"""Jobs side by side, in threads.

Small networks run fastest on one thread, so every numerical loop runs inside :func:`one_thread`, and several
independent loops run side by side through :func:`map_jobs`. Jobs are cut before they are dealt out and results come
back in job order, so that the answer does not depend on ``n_jobs``.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

Job = TypeVar("Job")
Result = TypeVar("Result")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread inside the block and restore the setting afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def effective_jobs(n_jobs: int | None, n_tasks: int) -> int:
    """Translate scikit-learn's ``n_jobs`` (None = all cores, -1 = all, -2 = all but one) into a count.

    Parameters
    ----------
    n_jobs : int or None
        As in scikit-learn, except that None means every core that this process may use.
    n_tasks : int
        Number of independent tasks; never more workers than tasks.

    Returns
    -------
    int
        At least 1.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    wanted = cores if n_jobs is None else n_jobs if n_jobs > 0 else cores + 1 + n_jobs
    return max(1, min(wanted, n_tasks))


def map_jobs(function: Callable[[Job], Result], jobs: Sequence[Job], *, n_jobs: int | None = None) -> list[Result]:
    """Apply `function` to every job, in threads, and return the results in job order.

    Threads, not processes: the work is inside torch kernels, which release the interpreter lock, and traced functions
    need not be pickled.

    Parameters
    ----------
    function : callable
        Takes one job.
    jobs : sequence
        The jobs, cut beforehand in a way that does not depend on `n_jobs`.
    n_jobs : int or None, default=None
        See :func:`effective_jobs`.

    Returns
    -------
    list
        ``[function(job) for job in jobs]``. After an error or Ctrl-C no job is started, and those that run are waited for.
    """
    workers = effective_jobs(n_jobs, len(jobs))
    stopped, running = threading.Event(), threading.Semaphore(workers)

    def run(job: Job) -> Result | None:
        with running:
            if stopped.is_set():
                return None
            torch.set_num_threads(1)  # a new thread does not inherit the setting
            return function(job)

    with one_thread():
        if workers == 1:
            return [function(job) for job in jobs]
        from joblib import Parallel, delayed

        try:
            return list(Parallel(n_jobs=workers, require="sharedmem")(delayed(run)(job) for job in jobs))
        except BaseException:
            stopped.set()
            # joblib waits for nobody, and a thread that still computes when Python ends aborts the process.
            for _ in range(workers):
                running.acquire()
            raise
