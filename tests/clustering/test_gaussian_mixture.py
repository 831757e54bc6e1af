"""The Gaussian mixture: scikit-learn's fit at unit weights, weights as repetitions, derivatives against real re-fits."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor
from torch.func import grad, jacrev, vmap

from clusterexplain.clustering import ClusterInputs
from clusterexplain.clustering.em import Covariances
from clusterexplain.clustering.gaussian_mixture import GaussianMixtureClustering, weighted_variance
from clusterexplain.clustering.kmeans import KMeansClusterer
from clusterexplain.clustering.mixture_state import MixtureState, log_joint
from clusterexplain.clustering.scores.responsibility import Responsibility
from clusterexplain.exceptions import InvalidParameterError

COVARIANCE_TYPES = Covariances.TYPES
REG_COVAR = 1e-3
QUERIES = torch.tensor([0, 5, 17])


def _rows(seed: int = 1) -> Tensor:
    """Draw three overlapping clusters of 40, 25 and 15 rows, neither centred nor of unit variance."""
    centers = np.array([[0.0, 0.0, 0.0], [3.5, 1.0, 0.0], [0.0, 4.0, 2.0]])
    z, _ = make_blobs([40, 25, 15], centers=centers, cluster_std=[1.2, 0.8, 1.0], random_state=seed)
    return torch.from_numpy(3 * z + 7)


def _ones(z: Tensor) -> Tensor:
    return torch.ones(len(z), dtype=torch.float64)


def _fit(z: Tensor, kind: str = "full") -> GaussianMixtureClustering:
    return GaussianMixtureClustering.fit(z, _ones(z), 3, seed=0, covariance_type=kind, reg_covar=REG_COVAR)


def _covariances(state: MixtureState) -> Tensor:
    return torch.linalg.inv(state.precisions_cholesky @ state.precisions_cholesky.mT)


def _scikit_learn(z: Tensor, kind: str) -> GaussianMixture:
    """Run scikit-learn's EM to rounding, from the clusters of our k-means."""
    x, labels = z.numpy(), KMeansClusterer(3, seed=0).fit(z.numpy(), np.ones(len(z)))
    reg = REG_COVAR * x.var(axis=0).mean()
    model = GaussianMixture(3, covariance_type=kind, reg_covar=reg, tol=0, max_iter=2000)
    model._initialize_parameters = lambda rows, rng, xp=None: model._initialize(rows, np.eye(3)[labels])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x)


def _score(
    clustering: GaussianMixtureClustering, z: Tensor, w: Tensor, query: Tensor, own: Tensor, runner_up: Tensor
) -> Tensor:
    return Responsibility().margins(
        torch.index_select(z, 0, query[None])[0], clustering.state(ClusterInputs(z, w)), own, runner_up
    )


def _refitted(clustering: GaussianMixtureClustering, z: Tensor, w: Tensor, own: Tensor, runner_up: Tensor) -> Tensor:
    settled = clustering.update_kept(ClusterInputs(z, w))
    assert settled.converged
    return Responsibility().margins(z[QUERIES], settled.values(ClusterInputs(z, w)), own, runner_up)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_unit_weights_are_scikit_learn(kind: str) -> None:
    z = _rows()
    clustering, reference = _fit(z, kind), _scikit_learn(z, kind)
    state = clustering.values(ClusterInputs(z, _ones(z)))
    order = [
        int(np.flatnonzero(np.isclose(reference.means_, mean, rtol=1e-3).all(1))[0]) for mean in state.means.numpy()
    ]
    covariances = torch.from_numpy(np.linalg.inv(_full(reference.precisions_, kind)))[order]
    assert clustering.converged
    torch.testing.assert_close(state.means, torch.from_numpy(reference.means_)[order], rtol=1e-9, atol=0)
    torch.testing.assert_close(state.log_weights.exp(), torch.from_numpy(reference.weights_)[order], rtol=1e-9, atol=0)
    torch.testing.assert_close(_covariances(state), covariances, rtol=1e-8, atol=1e-8)
    assert float(log_joint(z, state).logsumexp(1).mean()) == pytest.approx(reference.score(z.numpy()), rel=1e-12)
    assert np.argsort(order)[reference.predict(z.numpy())].tolist() == clustering.labels.tolist()
    assert clustering.assign(z, state).tolist() == clustering.labels.tolist()


