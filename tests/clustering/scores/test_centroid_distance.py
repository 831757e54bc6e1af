"""Scores against centroids: sign, closed-form gradients, invariance, finiteness, one story with the probabilities, noise."""

import pytest
import torch
from torch.func import grad

from clusterexplain.clustering import CentroidState, ClusterInputs, centroid_state
from clusterexplain.clustering.kmeans import SphericalKMeansClustering, on_sphere
from clusterexplain.clustering.scores import SCORES

MARGIN = SCORES["margin"]
CENTROID_SCORES = ("margin", "student_t", "softmax")


def _problem() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(12) % 3
    z = torch.randn(12, 2, generator=generator, dtype=torch.float64) + 4 * labels[:, None]
    return z, labels


def _state(z: torch.Tensor, labels: torch.Tensor) -> CentroidState:
    return centroid_state(z, torch.ones(12, dtype=torch.float64), labels, 3)


def _margins(z: torch.Tensor, labels: torch.Tensor, name: str = "margin") -> torch.Tensor:
    state, score = _state(z, labels), SCORES[name]
    return score.margins(z, state, labels, score.runner_up(z, state, labels))


def _line(centers: list[float], nonempty: list[bool] | None = None) -> CentroidState:
    k = len(centers)
    return CentroidState(
        torch.tensor(centers).unsqueeze(1),
        torch.tensor(0.1),
        torch.full((k,), 0.1),
        torch.tensor(nonempty or [True] * k),
    )


def test_positive_inside_zero_on_the_boundary() -> None:
    own, runner_up = torch.tensor([0, 0, 0]), torch.tensor([1, 1, 1])
    margin = MARGIN.margins(torch.tensor([[0.5], [1.0], [1.5]]), _line([0.0, 2.0]), own, runner_up)
    assert margin[0] > 0
    assert margin[1] == 0
    torch.testing.assert_close(margin[2], -margin[0])


@pytest.mark.parametrize("name", CENTROID_SCORES)
def test_rotation_and_scale_change_nothing(name: str) -> None:
    z, labels = _problem()
    angle = torch.tensor(0.7, dtype=torch.float64)
    rotation = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    torch.testing.assert_close(_margins(17 * z @ rotation, labels, name), _margins(z, labels, name))


def test_the_cosine_is_free_of_the_length_of_every_row() -> None:
    z, labels = _problem()
    clustering = SphericalKMeansClustering(labels, 3)
    weights = torch.ones(12, dtype=torch.float64)

    def cosine(rows: torch.Tensor) -> torch.Tensor:
        viewed = clustering.normalize(rows)
        state = clustering.state(ClusterInputs(viewed, weights))
        assert torch.allclose(state.centers.norm(dim=1), torch.ones(3, dtype=torch.float64))
        return SCORES["cosine"].margins(viewed, state, labels, (labels + 1) % 3)

    lengths = torch.linspace(0.5, 3, 12, dtype=torch.float64)
    torch.testing.assert_close(cosine(z * lengths[:, None]), cosine(z))


@pytest.mark.parametrize("name", CENTROID_SCORES)
def test_the_score_is_the_log_ratio_of_the_probabilities(name: str) -> None:
    z, labels = _problem()
    state, score = _state(z, labels), SCORES[name]
    probabilities, runner_up = score.membership(z, state), score.runner_up(z, state, labels)
    ratio = probabilities.gather(1, labels[:, None]) / probabilities.gather(1, runner_up[:, None])
    torch.testing.assert_close(ratio.log().squeeze(1), _margins(z, labels, name))
    torch.testing.assert_close(probabilities.sum(1), torch.ones(12, dtype=torch.float64))


def test_gradients_equal_the_closed_forms() -> None:
    z, labels = _problem()
    state, row = _state(z, labels), z[0]
    own, runner_up = torch.tensor(0), torch.tensor(2)
    to_own, to_runner_up = row - state.centers[0], row - state.centers[2]
    own_sq, runner_up_sq, unit = to_own @ to_own, to_runner_up @ to_runner_up, state.within / 2
    floor = 0.01 * state.within
    closed = {
        "margin": 2 * to_runner_up / (runner_up_sq + floor) - 2 * to_own / (own_sq + floor),
        "student_t": 2 * to_runner_up / (unit + runner_up_sq) - 2 * to_own / (unit + own_sq),
        "softmax": 2 * (to_runner_up - to_own) / (2 * unit),
        "dec_assignment": 2 * to_runner_up / (1 + runner_up_sq) - 2 * to_own / (1 + own_sq),
    }
    for name, expected in closed.items():
        found = grad(lambda z, score=SCORES[name]: score.margins(z, state, own, runner_up))(row)
        torch.testing.assert_close(found, expected)
    direction = on_sphere(row)
    sphere = state._replace(centers=on_sphere(state.centers))
    contrast = (sphere.centers[0] - sphere.centers[2]) / state.within
    expected = (contrast - direction * (direction @ contrast)) / row.norm()
    found = grad(lambda z: SCORES["cosine"].margins(on_sphere(z), sphere, own, runner_up))(row)
    torch.testing.assert_close(found, expected)


def test_a_singleton_on_its_centroid_is_finite() -> None:
    z = torch.tensor([[0.0], [1.0], [50.0]], dtype=torch.float64)
    state = centroid_state(z, torch.ones(3, dtype=torch.float64), torch.tensor([0, 0, 1]), 2)
    assert torch.isfinite(MARGIN.margins(z[2:], state, torch.tensor([1]), torch.tensor([0]))).all()


def test_a_dead_cluster_has_no_score_and_is_nobodys_runner_up() -> None:
    state, rows = _line([0.0, 1.0, 5.0], [True, False, True]), torch.tensor([[0.1], [0.2]])
    own = torch.tensor([0, 0])
    assert MARGIN.runner_up(rows, state, own).tolist() == [2, 2]
    assert torch.isnan(MARGIN.margins(rows, state, own, torch.tensor([1, 2]))).tolist() == [True, False]
    assert MARGIN.membership(rows, state)[:, 1].tolist() == [0, 0]


def test_noise_is_measured_against_the_radius_of_the_nearest_cluster() -> None:
    state, rows = _line([0.0, 10.0]), torch.tensor([[2.0], [0.05]])
    noise = torch.tensor([-1, -1])
    runner_up = MARGIN.runner_up(rows, state, noise)
    assert runner_up.tolist() == [0, 0]
    margins = MARGIN.margins(rows, state, noise, runner_up)
    assert margins[0] > 0 > margins[1]
    torch.testing.assert_close(MARGIN.margins(rows, state, runner_up, noise), -margins)
