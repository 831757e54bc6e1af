"""One factor at a time: from the criticised procedure towards this package's, and back from the other end."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from clusterexplain.experiments.fragility.classical_influence import CRITICISED, Classical
from clusterexplain.experiments.fragility.full_batch_training import Schedule
from clusterexplain.experiments.fragility.protocol import ClassifierProtocol, Subject, outcomes
from clusterexplain.experiments.result_cache import ResultCache
from clusterexplain.statistics import average, bootstrap_interval, sign_agreement, spearman

DECAY = 0.005


@dataclass(frozen=True)
class Steps:
    """Lengths of trainings.

    Parameters
    ----------
    base, further : int
        Of the criticised protocol.
    shorter, longer : int
        Of its further training where the length is the factor.
    ours, many : int
        Of this package's protocol, and where the length is the factor.
    """

    base: int = 60_000
    further: int = 7_500
    shorter: int = 1_000
    longer: int = 30_000
    ours: int = 2_000
    many: int = 10_000


@dataclass(frozen=True)
class Switch:
    """One factor, changed.

    Attributes
    ----------
    factor, before, after : str
        In words.
    protocol : ClassifierProtocol
        With the factor changed.
    """

    factor: str
    before: str
    after: str
    protocol: ClassifierProtocol


def criticised(data: str, depth: int, width: int, n_restarts: int, steps: Steps) -> ClassifierProtocol:
    """Return the criticised procedure: one query with the largest loss, further training with a fresh optimizer, no null.

    Removed are, for Iris, the examples with the largest loss; for digits those with the largest influence.
    """
    training = Schedule(steps.base, weight_decay=DECAY)
    subject = Subject(data, depth, width, "selu", training, n_restarts)
    selection = "top loss" if data == "iris" else "top influence"
    further = replace(training, n_steps=steps.further)
    return ClassifierProtocol(subject, further, False, False, selection, "worst", False, CRITICISED)


def controlled(data: str, depth: int, width: int, n_restarts: int, steps: Steps) -> ClassifierProtocol:
    """Return this package's procedure: a smooth recipe, ten queries, random removals by mask, the same training again."""
    training = Schedule(steps.ours, 0.01, DECAY, eps=1e-4, inside=True, shape="cosine")
    subject = Subject(data, depth, width, "gelu", training, n_restarts)
    return ClassifierProtocol(subject, None, False, True, "random", "stratified", True, "training")


def switches_from_criticised(base: ClassifierProtocol, steps: Steps) -> list[Switch]:
    """Return every factor changed from the criticised protocol."""
    subject, further = base.subject, base.further
    assert further is not None
    switches = [
        Switch("query", "the one with the largest loss", "that one and nine others", replace(base, queries="stratified")),
        Switch("removed examples", base.selection, "random", replace(base, selection="random")),
        Switch("null", "not subtracted", "subtracted", replace(base, null=True)),
        Switch("weights of the others", "mean over those left", "unchanged", replace(base, masked=True)),
        Switch("optimizer's memory", "fresh", "restored", replace(base, restored=True)),
        Switch(
            "rate of further training", "plateau schedule", "down to 0", replace(base, further=replace(further, shape="cosine"))
        ),
        Switch(
            "steps of further training",
            f"{steps.further:,}",
            f"{steps.shorter:,}",
            replace(base, further=replace(further, n_steps=steps.shorter)),
        ),
        Switch(
            "steps of further training",
            f"{steps.further:,}",
            f"{steps.longer:,}",
            replace(base, further=replace(further, n_steps=steps.longer)),
        ),
        Switch("retraining", "further", "from the same start", replace(base, further=None)),
    ]  # fmt: skip
    switches += [
        Switch("activation", "SELU", shown, replace(base, subject=replace(subject, activation=name)))
        for name, shown in (("tanh", "tanh"), ("gelu", "GELU"), ("relu", "ReLU"))
    ]
    switches += [
        Switch("Adam's epsilon", "1e-8 outside the root", "1e-4 inside", _trained_by(base, eps=1e-4, inside=True)),
        Switch("weight decay", f"{DECAY}", "none", _trained_by(base, weight_decay=0.0)),
        Switch("rate of all training", "plateau schedule", "down to 0", _trained_by(base, shape="cosine")),
    ]
    exact = Switch("influence", "last layer, float32", "exact derivative", replace(base, prediction="retraining"))
    return [*switches, *_other_influences(base, "last layer, float32"), exact]


