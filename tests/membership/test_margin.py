"""The margin: sign, invariance, finiteness, and one story with the probabilities."""

import torch

from clusterexplain.clustering import CentroidState, centroid_state
from clusterexplain.membership import log_ratio_margin, membership_probabilities, runner_up


def _problem() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(12) % 3
    z = torch.randn(12, 2, generator=generator, dtype=torch.float64) + 4 * labels[:, None]
    return z, labels


def _margins(z: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, CentroidState]:
    state = centroid_state(z, torch.ones(12, dtype=torch.float64), labels, 3)
    return log_ratio_margin(z, state, labels, runner_up(z, state, labels)), state


def test_positive_inside_zero_on_the_boundary() -> None:
    state = CentroidState(torch.tensor([[0.0], [2.0]]), torch.tensor(0.1))
    own, rival = torch.tensor([0, 0, 0]), torch.tensor([1, 1, 1])
    margin = log_ratio_margin(torch.tensor([[0.5], [1.0], [1.5]]), state, own, rival)
    assert margin[0] > 0
    assert margin[1] == 0
    torch.testing.assert_close(margin[2], -margin[0])


def test_rotation_and_scale_change_nothing() -> None:
    z, labels = _problem()
    angle = torch.tensor(0.7, dtype=torch.float64)
    rotation = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    torch.testing.assert_close(_margins(17 * z @ rotation, labels)[0], _margins(z, labels)[0])


def test_margin_is_the_log_ratio_of_the_probabilities() -> None:
    z, labels = _problem()
    margins, state = _margins(z, labels)
    probabilities = membership_probabilities(z, state)
    rival = runner_up(z, state, labels)
    ratio = probabilities.gather(1, labels[:, None]) / probabilities.gather(1, rival[:, None])
    torch.testing.assert_close(ratio.log().squeeze(1), margins)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(12, dtype=torch.float64))


def test_a_singleton_on_its_centroid_is_finite() -> None:
    z = torch.tensor([[0.0], [1.0], [50.0]], dtype=torch.float64)
    state = centroid_state(z, torch.ones(3, dtype=torch.float64), torch.tensor([0, 0, 1]), 2)
    assert torch.isfinite(log_ratio_margin(z[2:], state, torch.tensor([1]), torch.tensor([0]))).all()
