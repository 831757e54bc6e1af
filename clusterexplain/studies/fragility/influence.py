"""Classical influence on small classifiers: inverse curvature at the final parameters, of one layer or of all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.influence.directional import along
from clusterexplain.studies.fragility.networks import Network
from clusterexplain.studies.fragility.training import Examples

CURVATURES = ("hessian", "gauss-newton")


@dataclass(frozen=True)
class Classical:
    """Which curvature is inverted, and how.

    Parameters
    ----------
    curvature : {"hessian", "gauss-newton"}, default="hessian"
        Of the mean loss.
    last : bool, default=True
        Only of the weights of the last layer, without its bias; else of all parameters.
    decay : float, default=0.0
        Weight decay that belongs to the objective, added to the diagonal.
    damping : float, default=0.0
        Added to the diagonal so that it can be inverted.
    single : bool, default=False
        Invert in float32, as the criticised code does, with what that makes of a singular matrix.
    """

    curvature: str = "hessian"
    last: bool = True
    decay: float = 0.0
    damping: float = 0.0
    single: bool = False

    def __post_init__(self) -> None:
        """Refuse an unknown curvature."""
        if self.curvature not in CURVATURES:
            raise InvalidParameterError(
                f"curvature={self.curvature!r} is unknown. Expected one of {', '.join(map(repr, CURVATURES))}."
            )


CRITICISED = Classical(single=True)


def removal_effects(
    network: Network, theta: Tensor, examples: Examples, queries: Examples, kinds: list[Classical]
) -> list[Tensor]:
    """Predict the change of each query's loss when an example is removed.

    Parameters
    ----------
    network : Network
        The architecture.
    theta : Tensor of shape (n_replicas, n_params)
        Trained parameters.
    examples, queries : Examples
        What was trained on, and what is asked about.
    kinds : list of Classical
        The predictions that are wanted.

    Returns
    -------
    list of Tensor of shape (n_replicas, n_rows, n_queries), float64
        For each kind, g(query) inverse(curvature) g(example) / n: positive where removal is predicted to raise the loss.
    """
    examples, queries, n = examples.double(), queries.double(), examples.n_rows
    found: list[list[Tensor]] = [[] for _ in kinds]
    for one in theta.double().unsqueeze(1):
        wanted = {(kind.curvature, kind.last) for kind in kinds}
        matrices = {(name, last): curvature(network, one, examples, name, last=last) for name, last in wanted}
        of_examples, of_queries = (network.gradients(one, part.inputs, part.targets) for part in (examples, queries))
        for kind, rows in zip(kinds, found, strict=True):
            part = network.last if kind.last else slice(0, network.n_params)
            matrix = matrices[kind.curvature, kind.last].clone()
            matrix.diagonal().add_(kind.decay + kind.damping)
            rows.append(of_examples[:, part] @ _solve(matrix, of_queries[:, part].T, single=kind.single) / n)
    return [torch.stack(rows) for rows in found]


def curvature(network: Network, theta: Tensor, examples: Examples, name: str, *, last: bool = False) -> Tensor:
    """Return the curvature of the mean loss at parameters of shape (1, n_params): of all, or of the last layer's weights.

    The Gauss-Newton matrix leaves out the second derivatives of the network; it has no negative eigenvalues.
    """
    part = network.last if last else slice(0, network.n_params)
    n, eye = examples.n_rows, torch.eye(network.n_params, dtype=theta.dtype)[part]
    at = theta.repeat(len(eye), 1)
    if name == "hessian":
        weights = at.new_full((len(eye), n), 1 / n)
        _, matrix = along(lambda one: network.gradient(one, examples.inputs, examples.targets, weights)[1], at, eye)
        return (matrix[:, part] + matrix[:, part].T) / 2
    logits, slopes = along(lambda one: network.logits(one, examples.inputs), at, eye)
    chances = torch.softmax(logits[0], dim=0)
    centred = slopes - (slopes * chances).sum(dim=1, keepdim=True)
    half = (centred * chances.sqrt()).flatten(1)
    return half @ half.T / n


def _solve(matrix: Tensor, right: Tensor, *, single: bool) -> Tensor:
    """Return inverse(matrix) right; what the matrix does not determine is left out unless a float32 inverse is asked for."""
    if single:
        inverse, _ = torch.linalg.inv_ex(matrix.float())
        return inverse.double() @ right
    values, vectors = torch.linalg.eigh(matrix)
    known = values.abs() > 1e-10 * values.abs().max()
    scaled = torch.where(known, 1 / torch.where(known, values, 1.0), 0.0)
    return vectors @ (scaled[:, None] * (vectors.T @ right))
