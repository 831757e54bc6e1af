"""Graphs from files: sparse matrices of scipy, and those beside single cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from clusterexplain.data.readers.graph import read_graph
from clusterexplain.exceptions import InvalidDataError
from tests.conftest import OF_ANNDATA, pbmc_file

EDGES = scipy.sparse.csr_matrix(np.array([[0.0, 0.5], [0.5, 0.0]]))


@pytest.mark.parametrize("kind", [scipy.sparse.csr_matrix, scipy.sparse.coo_matrix, scipy.sparse.csc_array])
def test_a_file_of_scipy_is_read(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "graph.npz"
    scipy.sparse.save_npz(path, kind(EDGES))
    np.testing.assert_array_equal(read_graph(str(path), "rows.csv").toarray(), EDGES.toarray())


def test_what_is_no_sparse_matrix_is_refused(tmp_path: Path) -> None:
    (broken := tmp_path / "broken.npz").write_bytes(b"no archive")
    np.savez(dense := tmp_path / "dense.npz", X=np.eye(2))
    np.savez(pickled := tmp_path / "pickled.npz", format=np.array({"a": 1}, dtype=object))
    for path in (broken, dense, pickled):
        with pytest.raises(
            InvalidDataError, match=r"cannot be read as a sparse matrix .* scipy\.sparse\.save_npz wrote"
        ):
            read_graph(str(path), "rows.csv")
    with pytest.raises(InvalidDataError, match=r"There is no file nowhere\.npz\."):
        read_graph("nowhere.npz", "rows.csv")
    with pytest.raises(InvalidDataError, match=r"--graph knn is no \.npz file, and rows\.csv is no \.h5ad file"):
        read_graph("knn", "rows.csv")


@OF_ANNDATA
def test_a_key_of_obsp_is_read_from_single_cells() -> None:
    path = str(pbmc_file())
    found = read_graph("connectivities", path)
    assert found.shape == (700, 700)
    assert abs(found - found.T).max() < 1e-6
    with pytest.raises(InvalidDataError, match=r"has no 'nearest' in obsp\. Expected one of: .*connectivities"):
        read_graph("nearest", path)
