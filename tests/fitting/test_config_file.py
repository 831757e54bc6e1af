"""A configuration file: what is printed is what is read, and a slip in it is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.fitting.config import Config, resolve
from clusterexplain.fitting.config_file import config_text, read_config
from tests.conftest import SMALL


@pytest.mark.parametrize(
    "parameters",
    [
        {"model": "contrastive", "clusterer": "hdbscan", "random_state": 3},
        {"model": "vae", "clusterer": "gmm", "scaling": None, "optimizer": "sgd", "hidden": (7, 5)},
        {"clusterer": "soft_kmeans", "latent_dim": 4, "dtype": "float64"},
    ],
)
def test_what_is_printed_is_what_is_read(parameters: dict[str, Any], tmp_path: Path) -> None:
    config = resolve(Config.of(ClusterExplainer(**parameters).get_params(deep=False)), n_samples=90, image=False)
    file = tmp_path / "run.toml"
    file.write_text(config_text(config, {"file": 'a "quoted" name.csv', "metadata": ["batch"], "ids": None}))
    read = read_config(file)
    assert read.data == {"file": 'a "quoted" name.csv', "metadata": ["batch"]}
    again = Config.of(ClusterExplainer.from_config(file).get_params(deep=False))
    assert resolve(again, n_samples=7, image=False).to_dict() | {"said": {}} == config.to_dict() | {"said": {}}


def test_a_fit_from_the_file_has_the_same_bits(blobs: np.ndarray, tmp_path: Path) -> None:
    first = ClusterExplainer(**SMALL, clusterer="gmm").fit(blobs)
    (tmp_path / "run.toml").write_text(config_text(first.fit_.config, {}))
    second = ClusterExplainer.from_config(tmp_path / "run.toml", n_jobs=1).fit(blobs)
    assert second.explain([3]).influence.tobytes() == first.explain([3]).influence.tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[fit", r"cannot be read: .*Expected a TOML file"),
        ("[fit]\nn_cluster = 3", r"\[fit\] of .* has 'n_cluster', which is unknown\. Expected some of .*n_clusters"),
        ("[data]\nfiel = 'x'", r"\[data\] of .* has 'fiel', which is unknown"),
        ("[training]\nn_steps = 3", r"has the table 'training', which is unknown\. Expected some of data, fit"),
        ("[data]\nfile = 3", r"file=3 in \[data\] of .* must be text in quotation marks"),
        ("[data]\nmetadata = 'age'", r"metadata='age' in \[data\] of .* must be a list of column names"),
        ("[data]\ntrain = 'no'", r"train='no' in \[data\] of .* must be true or false"),
        ("fit = 3", r"fit=3 in .* must be a table, written as \[fit\]"),
    ],
)
def test_slips_are_named(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(content)
    with pytest.raises(InvalidParameterError, match=message):
        read_config(file)


def test_values_are_checked_by_fit(blobs: np.ndarray, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("[fit]\nn_clusters = 'three'")
    with pytest.raises(InvalidParameterError, match="n_clusters='three' must be a whole number"):
        ClusterExplainer.from_config(file).fit(blobs)
    with pytest.raises(InvalidParameterError, match=r"cannot be read: .*No such file"):
        read_config(tmp_path / "other.toml")
