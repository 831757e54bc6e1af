"""Does a clustering keep its contract? Probes on one embedding, with messages that say how to mend it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import vjp, vmap

from clusterexplain.clustering.base import Clustering, ClusterInputs, ClusterState
from clusterexplain.clustering.make import checked, make_clustering
from clusterexplain.clustering.registry import ClusteringSpec
from clusterexplain.exceptions import InvalidClusteringError, InvalidParameterError

STEP = 1e-5
"""Relative size of the displacements of finite differences."""
TOLERANCE = 1e-4
"""Largest error of a derivative, relative to the sum of the absolute values of its terms."""
ROUNDING = 1e-6
"""Largest difference between two ways to the same state, relative to the largest entry."""
FAR = 10.0
"""How far a row of weight 0 is moved, in root mean squares of the embedding."""


def check_clustering(
    clusterer: object,
    embedding: Tensor | np.ndarray,
    weights: Tensor | np.ndarray | None = None,
    *,
    model_centroids: Tensor | None = None,
    n_clusters: int = 3,
    seed: int = 0,
) -> None:
    """Probe the contract of a clustering, as scikit-learn's ``check_estimator`` does for estimators.

    Parameters
    ----------
    clusterer : Clustering, callable, or anything else that ``ClusterExplainer(clusterer=...)`` takes
        A clustering of this embedding, or a function ``(inputs, spec) -> Clustering``.
    embedding : Tensor or ndarray of shape (n_samples, dim)
        An embedding with clusters, some of which have at least two members; a few dozen rows are enough.
    weights : Tensor or ndarray of shape (n_samples,), optional
        Data weights, all 1 by default; unequal ones find more.
    model_centroids : Tensor of shape (n_clusters, dim), optional
        For a clustering that reads the centroids of a model.
    n_clusters, seed : int, default=3 and 0
        What a function is asked for.

    Raises
    ------
    InvalidClusteringError
        Naming the first broken rule: labels in range; a finite state of the type that it says; the derivative of ``state``
        equal to finite differences of ``update_kept``; nothing changed by ``update_kept`` at the same inputs; weight 0
        equal to absence, and doubled weight to a row that is there twice; clusters that keep their numbers; ``assign`` equal
        to the labels of a continued clustering; the same after ``arrays`` and ``restore``.

    Examples
    --------
    >>> from clusterexplain.clustering import KMeansClustering, check_clustering
    >>> z = torch.tensor([[0.0], [0.2], [0.1], [9.0], [9.2]])
    >>> check_clustering(KMeansClustering(torch.tensor([0, 0, 0, 1, 1]), 2), z)
    """
    rows = torch.as_tensor(embedding, dtype=torch.float64)
    ones = torch.ones(len(rows), dtype=torch.float64)
    given = ones if weights is None else torch.as_tensor(weights, dtype=torch.float64)
    if rows.ndim != 2 or given.shape != ones.shape:
        raise InvalidParameterError(
            f"check_clustering got an embedding of shape {tuple(rows.shape)} and weights of shape {tuple(given.shape)}. "
            f"Expected (n_samples, dim) and (n_samples,)."
        )
    raw = ClusterInputs(rows, given, model_centroids)
    own = isinstance(clusterer, Clustering)
    clustering = checked(
        clusterer if own else make_clustering(clusterer, raw, ClusteringSpec(n_clusters, seed)), len(rows)
    )
    _check_normalize(clustering, rows)
    inputs = raw._replace(embedding=clustering.normalize(rows))
    draw = torch.Generator().manual_seed(seed)
    _check_state(clustering, inputs)
    _check_kept(clustering, inputs)
    _check_derivatives(clustering, inputs, draw)
    _check_absent(clustering, inputs)
    if clustering.frequency_weights:
        _check_duplicates(clustering, inputs)
    _check_continued(clustering, inputs)
    if clustering.has_random_init:
        _check_from_scratch(clustering, inputs, seed)
    _check_stored(clustering, inputs)


def _check_normalize(clustering: Clustering[Any], rows: Tensor) -> None:
    once = clustering.normalize(rows)
    if once.shape != rows.shape or not _close(clustering.normalize(once), once):
        raise InvalidClusteringError(
            f"{_kind(clustering)}.normalize changes rows again that it has already normalized, or their shape. Expected a "
            f"projection: normalize(normalize(rows)) equal to normalize(rows), for example rows scaled to length 1."
        )


def _check_state(clustering: Clustering[Any], inputs: ClusterInputs) -> None:
    state, what = clustering.state(inputs), f"{_kind(clustering)}.state"
    if not isinstance(state, tuple) or not hasattr(state, "_asdict"):
        raise InvalidClusteringError(
            f"{what} returned a {type(state).__name__}. Expected a NamedTuple of tensors, for example a CentroidState."
        )
    if not isinstance(state, clustering.state_type):
        raise InvalidClusteringError(
            f"{what} returned a {type(state).__name__}, but state_type is {clustering.state_type.__name__}. Expected the same: "
            f"scores are chosen by it."
        )
    shapes = {
        "nonempty": (clustering.n_clusters,),
        "representatives": (clustering.n_clusters, inputs.embedding.shape[1]),
    }
    for name, shape in shapes.items():
        value = getattr(state, name, None)
        if not isinstance(value, Tensor) or value.shape != shape:
            given = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise InvalidClusteringError(
                f"{what} has {name} {given}. Expected a Tensor of shape {shape}, as ClusterState documents it."
            )
    if state.nonempty.dtype != torch.bool:
        raise InvalidClusteringError(f"{what} has nonempty of {state.nonempty.dtype}. Expected torch.bool.")
    for name, value in _numbers(state).items():
        if not bool(value.isfinite().all()):
            raise InvalidClusteringError(
                f"{what} has NaN or infinite numbers in {name}. Expected finite ones even for a cluster without weight: divide "
                f"by torch.where(total > 0, total, 1)."
            )


def _check_kept(clustering: Clustering[Any], inputs: ClusterInputs) -> None:
    with torch.no_grad():
        values, kept = clustering.values(inputs), clustering.update_kept(inputs)
        pairs = {
            "state(inputs)": clustering.state(inputs),
            "update_kept(inputs).values(inputs)": kept.values(inputs),
        }
    for name, other in pairs.items():
        moved = _differing(values, other)
        if moved:
            raise InvalidClusteringError(
                f"{_kind(clustering)}: {name} differs from values(inputs) in {moved}, where the clustering was solved. "
                f"Expected the same state: update_kept at the same inputs changes nothing."
            )
    if not torch.equal(kept.labels, clustering.labels):
        raise InvalidClusteringError(
            f"{_kind(clustering)}.update_kept changed labels. Expected every discrete choice as it was; update_continued makes "
            f"them again."
        )


def _check_derivatives(clustering: Clustering[Any], inputs: ClusterInputs, draw: torch.Generator) -> None:
    """Compare the reverse-mode derivative of each field of the state with central differences of `update_kept`."""
    parts = {name: part for name, part in inputs._asdict().items() if part is not None}
    pull = _pullback(clustering, parts)
    for name, part in parts.items():
        # relative in weights, so that an absent row stays absent
        scale = part if name == "weights" else _size(part)
        direction = scale * torch.randn(part.shape, generator=draw, dtype=torch.float64)
        ends = []
        for sign in (1, -1):
            there = inputs._replace(**{name: part + sign * STEP * direction})
            with torch.no_grad():
                ends.append(_numbers(clustering.update_kept(there).values(there)))
        for field, up in ends[0].items():
            cotangent = torch.randn(up.shape, generator=draw, dtype=torch.float64)
            differences = cotangent * (up - ends[1][field]) / (2 * STEP)
            products = pull(field, cotangent)[name] * direction
            error = float((differences.sum() - products.sum()).abs())
            noise = ROUNDING * float((cotangent * up).abs().sum())
            if not error <= TOLERANCE * float(differences.abs().sum() + products.abs().sum()) + noise:
                raise InvalidClusteringError(
                    f"{_kind(clustering)}.state has a wrong derivative of {field} in the {name}: "
                    f"{float(products.sum()):.6g} along a random direction, {float(differences.sum()):.6g} by finite "
                    f"differences of update_kept. Expected equality: compute the state from inputs alone, without .detach(), "
                    f".item() or numpy, and solve fixed points in update_kept."
                )


def _pullback(clustering: Clustering[Any], parts: dict[str, Tensor]) -> Callable[[str, Tensor], dict[str, Tensor]]:
    """Return the function from a field of the state and a cotangent on it to cotangents on the parts of the inputs."""

    def fields(given: dict[str, Tensor]) -> dict[str, Tensor]:
        return _numbers(clustering.state(ClusterInputs(**given)))

    try:
        transposed = vjp(fields, parts)
        zeros = {field: torch.zeros_like(value) for field, value in transposed[0].items()}

        def pull(field: str, cotangent: Tensor) -> dict[str, Tensor]:
            cotangents = {**zeros, field: cotangent}
            stacked = {name: value.unsqueeze(0) for name, value in cotangents.items()}
            return {name: value.squeeze(0) for name, value in vmap(transposed[1])(stacked)[0].items()}

        pull(next(iter(zeros)), next(iter(zeros.values())))
    except (RuntimeError, NotImplementedError) as error:
        raise InvalidClusteringError(
            f"{_kind(clustering)}.state cannot be differentiated by torch.func: {str(error).splitlines()[0]} Expected "
            f"functions of tensors without operations in place, branches on values (if x.sum() > 0), .item() or .numpy()."
        ) from error
    return pull


def _check_absent(clustering: Clustering[Any], inputs: ClusterInputs) -> None:
    """Move a row of weight 0 away: no cluster may move with it."""
    pair = _two_members(clustering, inputs)
    if pair is None:
        return
    row = pair[1]
    absent = inputs._replace(weights=inputs.weights.index_fill(0, torch.tensor([row]), 0.0))
    away = inputs.embedding.clone()
    away[row] = clustering.normalize(away[row] + FAR * _size(inputs.embedding))
    elsewhere = absent._replace(embedding=away)
    with torch.no_grad():
        here, there = clustering.update_continued(absent), clustering.update_continued(elsewhere)
        first, second = here.values(absent), there.values(elsewhere)
    present = inputs.weights > 0
    present[row] = False
    same = torch.equal(first.nonempty, second.nonempty) and torch.equal(here.labels[present], there.labels[present])
    if not same or not _close(first.representatives[first.nonempty], second.representatives[first.nonempty]):
        raise InvalidClusteringError(
            f"{_kind(clustering)}: the clusters depend on where a row of weight 0 is. Expected that weight 0 is absence: the "
            f"weight multiplies every term that a row adds to a sum."
        )


def _check_duplicates(clustering: Clustering[Any], inputs: ClusterInputs) -> None:
    """Compare weights a and a on two rows at the same place with weights 2a and 0."""
    pair = _two_members(clustering, inputs)
    if pair is None:
        return
    first, second = pair
    embedding, split = inputs.embedding.clone(), inputs.weights.clone()
    embedding[second] = embedding[first]
    split[[first, second]] = inputs.weights[[first, second]].mean()
    joined = split.clone()
    joined[first], joined[second] = 2 * split[first], 0.0
    states = []
    for weights in (split, joined):
        there = inputs._replace(embedding=embedding, weights=weights)
        with torch.no_grad():
            states.append(clustering.update_kept(there).values(there))
    sizes = ((), (clustering.n_clusters,))  # what is one number for each row tells the two rows apart
    split_state, joined_state = (_numbers(state) for state in states)
    of_clusters = [name for name, value in split_state.items() if value.shape[:1] in sizes]
    moved = [name for name in of_clusters if not _close(split_state[name], joined_state[name])]
    if moved:
        raise InvalidClusteringError(
            f"{_kind(clustering)}: doubled weight is not the same as the row twice: {', '.join(moved)} differ. Expected "
            f"equality (the weight multiplies every term that a row adds to a sum), or frequency_weights = False."
        )


def _check_continued(clustering: Clustering[Any], inputs: ClusterInputs) -> None:
    """Continue where the clustering was solved: it stays as it is, and assigns its rows to their labels."""
    with torch.no_grad():
        continued = checked(clustering.update_continued(inputs), len(inputs.weights))
        again = continued.update_continued(inputs)
        assigned = continued.assign(inputs.embedding, continued.values(inputs))
    if continued.n_clusters < clustering.n_clusters or not torch.equal(again.labels, continued.labels):
        raise InvalidClusteringError(
            f"{_kind(clustering)}.update_continued at the same inputs changed labels or lost numbers. Expected cluster k to "
            f"stay cluster k, and one that lost its members to stay as an empty cluster."
        )
    if assigned.shape != continued.labels.shape or assigned.dtype != torch.int64:
        raise InvalidClusteringError(
            f"{_kind(clustering)}.assign returned {assigned.dtype} of shape {tuple(assigned.shape)} for {len(inputs.weights)} "
            f"rows. Expected one torch.int64 for each row, -1 for noise."
        )
    if not clustering.assigns_by_score and not torch.equal(assigned, continued.labels):
        share = float((assigned != continued.labels).double().mean())
        raise InvalidClusteringError(
            f"{_kind(clustering)}.assign puts {share:.0%} of the training rows into other clusters than their labels. Expected "
            f"the rule by which update_continued labels them, or labels_given = True where there is none."
        )


def _check_from_scratch(clustering: Clustering[Any], inputs: ClusterInputs, seed: int) -> None:
    first, second = (clustering.from_scratch(inputs, seed=seed) for _ in range(2))
    checked(first, len(inputs.weights))
    if not torch.equal(first.labels, second.labels):
        raise InvalidClusteringError(
            f"{_kind(clustering)}.from_scratch gave different labels for the same seed. Expected a function of inputs and "
            f"seed: draw from a generator that is made from the seed."
        )


def _check_stored(clustering: Clustering[Any], inputs: ClusterInputs) -> None:
    try:
        settings = json.loads(json.dumps(dict(clustering.settings)))
        arrays = {name: np.array(array) for name, array in clustering.arrays().items()}
        if any(array.dtype.kind not in "fiub" for array in arrays.values()):
            raise TypeError("arrays() holds more than numbers")
        restored = type(clustering).restore(clustering.labels, clustering.n_clusters, arrays, settings)
        restored = restored.with_reference(inputs)
        with torch.no_grad():
            moved = _differing(clustering.values(inputs), restored.values(inputs))
            moved = moved or _differing(clustering.state(inputs), restored.state(inputs))
    except (TypeError, ValueError, KeyError, AttributeError, AssertionError, RuntimeError) as error:
        raise InvalidClusteringError(
            f"{_kind(clustering)} cannot be stored and restored: {type(error).__name__}: {error}. Expected arrays() of "
            f"numbers, settings that JSON can hold, and a classmethod restore(labels, n_clusters, arrays, settings)."
        ) from error
    if moved:
        raise InvalidClusteringError(
            f"{_kind(clustering)} has another state after arrays(), settings and restore(): {moved} differ. Expected the same."
        )


def _kind(clustering: Clustering[Any]) -> str:
    return type(clustering).__name__


def _numbers(state: ClusterState) -> dict[str, Tensor]:
    """Return the fields of a state that are real numbers."""
    fields: dict[str, Any] = state._asdict()  # type: ignore[attr-defined]
    return {name: value for name, value in fields.items() if isinstance(value, Tensor) and value.is_floating_point()}


def _two_members(clustering: Clustering[Any], inputs: ClusterInputs) -> tuple[int, int] | None:
    """Return two rows of positive weight of the largest cluster; None if no cluster has two."""
    present = (inputs.weights > 0) & (clustering.labels >= 0)
    if not bool(present.any()):
        return None
    largest = int(torch.bincount(clustering.labels[present]).argmax())
    members = torch.nonzero(present & (clustering.labels == largest)).squeeze(1).tolist()
    return (members[0], members[-1]) if len(members) > 1 else None


def _differing(first: ClusterState, second: ClusterState) -> str:
    """Return the names of the fields in which two states differ by more than rounding."""
    pairs = zip(_numbers(first).items(), _numbers(second).values(), strict=True)
    names = [name for (name, value), other in pairs if not _close(value, other)]
    if not torch.equal(first.nonempty, second.nonempty):
        names.append("nonempty")
    return ", ".join(names)


def _close(first: Tensor, second: Tensor) -> bool:
    if first.shape != second.shape:
        return False
    return not first.numel() or bool((first - second).abs().max() <= ROUNDING * max(float(first.abs().max()), 1e-12))


def _size(part: Tensor) -> float:
    """Return the root mean square of a tensor around the mean of its rows, 1 if it is constant."""
    return float((part - part.mean(dim=0)).square().mean().sqrt()) or 1.0
