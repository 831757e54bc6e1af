"""Targets: a supervised or masked loss is given them beside each row, and everything that takes rows takes them along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from clusterexplain import ClusterExplainer, Dataset, EmbeddingTask, check_task
from clusterexplain.exceptions import InvalidDataError, InvalidParameterError, InvalidTaskError, RunMismatchError
from clusterexplain.models.target_columns import TargetColumns

N, WIDTH, CLASSES, DECAY = 24, 3, 2, 0.2
OPTIONS = {"n_clusters": 2, "random_state": 0, "n_jobs": 1, "dtype": "float64", "scaling": None, "min_agreement": 0.0}
FULL_BATCHES = {
    "optimizer": "sgd",
    "weight_decay": DECAY,
    "batch_size": N,
    "n_steps": 250,
    "learning_rate": 0.3,
    "optimizer_options": {"schedule": "constant", "warmup": 0.0, "momentum": 0.5},
}


def each(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy of each example."""
    return cross_entropy(net(x), y, reduction="none")


def rows_and_classes() -> tuple[np.ndarray, np.ndarray]:
    """Return two clouds that overlap, and the class of each row."""
    y = np.arange(N) % CLASSES
    return np.random.default_rng(0).normal(size=(N, WIDTH)) + y[:, None], y


@pytest.fixture(scope="module")
def logistic() -> ClusterExplainer:
    X, y = rows_and_classes()
    torch.manual_seed(0)
    task = EmbeddingTask.from_module(nn.Linear(WIDTH, CLASSES), example_loss=each)
    return ClusterExplainer(model=task, **OPTIONS, **FULL_BATCHES).fit(X, targets=y)


