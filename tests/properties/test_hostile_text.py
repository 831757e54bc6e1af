"""Texts, files and paths that nobody should bring along: shown harmlessly, refused with a sentence, never half-written."""

from __future__ import annotations

import json
import os
import pickle
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.exceptions import (
    ClusterExplainWarning,
    InvalidDataError,
    InvalidParameterError,
    ReportWriteError,
    RunDamagedError,
    UnknownSampleError,
)
from clusterexplain.report.export import save_chart
from clusterexplain.results.text.names import UNPRINTABLE, replace_unprintable, terminal_safe
from clusterexplain.storage import sidecars
from tests.conftest import SMALL

EVIL = "\x1b[31m\x00\x07\x7f\x9b\ufffe\u202e\n\x85"
UNPRINTED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def evil(blobs: np.ndarray) -> ClusterExplainer:
    """Fit to ids, metadata and feature names that are full of control characters."""
    data = Dataset(
        blobs,
        ids=[f"{EVIL}{i}" for i in range(30)],
        feature_names=[f"{EVIL}{i}" for i in range(5)],
        metadata=pd.DataFrame({"body": [f"{EVIL} {i}" for i in range(30)], EVIL: [EVIL, "plain"] * 15}),
    )
    ce = ClusterExplainer(**SMALL).fit(data)
    ce.fit_.annotations.map_coordinates = np.ascontiguousarray(ce.embedding_[:, :2])  # UMAP has its own slow test
    return ce


def test_what_has_no_look_is_replaced() -> None:
    assert replace_unprintable("a\x00\x1b\x7f\x9f\ud800\ufffe\uffffb\t\n\u202e") == "a" + 7 * "\ufffd" + "b\t\n\u202e"
    assert terminal_safe("a\x1b\u202e\u2066b\r\n\tc\u2028d") == "a\ufffd\ufffd\ufffdb c d"
    assert terminal_safe("a\nb\x1b", lines=True) == "a\nb\ufffd"
    assert terminal_safe("\u05d0 \U0001f469\u200d\U0001f680 é") == "\u05d0 \U0001f469\u200d\U0001f680 é"


