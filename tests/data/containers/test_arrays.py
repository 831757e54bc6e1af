"""Arrays of every kind: tensors, masks, sparse matrices, dates; wrong containers are refused at once and with a cure."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

from clusterexplain import Dataset
from clusterexplain.data.containers.arrays import densified
from clusterexplain.data.validation import as_matrix, check_sample_weight
from clusterexplain.exceptions import InvalidDataError, MemoryBudgetError

ROWS = np.random.default_rng(0).normal(size=(12, 4))
TENSOR = torch.from_numpy(ROWS)


def _compressed(tensor: torch.Tensor) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch says that the layout is in beta
        return tensor.to_sparse_csr()


@pytest.mark.parametrize(
    "given",
    [
        TENSOR,
        TENSOR.clone().requires_grad_(),
        torch.nn.Parameter(TENSOR.clone()),
        TENSOR.to_sparse(),
        _compressed(TENSOR),
        TENSOR.T.contiguous().T,
        torch.complex(TENSOR, TENSOR).conj().real,
        list(TENSOR),
        scipy.sparse.csr_matrix(ROWS),
        scipy.sparse.csc_array(ROWS),
        scipy.sparse.coo_matrix(ROWS),
        scipy.sparse.bsr_array(ROWS),
        np.ma.masked_array(ROWS, mask=False),
        ROWS.astype(object),
        np.asfortranarray(ROWS),
        ROWS.tolist(),
    ],
)
def test_the_numbers_stay_what_they_are(given: Any) -> None:
    found = as_matrix(given)
    np.testing.assert_array_equal(found, ROWS)
    assert found.flags.c_contiguous
    assert not np.shares_memory(found, ROWS)


@pytest.mark.parametrize(
    ("dtype", "error"),
    [(torch.bfloat16, 2**-8), (torch.float16, 2**-11), (torch.float8_e4m3fn, 2**-4), (torch.float32, 2**-24)],
)
def test_short_floats(dtype: torch.dtype, error: float) -> None:
    np.testing.assert_allclose(as_matrix(TENSOR.to(dtype)), ROWS, rtol=error, atol=0.01)
    assert check_sample_weight(torch.ones(12, dtype=dtype), 12).tolist() == [1] * 12


def test_whole_and_boolean_and_quantized_tensors() -> None:
    assert as_matrix(torch.arange(6).reshape(3, 2)).tolist() == [[0, 1], [2, 3], [4, 5]]
    assert as_matrix(torch.eye(2).bool()).tolist() == [[1, 0], [0, 1]]
    assert Dataset(np.eye(3), ids=torch.tensor([7, 8, 9])).ids.tolist() == [7, 8, 9]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            np.ma.masked_greater(ROWS, 1.0),
            r"masked entries, the first of them at \(\d+, \d\).*missing, whatever number lies under",
        ),
        ([np.ma.masked_array([1.0, 2.0], mask=[False, True])] * 3, r"1 masked entries"),
        (
            np.array([["2024-01-01", "NaT"]] * 3, dtype="datetime64[ns]"),
            r"X holds dates .*numpy\.timedelta64\(1, 'D'\)",
        ),
        (np.array([[1, 2]] * 3, dtype="timedelta64[s]"), r"X holds durations"),
        (torch.ones(3, 2, device="meta"), r"on the device 'meta', which has a shape but no numbers"),
        (torch.complex(TENSOR, TENSOR), r"Complex data not supported"),
        (scipy.sparse.csr_matrix(ROWS * 1j), r"Complex data not supported"),
        (scipy.sparse.csr_matrix(np.where(ROWS > 1, np.nan, ROWS)), r"contains NaN"),
        (
            np.array([(1, 2.0)] * 3, dtype=[("a", int), ("b", float)]),
            r"structured array with the fields a, b\. ",
        ),
        ([[1, 2], [3]], r"X is ragged.*rows of equal length"),
        ([torch.ones(2), torch.ones(3)], r"X is ragged: its entries have different shapes"),
        ([[1.0, None]] * 3, r"not numbers|contains NaN"),
        ([[1.0, pd.NA]] * 3, r"values that are not numbers"),
    ],
)
def test_what_is_missing_or_no_number_is_refused(given: Any, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        as_matrix(given)


def test_masks_and_dates_elsewhere() -> None:
    masked = np.ma.masked_array(np.ones(12), mask=[True, *[False] * 11])
    with pytest.raises(InvalidDataError, match=r"sample_weight has 1 masked entries, the first of them at \(0,\)"):
        check_sample_weight(masked, 12)
    with pytest.raises(InvalidDataError, match=r"ids has 1 masked entries"):
        Dataset(ROWS, ids=np.ma.masked_array(np.arange(12), mask=masked.mask))
    with pytest.raises(InvalidDataError, match=r"ids has 1 missing entries, the first of them in row 1"):
        Dataset(ROWS, ids=pd.DatetimeIndex(["2024-01-01", pd.NaT, *pd.date_range("2024-02-01", periods=10)]))  # type: ignore[arg-type]


class _Endless:
    """Answers every index, as an AnnData does; numpy would go on for ever."""

    def __len__(self) -> int:
        return 10**9

    def __getitem__(self, index: Any) -> _Endless:
        return self


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _Endless(), r"X is .*_Endless, expected a matrix"),
        (lambda: {"a": [1, 2]}, r"X is dict, .*pandas\.DataFrame\(\.\.\.\) makes a table"),
        (lambda: {1, 2}, r"X is set, .*a set has no order"),
        (lambda: (row for row in ROWS), r"X is generator, expected a matrix"),
        (lambda: Path("rows.csv"), r"Dataset\.from_file\(path\) reads a file"),
        (lambda: b"1,2", r"X is bytes"),
        (lambda: torch.utils.data.DataLoader(TENSOR), r"DataLoader.*torch\.cat"),
        (lambda: torch.nn.Linear(2, 2), r"X is torch\.Linear"),
        (lambda: np, r"X is module"),
        (lambda: open, r"X is builtin_function"),
        (lambda: [{"a": 1}] * 3, r"X\[0\] is dict"),
    ],
)
def test_wrong_containers_are_refused_within_a_second(make: Callable[[], Any], message: str) -> None:
    given = make()
    started = time.perf_counter()
    with pytest.raises(InvalidDataError, match=message):
        Dataset.of(given)
    assert time.perf_counter() - started < 1


def test_sparse_matrices_are_made_dense_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    sparse = scipy.sparse.random(200, 30, density=0.1, random_state=0)
    monkeypatch.setattr("clusterexplain.data.containers.arrays.DENSIFIED_BLOCK_BYTES", 30 * 8 * 7)
    np.testing.assert_array_equal(densified(sparse), sparse.toarray())
    huge = scipy.sparse.csr_matrix((10**6, 30_000))
    with pytest.raises(
        MemoryBudgetError, match=r"1000000 x 30000 entries take 240\.0 GB .*at most 2\.0 GB.*TruncatedSVD"
    ):
        Dataset.of(huge)
    with pytest.raises(MemoryBudgetError, match=r"at most 0\.0 GB"):
        Dataset.of(sparse, max_bytes=1000)
    with pytest.raises(MemoryBudgetError, match=r"take 8\.0 GB"):
        as_matrix(
            torch.sparse_coo_tensor(torch.zeros(2, 0, dtype=torch.long), [], (10**6, 1000), check_invariants=True)
        )
