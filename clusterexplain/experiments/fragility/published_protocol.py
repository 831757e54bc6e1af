"""The criticised validation procedure on Iris: worst query, top losses, further training with a fresh optimizer, last layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clusterexplain.experiments.fragility.classical_influence import CRITICISED, Classical, removal_effects
from clusterexplain.experiments.fragility.classifiers import Network
from clusterexplain.experiments.fragility.full_batch_training import Schedule, State, train, train_many
from clusterexplain.experiments.fragility.splits import WORST, Split, iris_without

N_REMOVED = 25
"""A sixth of the data, as in the study that is reproduced."""
DAMPING = 0.01
"""Of the Hessian of all layers, a second prediction next to the reproduced one."""


@dataclass(frozen=True)
class Cell:
    """One cell of the main table.

    Parameters
    ----------
    depth, width : int
        Hidden layers, and their units.
    activation : str
        Between layers.
    decay : float
        Weight decay.
    last_only : bool, default=False
        Train only the last layer when an example is removed.
    first : int, default=0
        Seed of the first restart.
    n_restarts : int, default=50
        Networks, each from its own start.
    n_steps : int, default=60000
        Of training.
    n_further : int, default=7500
        Of further training without an example.
    """

    depth: int
    width: int
    activation: str
    decay: float
    last_only: bool = False
    first: int = 0
    n_restarts: int = 50
    n_steps: int = 60_000
    n_further: int = 7_500

    @property
    def network(self) -> Network:
        """The architecture."""
        return Network((4, *(self.width,) * self.depth, 3), self.activation)


def measure(cell: Cell) -> pd.DataFrame:
    """Run the criticised procedure on every restart of a cell.

    Parameters
    ----------
    cell : Cell
        What to run.

    Returns
    -------
    DataFrame
        One row for each (restart, removed example): row (in the data set), predicted and truth (change of the query's loss when
        it is removed), double (the same prediction in float64, without what the singular matrix does not determine), whole
        (from the damped Hessian of all layers with weight decay), null (change after the same further training with nothing
        removed), loss (of the query before), accuracy (on the training examples) and n_done (training steps until every
        learning rate had reached its floor).
    """
    split, network = iris_without(np.array([WORST])), cell.network
    n, n_restarts = split.train.n_rows, cell.n_restarts
    weights = torch.full((n_restarts, n), 1 / n)
    start = State.fresh(network.initial(range(cell.first, cell.first + n_restarts)))
    base = train(network, start, split.train, weights, Schedule(cell.n_steps, weight_decay=cell.decay))
    losses = network.losses(base.theta, split.train.inputs, split.train.targets)
    removed = losses.argsort(dim=1, descending=True, stable=True)[:, :N_REMOVED]
    predictions = _predicted(cell, split, base.theta)
    after = _retrained(cell, split, base, removed)
    before = network.losses(base.theta, split.queries.inputs, split.queries.targets)[:, 0]
    correct = network.logits(base.theta, split.train.inputs).argmax(1) == split.train.targets.argmax(0)
    change = (after - before[:, None]).double()
    return pd.DataFrame(
        {
            "restart": cell.first + np.repeat(np.arange(n_restarts), N_REMOVED),
            "row": split.rows[removed.flatten().numpy()],
            **{name: rows.gather(1, removed).flatten().numpy() for name, rows in predictions.items()},
            "truth": change[:, 1:].flatten().numpy(),
            "null": change[:, 0].repeat_interleave(N_REMOVED).numpy(),
            "loss": before.double().repeat_interleave(N_REMOVED).numpy(),
            "accuracy": correct.double().mean(dim=1).repeat_interleave(N_REMOVED).numpy(),
            "n_done": base.n_done,
        }
    )


def _predicted(cell: Cell, split: Split, theta: Tensor) -> dict[str, Tensor]:
    """Return predictions of shape (n_restarts, n_rows): as the public code, the same in float64, and of all layers.

    Without weight decay the public code leaves out the last bias.
    """
    public = theta.clone()
    if not cell.decay:
        public[:, cell.network.last.stop :] = 0
    single, double = removal_effects(cell.network, public, split.train, split.queries, [CRITICISED, Classical()])
    damped = Classical(last=False, decay=cell.decay, damping=DAMPING)
    (whole,) = removal_effects(cell.network, theta, split.train, split.queries, [damped])
    return {"predicted": single[:, :, 0], "double": double[:, :, 0], "whole": whole[:, :, 0]}


def _retrained(cell: Cell, split: Split, base: State, removed: Tensor) -> Tensor:
    """Return the query's loss after further training, of shape (n_restarts, 1 + n_removed): first with nothing removed."""
    n, n_restarts = split.train.n_rows, len(removed)
    weights = torch.full((n_restarts, 1 + N_REMOVED, n), 1 / (n - 1))
    weights[:, 0] = 1 / n
    weights[:, 1:].scatter_(2, removed.unsqueeze(2), 0.0)
    schedule = Schedule(cell.n_further, weight_decay=cell.decay, last_only=cell.last_only)
    start = base.forgetful().repeated(1 + N_REMOVED)
    theta = train_many(cell.network, start, split.train, weights.flatten(0, 1), schedule)
    after = cell.network.losses(theta, split.queries.inputs, split.queries.targets)
    return after.view(n_restarts, 1 + N_REMOVED)
