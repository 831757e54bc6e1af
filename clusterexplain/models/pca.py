"""Principal component analysis with data weights: an embedding in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError, SmoothnessWarning, warn
from clusterexplain.models.principal_components import principal_components
from clusterexplain.models.task import EmbeddingTask, Params, Stage

LARGEST_TURN = 0.1
"""Angle, in radians, by which the removal of one example may turn a kept component into a dropped one without a word."""
CLOSE = 1e-7
"""Difference of the last kept and the first dropped variance, relative to the former, below which the cut is arbitrary."""


class PCA(EmbeddingTask):
    r"""Weighted principal components; the embedding of a row is its coordinates in them.

    Parameters
    ----------
    n_features : int
        Number of columns.
    latent_dim : int
        Components that are kept.
    whiten : bool, default=False
        Divide each coordinate by its standard deviation.

    Notes
    -----
    Order and signs of the components in every refit are matched to those of the fit.
    """

    separable = True
    closed_form = True
    held_fixed = "principal components differentiated in closed form, the scaling of the columns held fixed"

    def __init__(self, n_features: int, latent_dim: int, *, whiten: bool = False) -> None:
        self.n_features = n_features
        self.latent_dim = latent_dim
        self.whiten = whiten

    def initial_params(self, generator: torch.Generator, dtype: torch.dtype) -> Params:
        """Return places for mean, components and variances; :meth:`stages` computes them."""
        return {
            "mean": torch.zeros(self.n_features, dtype=dtype),
            "components": torch.zeros(self.latent_dim, self.n_features, dtype=dtype),
            "variances": torch.ones(self.latent_dim, dtype=dtype),
        }

    def embed(self, params: Params, inputs: Tensor) -> Tensor:
        """Return the coordinates, shape (batch, latent_dim)."""
        coordinates = (inputs - params["mean"]) @ params["components"].T
        return coordinates / params["variances"].sqrt() if self.whiten else coordinates

    def loss(self, params: Params, inputs: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted mean squared error of the reconstruction, divided by the number of rows and columns."""
        centred = inputs - params["mean"]
        residual = centred - centred @ params["components"].T @ params["components"]
        error: Tensor = (residual.square().sum(dim=-1) * (weights / inputs.numel())).sum()
        return error

    def stages(self) -> tuple[Stage, ...]:
        """Return one stage without steps: its parameters are a function of the data weights."""
        return (Stage(self.loss, freeze_choice=self._reference, initialize=self._components),)

    def _reference(self, params: Params, inputs: Tensor, weights: Tensor) -> Tensor:
        """Return the components of the fit, to which those of refits are matched; refuse a cut that the data do not make."""
        _check_rank(inputs[weights > 0], self.latent_dim)
        more = self.latent_dim < min(inputs.shape)
        found = principal_components(inputs, weights, self.latent_dim + more)
        if more:
            _check_gap(inputs, weights, found.mean, found.directions[-2:], found.variances[-2:], self.latent_dim)
        return found.directions[: self.latent_dim].to(inputs.dtype)

    def _components(self, params: Params, inputs: Tensor, weights: Tensor, choice: Tensor) -> Params:
        found = principal_components(inputs, weights, self.latent_dim, choice)
        named = {"mean": found.mean, "components": found.directions, "variances": found.variances}
        return {name: value.to(inputs.dtype) for name, value in named.items()}


def _check_rank(present: Tensor, n_components: int) -> None:
    centred = present.double() - present.double().mean(dim=0)
    rank = int(torch.linalg.matrix_rank(centred))
    if rank < n_components:
        raise InvalidParameterError(
            f"latent_dim={n_components} asks for more principal components than the data have: {len(present)} rows of "
            f"{present.shape[1]} columns vary in {rank} directions. Expected latent_dim of at most {rank}."
        )


def _check_gap(
    inputs: Tensor, weights: Tensor, mean: Tensor, directions: Tensor, variances: Tensor, n_components: int
) -> None:
    """Say where the last kept and the first dropped component are hard to tell apart; see ``LARGEST_TURN``."""
    kept, dropped = (float(variance) for variance in variances)
    between = f"components {n_components} and {n_components + 1} have the variances {kept:.4g} and {dropped:.4g}"
    if kept - dropped <= CLOSE * kept:
        raise InvalidParameterError(
            f"latent_dim={n_components} cuts between equal components: {between}, so which of them is kept is arbitrary. "
            f"Expected a number of components with a gap after it; take {n_components - 1} or {n_components + 1}."
        )
    along = (inputs.double() - mean) @ directions.T
    turn = float((along.prod(dim=1) * weights).abs().max() / (weights.sum() * (kept - dropped)))
    if turn > LARGEST_TURN:
        warn(
            f"The gap after latent_dim={n_components} is small: {between}, and the removal of one example turns the kept "
            f"component by up to {turn:.2g} radians. Predictions for removals of groups are less accurate; take a latent_dim "
            f"with a larger gap after it.",
            SmoothnessWarning,
        )
