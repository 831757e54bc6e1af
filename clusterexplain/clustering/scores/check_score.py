"""Does a score keep its contract? Probes on one state, with messages that say how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import vjp, vmap

from clusterexplain.clustering.base import ClusterState
from clusterexplain.clustering.scores.base import Score, reads_state
from clusterexplain.exceptions import InvalidParameterError, InvalidScoreError
from clusterexplain.statistics.matching import NOISE

STEP = 1e-6
"""Relative size of the displacements of finite differences."""
TOLERANCE = 1e-4
"""Largest error of a derivative, relative to the sum of the absolute values of its terms."""
ROUNDING = 1e-7
"""Largest difference between two ways to the same number, relative to the largest."""
ANGLE = 0.05
"""Size of the rotation: small, so that a clustering that is solved again stays the same."""


def check_score(
    score: Score[Any],
    state: ClusterState,
    rows: Tensor,
    *,
    rotated_state: Callable[[Tensor], ClusterState] | None = None,
) -> None:
    """Probe the contract of an assignment score, as scikit-learn's ``check_estimator`` does for estimators.

    Parameters
    ----------
    score : Score
        The score.
    state : NamedTuple of Tensor
        Clusters that it reads, at least two of them nonempty; float64.
    rows : Tensor of shape (n, dim), float64
        Samples in the geometry of the clustering. Not training rows: a score may have a kink there.
    rotated_state : callable, optional
        From an orthogonal matrix Q of shape (dim, dim) to the state of the embedding ``Z @ Q.T``; without it,
        ``rotation_invariant`` is not checked.

    Raises
    ------
    InvalidScoreError
        Naming the first broken rule: logits of shape (..., n_clusters), finite, and of each row alone; memberships equal to
        their softmax; margins equal to the difference of two logits, and antisymmetric, noise included; derivatives equal to
        finite differences; NaN exactly where a cluster of the pair is empty; the same after a rotation, if it says so.

    Examples
    --------
    >>> from clusterexplain.clustering import centroid_state
    >>> from clusterexplain.clustering.scores import LogRatioMargin, check_score
    >>> z = torch.tensor([[0.0, 1.0], [2.0, 0.5], [10.0, 0.0], [9.0, 1.0]], dtype=torch.float64)
    >>> state = centroid_state(z, torch.ones(4, dtype=torch.float64), torch.tensor([0, 0, 1, 1]), 2)
    >>> check_score(LogRatioMargin(), state, z + 0.3)
    """
    if not reads_state(score, type(state)):
        states = " or ".join(kind.__name__ for kind in score.reads)
        raise InvalidParameterError(
            f"check_score got a {type(state).__name__}, but {_kind(score)} reads {states}. Expected such a state."
        )
    if rows.ndim != 2 or rows.dtype != torch.float64 or int(state.nonempty.sum()) < 2:
        raise InvalidParameterError(
            f"check_score got rows of {rows.dtype} of shape {tuple(rows.shape)} and {int(state.nonempty.sum())} nonempty "
            f"clusters. Expected float64 of shape (n, dim), and at least two."
        )
    for name in ("logits", "boundary_margins"):
        _check_columns(score, name, state, rows)
    _check_membership(score, state, rows)
    _check_margins(score, state, rows)
    _check_empty(score, state, rows)
    for name in ("logits", "boundary_margins"):
        _check_derivatives(score, name, state, rows)
    if score.rotation_invariant and rotated_state is not None:
        _check_rotation(score, state, rows, rotated_state)


def _check_columns(score: Score[Any], name: str, state: ClusterState, rows: Tensor) -> None:
    method = getattr(score, name)
    columns, shape = method(rows, state), (len(rows), len(state.nonempty))
    if columns.shape != shape or method(rows[0], state).shape != shape[1:]:
        raise InvalidScoreError(
            f"{_kind(score)}.{name} returned shape {tuple(columns.shape)} for rows of shape {tuple(rows.shape)}, and "
            f"{tuple(method(rows[0], state).shape)} for one row. Expected {shape} and {shape[1:]}: one number for each "
            f"cluster, with any leading dimensions of the rows."
        )
    if not bool(columns.isfinite().all()):
        raise InvalidScoreError(
            f"{_kind(score)}.{name} returned NaN or infinite numbers. Expected finite ones: add a small constant under "
            f"logarithms, roots and fractions."
        )
    if not _close(vmap(lambda row: method(row, state))(rows), columns):
        raise InvalidScoreError(
            f"{_kind(score)}.{name} of a row depends on the other rows. Expected a function of the row and the clusters alone."
        )


def _check_membership(score: Score[Any], state: ClusterState, rows: Tensor) -> None:
    logits = score.logits(rows, state).masked_fill(~state.nonempty, -torch.inf)
    if not _close(score.membership(rows, state), torch.softmax(logits, dim=-1)):
        raise InvalidScoreError(
            f"{_kind(score)}.membership is not the softmax of the logits over the nonempty clusters. Expected that: leave "
            f"membership as it is, and change logits."
        )


def _check_margins(score: Score[Any], state: ClusterState, rows: Tensor) -> None:
    logits = score.logits(rows, state)
    for first, second in _pairs(state):
        own, runner_up = (torch.full((len(rows),), cluster) for cluster in (first, second))
        margins, opposite = score.margins(rows, state, own, runner_up), score.margins(rows, state, runner_up, own)
        if not _close(margins, -opposite):
            raise InvalidScoreError(
                f"{_kind(score)}.margins of clusters {first} and {second} is not the opposite of {second} and {first}. "
                f"Expected an antisymmetric margin: what is gained by one cluster is lost by the other."
            )
        if NOISE not in (first, second) and not _close(margins, logits[:, first] - logits[:, second]):
            raise InvalidScoreError(
                f"{_kind(score)}.margins of clusters {first} and {second} is not the difference of their logits. Expected "
                f"that: the margin is the log-ratio of two memberships."
            )


def _check_empty(score: Score[Any], state: ClusterState, rows: Tensor) -> None:
    emptied = int(torch.nonzero(state.nonempty)[0])
    nonempty = state.nonempty.clone()
    nonempty[emptied] = False
    without: ClusterState = state._replace(nonempty=nonempty)  # type: ignore[attr-defined]
    for first, second in _pairs(state):
        own, runner_up = (torch.full((len(rows),), cluster) for cluster in (first, second))
        undefined = score.margins(rows, without, own, runner_up).isnan()
        if bool((undefined != (emptied in (first, second))).any()):
            raise InvalidScoreError(
                f"{_kind(score)}.margins of clusters {first} and {second} is {'not ' if emptied in (first, second) else ''}NaN "
                f"where cluster {emptied} is empty. Expected NaN exactly where a cluster of the pair is empty."
            )
    if bool(score.membership(rows, without)[:, emptied].any()) or bool((score.nearest(rows, without) == emptied).any()):
        raise InvalidScoreError(
            f"{_kind(score)} gives rows to an empty cluster. Expected membership 0, and nearest to pass it over."
        )


def _check_derivatives(score: Score[Any], name: str, state: ClusterState, rows: Tensor) -> None:
    """Compare reverse mode with central differences, in the rows and in each field of the state."""
    draw = torch.Generator().manual_seed(0)
    fields: dict[str, Any] = state._asdict()  # type: ignore[attr-defined]
    numbers = {field: v for field, v in fields.items() if isinstance(v, Tensor) and v.is_floating_point()}
    arguments = {"rows": rows, **numbers}

    def columns(given: dict[str, Tensor]) -> Tensor:
        changed = {field: value for field, value in given.items() if field != "rows"}
        there = state._replace(**changed)  # type: ignore[attr-defined]
        result: Tensor = getattr(score, name)(given["rows"], there)
        return result

    try:
        transposed = vjp(columns, arguments)
        cotangent = torch.randn(transposed[0].shape, generator=draw, dtype=torch.float64)
        pulled = transposed[1](cotangent)[0]
    except (RuntimeError, NotImplementedError) as error:
        raise InvalidScoreError(
            f"{_kind(score)}.{name} cannot be differentiated by torch.func: {str(error).splitlines()[0]} Expected functions of "
            f"tensors without operations in place, branches on values (if x.sum() > 0), .item() or .numpy()."
        ) from error
    for argument, value in arguments.items():
        direction = torch.randn(value.shape, generator=draw, dtype=torch.float64) * value.abs()
        up, down = (columns({**arguments, argument: value + sign * STEP * direction}) for sign in (1, -1))
        differences, products = cotangent * (up - down) / (2 * STEP), pulled[argument] * direction
        error_, noise = (
            float((differences.sum() - products.sum()).abs()),
            ROUNDING * float((cotangent * up).abs().sum()),
        )
        if not error_ <= TOLERANCE * float(differences.abs().sum() + products.abs().sum()) + noise:
            raise InvalidScoreError(
                f"{_kind(score)}.{name} has a wrong derivative in {argument}: {float(products.sum()):.6g} along a random "
                f"direction, {float(differences.sum()):.6g} by finite differences. Expected equality: no .detach(), .item() or "
                f"numpy between the arguments and the result."
            )


def _check_rotation(
    score: Score[Any], state: ClusterState, rows: Tensor, rotated_state: Callable[[Tensor], ClusterState]
) -> None:
    dim = rows.shape[1]
    drawn = ANGLE * torch.randn(dim, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rotation = torch.linalg.matrix_exp(drawn - drawn.T)
    before, after = score.logits(rows, state), score.logits(rows @ rotation.T, rotated_state(rotation))
    before, after = (logits[:, state.nonempty] for logits in (before, after))
    if not _close(before - before[:, :1], after - after[:, :1], tolerance=1e-5):
        raise InvalidScoreError(
            f"{_kind(score)} says rotation_invariant = True, but its margins change when embedding, clusters and rows are "
            f"rotated together. Expected distances and inner products only, or rotation_invariant = False."
        )


def _pairs(state: ClusterState) -> list[tuple[int, int]]:
    """Return pairs of nonempty clusters and noise: the first with each other one, each way noise can be part of it."""
    first, *others = torch.nonzero(state.nonempty).squeeze(1).tolist()
    return [(first, other) for other in (*others, NOISE)] + [(others[0], NOISE), (NOISE, others[-1])]


def _kind(score: Score[Any]) -> str:
    return type(score).__name__


def _close(first: Tensor, second: Tensor, tolerance: float = ROUNDING) -> bool:
    if first.shape != second.shape:
        return False
    return bool((first - second).abs().max() <= tolerance * max(float(first.abs().max()), 1e-12))