def switches_from_controlled(base: ClassifierProtocol, steps: Steps) -> list[Switch]:
    """Return every factor changed from this package's protocol."""
    subject = base.subject
    selection = "top loss" if subject.data == "iris" else "top influence"
    further = Schedule(steps.further, weight_decay=DECAY)
    switches = [
        Switch("query", "ten", "the one with the largest loss", replace(base, queries="worst")),
        Switch("removed examples", "random", selection, replace(base, selection=selection)),
        Switch("null", "subtracted", "not subtracted", replace(base, null=False)),
        Switch("weights of the others", "unchanged", "mean over those left", replace(base, masked=False)),
        Switch("retraining", "from the same start", "further, fresh optimizer", replace(base, further=further)),
    ]
    switches += [
        Switch("activation", "GELU", shown, replace(base, subject=replace(subject, activation=name)))
        for name, shown in (("tanh", "tanh"), ("selu", "SELU"), ("relu", "ReLU"))
    ]
    switches += [
        Switch("Adam's epsilon", "1e-4 inside the root", "1e-8 outside", _trained_by(base, eps=1e-8, inside=False)),
        Switch("weight decay", f"{DECAY}", "none", _trained_by(base, weight_decay=0.0)),
        Switch("rate of all training", "down to 0", "plateau schedule", _trained_by(base, shape="plateau")),
        Switch("steps of training", f"{steps.ours:,}", f"{steps.many:,}", _trained_by(base, n_steps=steps.many)),
        Switch("influence", "exact derivative", "last layer, float32", replace(base, prediction=CRITICISED)),
    ]
    return switches + _other_influences(base, "exact derivative")


def _other_influences(base: ClassifierProtocol, before: str) -> list[Switch]:
    kinds = {
        "last layer, float32, other order of products": replace(CRITICISED, queries_first=True),
        "last layer, float64": Classical(),
        "last layer with decay, float64": Classical(decay=DECAY),
        "all layers, Hessian with decay": Classical(last=False, decay=DECAY),
        "all layers, Hessian damped by 0.01": Classical(last=False, decay=DECAY, damping=0.01),
        "all layers, Gauss-Newton with decay": Classical("gauss-newton", last=False, decay=DECAY),
    }
    return [Switch("influence", before, name, replace(base, prediction=kind)) for name, kind in kinds.items()]


def _trained_by(base: ClassifierProtocol, **changes: object) -> ClassifierProtocol:
    """Return a procedure with another schedule, of further training too."""
    subject = replace(base.subject, training=replace(base.subject.training, **changes))  # type: ignore[arg-type]
    further = None if base.further is None else replace(base.further, **changes)  # type: ignore[arg-type]
    return replace(base, subject=subject, further=further)


def figures(protocol: ClassifierProtocol, cache: ResultCache) -> pd.DataFrame:
    """Return what a procedure finds: for each restart spearman and signs (share of removals with the sign predicted)."""
    outcome, rows = outcomes(protocol, cache), []
    for restart, part in outcome.groupby("restart"):
        predicted, truth = (
            part.pivot(index="row", columns="query", values=name).to_numpy() for name in ("predicted", "truth")
        )
        rows.append(
            {
                "restart": restart,
                "spearman": average(spearman(predicted, truth)),
                "signs": average(sign_agreement(predicted, truth)),
            }
        )
    return pd.DataFrame(rows)


def compare(base: ClassifierProtocol, switches: list[Switch], cache: ResultCache) -> pd.DataFrame:
    """Change one factor at a time.

    Parameters
    ----------
    base : ClassifierProtocol
        Where every switch starts from.
    switches : list of Switch
        The changes.
    cache : ResultCache
        Where parts are kept.

    Returns
    -------
    DataFrame
        One row for each switch, the first without any: data, depth, factor, before, after; n_restarts (those with a
        prediction: a singular matrix may have no inverse in float32); spearman with low and high (signed,
        mean over restarts of the mean over queries); difference from the first row, paired by restart, with its interval;
        signs (share of removals whose sign was predicted).
    """
    subject, first = base.subject, figures(base, cache)
    rows = []
    for switch in [Switch("none", "", "", base), *switches]:
        changed = figures(switch.protocol, cache)
        value = bootstrap_interval(changed["spearman"].to_numpy(), largest=1.0)
        paired = changed["spearman"].to_numpy() - first["spearman"].to_numpy()
        change = bootstrap_interval(paired)
        rows.append(
            {
                "data": subject.data,
                "depth": subject.depth,
                "width": subject.width,
                "factor": switch.factor,
                "before": switch.before,
                "after": switch.after,
                "n_restarts": int(changed["spearman"].notna().sum()),
                "spearman": value.mean,
                "low": value.low,
                "high": value.high,
                "difference": change.mean,
                "difference_low": change.low,
                "difference_high": change.high,
                "signs": float(np.nanmean(changed["signs"])),
            }
        )
    return pd.DataFrame(rows)
