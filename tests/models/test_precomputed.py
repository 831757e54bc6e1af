"""The embedding that the user has: kept to the bit, explained, checked, saved."""

from pathlib import Path

import numpy as np
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.cli.app import main
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.fitting.config_file import config_text

RNG = np.random.default_rng(0)
Z = np.repeat([[0.0, 0.0], [6.0, 0.0], [0.0, 5.0]], 20, axis=0) + RNG.normal(size=(60, 2))


@pytest.fixture(scope="module")
def explainer() -> ClusterExplainer:
    return ClusterExplainer("precomputed", n_clusters=3, random_state=0).fit(Z)


def test_the_embedding_is_the_rows_to_the_bit(explainer: ClusterExplainer) -> None:
    assert explainer.embedding_.tobytes() == Z.tobytes()
    assert explainer.transform(Z[:2]).tobytes() == Z[:2].tobytes()


def test_influence_is_the_direct_part_and_says_what_it_leaves_out(explainer: ClusterExplainer) -> None:
    e = explainer.explain([0, 30])
    assert np.array_equal(e.influence, e.direct)
    assert not e.encoder.any()
    assert "your embedding is held fixed; what its making owes to these examples is not included" in str(e)


@pytest.mark.parametrize("model", ["precomputed", "pca"])
def test_shares_of_the_parts_are_said_without_a_warning(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An embedding that is given has the direct part alone by construction; components move, and so does all behind them."""
    ce = ClusterExplainer(model, latent_dim=2 if model == "pca" else None, n_clusters=3, random_state=0).fit(Z)
    e = ce.explain([0])
    sizes = np.array([np.abs(part[0]).sum() for part in (e.encoder, e.cluster, e.direct)])
    shares = sizes / sizes.sum()
    assert (shares[:2] == 0).all() if model == "precomputed" else (shares > 0.01).all()
    words = (
        f"Of the influence, {shares[0]:.0%} comes through the embedding of what is explained, {shares[1]:.0%} through "
        f"clusters that moved and {shares[2]:.0%} directly from weights in clusters."
    )
    assert e.parts_words() == words
    ce.save(tmp_path / "run")
    monkeypatch.setattr("sys.argv", ["clusterexplain", "why", "--run", str(tmp_path / "run"), "--sample", "0"])
    with pytest.raises(SystemExit, match="0"):
        main()
    printed = " ".join(capsys.readouterr().out.split())
    assert words in printed
    assert "arithmetic" not in printed


def test_influence_is_the_central_difference_of_refits(explainer: ClusterExplainer) -> None:
    e, step = explainer.explain([0, 30]), 1e-4
    for i in (0, 1, 30, 45):
        weights = [np.where(np.arange(60) == i, 1 + sign * step, 1.0) for sign in (1, -1)]
        up, down = (e.evaluate(explainer.refit(sample_weight=w), assignments="kept") for w in weights)
        np.testing.assert_allclose(e.influence[:, i], (up - down) / (2 * step), rtol=1e-6, atol=1e-9)


def test_a_check_retrains_nothing_and_agrees(explainer: ClusterExplainer) -> None:
    check = explainer.verify(explainer.explain([0, 25]), level="quick")
    single = check.summary.query("kind == 'single' and assignments == 'kept'")
    assert single["spearman"].iloc[0] > 0.99
    assert "gradients" not in check.verdict


def test_a_run_opens_as_it_was_saved(explainer: ClusterExplainer, tmp_path: Path) -> None:
    explainer.save(tmp_path / "run")
    opened = ClusterExplainer.load(tmp_path / "run")
    assert np.array_equal(opened.explain([3]).influence, explainer.explain([3]).influence)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"latent_dim": 2}, "the columns of X are the embedding. Expected None"),
        ({"scaling": "standard"}, "would change the embedding that was given"),
        ({"hidden": (8,)}, "belongs to a training"),
        ({"measure_smoothness": True}, "measures a training"),
    ],
)
def test_what_would_change_the_embedding_is_refused(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ClusterExplainer("precomputed", n_clusters=3, **parameters).fit(Z)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def density() -> ClusterExplainer:
    return ClusterExplainer(
        "precomputed", "hdbscan", clusterer_options={"min_cluster_size": 8}, membership_score="hdbscan_membership",
        min_agreement=0.5, random_state=0,
    ).fit(Z)  # fmt: skip


class TestAnswersThatAreZero:
    """hdbscan_membership reads no weight: with the embedding held fixed, no weight moves a margin to first order."""

    def test_they_are_said_and_not_ranked(self, density: ClusterExplainer) -> None:
        query = int(np.flatnonzero(density.labels_ >= 0)[0])
        e = density.explain([query])
        assert not e.influence.any()
        assert not len(e.top())
        assert "No training example's weight moves this margin to first order, labels kept; try flip" in str(e)
        assert "Empty DataFrame" not in str(e)
        assert "Of the influence" not in str(e)
        assert e.to_dict()["answers"][0]["part_shares"] == {"encoder": 0, "cluster": 0, "direct": 0}

    def test_the_command_line_prints_no_empty_table(
        self,
        density: ClusterExplainer,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        density.save(tmp_path / "run")
        query = int(np.flatnonzero(density.labels_ >= 0)[0])
        monkeypatch.setattr(
            "sys.argv", ["clusterexplain", "why", "--run", str(tmp_path / "run"), "--sample", str(query)]
        )
        with pytest.raises(SystemExit, match="0"):
            main()
        printed = " ".join(capsys.readouterr().out.split())
        assert "moves this margin to first order" in printed
        assert "PULLED IT IN" not in printed
        assert "Of the influence" not in printed


@pytest.mark.parametrize("model", ["precomputed", "pca"])
def test_the_file_that_repeats_a_run_is_accepted(model: str, tmp_path: Path) -> None:
    ce = ClusterExplainer(model, latent_dim=2 if model == "pca" else None, n_clusters=3, random_state=0).fit(Z)
    (tmp_path / "run.toml").write_text(config_text(ce.fit_.config, {}))
    again = ClusterExplainer.from_config(tmp_path / "run.toml").fit(Z)
    assert again.fit_.key == ce.fit_.key
