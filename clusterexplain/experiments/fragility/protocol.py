"""A procedure that checks influence by retraining, as a list of factors, and what it finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clusterexplain.experiments.fragility.classical_influence import CRITICISED, Classical, removal_effects
from clusterexplain.experiments.fragility.classifiers import Network
from clusterexplain.experiments.fragility.exact_derivative import vjp
from clusterexplain.experiments.fragility.full_batch_training import Schedule, State, train, train_many
from clusterexplain.experiments.fragility.splits import Split, split_of
from clusterexplain.experiments.result_cache import ResultCache

N_REMOVED = 25
N_ASKED = 10
RECORDED_BYTES = 3e8
"""States of the recorded trainings of several restarts: more restarts go through one after the other."""


@dataclass(frozen=True)
class Subject:
    """Classifiers that are trained: data, architecture, training, restarts.

    Parameters
    ----------
    data : {"iris", "digits"}
        See :func:`split_of`.
    depth, width : int
        Hidden layers, and their units.
    activation : str
        Between layers.
    training : Schedule
        From the start.
    n_restarts : int
        Networks, each from its own start.
    """

    data: str
    depth: int
    width: int
    activation: str
    training: Schedule
    n_restarts: int

    @property
    def split(self) -> Split:
        """What is trained on and asked about."""
        return split_of(self.data)

    @property
    def network(self) -> Network:
        """The architecture."""
        return Network((self.split.n_inputs, *(self.width,) * self.depth, self.split.n_classes), self.activation)

    @property
    def weights(self) -> Tensor:
        """Data weights as trained, one row for each restart."""
        n = self.split.train.n_rows
        return torch.full((self.n_restarts, n), 1 / n)

    @property
    def start(self) -> State:
        """Where training starts."""
        return State.fresh(self.network.initial(range(self.n_restarts)))


@dataclass(frozen=True)
class ClassifierProtocol:
    """How influence is predicted and checked; every field is a factor.

    Parameters
    ----------
    subject : Subject
        What is trained.
    further : Schedule or None
        Retraining goes on from the trained parameters by this schedule; None trains again from the same start.
    restored : bool
        Further training goes on with the moments of the training instead of a fresh optimizer.
    masked : bool
        A removed example has weight 0 and the others keep theirs; else the loss is the mean over those that are left.
    selection : {"top loss", "random", "top influence"}
        Which 25 examples are removed, one at a time.
    queries : {"worst", "stratified"}
        The query with the largest loss, or that one and nine others.
    null : bool
        The change by the same retraining with nothing removed is subtracted.
    prediction : Classical or {"training", "retraining"}
        The influence method: classical, or the exact derivative of the training from the start or of the retraining that the
        check consists of.
    """

    subject: Subject
    further: Schedule | None
    restored: bool
    masked: bool
    selection: str
    queries: str
    null: bool
    prediction: Classical | str


def outcomes(protocol: ClassifierProtocol, cache: ResultCache) -> pd.DataFrame:
    """Run a protocol, or look up what an earlier one that shares its trainings has found.

    Parameters
    ----------
    protocol : ClassifierProtocol
        What to run.
    cache : ResultCache
        Where retrainings and predictions are kept.

    Returns
    -------
    DataFrame
        One row for each (restart, query, removed example): truth (change of the query's loss, the null subtracted if so asked)
        and predicted.
    """
    truths = cache.frame("retrained", _retraining_settings(protocol), lambda: _truths(protocol))
    predictions = cache.frame("predicted", _prediction_settings(protocol), lambda: _predictions(protocol))
    outcome = truths.assign(predicted=predictions["predicted"])
    if protocol.queries == "worst":
        outcome = outcome[outcome["query"] == 0]
    change = outcome["after"] - (outcome["null"] if protocol.null else outcome["before"])
    return outcome.assign(truth=change)


def _retraining_settings(protocol: ClassifierProtocol) -> dict[str, Any]:
    kept = asdict(replace(protocol, queries="", null=False, prediction=CRITICISED))
    kept.pop("prediction")
    return kept


def _prediction_settings(protocol: ClassifierProtocol) -> dict[str, Any]:
    kept = asdict(replace(protocol, queries="", null=False))
    if protocol.prediction != "retraining":
        for name in ("further", "restored", *(("masked",) if isinstance(protocol.prediction, Classical) else ())):
            kept.pop(name)
    return kept


@lru_cache(maxsize=2)
def _trained(subject: Subject) -> State:
    """Return the trained classifiers; trained again after an interruption, to the same bytes."""
    return train(subject.network, subject.start, subject.split.train, subject.weights, subject.training)


def _asked(subject: Subject) -> Tensor:
    """Return the queries of each restart, of shape (n_restarts, n_queries): first the one with the largest loss.

    The others are evenly spaced in the order of the losses. For Iris all that is held out is asked about, as it is drawn.
    """
    queries = subject.split.queries
    if subject.data == "iris":
        return torch.arange(queries.n_rows).expand(subject.n_restarts, -1)
    losses = subject.network.losses(_trained(subject).theta, queries.inputs, queries.targets)
    order = losses.argsort(dim=1, descending=True, stable=True)
    return order[:, torch.linspace(0, queries.n_rows - 1, N_ASKED).round().long()]


def _removed(protocol: ClassifierProtocol) -> Tensor:
    """Return the examples that are removed, of shape (n_restarts, N_REMOVED)."""
    subject = protocol.subject
    split, base = subject.split, _trained(subject)
    if protocol.selection == "random":
        drawn = np.random.default_rng(1).choice(split.train.n_rows, N_REMOVED, replace=False)
        return torch.from_numpy(drawn).expand(subject.n_restarts, -1)
    if protocol.selection == "top loss":
        strength = subject.network.losses(base.theta, split.train.inputs, split.train.targets)
    else:
        (effects,) = removal_effects(subject.network, base.theta, split.train, split.queries, [CRITICISED])
        strength = effects.gather(2, _asked(subject)[:, None, :1].expand(-1, effects.shape[1], -1))[:, :, 0].abs()
    return strength.argsort(dim=1, descending=True, stable=True)[:, :N_REMOVED]


def _weights(protocol: ClassifierProtocol) -> Tensor:
    """Return data weights of shape (n_restarts, 1 + N_REMOVED, n_rows): first with nothing removed."""
    removed, n = _removed(protocol), protocol.subject.split.train.n_rows
    weights = torch.full((len(removed), 1 + N_REMOVED, n), 1 / n if protocol.masked else 1 / (n - 1))
    weights[:, 0] = 1 / n
    weights[:, 1:].scatter_(2, removed.unsqueeze(2), 0.0)
    return weights


def _truths(protocol: ClassifierProtocol) -> pd.DataFrame:
    subject = protocol.subject
    network, split, weights = subject.network, subject.split, _weights(protocol)
    start = _from(protocol).repeated(1 + N_REMOVED)
    theta = train_many(network, start, split.train, weights.flatten(0, 1), _schedule(protocol))
    asked, queries = _asked(subject), split.queries
    after = network.losses(theta, queries.inputs, queries.targets).view(len(asked), 1 + N_REMOVED, -1)
    after = after.gather(2, asked.unsqueeze(1).expand(-1, 1 + N_REMOVED, -1)).double()
    before = network.losses(_trained(subject).theta, queries.inputs, queries.targets).gather(1, asked).double()
    repeated = [part.unsqueeze(2).expand(-1, -1, N_REMOVED) for part in (before, after[:, 0])]
    return _frame(protocol, after=after[:, 1:].transpose(1, 2), before=repeated[0], null=repeated[1])


def _from(protocol: ClassifierProtocol) -> State:
    if protocol.further is None:
        return protocol.subject.start
    base = _trained(protocol.subject)
    return base if protocol.restored else base.forgetful()


def _predictions(protocol: ClassifierProtocol) -> pd.DataFrame:
    subject = protocol.subject
    split, asked = subject.split, _asked(subject)
    if isinstance(protocol.prediction, Classical):
        (effects,) = removal_effects(
            subject.network, _trained(subject).theta, split.train, split.queries, [protocol.prediction]
        )
        effects = effects.gather(1, _removed(protocol).unsqueeze(2).expand(-1, -1, effects.shape[2]))
        effects = effects.gather(2, asked.unsqueeze(1).expand(-1, N_REMOVED, -1)).transpose(1, 2)
        return _frame(protocol, predicted=effects)
    differentiated = protocol if protocol.prediction == "retraining" else replace(protocol, further=None)
    size = subject.network.n_params * _schedule(differentiated).n_steps * 3 * 4
    step = max(1, int(RECORDED_BYTES / size))
    starts = range(0, subject.n_restarts, step)
    return _frame(
        protocol, predicted=torch.cat([_exact(differentiated, slice(start, start + step)) for start in starts])
    )


def _schedule(protocol: ClassifierProtocol) -> Schedule:
    return protocol.subject.training if protocol.further is None else protocol.further


def _exact(protocol: ClassifierProtocol, restarts: slice) -> Tensor:
    """Return the exact derivative's predictions for some restarts, of shape (n_restarts, n_queries, N_REMOVED)."""
    subject, schedule = protocol.subject, _schedule(protocol)
    network, split = subject.network, subject.split
    weights = subject.weights[restarts]
    trained = train(network, _from(protocol).rows(restarts), split.train, weights, schedule, record=True)
    asked = [split.queries.picked(queries).double() for queries in _asked(subject)[restarts]]
    finals = trained.theta.double().unsqueeze(1)
    cotangents = torch.stack(
        [
            network.gradients(theta, queries.inputs, queries.targets)
            for theta, queries in zip(finals, asked, strict=True)
        ]
    )
    rows = vjp(network, trained, split.train.double(), weights.double(), schedule, cotangents)
    differences = (_weights(protocol)[restarts, 1:] - weights[:, None]).double()
    return rows @ differences.transpose(1, 2)


def _frame(protocol: ClassifierProtocol, **columns: Tensor) -> pd.DataFrame:
    """Return a table with a row for each entry of tensors of shape (n_restarts, n_queries, N_REMOVED)."""
    shape = next(iter(columns.values())).shape
    restart, query, removal = (index.flatten() for index in np.indices(shape))
    rows = protocol.subject.split.rows[_removed(protocol).numpy()]
    index = {"restart": restart, "query": query, "row": rows[restart, removal]}
    return pd.DataFrame({**index, **{name: values.flatten().numpy() for name, values in columns.items()}})