def test_logistic_regression_has_the_influence_of_the_textbook(logistic: ClusterExplainer) -> None:
    """At the minimum of a convex loss, d theta / d w_i is minus the inverse Hessian times the gradient of example i."""
    X, y = rows_and_classes()
    theta = logistic.fit_.trajectory.final.numpy()
    names = [name for name, _ in logistic.fit_.recipe.layout.shapes]
    assert names == ["weight", "bias"]
    features = np.column_stack([X, np.ones(N)])
    weight, bias = theta[: CLASSES * WIDTH].reshape(CLASSES, WIDTH), theta[CLASSES * WIDTH :]
    logits = X @ weight.T + bias
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    slope = chance - np.eye(CLASSES)[y]  # of each example's loss in its logits
    # Parameters as (class, feature or 1): the weights of the layer first, then its biases.
    gradients = np.einsum("nc,nf->ncf", slope, features)
    curvature = np.einsum("nc,cd->ncd", chance, np.eye(CLASSES)) - np.einsum("nc,nd->ncd", chance, chance)
    hessian = np.einsum("ncd,nf,ng->cfdg", curvature, features, features) / N
    size = CLASSES * (WIDTH + 1)
    order = np.concatenate(
        [np.arange(size).reshape(CLASSES, -1)[:, :WIDTH].ravel(), np.arange(size).reshape(CLASSES, -1)[:, WIDTH]]
    )
    flat = gradients.reshape(N, size)[:, order]
    dense = hessian.reshape(size, size)[np.ix_(order, order)] + DECAY * np.eye(size)
    stationary = flat.mean(axis=0) + DECAY * theta
    assert np.abs(stationary).max() < 1e-12
    expected = -np.linalg.solve(dense, flat.T / N)  # (n_params, n_samples)
    found = logistic.fit_.jacobian("unrolled").vjp(torch.eye(size, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


def test_an_influence_is_the_slope_of_refits(logistic: ClusterExplainer) -> None:
    e, step = logistic.explain([3, 8]), 1e-4
    for row in (3, 10, 17):
        ends = []
        for sign in (1, -1):
            weights = np.ones(N)
            weights[row] += sign * step
            ends.append(e.evaluate(logistic.refit(weights), assignments="kept"))
        np.testing.assert_allclose((ends[0] - ends[1]) / (2 * step), e.influence[:, row], rtol=1e-6)


def test_other_targets_are_another_model(logistic: ClusterExplainer) -> None:
    X, y = rows_and_classes()
    other = ClusterExplainer(model=logistic.model, **OPTIONS, **FULL_BATCHES).fit(X, targets=1 - y)
    assert not np.allclose(other.embedding_, logistic.embedding_)
    assert other.fit_.key != logistic.fit_.key
    assert other.data_.fingerprint() != logistic.data_.fingerprint()


def test_the_embedding_of_new_rows_needs_no_targets(logistic: ClusterExplainer) -> None:
    X, _ = rows_and_classes()
    np.testing.assert_allclose(logistic.transform(X), logistic.embedding_, rtol=1e-12)
    assert logistic.n_features_in_ == WIDTH
    known, new = logistic.explain([3]), logistic.explain(X[[3]])
    np.testing.assert_allclose(new.encoder, known.encoder, rtol=1e-8, atol=1e-15)


def test_retrainings_take_the_targets_along(logistic: ClusterExplainer) -> None:
    """Copies have the targets of their originals: with full batches, removing either does the same."""
    e = logistic.explain([3, 8])
    check = logistic.verify(e, n_single=12, n_within=0, n_groups=0, n_top=0, n_duplicates=8, n_planted=1)
    assert check.figure("single", "kept") > 0.95
    assert (check.duplicates["spearman"] > 1 - 1e-9).all()
    assert (check.duplicates["difference"] < 1e-6).all()
    assert len(check.planted_duplicates) == 1
    assert logistic.stability(n_seeds=1, n_bootstrap=1).labels.shape == (2, N)


def test_a_run_holds_the_targets(logistic: ClusterExplainer, tmp_path: Path) -> None:
    X, y = rows_and_classes()
    folder = logistic.save(tmp_path / "run")
    for data in (None, X, Dataset(X, targets=y)):
        loaded = ClusterExplainer.load(folder, data, model=logistic.model)
        np.testing.assert_array_equal(loaded.data_.targets, y)
        assert loaded.explain([3]).influence.tobytes() == logistic.explain([3]).influence.tobytes()
    with pytest.raises(InvalidTaskError, match="there are none"):  # of a loaded estimator too
        loaded.fit(X)
    with pytest.raises(RunMismatchError, match="other data"):
        ClusterExplainer.load(folder, Dataset(X, targets=1 - y), model=logistic.model)


def test_a_series_is_joined_by_its_index_and_never_by_position(logistic: ClusterExplainer) -> None:
    X, y = rows_and_classes()
    names = [f"row {number}" for number in range(N)]
    frame = pd.DataFrame(X, index=names, columns=["a", "b", "c"])
    shuffled = pd.Series(y, index=names).sample(frac=1, random_state=0)
    assert not np.array_equal(shuffled.to_numpy(), y)
    ce = ClusterExplainer(model=logistic.model, **OPTIONS, **FULL_BATCHES)
    np.testing.assert_array_equal(ce.fit(frame, targets=shuffled).data_.targets, y)
    np.testing.assert_array_equal(ce.embedding_, logistic.embedding_)
    np.testing.assert_array_equal(Dataset(frame, targets=shuffled).targets, y)
    np.testing.assert_array_equal(Dataset(X, ids=names, targets=shuffled).targets, y)
    with pytest.raises(InvalidDataError, match="index of targets does not match that of X: 1 of 24 rows"):
        ce.fit(frame, targets=shuffled.drop("row 4"))


def test_a_masked_loss_is_given_a_mask_for_each_column() -> None:
    """What is masked has no influence: the same fit whatever stands there."""
    X, _ = rows_and_classes()
    mask = np.random.default_rng(1).random((N, WIDTH)) < 0.8

    def masked(net: nn.Module, x: Tensor, known: Tensor) -> Tensor:
        assert known.dtype == torch.bool
        assert known.shape == x.shape
        error = (net.decoder(net.encoder(torch.ones_like(x))) - torch.where(known, x, 0.0)).square()
        return (error * known).mean(dim=1)

    def weighted(net: nn.Module, x: Tensor, known: Tensor, weights: Tensor) -> Tensor:
        return (masked(net, x, known) * weights).sum() / len(weights)

    torch.manual_seed(0)
    parts = {"encoder": nn.Linear(WIDTH, 2), "decoder": nn.Linear(2, WIDTH)}
    fits = []
    for rows in (X, np.where(mask, X, 7.0)):
        for given in ({"example_loss": masked}, {"loss": weighted}):
            task = EmbeddingTask.from_module(**parts, **given)
            ce = ClusterExplainer(model=task, **OPTIONS, n_steps=5).fit(rows, targets=torch.from_numpy(mask))
            fits.append(ce.fit_.trajectory.final.numpy())
    for other in fits[1:]:
        np.testing.assert_allclose(other, fits[0], rtol=1e-12)


def test_targets_go_beside_what_an_augmentation_draws() -> None:
    seen: list[tuple[int, ...]] = []

    def views(x: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        return x, x + 1

    def each_view(net: nn.Module, x: tuple[Tensor, Tensor], y: Tensor) -> Tensor:
        seen.append((*x[0].shape, *y.shape))
        return (net(x[1]) - net(x[0])).square().mean(dim=1) + net(x[0]).square().mean(dim=1) * y

    X, _ = rows_and_classes()
    task = EmbeddingTask.from_module(nn.Linear(WIDTH, 2), example_loss=each_view, augment=views)
    ClusterExplainer(model=task, **OPTIONS, n_steps=3, batch_size=6).fit(X, targets=X[:, 0])
    assert (6, WIDTH, 6) in seen


def test_check_task_takes_targets() -> None:
    X, y = (torch.from_numpy(part) for part in rows_and_classes())
    task = EmbeddingTask.from_module(nn.Linear(WIDTH, CLASSES), example_loss=each)
    check_task(task, X, targets=y)
    with pytest.raises(
        InvalidTaskError, match=r"takes targets \(net, x, y\), but there are none.*check_task\(task, rows, targets"
    ):
        check_task(task, X)
    with pytest.raises(InvalidDataError, match="targets has 5 rows, expected 24"):
        check_task(task, X, targets=y[:5])


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.zeros(N - 1), "targets has 23 rows, expected 24"),
        (3, "targets"),
        (np.zeros((N, 0)), r"targets has the shape \(24, 0\), which holds no value\. Expected a number or more"),
        (np.array(["a", "b"] * 12), r"of type <U1. Expected numbers.*pandas\.factorize"),
        (np.where(np.arange(N) == 2, np.nan, 1.0), "NaN or infinite values in 1 rows"),
        (np.full(N, 2**25), "whole numbers beyond 16777216"),
    ],
)
def test_what_cannot_be_a_target_is_refused_before_training(targets: object, message: str) -> None:
    X, _ = rows_and_classes()
    task = EmbeddingTask.from_module(nn.Linear(WIDTH, CLASSES), example_loss=each)
    with pytest.raises(InvalidDataError, match=message):
        ClusterExplainer(model=task, **OPTIONS).fit(X, targets=targets)


