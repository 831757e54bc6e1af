"""The promises on real data: the exact influence predicts retraining, for every model, by the benchmark's protocol."""

from __future__ import annotations

import warnings

import pytest

from clusterexplain import Check
from tests.benchmarks.faithfulness import DIGITS, FITS, faithfulness, halves
from tests.benchmarks.mixture import leave_one_out
from tests.benchmarks.questions import fitted, flips, near_duplicates, recall, removed

BARS = {
    "autoencoder": {"single": 0.98, "group": 0.96, "down-weight": 0.995},
    "conv_autoencoder": {"single": 0.97},
    "vae": {"single": 0.97},
    "contrastive": {"single": 0.98, "group": 0.97},
    "dec": {"single": 0.97},
    "spherical_kmeans": {"single": 0.98},
    "soft_kmeans": {"single": 0.98, "group": 0.95},
    "gmm": {"single": 0.97, "group": 0.95},
    "hdbscan": {"single": 0.9, "group": 0.9},
    "dec's assignment": {"single": 0.97},
    "own network": {"single": 0.97},
    "further, ReLU": {"single": 0.93, "group": 0.98},
    "further, GELU": {"single": 0.99, "group": 0.99},
}
_CHECKS: dict[str, Check] = {}


def _check(model: str) -> Check:
    if model not in _CHECKS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ReLU is warned about, on purpose
            _CHECKS[model] = faithfulness(0, model)
    return _CHECKS[model]


@pytest.mark.slow
@pytest.mark.parametrize("model", FITS)
def test_labels_kept(model: str) -> None:
    for kind, bar in BARS[model].items():
        assert _check(model).figure(kind, "kept") >= bar, kind


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "kind", "bar"),
    [
        ("autoencoder", "single", 0.94),
        ("autoencoder", "group", 0.88),
        ("spherical_kmeans", "single", 0.94),
        ("soft_kmeans", "single", 0.99),
        ("soft_kmeans", "group", 0.95),
        ("gmm", "single", 0.97),
        ("gmm", "group", 0.95),
        ("dec's assignment", "single", 0.97),
    ],
)
def test_re_clustered_digits(model: str, kind: str, bar: float) -> None:
    assert _check(model).figure(kind, "continued") >= bar


@pytest.mark.slow
def test_planted_near_duplicates_are_found_and_their_removal_is_predicted() -> None:
    explanation, planted = near_duplicates(848)
    assert recall(explanation, planted, len(explanation.train_ids) // 20) >= 0.95
    _, predicted, truth = removed(explanation, planted)
    assert 0.5 < truth / predicted < 2


@pytest.mark.slow
@pytest.mark.parametrize("query", [1203, 1569, 723])
def test_a_flip_takes_half_of_the_best_baseline(query: int) -> None:
    sizes = flips(fitted(DIGITS.X), query)
    assert sizes["flip"] is not None
    baselines = [size for name, size in sizes.items() if name != "flip" and size is not None]
    assert sizes["flip"] <= min(baselines) / 2


@pytest.mark.slow
def test_down_weighting_is_calibrated() -> None:
    assert _check("autoencoder").figure("down-weight", "kept", "slope") == pytest.approx(1, abs=0.03)


@pytest.mark.slow
def test_contrastive_predictions_hold_for_halves() -> None:
    explanation = _check("contrastive").explanation
    assert halves(explanation, seed=0)["kept"] >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_dec_on_the_mixture_of_three_gaussians(seed: int) -> None:
    found = leave_one_out(seed)
    assert found["smallest cluster"] >= 40
    assert found["settled"] >= 0.99
    assert found["pearson kept"] >= 0.98
    assert found["spearman kept"] >= 0.99
    assert found["within kept"] >= 0.98
