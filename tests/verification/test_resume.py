"""A standard check that is killed at any moment and run again says what an uninterrupted one says, byte by byte."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.storage.run_files import RETRAININGS
from tests.conftest import SMALL

VERIFY = (sys.executable, "-m", "clusterexplain", "verify", "--level", "standard", "--json")
ASKED = ("--sample", "3", "--sample", "11", "--run")


def kept(run: Path) -> int:
    return len(list((run / RETRAININGS).glob("*.npy"))) if (run / RETRAININGS).is_dir() else 0


def killed(run: Path, after: int) -> None:
    """Start the check and kill it, without warning, when so many blocks are kept."""
    with subprocess.Popen([*VERIFY, *ASKED, str(run)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as check:
        while check.poll() is None and kept(run) < after:
            time.sleep(0.002)
        os.kill(check.pid, signal.SIGKILL)
    assert check.returncode == -signal.SIGKILL


def finished(run: Path) -> bytes:
    done = subprocess.run([*VERIFY, *ASKED, str(run)], capture_output=True, check=False)
    assert done.returncode in (0, 3, 4), done.stderr.decode()
    return done.stdout


@pytest.mark.slow
def test_a_killed_standard_check_goes_on_to_the_same_figures(blobs: np.ndarray, tmp_path: Path) -> None:
    saved = ClusterExplainer(**SMALL).fit(blobs).save(tmp_path / "saved")
    whole = shutil.copytree(saved, tmp_path / "whole")
    expected = finished(whole)
    n_blocks = kept(whole)
    assert n_blocks > 30
    once = shutil.copytree(saved, tmp_path / "once")
    for after in (1, n_blocks // 3, 2 * n_blocks // 3, n_blocks - 1):  # the same run, killed again and again
        killed(once, after)
        assert not (once / "check.json").exists()
    assert finished(once) == expected
    assert (once / "check.json").read_bytes() == (whole / "check.json").read_bytes()
