"""Clusters are listed, explained, separated and named; near-duplicates with different labels are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clusterexplain import ClusterExplainer
from clusterexplain.storage import sidecars
from tests.cli.caller import Caller, sample_of
from tests.conftest import SMALL


def test_clusters(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    code, out, _ = call("clusters")
    assert code == 0
    assert '1 "B cells"' in out
    marginal = int(np.argmin(ce.margins_))
    assert f"Next: clusterexplain why --sample {marginal}" in out
    found = call.json("clusters")
    assert sum(one["n"] for one in found) == len(ce.labels_)
    assert found == ce.clusters().astype(object).to_dict("records")


def test_cluster(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    code, out, _ = call("cluster", "1")
    assert code == 0
    for words in (
        'Cluster 1 "B cells" has',
        "HOLDS IT TOGETHER",
        "LOOSENS IT",
        "Most typical members",
        "Least typical members",
        "Other clusters: mean margin",
        "not checked",
    ):
        assert words in out
    answer = call.json("cluster", "1", "--top", "3")
    expected = ce.explain_cluster(1, n_shown=3)
    assert answer["cluster"] == 1
    assert answer["size"] == len(expected.members)
    assert answer["answers"] == expected.cohesion.to_dict(3)["answers"]
    assert [one["id"] for one in answer["typical"]] == expected.typical(3)["id"].tolist()
    assert [one["strongest"] for one in answer["towards"]] == expected.towards["strongest"].tolist()
    assert call.json("cluster", "B cells", "--top", "3") == answer


def test_separation(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    code, out, _ = call("separation", "0", "B cells")
    assert code == 0
    assert 'Cluster 0 and cluster 1 "B cells"' in out
    assert "KEEPS THEM APART" in out
    assert "MERGES THEM" in out
    assert call.json("separation", "0", "1", "--top", "4") == ce.separation(0, 1).to_dict(4)


def test_verify_of_a_pair(folder: Path, call: Caller) -> None:
    answer = call.json("separation", "0", "1", "--verify", "--top", "2")
    assert answer["checked"]["sentence"] == answer["check"]["sentence"]
    code, out, _ = call("separation", "0", "1", "--verify", "--quiet")
    assert code == 0
    assert "This answer is checked: " in out


def test_label_conflicts(folder: Path, call: Caller, tmp_path: Path) -> None:
    code, out, _ = call("label-conflicts", "--share", "0")
    assert code == 0
    assert "No near-duplicates have different labels" in out
    assert call.json("label-conflicts", "--share", "0") == []
    ce = ClusterExplainer.load(folder)
    X = ce.data_.X.copy()
    X[29] = X[3]
    labels = ce.labels_.copy()
    labels[[3, 29]] = [0, 1]
    ClusterExplainer(**{**SMALL, "n_steps": 2}, clusterer=labels, min_agreement=0).fit(X).save("runs/conflicts")
    code, out, _ = call("label-conflicts", "--run", "runs/conflicts")
    assert code == 0
    assert "Near-duplicates with different labels" in out
    assert "--sample 3 --against 1" in out
    found = call.json("label-conflicts", "--run", "runs/conflicts")
    assert found[0]["id"] == 3
    assert (found[0]["near_duplicate"], found[0]["near_duplicate_cluster"], found[0]["distance"]) == (29, 1, 0)


def test_names_are_given_shown_and_taken_away(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    sample = sample_of(ce, 0)
    code, out, _ = call("name", "0", "T [red]cells")
    assert code == 0
    assert '0 "T [red]cells", 1 "B cells"' in out
    assert sidecars.read_names(folder) == {0: "T [red]cells", 1: "B cells"}
    code, out, _ = call("why", "--sample", sample, "--against", "B cells")
    assert code == 0
    assert 'in cluster 0 "T [red]cells"' in out
    assert 'compared with cluster 1 "B cells"' in out
    assert call.json("why", "--sample", sample, "--against", "B cells")["answers"][0]["rival"] == 1
    assert call("name", "2", "B cells")[0] == 0
    message = "'B cells' is the name of clusters 1, 2. Expected one of these numbers"
    assert message in call.refused("why", "--sample", sample, "--against", "B cells")
    for cluster in ("0", "1", "2"):
        code, out, _ = call("name", cluster, "")
        assert code == 0
    assert "none" in out
    assert sidecars.read_names(folder) == {}
    assert "B cells" not in call("why", "--sample", sample)[1]
