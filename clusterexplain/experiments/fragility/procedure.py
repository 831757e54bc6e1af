"""A procedure that checks influence by retraining, as a list of factors, and what it finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clusterexplain.execution.budget import RESTARTS_BYTES
from clusterexplain.experiments.cache import ResultCache
from clusterexplain.experiments.fragility.influence import CRITICISED, Classical, removal_effects
from clusterexplain.experiments.fragility.networks import Network
from clusterexplain.experiments.fragility.splits import Split, split_of
from clusterexplain.experiments.fragility.training import Schedule, State, train, train_many
from clusterexplain.experiments.fragility.unrolled import pull

N_REMOVED = 25
N_ASKED = 10


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
class Procedure:
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


def outcomes(procedure: Procedure, pieces: ResultCache) -> pd.DataFrame:
    """Run a procedure, or look up what an earlier one that shares its trainings has found.

    Parameters
    ----------
    procedure : Procedure
        What to run.
    pieces : Pieces
        Where retrainings and predictions are kept.

    Returns
    -------
    DataFrame
        One row for each (restart, query, removed example): truth (change of the query's loss, the null subtracted if so asked)
        and predicted.
    """
    truths = pieces.frame("retrained", _retraining_settings(procedure), lambda: _truths(procedure))
    predictions = pieces.frame("predicted", _prediction_settings(procedure), lambda: _predictions(procedure))
    found = truths.assign(predicted=predictions["predicted"])
    if procedure.queries == "worst":
        found = found[found["query"] == 0]
    change = found["after"] - (found["null"] if procedure.null else found["before"])
    return found.assign(truth=change)


def _retraining_settings(procedure: Procedure) -> dict[str, Any]:
    kept = asdict(replace(procedure, queries="", null=False, prediction=CRITICISED))
    kept.pop("prediction")
    return kept


def _prediction_settings(procedure: Procedure) -> dict[str, Any]:
    kept = asdict(replace(procedure, queries="", null=False))
    if procedure.prediction != "retraining":
        for name in ("further", "restored", *(("masked",) if isinstance(procedure.prediction, Classical) else ())):
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


def _removed(procedure: Procedure) -> Tensor:
    """Return the examples that are removed, of shape (n_restarts, N_REMOVED)."""
    subject = procedure.subject
    split, base = subject.split, _trained(subject)
    if procedure.selection == "random":
        drawn = np.random.default_rng(1).choice(split.train.n_rows, N_REMOVED, replace=False)
        return torch.from_numpy(drawn).expand(subject.n_restarts, -1)
    if procedure.selection == "top loss":
        strength = subject.network.losses(base.theta, split.train.inputs, split.train.targets)
    else:
        (effects,) = removal_effects(subject.network, base.theta, split.train, split.queries, [CRITICISED])
        strength = effects.gather(2, _asked(subject)[:, None, :1].expand(-1, effects.shape[1], -1))[:, :, 0].abs()
    return strength.argsort(dim=1, descending=True, stable=True)[:, :N_REMOVED]


def _weights(procedure: Procedure) -> Tensor:
    """Return data weights of shape (n_restarts, 1 + N_REMOVED, n_rows): first with nothing removed."""
    removed, n = _removed(procedure), procedure.subject.split.train.n_rows
    weights = torch.full((len(removed), 1 + N_REMOVED, n), 1 / n if procedure.masked else 1 / (n - 1))
    weights[:, 0] = 1 / n
    weights[:, 1:].scatter_(2, removed.unsqueeze(2), 0.0)
    return weights


def _truths(procedure: Procedure) -> pd.DataFrame:
    subject = procedure.subject
    network, split, weights = subject.network, subject.split, _weights(procedure)
    start = _from(procedure).repeated(1 + N_REMOVED)
    theta = train_many(network, start, split.train, weights.flatten(0, 1), _schedule(procedure))
    asked, queries = _asked(subject), split.queries
    after = network.losses(theta, queries.inputs, queries.targets).view(len(asked), 1 + N_REMOVED, -1)
    after = after.gather(2, asked.unsqueeze(1).expand(-1, 1 + N_REMOVED, -1)).double()
    before = network.losses(_trained(subject).theta, queries.inputs, queries.targets).gather(1, asked).double()
    repeated = [part.unsqueeze(2).expand(-1, -1, N_REMOVED) for part in (before, after[:, 0])]
    return _frame(procedure, after=after[:, 1:].transpose(1, 2), before=repeated[0], null=repeated[1])


def _from(procedure: Procedure) -> State:
    if procedure.further is None:
        return procedure.subject.start
    base = _trained(procedure.subject)
    return base if procedure.restored else base.forgetful()


def _predictions(procedure: Procedure) -> pd.DataFrame:
    subject = procedure.subject
    split, asked = subject.split, _asked(subject)
    if isinstance(procedure.prediction, Classical):
        (effects,) = removal_effects(
            subject.network, _trained(subject).theta, split.train, split.queries, [procedure.prediction]
        )
        effects = effects.gather(1, _removed(procedure).unsqueeze(2).expand(-1, -1, effects.shape[2]))
        effects = effects.gather(2, asked.unsqueeze(1).expand(-1, N_REMOVED, -1)).transpose(1, 2)
        return _frame(procedure, predicted=effects)
    differentiated = procedure if procedure.prediction == "retraining" else replace(procedure, further=None)
    size = subject.network.n_params * _schedule(differentiated).n_steps * 3 * 4
    step = max(1, int(RESTARTS_BYTES / size))
    starts = range(0, subject.n_restarts, step)
    return _frame(procedure, predicted=torch.cat([_exact(differentiated, slice(one, one + step)) for one in starts]))


def _schedule(procedure: Procedure) -> Schedule:
    return procedure.subject.training if procedure.further is None else procedure.further


def _exact(procedure: Procedure, restarts: slice) -> Tensor:
    """Return the exact derivative's predictions for some restarts, of shape (n_restarts, n_queries, N_REMOVED)."""
    subject, schedule = procedure.subject, _schedule(procedure)
    network, split = subject.network, subject.split
    weights = subject.weights[restarts]
    run = train(network, _from(procedure).rows(restarts), split.train, weights, schedule, record=True)
    asked = [split.queries.picked(one).double() for one in _asked(subject)[restarts]]
    finals = run.theta.double().unsqueeze(1)
    cotangents = torch.stack(
        [network.gradients(theta, one.inputs, one.targets) for theta, one in zip(finals, asked, strict=True)]
    )
    rows = pull(network, run, split.train.double(), weights.double(), schedule, cotangents)
    differences = (_weights(procedure)[restarts, 1:] - weights[:, None]).double()
    return rows @ differences.transpose(1, 2)


def _frame(procedure: Procedure, **columns: Tensor) -> pd.DataFrame:
    """Return a table with a row for each entry of tensors of shape (n_restarts, n_queries, N_REMOVED)."""
    shape = next(iter(columns.values())).shape
    restart, query, removal = (index.flatten() for index in np.indices(shape))
    rows = procedure.subject.split.rows[_removed(procedure).numpy()]
    index = {"restart": restart, "query": query, "row": rows[restart, removal]}
    return pd.DataFrame({**index, **{name: values.flatten().numpy() for name, values in columns.items()}})