def _full(precisions: np.ndarray, kind: str) -> np.ndarray:
    eye = np.eye(3)
    return {
        "full": lambda p: p,
        "tied": lambda p: np.stack([p] * 3),
        "diag": lambda p: p[:, None] * eye,
        "spherical": lambda p: p[:, None, None] * eye,
    }[kind](precisions)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_weights_are_repetitions(kind: str) -> None:
    z, base = _rows(), _fit(_rows(), kind)
    times = torch.arange(len(z)) % 3
    weighted = base.update_kept(ClusterInputs(z, times.double())).values(ClusterInputs(z, times.double()))
    repeated = z.repeat_interleave(times, dim=0)
    expected = base.update_kept(ClusterInputs(repeated, _ones(repeated))).values(
        ClusterInputs(repeated, _ones(repeated))
    )
    for found, wanted in zip(weighted, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_a_row_of_weight_zero_is_absent_but_labelled() -> None:
    z = _rows()
    more, w = torch.cat([z, z[:2] + 0.5]), torch.cat([_ones(z), torch.zeros(2, dtype=torch.float64)])
    clustering, without = (
        GaussianMixtureClustering.fit(more, w, 3, seed=0),
        GaussianMixtureClustering.fit(z, _ones(z), 3, seed=0),
    )
    for found, wanted in zip(
        clustering.values(ClusterInputs(more, w)), without.values(ClusterInputs(z, _ones(z))), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
    assert clustering.labels[:-2].tolist() == without.labels.tolist()
    assert (
        clustering.labels[-2:].tolist()
        == clustering.assign(more[-2:], clustering.values(ClusterInputs(more, w))).tolist()
    )


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_the_jacobian_is_the_derivative_of_the_map_anywhere(kind: str) -> None:
    z, w = _rows(), torch.linspace(0.5, 2, 80, dtype=torch.float64)
    em = _fit(z, kind)._em(ClusterInputs(z, w))
    x = _fit(z, kind).solution * 1.05  # no fixed point
    torch.testing.assert_close(em.jacobian(x), jacrev(em)(x), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_derivatives_are_those_of_real_refits(kind: str) -> None:
    """Central differences of EM run to convergence at other weights and embeddings, in random directions."""
    z, w, clustering = _rows(), _ones(_rows()), _fit(_rows(), kind)
    own = clustering.labels[QUERIES]
    runner_up = Responsibility().runner_up(z[QUERIES], clustering.values(ClusterInputs(z, w)), own)
    slope = vmap(grad(lambda z, w, *asked: _score(clustering, z, w, *asked), argnums=(0, 1)), (None, None, 0, 0, 0))
    in_z, in_w = slope(z, w, QUERIES, own, runner_up)
    draw = torch.Generator().manual_seed(0)
    for _ in range(3):
        dz, dw = (torch.randn(t.shape, generator=draw, dtype=torch.float64) for t in (z, w))
        step = 1e-5
        by_z = [_refitted(clustering, z + sign * step * dz, w, own, runner_up) for sign in (1, -1)]
        by_w = [_refitted(clustering, z, w + sign * step * dw, own, runner_up) for sign in (1, -1)]
        torch.testing.assert_close((in_z * dz).sum((1, 2)), (by_z[0] - by_z[1]) / (2 * step), rtol=1e-7, atol=0)
        torch.testing.assert_close((in_w * dw).sum(1), (by_w[0] - by_w[1]) / (2 * step), rtol=1e-7, atol=0)


def test_newton_and_em_from_scratch_agree_after_a_removal() -> None:
    z, clustering = _rows(), _fit(_rows())
    w = _ones(z)
    w[3] = 0
    em = clustering._em(ClusterInputs(z, w))
    x = clustering.solution
    for _ in range(3000):
        x = em(x)
    torch.testing.assert_close(clustering.update_kept(ClusterInputs(z, w)).solution, x, rtol=1e-9, atol=1e-10)


def test_rotation_and_scale_of_the_space_change_no_score_and_no_influence() -> None:
    z = _rows()
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]

    def scores_and_slopes(z: Tensor) -> tuple[Tensor, Tensor]:
        clustering = _fit(z)
        asked = (QUERIES, clustering.labels[QUERIES], (clustering.labels[QUERIES] + 1) % 3)
        slope = vmap(grad(lambda w, *asked: _score(clustering, z, w, *asked)), (None, 0, 0, 0))
        return Responsibility().margins(z[QUERIES], clustering.state(ClusterInputs(z, _ones(z))), *asked[1:]), slope(
            _ones(z), *asked
        )

    for found, wanted in zip(scores_and_slopes(1e-4 * z @ turn - 3), scores_and_slopes(z), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize(("size", "dead"), [(4, 3), (60, 0)])
def test_an_emptied_component_is_dead_and_everything_finite(kind: str, size: int, dead: int) -> None:
    z = torch.cat([_rows(), _rows(seed=2)[:size] / 3 + 500])
    clustering = GaussianMixtureClustering.fit(z, _ones(z), 4, seed=0, covariance_type=kind)
    assert clustering.labels[-size:].unique().tolist() == [dead]
    w = _ones(z)
    w[-size:] = 0
    emptied = clustering.update_continued(ClusterInputs(z, w))
    state = emptied.state(ClusterInputs(z, w))
    own, runner_up = torch.arange(4)[state.nonempty][:2]
    in_z, in_w = grad(lambda z, w: _score(emptied, z, w, QUERIES[0], own, runner_up), argnums=(0, 1))(z, w)
    assert emptied.converged
    assert state.nonempty.tolist() == [k != dead for k in range(4)]
    assert dead not in emptied.labels
    assert all(bool(part.isfinite().all()) for part in (*state, in_z, in_w))
    assert bool(_score(emptied, z, w, QUERIES[0], own, torch.tensor(dead)).isnan())
    without = emptied.update_kept(ClusterInputs(z[:-size], w[:-size]))
    torch.testing.assert_close(
        without.values(ClusterInputs(z[:-size], w[:-size])).means, state.means, rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(
        np.sort(state.means[state.nonempty, 0]),
        np.sort(
            GaussianMixtureClustering.fit(_rows(), _ones(_rows()), 3, seed=0, covariance_type=kind)
            .values(ClusterInputs(_rows(), _ones(_rows())))
            .means[:, 0]
        ),
        rtol=1e-2,
    )


def test_components_are_in_canonical_order() -> None:
    clustering = _fit(_rows().flip(0))
    sizes = clustering.labels.bincount()
    assert sizes.tolist() == sorted(sizes.tolist(), reverse=True)
    z = torch.tensor([[9.0], [9.1], [0.0], [0.1], [5.0]], dtype=torch.float64)
    assert GaussianMixtureClustering.fit(z, _ones(z), 3, seed=0).labels.tolist() == [0, 0, 1, 1, 2]


def test_fewer_distinct_rows_than_components() -> None:
    z = torch.tensor([[0.0, 1.0], [0.0, 1.0], [2.0, 2.0]], dtype=torch.float64)
    clustering = GaussianMixtureClustering.fit(z, _ones(z), 3, seed=0)
    assert clustering.n_clusters == 2
    assert clustering.labels.tolist() == [0, 0, 1]
    assert all(bool(part.isfinite().all()) for part in clustering.state(ClusterInputs(z, _ones(z))))
    same = GaussianMixtureClustering.fit(
        torch.ones(4, 2, dtype=torch.float64), torch.ones(4, dtype=torch.float64), 2, seed=0
    )
    assert same.labels.tolist() == [0, 0, 0, 0]
    assert all(
        bool(part.isfinite().all()) for part in same.values(ClusterInputs(z[:1].expand(4, -1), torch.ones(4).double()))
    )


def test_restored_is_bit_identical() -> None:
    z, clustering = _rows(), _fit(_rows(), "tied")
    arrays = {name: array.copy() for name, array in clustering.arrays().items()}
    inputs = ClusterInputs(z, _ones(z))
    restored = GaussianMixtureClustering.restore(clustering.labels, 3, arrays, clustering.settings)
    restored = restored.with_reference(inputs)
    for method in ("values", "state"):
        for found, wanted in zip(getattr(restored, method)(inputs), getattr(clustering, method)(inputs), strict=True):
            assert torch.equal(found, wanted)
    assert restored.settings == clustering.settings


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_a_fitted_mixture_keeps_its_labels(kind: str) -> None:
    z = _rows()
    reference = GaussianMixture(3, covariance_type=kind, reg_covar=0.05, random_state=3, tol=1e-6).fit(z.numpy())
    w = _ones(z)
    clustering = GaussianMixtureClustering.from_parameters(reference, z, w)
    assert clustering.labels.tolist() == reference.predict(z.numpy()).tolist()
    assert clustering.update_kept(ClusterInputs(z, w)).labels is clustering.labels
    assert clustering.reg_covar * weighted_variance(z, w) == pytest.approx(0.05)
    np.testing.assert_allclose(clustering.values(ClusterInputs(z, w)).means.numpy(), reference.means_, atol=0.2)
    followed = clustering.update_continued(ClusterInputs(z, w))
    assert followed.labels.tolist() == followed.assign(z, followed.values(ClusterInputs(z, w))).tolist()


def test_refusals_say_what_to_do() -> None:
    z = _rows()
    with pytest.raises(InvalidParameterError, match="not fitted"):
        GaussianMixtureClustering.from_parameters(GaussianMixture(3), z, _ones(z))
    with pytest.raises(InvalidParameterError, match="fitted on 2 columns"):
        GaussianMixtureClustering.from_parameters(GaussianMixture(3).fit(z[:, :2].numpy()), z, _ones(z))
    with pytest.raises(InvalidParameterError, match="full, tied, diag, spherical"):
        GaussianMixtureClustering.fit(z, _ones(z), 3, seed=0, covariance_type="banana")
