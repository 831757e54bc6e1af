"""Jobs side by side: an error stops those that have not begun and waits for those that run."""

from __future__ import annotations

import threading
import time

import pytest

from clusterexplain.execution.executors import map_jobs


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_running_jobs_are_waited_for_and_no_other_begins(kind: type[BaseException]) -> None:
    began, ended, both = [], [], threading.Barrier(2)

    def work(job: int) -> int:
        began.append(job)
        if job < 2:
            both.wait(timeout=30)
        if job == 0:
            raise kind("stop")
        time.sleep(0.5)
        ended.append(job)
        return job

    with pytest.raises(kind, match="stop"):
        map_jobs(work, range(20), n_jobs=2)
    assert sorted(ended) == sorted(set(began) - {0})
    assert len(began) < 20
    time.sleep(0.7)
    assert sorted(ended) == sorted(set(began) - {0})  # nothing was left behind
