"""A start of the training at the principal components, as a function of the data weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from clusterexplain.models.principal_components import leading_components, principal_subspace
from clusterexplain.models.task import Params, Stage

N_ITERATIONS = 20
"""Subspace iterations from the components of the fit: how far the start follows the data weights; see docs/models.md."""


@dataclass(frozen=True)
class PrincipalStart:
    """Where the linear part of a network starts: in the leading principal subspace of the training data.

    What the fit finds at its own data weights (:meth:`reference`) is kept in every retraining and is the same for every seed.
    The start is the subspace that a few subspace iterations reach from there at the data weights of the training, so that
    "if removed" means removed from the start as well.

    Parameters
    ----------
    n_components : int
        Dimensions of the embedding.
    follows : bool, default=True
        Whether the start is computed at the data weights of each training; otherwise every training starts where the fit did.
    """

    n_components: int
    follows: bool = True

    def reference(self, params: Params, inputs: Tensor, weights: Tensor) -> Tensor:
        """Return mean and loadings of the leading components, which is what a stage freezes.

        Parameters
        ----------
        params : dict of str to Tensor
            Not used.
        inputs : Tensor of shape (n_samples, n_features)
            Training data.
        weights : Tensor of shape (n_samples,)
            Data weights of the fit.

        Returns
        -------
        Tensor of shape (1 + rank, n_features)
            Float64: the weighted mean, then each component times its standard deviation; rank is `n_components`, or the number
            of directions in which the data vary if that is smaller.
        """
        found = leading_components(inputs, weights, self.n_components)
        return torch.cat([found.mean.unsqueeze(0), found.directions * found.variances.sqrt().unsqueeze(1)])

    def frame(self, inputs: Tensor, weights: Tensor, reference: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the start at some data weights.

        Parameters
        ----------
        inputs : Tensor of shape (n_samples, n_features)
            Training data.
        weights : Tensor of shape (n_samples,)
            Data weights of the training.
        reference : Tensor of shape (1 + rank, n_features)
            From :meth:`reference`.

        Returns
        -------
        mean : Tensor of shape (n_features,)
            Weighted mean.
        frame : Tensor of shape (n_components, n_features)
            Orthonormal rows that span the subspace, nearest to the components of the fit; zero beyond the rank.
        deviations : Tensor of shape (n_components,)
            Standard deviations along the components of the fit, constants; 1 beyond the rank.
        """
        origin, loadings = reference[0], reference[1:]
        lengths = loadings.norm(dim=1)
        components = loadings / lengths.unsqueeze(1)
        mean, frame = origin, components
        if self.follows:
            mean, frame = principal_subspace(inputs, weights, components, origin, N_ITERATIONS)
        missing = self.n_components - len(components)
        padded = torch.cat([frame, frame.new_zeros(missing, frame.shape[1])])
        deviations = torch.cat([lengths, lengths.new_ones(missing)])
        return mean.to(inputs.dtype), padded.to(inputs.dtype), deviations.to(inputs.dtype)


def first_stage(
    loss: Callable[..., Tensor], start: PrincipalStart | None, place: Callable[[Tensor, Tensor, Tensor], Params]
) -> Stage:
    """Return the stage that a training begins with.

    Parameters
    ----------
    loss : callable
        Of the stage.
    start : PrincipalStart or None
        Where it starts; None keeps the initial parameters.
    place : callable
        ``(mean, frame, deviations) -> params``, from what :meth:`PrincipalStart.frame` returns: the linear parts.
        The others keep their initial values.

    Returns
    -------
    Stage
        Its start is computed at the data weights of each training, and differentiated.
    """
    if start is None:
        return Stage(loss)

    def initialize(params: Params, inputs: Tensor, weights: Tensor, reference: Tensor) -> Params:
        return params | place(*start.frame(inputs, weights, reference))

    return Stage(loss, freeze_choice=start.reference, initialize=initialize)


def linear_maps(mean: Tensor, encoder: Tensor, decoder: Tensor) -> Params:
    """Return the linear parts of an encoder and a decoder that agree on the mean.

    Parameters
    ----------
    mean : Tensor of shape (n_features,)
        Mapped to 0, and decoded from it.
    encoder, decoder : Tensor of shape (n_components, n_features)
        Rows that inputs are multiplied by, and rows that a code adds up.

    Returns
    -------
    dict of str to Tensor
        Weights and biases of ``encoder.linear`` and ``decoder.linear``.
    """
    return {
        "encoder.linear.weight": encoder,
        "encoder.linear.bias": -(encoder @ mean),
        "decoder.linear.weight": decoder.T,
        "decoder.linear.bias": mean,
    }
