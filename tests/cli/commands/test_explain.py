"""Why and flip: words, JSON, CSV and Python agree; new rows, groups, near-duplicates, methods and seeds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clusterexplain import ClusterExplainer, Dataset
from tests.cli.caller import COLUMNS, Caller, run_main, sample_of


def test_why_answers_in_words(plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(monkeypatch, "why", "--sample", "11") == 0
    out = capsys.readouterr().out
    assert re.search(r"Sample 11 is in cluster \d \(\d+ members\), compared with cluster \d\. Its margin", out)
    for words in (
        "PULLED IT IN",
        "PUSHED IT AWAY",
        "if removed",
        "not checked",
        "Next: clusterexplain verify --sample 11",
    ):
        assert words in out
    assert "%)" in out


def test_json_csv_page_and_python_show_the_same_numbers(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "why", "--sample", "11", "--json", "--csv", "all.csv") == 0
    answer = json.loads(capsys.readouterr().out)
    explanation = ClusterExplainer.load(plain).explain([11])
    assert answer == explanation.to_dict()
    frame = pd.read_csv("all.csv")
    np.testing.assert_allclose(frame["influence"], explanation.to_frame()["influence"], rtol=1e-15)
    assert run_main(monkeypatch, "report", "--sample", "11", "--out", "page.html") == 0
    page = Path("page.html").read_text()
    embedded = re.search(r'<script type="application/json" id="page">(.*?)</script>', page, re.DOTALL)
    assert embedded
    assert json.loads(embedded[1])["answers"] == explanation.to_dict(50)
    first = answer["answers"][0]["pulled_in"][0]
    card = explanation._repr_mimebundle_()["text/html"]
    assert f"{first['if_removed']:+.4f} ({first['if_removed_percent']:+.1f} %)" in card


def test_same_command_same_bytes(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = []
    for name in ("one.html", "two.html"):
        run_main(monkeypatch, "why", "--sample", "3", "--json")
        run_main(monkeypatch, "report", "--sample", "3", "--out", name)
        outputs.append((capsys.readouterr().out.replace(name, ""), Path(name).read_bytes()))
    assert outputs[0] == outputs[1]


def test_an_unknown_sample_names_the_range(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "why", "--sample", "99") == 2
    assert (
        "no sample with id 99. Expected one of the 30 ids, from 0 in the first row to 29 in the last"
        in capsys.readouterr().err
    )


def test_the_next_command_asks_for_the_same_method_and_seeds(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for asked in ("--method implicit --method-option damping=0.1", "--seeds 2"):
        run_main(monkeypatch, "why", "--sample", "11", *asked.split())
        assert f"Next: clusterexplain verify --sample 11 {asked}" in " ".join(capsys.readouterr().out.split())


def test_seeds_from_the_command_line(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "why", "--sample", "11", "--seeds", "3") == 0
    assert "Over 3 seeds: two seeds rank the examples" in " ".join(capsys.readouterr().out.split())


def test_flip_speaks_by_exit_code(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    scores = ce.explain(slice(None)).scores
    easy, hard = str(scores.argmin()), str(scores.argmax())
    answer = call.json("flip", "--sample", easy, "--max-removed", "15")
    expected = ce.flip(int(easy), max_removed=15)
    assert expected.flipped
    assert answer == expected.to_dict()
    weights = np.ones(30)
    weights[answer["removed"]] = 0
    assert ce.explain([int(easy)]).evaluate(ce.refit(weights))[0] < 0
    assert f"sample {easy} moves from" in answer["sentence"]
    code, out, _ = call("flip", "--sample", hard, "--max-removed", "1")
    assert code == 3
    assert "No set of at most 1 training examples was found" in out
    assert f"Removed: {ce.flip(int(hard), max_removed=1).removed[0]}\n" in out
    assert "All retrainings" in out


def test_flip_against_a_name(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    sample = sample_of(ce, 0)
    expected = ce.flip(int(sample), against=1, max_removed=1)
    code = 0 if expected.flipped else 3
    answer = call.json("flip", "--sample", sample, "--against", "B cells", "--max-removed", "1", code=code)
    assert answer == expected.to_dict()
    assert answer["rival"] == 1


def test_why_for_new_rows(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    rows = ce.data_.X[[2, 8]] + 0.1
    pd.DataFrame(rows, columns=COLUMNS).to_csv("rows.csv", index=False)
    np.save("rows.npy", rows)
    expected = ce.explain(rows)
    for name in ("rows.csv", "rows.npy"):
        answers = call.json("why", "--row", name, "--top", "3")["answers"]
        assert [one["sample"] for one in answers] == ["new 0", "new 1"]
        np.testing.assert_allclose([one["margin"] for one in answers], expected.scores, rtol=1e-9)
        assert [one["cluster"] for one in answers] == expected.labels.tolist()
    code, out, _ = call("why", "--row", "rows.csv")
    assert code == 0
    assert "Sample new 1 is in cluster" in out
    assert "(itself)" not in out


@pytest.mark.parametrize("name", ["short.csv", "other.csv", "short.npy"])
def test_new_rows_with_other_columns_are_refused(name: str, folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    rows = pd.DataFrame(ce.data_.X[:1], columns=COLUMNS)
    rows[COLUMNS[:4]].to_csv("short.csv", index=False)
    rows.rename(columns={"a": "z"}).to_csv("other.csv", index=False)
    np.save("short.npy", ce.data_.X[:1, :4])
    call.refused("why", "--row", name)


def test_new_rows_are_read_by_name(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    """A run that `fit` made of a file with a header knows its columns: in another order they are sorted or refused."""
    frame = pd.DataFrame(ce.data_.X, columns=COLUMNS)
    frame.to_csv("data.csv", index=False)
    assert call("fit", "--data", "data.csv", "--clusters", "3", "--out", "f", "--steps", "20", "--quiet")[0] == 0
    frame[:1].to_csv("row.csv", index=False)
    frame[:1][COLUMNS[::-1]].to_csv("turned.csv", index=False)
    expected = call.json("why", "--run", "f", "--row", "row.csv", "--top", "1")["answers"]
    code, out, _ = call("why", "--run", "f", "--row", "turned.csv", "--top", "1", "--json")
    if code != 2:
        assert json.loads(out)["answers"] == expected


def test_why_by_groups(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    expected = ce.explain([4]).by("batch")
    groups = call.json("why", "--sample", "4", "--by", "batch")["by"]["batch"]
    assert [one["group"] for one in groups] == expected["group"].tolist()
    shown = {name: expected[name] for name in ("if_removed", "pull_share", "push_share", "share")}
    shown |= {"if_removed_low": -expected["high"], "if_removed_high": -expected["low"]}  # one sign: changes if removed
    assert not {"influence", "low", "high"} & set(groups[0])
    for name, values in shown.items():
        np.testing.assert_allclose([group[name] for group in groups], values, rtol=1e-8, atol=1e-9)
    code, out, _ = call("why", "--sample", "4", "--by", "batch")
    assert code == 0
    assert "Sample 4, by batch" in out
    assert "B [bold]" in out
    assert "of the pull comes from batch" in out
    assert len(call.json("why", "--sample", "4", "--by", "cluster")["by"]["cluster"]) == 3


def test_why_names_near_duplicates_with_another_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blobs: np.ndarray, call: Caller
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = np.vstack([blobs, blobs[:1]])
    pd.DataFrame(rows, columns=COLUMNS).to_csv("data.csv", index=False)
    labels = np.append(np.arange(30) % 2, 1)
    pd.DataFrame({"label": labels}).to_csv("labels.csv", index=False)
    made = ["fit", "--data", "data.csv", "--labels", "labels.csv", "--out", "runs/t", "--steps", "5", "--quiet"]
    assert call(*made, "--min-agreement", "0")[0] == 0
    code, out, _ = call("why", "--sample", "0")
    assert code == 0
    assert "Near-duplicates of 0 with another label: 30 (cluster 1)." in out


@pytest.mark.parametrize("width", ["60", "80", "200"])
def test_why_shows_text_and_metadata_and_hides_no_column(
    width: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.vstack([np.random.default_rng(0).normal(centre, 1, (10, 3)) for centre in (0, 4, -4)])
    rows[11] = rows[3]
    names = [f"kind{number % 4}" for number in range(30)]
    known = {
        "cell_type": names,
        "batch": ["x", "y", "z"] * 10,
        "abstract": [f"words{number}" for number in range(30)],
    }
    data = Dataset(rows, metadata=pd.DataFrame(known), text="abstract")
    fitted = ClusterExplainer(model="precomputed", min_agreement=0.0).fit(data, labels=np.repeat([0, 1, 2], 10))
    fitted.save(tmp_path / "run")
    monkeypatch.setenv("COLUMNS", width)
    shown = ["--show", "batch,cell_type,text"]
    assert run_main(monkeypatch, "why", "--run", str(tmp_path / "run"), "--sample", "3", "--top", "3", *shown) == 0
    out = capsys.readouterr().out
    boxes = [line for line in out.splitlines() if line[:1] in "┏┃┡│└"]
    assert max(map(len, boxes)) <= int(width)
    for column in ("batch", "cell_type", "text"):
        assert column in out
    for id_ in fitted.explain([3]).top(3)["id"]:
        assert f"{names[id_]}" in out
        assert f"words{id_}" in out
    assert "Near-duplicates of 3 with another label: 11 (cluster 1; z; kind3; words11)." in out
    assert run_main(monkeypatch, "label-conflicts", "--run", str(tmp_path / "run"), "--show", "text") == 0
    assert "words11" in capsys.readouterr().out
    assert run_main(monkeypatch, "why", "--run", str(tmp_path / "run"), "--sample", "3", "--show", "bach") == 2
    assert (
        "There is no column 'bach' to show. Expected columns of the metadata: text, cell_type"
        in capsys.readouterr().err
    )


@pytest.mark.filterwarnings("ignore:.*infer_string", "ignore:.*chained_assignment")
def test_new_rows_of_cells_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    image = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 4, 4), dtype=np.uint8)
    pixels[4:] //= 4
    Path("folder").mkdir()
    for number, one in enumerate(pixels):
        image.fromarray(one).save(f"folder/{number}.png")
    image.fromarray(np.kron(pixels[2], np.ones((2, 2), dtype=np.uint8))).convert("RGB").save("new.png")
    fit = ["fit", "--model", "precomputed", "--clusters", "2", "--min-agreement", "0", "--quiet"]
    assert call(*fit, "--data", "folder", "--out", "pictures")[0] == 0
    (new,) = call.json("why", "--run", "pictures", "--row", "new.png")["answers"]
    (known,) = call.json("why", "--run", "pictures", "--sample", "2.png")["answers"]
    assert (new["sample"], new["cluster"]) == ("new new.png", known["cluster"])
    assert new["margin"] == pytest.approx(known["margin"], abs=0.1)  # of the training example its own centroid knows
    anndata = pytest.importorskip("anndata")
    names = {
        "obs": pd.Index([f"c{number}" for number in range(8)], dtype=object),
        "var": pd.Index(list("abcd"), dtype=object),
    }
    X = pixels.reshape(8, 16)[:, :4].astype(float)
    cells = anndata.AnnData(X, **{name: pd.DataFrame(index=index) for name, index in names.items()})
    cells.write_h5ad("cells.h5ad")
    cells[[5, 2], ["d", "a", "c", "b"]].copy().write_h5ad("new.h5ad")
    assert call(*fit, "--data", "cells.h5ad", "--use-rep", "X", "--out", "cells")[0] == 0
    answers = call.json("why", "--run", "cells", "--row", "new.h5ad")["answers"]
    assert [one["sample"] for one in answers] == ["new c5", "new c2"]
    expected = ClusterExplainer.load("cells").explain(X[[5, 2]])
    np.testing.assert_allclose([one["margin"] for one in answers], expected.scores)
    assert "the fit was not made from picture files" in call.refused("why", "--run", "cells", "--row", "new.png")