@pytest.mark.parametrize("chart", ["map", "influence", "waterfall", "groups", "distances", "clusters"])
def test_pictures_of_control_characters_are_xml(evil: ClusterExplainer, chart: str, tmp_path: Path) -> None:
    pytest.importorskip("vl_convert")  # it ends the process at a control character
    drawn = getattr(evil.explain([f"{EVIL}3"]).plot, chart)
    made = drawn(EVIL) if chart == "groups" else drawn()
    root = ET.fromstring(save_chart(made, tmp_path / "x.svg").read_bytes())
    assert not UNPRINTABLE.search("".join(root.itertext()))
    assert save_chart(made, tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_cards_of_control_characters_are_whole(evil: ClusterExplainer) -> None:
    pytest.importorskip("vl_convert")
    for shown in (evil.explain([f"{EVIL}3"]), evil.explain_cluster(0)):
        bundle = shown._repr_mimebundle_()
        assert bundle["image/png"].startswith(b"\x89PNG")
        for kind in ("text/html", "text/plain"):
            bundle[kind].encode()
            assert not UNPRINTABLE.search(bundle[kind])
        assert "<svg" in bundle["text/html"]


def test_a_picture_that_cannot_be_drawn_is_left_out_of_a_card(
    small: ClusterExplainer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    vl_convert = pytest.importorskip("vl_convert")

    def refuse(*arguments: object, **options: object) -> None:
        raise ValueError("Vega-Lite to PNG conversion failed:\nno such luck")

    monkeypatch.setattr(vl_convert, "vegalite_to_png", refuse)
    e = small.explain([3])
    with pytest.warns(
        ClusterExplainWarning, match=r"The card has no picture\. The chart cannot be drawn as \.png .*no such luck"
    ):
        assert set(e._repr_mimebundle_()) == {"text/plain", "text/html"}
    with pytest.raises(
        ReportWriteError, match=r"cannot be drawn as \.png .* Expected what vl-convert can draw; e\.report"
    ):
        save_chart(e.plot.influence(), tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_nothing_steers_a_terminal(evil: ClusterExplainer, blobs: np.ndarray) -> None:
    e = evil.explain([f"{EVIL}3", f"{EVIL}4"])
    for shown in (e, evil.explain_cluster(0), evil.flip(f"{EVIL}3", max_removed=1)):
        assert not UNPRINTED.search(repr(shown))
    plain = ClusterExplainer(**SMALL).fit(blobs).explain([3, 4])
    assert repr(e).count("\n") == repr(plain).count("\n")  # ids add no lines


@pytest.fixture(scope="module")
def checked(blobs: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    ce = ClusterExplainer(**SMALL).fit(blobs)
    folder = ce.save(tmp_path_factory.mktemp("checked") / "run")
    check = ce.verify(ce.explain([3, 4]), n_single=6, n_within=2, n_groups=3)
    sidecars.write_check(folder, check.explanation.stored_check())
    return folder, json.loads((folder / "check.json").read_text())


def test_a_check_comes_back(checked: tuple[Path, dict[str, Any]]) -> None:
    folder, stored = checked
    (folder / "check.json").write_text(json.dumps(stored))
    found = sidecars.read_check(folder)
    assert found == stored
    e = ClusterExplainer.load(folder).explain([3, 4])
    assert found is not None
    assert e.with_check(found).check is not None
    sidecars.write_check(folder, stored | {"summary": [{"slope": float("inf")}]})
    again = sidecars.read_check(folder)
    assert again is not None
    assert again["summary"] == [{"slope": None}]


def _set(*keys: Any) -> Callable[[dict[str, Any], Any], None]:
    def change(stored: dict[str, Any], value: Any) -> None:
        part: Any = stored
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["fit_key"], 5, "fit_key is not text"),
        (["answers"], None, "answers is not a list"),
        (["answers", 0], 7, "an answer is not three whole numbers"),
        (["answers", 0], [0, 1, "2"], "an answer is not three whole numbers"),
        (["answers", 0], [-5, 1, 2], "an answer is not three whole numbers"),
        (["each"], [], "does not have one verdict for each answer"),
        (["each", 0], "supported", "a verdict is not an object"),
        (["n_together"], 0, "n_together is not a number of samples"),
        (["n_together"], True, "n_together is not a number of samples"),
        (["together", "status"], "proven", "a status is none of supported, not supported, untested"),
        (["each", 1, "status"], ["supported"], "a status is none of"),
        (["each", 1, "sentence"], None, "a sentence is not text"),
        (["each", 1, "estimand"], "all", "an estimand is none of seed, model, recipe"),
        (["together", "reason"], 1, "a reason is not text"),
        (["each", 0, "labels_given"], "yes", "labels_given is not true or false"),
        (["each", 0, "figures"], [], "figures is not an object"),
        (["each", 0, "figures", "single_kept"], 1.5, "a figure is not a correlation"),
        (["each", 0, "figures", "single_kept"], "0.9", "a figure is not a correlation"),
        (["together", "figures", "single_kept"], float("nan"), "NaN is not a number"),
        (["together", "null"], -1e-3, "null, the change without a removal, is below 0"),
        (["together", "null"], float("inf"), "Infinity is not a number"),
        (["retrained"], [1, 2], "retrainings is not an object"),
        (["retrained", "kind"], "single", "retrainings is not whole"),
        (["retrained", "other"], "single", "retrainings is not whole"),
        (["retrained", "kind", 0], 5, "a kind of removal is not text"),
        (["retrained", "position", 0], 2, "a position is not that of an answer"),
        (["retrained", "position", 0], 0.5, "a position is not that of an answer"),
        (["retrained", "n_removed", 0], -1, "n_removed is not a count"),
        (["retrained", "n_removed", 0], 10**30, "n_removed is not a count"),
        (["retrained", "predicted_kept", 0], "0", "predicted_kept holds something else than numbers and null"),
        (["retrained", "continued", 0], 10**400, "continued holds something else than numbers and null"),
    ],
)
def test_checks_that_no_check_wrote_are_damage(
    checked: tuple[Path, dict[str, Any]], keys: list[Any], value: Any, message: str
) -> None:
    folder, stored = checked
    changed = json.loads(json.dumps(stored))
    _set(*keys)(changed, value)
    (folder / "check.json").write_text(json.dumps(changed))
    with pytest.raises(
        RunDamagedError, match=rf"check\.json cannot be read \(.*{message}.*Delete it and run verify again"
    ):
        sidecars.read_check(folder)


@pytest.mark.parametrize(
    "text", ["[]", "[" * 100_000, "\ud800", '{"fit_key": 1e999', '"text"', "7", '{"fit_key": "a"}'], ids=range(7)
)
def test_other_texts_are_no_checks(tmp_path: Path, text: str) -> None:
    (tmp_path / "check.json").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(RunDamagedError, match=r"Delete it and run verify again"):
        sidecars.read_check(tmp_path)


class Bomb:
    """Would leave a file if it were unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what unpickling would call."""
        return (os.mkdir, ("/tmp/clusterexplain-unpickled",))


@pytest.mark.parametrize(
    "found",
    [
        np.full((3, 2), np.nan),
        np.array([[0, 1], [2, np.inf], [3, 4]]),
        np.full((3, 2), "0"),
        np.full((3, 2), 1j),
        np.zeros((3, 2), dtype="M8[s]"),
        np.zeros((3, 3)),
        np.zeros(6),
        np.array([[Bomb(), 1]] * 3, dtype=object),
        b"",
        b"PK\x03\x04 no archive",
        b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (900000000000000, 2), }",
        pickle.dumps([Bomb()]),
        {"x": np.zeros((3, 2))},
    ],
    ids=range(13),
)
def test_a_map_that_does_not_fit_is_drawn_anew(tmp_path: Path, found: Any) -> None:
    with (tmp_path / "map.npy").open("wb") as file:
        if isinstance(found, bytes):
            file.write(found)
        elif isinstance(found, dict):
            np.savez(file, **found)
        else:
            np.save(file, found, allow_pickle=True)
    assert sidecars.read_map(tmp_path, 3) is None
    assert not Path("/tmp/clusterexplain-unpickled").exists()


