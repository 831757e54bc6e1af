"""Models by name, end to end on small real data: explained, checked, saved, and refused with reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clusterexplain import ClusterExplainer, Dataset, load_dataset
from clusterexplain.exceptions import InvalidParameterError, InvalidTaskError, RunMismatchError
from clusterexplain.models import DEC

CASES: list[tuple[str, dict[str, Any]]] = [
    ("conv_autoencoder", {"hidden": (4,)}),
    ("vae", {"hidden": (8,), "model_options": {"beta": 0.05}}),
    ("count_vae", {"hidden": (8,)}),
    ("contrastive", {"hidden": (8,), "model_options": {"augmentation": {"cutout": 2}, "temperature": 0.3}}),
    ("contrastive", {"hidden": (4,), "model_options": {"encoder": "conv", "embedding": "projector"}}),
    ("dec", {"hidden": (8,), "model_options": {"update_every": 7}}),
    ("autoencoder", {"hidden": (8,), "optimizer": "adam"}),
    (
        "autoencoder",
        {
            "hidden": (8,),
            "optimizer": "sgd",
            "learning_rate": 0.1,
            "optimizer_options": {"schedule": "linear", "warmup": 0.2, "momentum": 0.8},
        },
    ),
]


@pytest.fixture(scope="module")
def images() -> Dataset:
    digits = load_dataset("digits")
    return Dataset(digits.X[:60], image_shape=digits.image_shape)


@pytest.mark.parametrize(("model", "options"), CASES)
def test_explained_checked_and_saved(images: Dataset, model: str, options: dict[str, Any], tmp_path: Path) -> None:
    settings = {"n_clusters": 3, "latent_dim": 3, "n_steps": 60, "batch_size": 12, "random_state": 0, **options}
    ce = ClusterExplainer(model=model, **settings).fit(images)
    explanation = ce.explain([0, 7, 30])
    check = ce.verify(explanation, n_single=0, n_within=0, n_groups=0, n_top=0, n_down=16)
    assert check.figure("down-weight", "kept") > 0.98
    assert check.figure("down-weight", "kept", "slope") == pytest.approx(1, abs=0.1)
    loaded = ClusterExplainer.load(ce.save(tmp_path / "run"))
    assert loaded.explain([0, 7, 30]).influence.tobytes() == explanation.influence.tobytes()
    weights = np.ones(60)
    weights[4] = 0
    np.testing.assert_array_equal(loaded.refit(weights).embedding_, ce.refit(weights).embedding_)


def test_clusters_of_a_contrastive_model_lie_on_the_sphere(images: Dataset) -> None:
    ce = ClusterExplainer("contrastive", n_clusters=3, latent_dim=3, n_steps=20, random_state=0).fit(images)
    np.testing.assert_allclose(np.linalg.norm(ce.embedding_, axis=1), 1, rtol=1e-5)


def test_a_table_gets_the_augmentation_of_tables(blobs: np.ndarray) -> None:
    options = {"augmentation": {"noise": 0.1, "mask": 0.2, "swap": 0.2}}
    ce = ClusterExplainer("contrastive", n_clusters=3, n_steps=20, random_state=0, model_options=options).fit(blobs)
    assert np.isfinite(ce.explain([0]).influence).all()


def test_dec_sharpens_its_assignments(images: Dataset) -> None:
    ce = ClusterExplainer("dec", n_clusters=3, latent_dim=3, n_steps=200, batch_size=20, random_state=0).fit(images)
    recipe, trajectory = ce.fit_.recipe, ce.fit_.trajectory
    task = recipe.task
    assert isinstance(task, DEC)
    before = recipe.planned_stages[1].start
    entered = trajectory.compiled.prepared(trajectory.checkpoints[before], trajectory.weights, before)
    start = recipe.layout.split(entered[0])
    targets = task.targets(start, recipe.inputs, trajectory.weights)
    losses = [float(task.divergence(p, recipe.inputs, trajectory.weights, targets)) for p in (start, trajectory.params)]
    assert losses[1] < losses[0]


def test_own_augmentations_work_but_are_not_saved(images: Dataset, tmp_path: Path) -> None:
    options = {"augmentation": lambda inputs, keys: inputs * (1 + (keys % 7)[:, None].to(inputs.dtype) / 50)}
    ce = ClusterExplainer("contrastive", n_clusters=3, n_steps=20, random_state=0, model_options=options).fit(images)
    with pytest.raises(InvalidParameterError, match=r"is a function, which a run cannot hold"):
        ce.save(tmp_path / "run")


def test_plain_rows_open_a_run_of_images_as_images(images: Dataset, tmp_path: Path) -> None:
    ce = ClusterExplainer("contrastive", n_clusters=3, latent_dim=2, n_steps=20, random_state=0).fit(images)
    folder = ce.save(tmp_path / "run")
    loaded = ClusterExplainer.load(folder, images.X)
    assert loaded.explain([0]).influence.tobytes() == ce.explain([0]).influence.tobytes()
    with pytest.raises(RunMismatchError, match=r"made with image_shape=\[8, 8\], but the data have \[4, 16\]"):
        ClusterExplainer.load(folder, Dataset(images.X, image_shape=(4, 16)))


def test_a_staged_run_is_explained_in_threads_after_loading(images: Dataset, tmp_path: Path) -> None:
    options = {"model_options": {"update_every": np.int64(5)}, "optimizer_options": {"betas": (0.9, 0.99)}}
    ce = ClusterExplainer("dec", n_clusters=3, latent_dim=2, n_steps=40, random_state=0, n_jobs=4, **options).fit(
        images
    )
    explanation = ce.explain(slice(0, 40))
    loaded = ClusterExplainer.load(ce.save(tmp_path / "run"))
    assert loaded.explain(slice(0, 40)).influence.tobytes() == explanation.influence.tobytes()
    assert loaded.verify(explanation, n_single=2, n_within=0, n_groups=0, n_top=0).table["kept"].notna().all()


def test_an_augmentation_that_ignores_its_keys_is_refused(blobs: np.ndarray) -> None:
    options = {"augmentation": lambda inputs, keys: inputs + torch.randn_like(inputs)}
    with pytest.raises(InvalidTaskError, match=r"different results for the same keys"):
        ClusterExplainer("contrastive", n_clusters=3, n_steps=5, model_options=options).fit(blobs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"model": "magic"},
            r"model='magic' is unknown\. Expected one of 'precomputed', .*'autoencoder', .*from_module",
        ),
        ({"model": "vae", "model_options": {"gamma": 1}}, r"has 'gamma', which model='vae' does not take.*beta"),
        (
            {"model": "vae", "model_options": {"beta": -1}},
            r"model_options\['beta'\]=-1 must be a finite number at least 0",
        ),
        ({"model": "dec", "model_options": {"pretrain": 1}}, r"'pretrain'\]=1 must be .* at least 0 and below 1"),
        ({"model": "dec", "model_options": {"update_every": 1.5}}, r"must be a whole number at least 1"),
        ({"model": "contrastive", "model_options": {"embedding": "x"}}, r"Expected one of 'encoder', 'projector'"),
        ({"model": "contrastive", "model_options": {"temperature": 0.001}}, r"at least 0\.02"),
        ({"model": "contrastive", "model_options": {"augmentation": 3}}, r"must be a dict of strengths, or a function"),
        (
            {"model": "contrastive", "model_options": {"augmentation": {"shift": 1}}},
            r"unknown strength 'shift' for a data set of tables\. Expected some of noise, mask, swap",
        ),
        ({"model": "conv_autoencoder"}, r"model='conv_autoencoder' needs images\. Expected a Dataset with image_shape"),
        ({"model": "dec", "n_steps": 4, "model_options": {"pretrain": 0.95}}, r"leaves no step for stage 2 of 2"),
        ({"n_clusters": 1, "measure_smoothness": True}, r"needs margins between clusters, but n_clusters=1"),
        ({"model": "contrastive", "hidden": (), "model_options": {"encoder": "conv"}}, r"without convolutions"),
        ({"model_options": 3}, r"model_options=3 must be None or a dict"),
        ({"optimizer": "lbfgs"}, r"optimizer='lbfgs' is unknown\. Expected one of 'adamw', 'adam', 'sgd'"),
        ({"optimizer_options": {"max_grad_norm": 1}}, r"gradient clipping is refused\. It has a kink"),
        ({"optimizer_options": {"momentum": 0.9}}, r"has 'momentum', which optimizer='adamw' does not take"),
        (
            {"optimizer": "sgd", "optimizer_options": {"momentum": 1.0}},
            r"'momentum'\]=1.0 must be a number in \[0, 1\)",
        ),
        ({"optimizer_options": {"betas": (0.9,)}}, r"must be two numbers in \[0, 1\)"),
        ({"optimizer_options": {"schedule": "step"}}, r"Expected one of 'cosine', 'linear', 'constant'"),
        ({"optimizer_options": 5}, r"optimizer_options=5 must be None or a dict"),
    ],
)
def test_wrong_settings_get_an_answer_that_helps(blobs: np.ndarray, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ClusterExplainer(**{"n_clusters": 3, "n_steps": 5, **options}).fit(blobs)


def test_absent_rows_leave_nothing_behind_in_the_augmentation(blobs: np.ndarray) -> None:
    def fitted(last: float) -> ClusterExplainer:
        rows, weights = blobs.copy(), np.ones(30)
        rows[-1], weights[-1] = last, 0
        ce = ClusterExplainer("contrastive", n_clusters=3, latent_dim=2, n_steps=20, random_state=0)
        return ce.fit(rows, sample_weight=weights)

    np.testing.assert_array_equal(fitted(0.0).embedding_[:-1], fitted(9.0).embedding_[:-1])
