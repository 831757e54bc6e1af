"""The page: one inert file that needs no network; the map and its view."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.report import umap_view
from clusterexplain.report.rows import png_data_uri
from tests.conftest import SMALL

EVIL = "</script><script>alert('x')</script>\"&‮"


@pytest.fixture(scope="module")
def hostile(blobs: np.ndarray) -> ClusterExplainer:
    ids = np.array([f"{EVIL}{i}" for i in range(30)])
    ce = ClusterExplainer(**SMALL).fit(Dataset(blobs, ids=ids, feature_names=[f"{EVIL}{i}" for i in range(5)]))
    ce._map = ce.embedding_
    return ce


def test_text_from_data_is_inert(hostile: ClusterExplainer, tmp_path: Path) -> None:
    page = hostile.explain([f"{EVIL}4"]).report(tmp_path / "deep" / "why.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert page.count("<script") == 1
    assert page.count("</script>") == 1
    assert "alert" in page


def test_the_page_refers_to_nothing_outside(hostile: ClusterExplainer, tmp_path: Path) -> None:
    page = hostile.explain(slice(0, 2)).report(tmp_path / "why.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:)", page)
    assert "url(" not in page
    assert "default-src 'none'" in page
    assert page.count("<section>") == 2
    assert "not from this map" in page


def test_thumbnails_are_valid_pngs() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    blob = base64.b64decode(png_data_uri(grey).split(",")[1])
    assert blob.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", blob[16:24]) == (4, 3)
    data = blob[blob.index(b"IDAT") + 4 : blob.index(b"IEND") - 8]
    lines = zlib.decompress(data)
    assert [lines[5 * i + 1 : 5 * i + 5] for i in range(3)] == [bytes(grey[i]) for i in range(3)]


def test_images_show_thumbnails(tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(20, 6))
    ce = ClusterExplainer(**SMALL).fit(Dataset(images, image_shape=(2, 3)))
    ce._map = ce.embedding_
    page = ce.explain([3]).report(tmp_path / "why.html").read_text()
    assert page.count('<img class="thumb"') >= 3


def test_few_rows_are_laid_out_without_umap() -> None:
    view = umap_view(np.eye(4, 3), seed=0)
    assert view.shape == (4, 2)
    assert np.isfinite(view).all()
    assert umap_view(np.arange(3.0)[:, None], seed=0).shape == (3, 2)


@pytest.mark.slow
def test_umap_gives_the_same_view_again() -> None:
    z = np.random.default_rng(0).normal(size=(60, 4))
    np.testing.assert_array_equal(umap_view(z, seed=3), umap_view(z, seed=3))