def test_targets_that_nobody_takes_and_a_loss_without_them_are_refused() -> None:
    X, y = rows_and_classes()
    with pytest.raises(InvalidParameterError, match="targets, but model='autoencoder' takes none"):
        ClusterExplainer(**OPTIONS).fit(X, targets=y)
    net = nn.Linear(WIDTH, CLASSES)
    without = EmbeddingTask.from_module(net, example_loss=lambda module, x: module(x).square().sum(dim=1))
    with pytest.raises(InvalidTaskError, match="the loss of ModuleTask takes none"):
        ClusterExplainer(model=without, **OPTIONS).fit(X, targets=y)
    with pytest.raises(InvalidTaskError, match=r"there are none. Expected fit\(X, targets=\.\.\.\)"):
        ClusterExplainer(model=EmbeddingTask.from_module(net, example_loss=each), **OPTIONS).fit(X)


@pytest.mark.parametrize(
    "given", [np.arange(6), np.arange(6) > 2, np.linspace(0, 1, 12).reshape(6, 2), np.ones((6, 2, 2))]
)
def test_targets_come_back_as_they_were(given: np.ndarray) -> None:
    columns = TargetColumns.of(given, 3)
    rows = torch.rand(6, 3, dtype=torch.float32)
    inputs = columns.beside(rows, given)
    assert torch.equal(columns.rows(inputs), rows)
    assert torch.equal(columns.rows(rows), rows)
    back = columns.restored(columns.targets(inputs)).numpy()
    assert back.shape == given.shape
    assert back.dtype == (np.float32 if given.dtype.kind == "f" else given.dtype)
    np.testing.assert_allclose(back, given, rtol=1e-6)
