"""An explanation written into an AnnData: per cell in ``obs`` and ``obsm``, what the numbers are in ``uns``."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterexplain._version import __version__
from clusterexplain.data.containers.foreign import is_anndata
from clusterexplain.data.ids import id_text, places_of
from clusterexplain.exceptions import InputWarning, InvalidDataError, InvalidParameterError, warn
from clusterexplain.results.text.explanation import sign
from clusterexplain.statistics.matching import NOISE

if TYPE_CHECKING:
    from anndata import AnnData

    from clusterexplain.results.explanation import Explanation

PARTS = {
    "": "influence",
    "_encoder": "encoder",
    "_cluster_part": "cluster",
    "_direct": "direct",
}
"""The influence and its three parts: what is put behind `key_added` in ``obsm``, and the attribute of an explanation."""


def write_to_anndata(explanation: Explanation, adata: AnnData, key_added: str) -> None:
    """Write clusters, margins and influences into an AnnData, joined by ``obs_names``.

    Parameters
    ----------
    explanation : Explanation
        What is written.
    adata : AnnData of n_obs cells
        Changed in place. See :meth:`clusterexplain.Explanation.to_adata` for the keys.
    key_added : str
        How every key begins.

    Raises
    ------
    InvalidDataError
        If `adata` is no AnnData, its ``obs_names`` are not unique, or none of them is an id of the training data.
    InvalidParameterError
        If `key_added` is empty, no text, or has a slash, which no key of an .h5ad file may have; or if `adata` has something of
        the user's own under a key that would be written.
    """
    if not isinstance(key_added, str) or not key_added or "/" in key_added:
        raise InvalidParameterError(
            f"key_added={key_added!r} cannot begin the keys of an .h5ad file. Expected a text without a slash, for example "
            f"'clusterexplain'."
        )
    places = _places(explanation, adata)
    earlier = _written_earlier(adata, key_added)
    _refuse_foreign(adata, key_added, len(explanation), earlier)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Trying to modify attribute")  # a view becomes an AnnData of its own
        for part, name in earlier:
            if name in getattr(adata, part):
                del getattr(adata, part)[name]
        _write_obs(explanation, adata, key_added, places)
        _write_influence(explanation, adata, key_added, places)
        adata.uns[key_added] = described(explanation)


def _keys(key: str, n_queries: int) -> list[tuple[str, str]]:
    """Return what is written for so many queries: the part of an AnnData, and the key in it."""
    values = [
        ("obs", f"{key}{suffix or '_influence'}") if n_queries == 1 else ("obsm", f"{key}{suffix}") for suffix in PARTS
    ]
    return [("uns", key), ("obs", f"{key}_cluster"), ("obs", f"{key}_margin"), *values]


def _written_earlier(adata: AnnData, key: str) -> list[tuple[str, str]]:
    """Return what an earlier call wrote, as its description in ``uns`` shows; nothing where that is not ours."""
    described_ = adata.uns.get(key)
    if not isinstance(described_, Mapping) or not {"samples", "sample_margins", "fit_key", "version"} <= set(
        described_
    ):
        return []
    return _keys(key, np.size(described_["samples"]))


def _refuse_foreign(adata: AnnData, key: str, n_queries: int, earlier: list[tuple[str, str]]) -> None:
    written = _keys(key, n_queries)
    foreign = [(part, name) for part, name in written if name in getattr(adata, part) and (part, name) not in earlier]
    if foreign:
        names = ", ".join(f"{part}[{name!r}]" for part, name in foreign)
        raise InvalidParameterError(
            f"key_added={key!r} would overwrite {names} of adata, not written by an earlier to_adata. Expected a key of its "
            f"own, for example 'clusterexplain'; or delete what is no longer needed."
        )


def _places(explanation: Explanation, adata: AnnData) -> np.ndarray:
    """Return the training row of each cell, shape (n_obs,); -1 for a cell that the fit does not know, which is said."""
    if not is_anndata(adata):
        raise InvalidDataError(
            f"adata is {type(adata).__name__}. Expected an AnnData, whose obs_names are the ids of the training data; "
            f"to_frame() returns the same numbers as a table."
        )
    names = pd.Index(adata.obs_names)
    twice = names[names.duplicated()]
    if len(twice):
        raise InvalidDataError(
            f"adata has {len(twice)} obs_names that occur more than once, for example {twice[0]!r}. Expected a name of its own "
            f"for each cell, by which results are joined; call adata.obs_names_make_unique() before fit."
        )
    places = places_of(np.array([id_text(id_) for id_ in explanation.train_ids.tolist()]), names)
    unknown = np.flatnonzero(places < 0)
    if len(unknown) == len(places):
        ids = explanation.train_ids.tolist()
        raise InvalidDataError(
            f"None of the {len(places)} obs_names of adata is an id of the training data: they begin with "
            f"{', '.join(repr(str(name)) for name in names[:1])}, the ids with {ids[0]!r}. Expected the AnnData that was "
            f"fitted, or cells of it; rows are never joined by position. fit(adata) or Dataset(X, ids=adata.obs_names) keeps "
            f"the names."
        )
    lost = len(explanation.train_ids) - (len(places) - len(unknown))
    if len(unknown) or lost:
        missing = (
            f"{len(unknown)} of its {len(places)} cells were not trained on, for example {str(names[unknown[0]])!r}: their "
            f"values are missing"
            if len(unknown)
            else "all of its cells were trained on"
        )
        warn(
            f"adata does not hold the same cells as the training data: {missing}, and {lost} of "
            f"{len(explanation.train_ids)} training examples are not in it. Expected the AnnData that was fitted, if all are "
            f"to be written.",
            InputWarning,
        )
    return places


def _write_obs(explanation: Explanation, adata: AnnData, key: str, places: np.ndarray) -> None:
    fit, known = explanation.fit, places >= 0
    labels = explanation.train_labels
    names = {cluster: _label(explanation, cluster) for cluster in sorted(set(labels.tolist()), key=_noise_last)}
    written = [names[int(labels[place])] if place >= 0 else None for place in places]
    adata.obs[f"{key}_cluster"] = pd.Categorical(written, categories=pd.Index(list(names.values()), dtype=object))
    adata.obs[f"{key}_margin"] = _spread(fit.assignment.train_margins.numpy(), places, known)


def _write_influence(explanation: Explanation, adata: AnnData, key: str, places: np.ndarray) -> None:
    """Write one query to columns of obs, several to matrices in obsm."""
    known = places >= 0
    for suffix, name in PARTS.items():
        values: np.ndarray = getattr(explanation, name)
        if len(explanation) == 1:
            adata.obs[f"{key}{suffix or '_influence'}"] = _spread(values[0], places, known)
        else:
            adata.obsm[f"{key}{suffix}"] = _spread(values.T, places, known)


def _spread(values: np.ndarray, places: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return values by training example as values by cell, NaN for cells that were not trained on."""
    spread = np.full((len(places), *values.shape[1:]), np.nan)
    spread[known] = values[places[known]]
    return spread


