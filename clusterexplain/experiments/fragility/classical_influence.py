"""Classical influence on small classifiers: inverse curvature at the final parameters, of one layer or of all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.experiments.fragility.classifiers import Network
from clusterexplain.experiments.fragility.full_batch_training import Examples
from clusterexplain.training import jvp

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
        As the criticised code does: in float32, summed over the examples one after the other, and inverted although it is
        singular (adding the same to the weights of all classes changes no loss), so that round-off is inverted, too. Only for
        the Hessian of the last layer without decay and damping.
    queries_first : bool, default=False
        With `single`: multiply the inverse with the gradients of the queries instead of those of the examples, which would be
        the same without round-off.
    """

    curvature: str = "hessian"
    last: bool = True
    decay: float = 0.0
    damping: float = 0.0
    single: bool = False
    queries_first: bool = False

    def __post_init__(self) -> None:
        """Refuse an unknown curvature, and float32 for anything but what was criticised."""
        if self.curvature not in CURVATURES:
            raise InvalidParameterError(
                f"curvature={self.curvature!r} is unknown. Expected one of {', '.join(map(repr, CURVATURES))}."
            )
        if self.single and (not self.last or self.decay or self.damping or self.curvature != "hessian"):
            raise InvalidParameterError(
                "single=True is the criticised inverse. Expected curvature='hessian', last=True, no decay and no damping with "
                "it; leave it out to combine the others."
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
    theta : Tensor of shape (n_retrainings, n_params)
        Trained parameters.
    examples, queries : Examples
        What was trained on, and what is asked about.
    kinds : list of Classical
        The predictions that are wanted.

    Returns
    -------
    list of Tensor of shape (n_retrainings, n_rows, n_queries), float64
        For each kind, g(query) inverse(curvature) g(example) / n: positive where removal is predicted to raise the loss.
    """
    columns = [
        [_effects(network, restart, examples, queries, kind) for restart in theta.unsqueeze(1)] for kind in kinds
    ]
    return [torch.stack(rows) for rows in columns]


def _effects(network: Network, theta: Tensor, examples: Examples, queries: Examples, kind: Classical) -> Tensor:
    """Return the predictions at parameters of shape (1, n_params), of shape (n_rows, n_queries), float64."""
    part = network.last if kind.last else slice(0, network.n_params)
    if not kind.single:
        theta, examples, queries = theta.double(), examples.double(), queries.double()
    of_examples, of_queries = (
        network.gradients(theta, rows.inputs, rows.targets)[:, part] for rows in (examples, queries)
    )
    if kind.single:
        inverse, _ = torch.linalg.inv_ex(_summed_in_single(network, theta, examples))
        if kind.queries_first:
            effects: Tensor = of_examples @ (inverse @ of_queries.T)
        else:
            effects = (of_queries @ (inverse @ of_examples.T)).T
        return effects.double() / examples.n_rows
    matrix = curvature(network, theta, examples, kind.curvature, last=kind.last)
    matrix.diagonal().add_(kind.decay + kind.damping)
    return of_examples @ _solve(matrix, of_queries.T) / examples.n_rows


def _summed_in_single(network: Network, theta: Tensor, examples: Examples) -> Tensor:
    """Return the Hessian of the mean loss in the last layer's weights, from one example after the other."""
    reached = network.hidden(theta, examples.inputs)[1][-1][0]  # h, (n_units, n_rows)
    chances = torch.softmax(network.logits(theta, examples.inputs)[0], dim=0)  # p, (n_classes, n_rows)
    total = reached.new_zeros(2 * (len(reached) * len(chances),))
    for chance, values in zip(chances.T, reached.T, strict=True):
        # Hessian of one cross-entropy in the last weights: (diag(p) - p p^T) kron h h^T
        total += torch.kron(torch.diag(chance) - torch.outer(chance, chance), torch.outer(values, values))
    return total / examples.n_rows


def curvature(network: Network, theta: Tensor, examples: Examples, name: str, *, last: bool = False) -> Tensor:
    """Return the curvature of the mean loss at parameters of shape (1, n_params): of all, or of the last layer's weights.

    The Gauss-Newton matrix leaves out the second derivatives of the network; it has no negative eigenvalues.
    """
    part = network.last if last else slice(0, network.n_params)
    n, eye = examples.n_rows, torch.eye(network.n_params, dtype=theta.dtype)[part]
    at = theta.repeat(len(eye), 1)
    if name == "hessian":
        weights = at.new_full((len(eye), n), 1 / n)
        # One tangent for each column: the derivative of the gradient along every unit vector, all in one batch.
        _, matrix = jvp(lambda point: network.gradient(point, examples.inputs, examples.targets, weights)[1], at, eye)
        return (matrix[:, part] + matrix[:, part].T) / 2
    # J, the derivative of the logits along every parameter: (n_params, n_classes, n_rows). J^T (diag(p) - p p^T) J is the sum
    # over examples and classes of p (J - mean_p J)^2, a product of a matrix with itself.
    logits, slopes = jvp(lambda point: network.logits(point, examples.inputs), at, eye)
    chances = torch.softmax(logits[0], dim=0)
    centred = slopes - (slopes * chances).sum(dim=1, keepdim=True)
    half = (centred * chances.sqrt()).flatten(1)
    return half @ half.T / n


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    """Return inverse(matrix) right, without what the matrix does not determine."""
    values, vectors = torch.linalg.eigh(matrix)
    known = values.abs() > 1e-10 * values.abs().max()
    scaled = torch.where(known, 1 / torch.where(known, values, 1.0), 0.0)
    solution: Tensor = vectors @ (scaled[:, None] * (vectors.T @ right))
    return solution