def test_a_map_that_fits_is_taken(tmp_path: Path) -> None:
    assert sidecars.read_map(tmp_path, 3) is None
    sidecars.write_map(tmp_path, np.arange(6, dtype=np.float32).reshape(3, 2))
    np.testing.assert_array_equal(sidecars.read_map(tmp_path, 3), [[0, 1], [2, 3], [4, 5]])
    assert [file.name for file in tmp_path.iterdir()] == ["map.npy"]


def test_a_map_that_cannot_be_kept_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.warns(
        ClusterExplainWarning, match=r"could not be kept in .*drawn anew next time.*be writable to keep it"
    ):
        sidecars.write_map(tmp_path / "file", np.zeros((3, 2)))


def test_ids_with_halves_of_characters_are_usable_everywhere(blobs: np.ndarray, tmp_path: Path) -> None:
    names = [os.fsdecode(b"scan \x80\xff %d" % i) for i in range(30)]
    assert names[3] == "scan \udc80\udcff 3"
    frame = pd.DataFrame(blobs, columns=list("abcde"), index=pd.Index(names, dtype=object))
    ce = ClusterExplainer(**SMALL).fit(frame)
    ce.fit_.annotations.map_coordinates = np.ascontiguousarray(ce.embedding_[:, :2])
    e = ce.explain([names[3], r"scan \udc80\udcff 4"])
    assert e.query_ids.tolist() == [r"scan \udc80\udcff 3", r"scan \udc80\udcff 4"]
    e.report(tmp_path / "why.html").read_bytes().decode()
    assert len(e.to_frame()) == 60
    e.to_frame().to_csv(tmp_path / "why.csv")
    assert r"Sample scan \udc80\udcff 3 is in cluster" in repr(e)
    for shown in e._repr_mimebundle_().values():
        assert isinstance(shown, bytes) or shown.encode()
    json.dumps(e.to_dict(), ensure_ascii=False).encode()
    loaded = ClusterExplainer.load(ce.save(tmp_path / "run"))
    assert loaded.data_.fingerprint() == ce.data_.fingerprint()
    again = ClusterExplainer.load(tmp_path / "run", data=frame).explain([names[3]])
    np.testing.assert_allclose(again.scores, e.scores[:1], rtol=1e-5)
    with pytest.raises(UnknownSampleError, match=r"no sample with id '\\\\ud800'\. Expected one of the 30 ids"):
        ce.explain(["\ud800"])
    with pytest.raises(UnknownSampleError, match=r"no sample with id '\\\\ud800'"):
        Dataset(blobs).positions(["\ud800"])
    Dataset(blobs[:2], ids=["\ud800", "\ud801"])
    with pytest.raises(InvalidDataError, match="occur more than once"):
        Dataset(blobs[:2], ids=["\ud800", "\ud800"])


def test_reports_that_cannot_be_written_say_why(small: ClusterExplainer, tmp_path: Path) -> None:
    e = small.explain([3])
    small.fit_.annotations.map_coordinates = small.embedding_
    with pytest.raises(InvalidParameterError, match=r"No query is selected\. Expected positions from 0 to 0"):
        e[[]]
    with pytest.raises(
        InvalidParameterError, match=r"is a folder\. Expected the name of a file, for example .*why\.html"
    ):
        e.report(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ReportWriteError, match=r"cannot be written \(.*Expected a file in a folder where you may write"
    ):
        e.report(tmp_path / "file" / "why.html")
    with pytest.raises(ReportWriteError, match=r"cannot be written \(.*null"):
        e.report(tmp_path / "w\0.html")
    (tmp_path / "x.png").mkdir()
    with pytest.raises(InvalidParameterError, match="is a folder"):
        save_chart(None, tmp_path / "x.png")
    small.fit_.annotations.map_coordinates = None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "x.png"]


def test_a_page_is_written_whole_or_not_at_all(
    small: ClusterExplainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.fit_.annotations.map_coordinates = small.embedding_
    target, link = tmp_path / "real.html", tmp_path / "why.html"
    target.write_text("older")
    link.symlink_to(target)

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("clusterexplain.storage.atomic.os.replace", full)
        with pytest.raises(ReportWriteError, match=r"No space left on device\)\. Expected"):
            small.explain([3]).report(link)
    assert target.read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["real.html", "why.html"]
    small.explain([3]).report(link)
    assert link.is_symlink()
    assert target.read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["real.html", "why.html"]
    small.fit_.annotations.map_coordinates = None
