"""Scores of density clusters: the package's memberships, finite differences, invariance, and the edge to noise."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, make_blobs, make_moons
from sklearn.decomposition import PCA
from torch import Tensor
from torch.func import grad, vmap

from clusterexplain import ClusterExplainer
from clusterexplain.clustering import ClusterInputs
from clusterexplain.clustering.density.hdbscan import HDBSCANClustering
from clusterexplain.clustering.scores.base import FLOOR
from clusterexplain.clustering.scores.exemplars import POWER, Exemplar, HdbscanMembership, noise_reason_of

DIGITS = torch.from_numpy(PCA(10, random_state=0).fit_transform(load_digits().data)[:300])
MOONS = torch.from_numpy(make_moons(300, noise=0.12, random_state=0)[0])
BLOBS = torch.from_numpy(make_blobs(200, n_features=3, centers=6, cluster_std=2.0, random_state=3)[0])
DATA = {"digits": (DIGITS, 5), "moons": (MOONS, 10), "blobs": (BLOBS, 8)}
SCORES = [Exemplar(), HdbscanMembership()]
both_scores = pytest.mark.parametrize("score", SCORES, ids=lambda score: score.name)
all_data = pytest.mark.parametrize("data", DATA)


def fit(data: str) -> tuple[HDBSCANClustering, Tensor, Tensor]:
    rows, size = DATA[data]
    weights = torch.ones(len(rows), dtype=torch.float64)
    return HDBSCANClustering.fit(rows, weights, options={"min_cluster_size": size}), rows, weights


@all_data
def test_membership_ratios_are_the_packages(data: str) -> None:
    import hdbscan

    rows, size = DATA[data]
    fitted = hdbscan.HDBSCAN(min_cluster_size=size, prediction_data=True, core_dist_n_jobs=1).fit(rows.numpy())
    theirs = hdbscan.all_points_membership_vectors(fitted)
    clustering = HDBSCANClustering.from_fitted_estimator(fitted, rows)
    logits = HdbscanMembership().logits(
        rows, clustering.state(ClusterInputs(rows, torch.ones(len(rows), dtype=torch.float64)))
    )
    others = np.setdiff1d(np.arange(len(rows)), clustering.exemplars)  # an exemplar's own distance is 0
    ours = logits.numpy()[others]
    expected = np.log(theirs[others])
    np.testing.assert_allclose(ours - ours[:, :1], expected - expected[:, :1], atol=1e-8)


def test_exemplar_evidence_is_the_power_sum() -> None:
    clustering, rows, weights = fit("digits")
    weights = weights * torch.linspace(0.5, 2, len(weights), dtype=torch.float64)
    state = clustering.state(ClusterInputs(rows, weights))
    squares = torch.cdist(rows, rows[clustering.exemplars]).square() + FLOOR * state.within
    terms = weights[clustering.exemplars] * squares**-POWER
    sums = torch.stack([terms[:, clustering.exemplar_cluster == k].sum(1) for k in range(clustering.n_clusters)], -1)
    torch.testing.assert_close(Exemplar().logits(rows, state), sums.log() / POWER)


@all_data
@both_scores
def test_scores_agree_with_the_labels(score: Any, data: str) -> None:
    clustering, rows, weights = fit(data)
    state = clustering.state(ClusterInputs(rows, weights))
    inside, labels = score.boundary_margins(rows, state), clustering.labels
    noise = labels < 0
    assert noise.any()
    assert (inside[noise] <= 1e-12).all()
    assert (inside[noise] < 0).all(dim=1).double().mean() > 0.9  # the others are ends of an edge: 0
    own = inside.gather(1, labels.clamp(min=0).unsqueeze(1)).squeeze(1)
    assert (own[~noise] >= -1e-12).all()
    assert (score.nearest(rows, state)[~noise] == labels[~noise]).double().mean() > 0.9


def _questions(
    clustering: HDBSCANClustering, score: Any, rows: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    members, noise = torch.where(clustering.labels >= 0)[0][::9], torch.where(clustering.labels < 0)[0][::3]
    asked = torch.cat([members, noise])
    own = clustering.labels[asked]
    return asked, own, score.runner_up(rows[asked], clustering.state(ClusterInputs(rows, weights)), own)


@all_data
@both_scores
def test_derivatives_are_those_of_finite_differences(score: Any, data: str) -> None:
    clustering, rows, weights = fit(data)
    asked, own, runner_up = _questions(clustering, score, rows, weights)
    assert (own < 0).any()
    generator = torch.Generator().manual_seed(0)
    scale = torch.cat([rows.std().expand(rows.numel()), torch.ones(len(rows))])
    direction = torch.randn(len(scale), generator=generator, dtype=torch.float64) * scale

    def scores(flat: Tensor) -> Tensor:
        z, w = flat[: rows.numel()].reshape(rows.shape), flat[rows.numel() :]
        return score.margins(z[asked], clustering.state(ClusterInputs(z, w)), own, runner_up)

    def one(flat: Tensor, sample: Tensor, first: Tensor, second: Tensor) -> Tensor:
        z, w = flat[: rows.numel()].reshape(rows.shape), flat[rows.numel() :]
        return score.margins(z.index_select(0, sample).squeeze(0), clustering.state(ClusterInputs(z, w)), first, second)

    at = torch.cat([rows.reshape(-1), weights])
    exact = vmap(grad(one), in_dims=(None, 0, 0, 0))(at, asked.unsqueeze(1), own, runner_up) @ direction
    step = 1e-6
    numeric = (scores(at + step * direction) - scores(at - step * direction)) / (2 * step)
    assert exact.abs().max() > 0.1
    assert (exact - numeric).abs().max() <= 1e-6 * exact.abs().max()


def test_weight_0_is_finite_and_differentiable_and_the_exemplar_gone() -> None:
    clustering, rows, weights = fit("digits")
    gone = int(clustering.exemplars[0])
    weights = weights.clone()
    weights[gone] = 0

    def one(w: Tensor, sample: Tensor) -> Tensor:
        return Exemplar().logits(sample, clustering.state(ClusterInputs(rows, w)))[0]

    asked = torch.cat([torch.arange(0, 300, 20), torch.tensor([gone])])
    gradients = vmap(grad(one), in_dims=(None, 0))(weights, rows[asked])
    assert torch.isfinite(gradients).all()
    assert (gradients[:, gone] > 0).all()
    step = torch.zeros(300, dtype=torch.float64)
    step[gone] = 1e-7
    numeric = [(one(weights + step, row) - one(weights, row)) / 1e-7 for row in rows[asked[:-1]]]
    torch.testing.assert_close(gradients[:-1, gone], torch.stack(numeric), rtol=1e-4, atol=1e-8)


@both_scores
def test_rotation_and_scale_do_not_matter(score: Any) -> None:
    clustering, rows, weights = fit("digits")
    asked, own, runner_up = _questions(clustering, score, rows, weights)
    turn = torch.linalg.qr(torch.randn(10, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    moved = 7.3 * rows @ turn + 2.0
    expected = score.margins(rows[asked], clustering.state(ClusterInputs(rows, weights)), own, runner_up)
    found = score.margins(moved[asked], clustering.state(ClusterInputs(moved, weights)), own, runner_up)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


@both_scores
def test_a_cluster_that_lost_its_exemplars_has_no_score_but_breaks_no_other(score: Any) -> None:
    clustering, rows, weights = fit("digits")
    weights = torch.where(clustering.labels == 0, 0.0, weights)
    state = clustering.state(ClusterInputs(rows, weights))
    assert state.nonempty.tolist() == [False] + [True] * (clustering.n_clusters - 1)
    assert torch.isfinite(score.logits(rows, state)).all()
    assert torch.isfinite(score.boundary_margins(rows, state)).all()
    sample, zero, one, two = rows[5:6], *(torch.tensor([k]) for k in (0, 1, 2))
    assert torch.isnan(score.margins(sample, state, zero, one)).all()
    assert torch.isfinite(score.margins(sample, state, one, two)).all()
    assert (score.nearest(rows, state) != 0).all()


def test_many_rows_are_scored_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    clustering, rows, weights = fit("digits")
    state = clustering.state(ClusterInputs(rows, weights))
    whole = [score.logits(rows, state) for score in SCORES] + [SCORES[0].boundary_margins(rows, state)]
    assigned = clustering.assign(rows, state)
    monkeypatch.setattr("clusterexplain.execution.budget.DISTANCE_CHUNK", 50_000)
    pieces = [score.logits(rows, state) for score in SCORES] + [SCORES[0].boundary_margins(rows, state)]
    assert all(torch.equal(a, b) for a, b in zip(whole, pieces, strict=True))
    assert torch.equal(clustering.assign(rows, state), assigned)


def test_noise_lacks_density_or_is_too_far() -> None:
    generator = np.random.default_rng(0)
    group = generator.normal(size=(60, 2))
    crowd = generator.normal(scale=0.1, size=(4, 2)) + 30.0
    rows = torch.from_numpy(np.concatenate([group, group + [8.0, 0.0], crowd, [[15.0, -15.0]]]))
    weights = torch.ones(len(rows), dtype=torch.float64)
    clustering = HDBSCANClustering.fit(rows, weights, options={"min_cluster_size": 20, "min_samples": 3})
    state = clustering.state(ClusterInputs(rows, weights))
    assert clustering.labels[-5:].tolist() == [-1] * 5
    near = Exemplar().boundary_margins(rows, state).argmax(dim=-1).tolist()
    assert noise_reason_of(rows[-2], state, near[-2]) == "distance"  # one of four neighbours, far away
    assert noise_reason_of(rows[-1], state, near[-1]) == "density"  # alone


@both_scores
def test_float32_answers_are_those_of_float64_also_for_exemplars(score: Exemplar | HdbscanMembership) -> None:
    """An exemplar that is asked about lies on itself, but for rounding: that must not decide its answer."""
    rows = make_blobs(60, n_features=5, centers=3, cluster_std=2.0, random_state=0)[0]
    single, double = (
        ClusterExplainer(
            latent_dim=2, hidden=(6,), n_steps=40, batch_size=8, random_state=0, clusterer="hdbscan", min_agreement=0.0,
            clusterer_options={"min_cluster_size": 5, "min_samples": 3}, membership_score=score.name, dtype=dtype,
        ).fit(rows)
        for dtype in ("float32", "float64")
    )  # fmt: skip
    clustering = double.fit_.clustering
    assert isinstance(clustering, HDBSCANClustering)
    exemplars = clustering.exemplars.numpy()
    others = np.setdiff1d(np.flatnonzero(clustering.labels.numpy() >= 0), exemplars)
    assert len(exemplars) >= 8
    for queries in (exemplars, others):
        found, expected = (ce.explain(queries.tolist()) for ce in (single, double))
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
        error = np.abs(found.influence - expected.influence).max(axis=1) / np.abs(expected.influence).max(axis=1)
        assert error.max() <= 1e-4