def _label(explanation: Explanation, cluster: int) -> str:
    """Return a cluster as scanpy writes labels: its name alone, else its number; numbers tell equal names apart."""
    names = explanation.cluster_names
    if cluster == NOISE:
        return "noise"
    name = names.get(cluster, str(cluster))
    return explanation.name_of(cluster) if list(names.values()).count(name) > 1 else name


def _noise_last(cluster: int) -> tuple[bool, int]:
    return cluster == NOISE, cluster


def described(explanation: Explanation) -> dict[str, object]:
    """Return what the numbers of an explanation are, as texts, numbers and arrays of one dimension by name.

    Parameters
    ----------
    explanation : Explanation
        With or without a check.

    Returns
    -------
    dict of str to object
        In a form that an .h5ad file holds and that is read back equal.
    """
    fit = explanation.fit
    said = {name: _plain(value) for name, value in fit.config.said.items()}
    return {
        "samples": _texts(explanation.query_ids.tolist()),
        "sample_clusters": _texts([_label(explanation, int(label)) for label in explanation.labels]),
        "sample_rivals": _texts([_label(explanation, int(runner_up)) for runner_up in explanation.runner_ups]),
        "sample_margins": np.array(explanation.scores, dtype=np.float64),
        "score": explanation.score_words,
        "sign": sign(explanation.sides()[0]),
        "unit": "derivative of the margin in the relative weight of the example; if it is removed, the margin is predicted "
        "to change by minus the influence",
        "parts": "encoder, cluster_part and direct sum to the influence",
        "missing": "not a number for cells that were not trained on",
        "method": explanation.method_words,
        "checked": explanation.checked,
        "agreement": float(explanation.agreement),
        "n_train": len(explanation.train_ids),
        "seed": int(fit.seed),
        "fit_key": explanation.fit_key,
        "version": __version__,
        "params": said,
    }


def _texts(values: list[object]) -> np.ndarray:
    return np.array([id_text(value) for value in values], dtype=object)


def _plain(value: object) -> str | int | float | bool:
    """Return a parameter as an .h5ad file holds it: None as the text "None", containers as JSON."""
    if isinstance(value, (str, bool, int, float)):
        return value
    return str(value) if value is None else json.dumps(value, default=str)
