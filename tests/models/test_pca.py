"""PCA as a model: what it refuses, what it says, what whitening does."""

import numpy as np
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError, SmoothnessWarning


def rows_of(n: int = 60) -> np.ndarray:
    """Return three groups of rows in six columns of clearly different variances."""
    rng = np.random.default_rng(0)
    centres = np.repeat([[0, 0], [12, 0], [0, 9]], n // 3, axis=0)
    return np.hstack([centres, np.zeros((n, 4))]) + rng.normal(size=(n, 6)) * [1.0, 1.0, 0.8, 0.4, 0.2, 0.1]


class TestRefused:
    def test_more_components_than_directions(self) -> None:
        X = rows_of()
        X[:, 3:] = 0
        with pytest.raises(
            InvalidParameterError, match=r"latent_dim=5 asks for more .* vary in 3 directions.*at most 3"
        ):
            ClusterExplainer("pca", latent_dim=5, n_clusters=3, random_state=0).fit(X)

    def test_a_cut_between_equal_components(self) -> None:
        X = np.vstack([np.eye(4), -np.eye(4)]) * 3
        with pytest.raises(InvalidParameterError, match=r"cuts between equal components.*take 1 or 3"):
            ClusterExplainer("pca", latent_dim=2, n_clusters=2, random_state=0).fit(X)

    @pytest.mark.parametrize("name", ["n_steps", "learning_rate"])
    @pytest.mark.parametrize("model", ["pca", "precomputed"])
    def test_what_belongs_to_a_training(self, model: str, name: str) -> None:
        with pytest.raises(InvalidParameterError, match=rf"{name}=1 belongs to a training.*computed without one.*None"):
            ClusterExplainer(model, n_clusters=3, random_state=0, **{name: 1}).fit(rows_of())

    @pytest.mark.parametrize("method", ["unrolled", "implicit", "gradient_dot"])
    def test_methods_for_a_training(self, method: str) -> None:
        ce = ClusterExplainer("pca", latent_dim=2, n_clusters=3, random_state=0).fit(rows_of())
        with pytest.raises(InvalidParameterError, match=r"computed in closed form.*Expected method='auto'"):
            ce.explain([0], method=method)

    def test_seeds(self) -> None:
        ce = ClusterExplainer("pca", latent_dim=2, n_clusters=3, random_state=0).fit(rows_of())
        with pytest.raises(InvalidParameterError, match="no other seeds"):
            ce.explain([0], n_seeds=4)


def test_a_small_gap_after_the_kept_components_is_said() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5)) * [6.0, 1.0, 0.99, 0.3, 0.2]
    with pytest.warns(
        SmoothnessWarning, match=r"gap after latent_dim=2 is small: components 2 and 3 have the variances"
    ):
        ClusterExplainer("pca", latent_dim=2, n_clusters=2, random_state=0).fit(X)


def test_whitening_gives_unit_variances() -> None:
    ce = ClusterExplainer("pca", latent_dim=3, n_clusters=3, model_options={"whiten": True}, random_state=0).fit(
        rows_of()
    )
    np.testing.assert_allclose(np.cov(ce.embedding_.T, bias=True), np.eye(3), atol=1e-9)


def test_new_rows_are_projected_like_training_rows() -> None:
    X = rows_of()
    ce = ClusterExplainer("pca", latent_dim=2, n_clusters=3, random_state=0).fit(X)
    np.testing.assert_allclose(ce.transform(X[:4]), ce.embedding_[:4], atol=1e-12)
    assert ce.predict(X).tolist() == ce.labels_.tolist()
