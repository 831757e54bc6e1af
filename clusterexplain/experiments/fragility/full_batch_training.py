"""Full-batch Adam for many small classifiers side by side, as the criticised procedure trains them and as this package does."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from clusterexplain.experiments.fragility.classifiers import Network

BETA_1, BETA_2 = 0.9, 0.999
PATIENCE, FACTOR, THRESHOLD, FLOOR = 100, 0.1, 1e-4, 1e-8
"""As ``torch.optim.lr_scheduler.ReduceLROnPlateau`` with patience 100, which leaves a rate of 1e-8 alone."""
LOOK_EVERY = 250
CHUNK = 256
"""Trainings side by side: their activations stay in the cache."""


@dataclass(frozen=True, eq=False)
class Examples:
    """What classifiers are trained on.

    Attributes
    ----------
    inputs : Tensor of shape (n_inputs, n_rows)
        One column for each example.
    targets : Tensor of shape (n_classes, n_rows)
        1 for its class, else 0.
    """

    inputs: Tensor
    targets: Tensor

    @classmethod
    def of(cls, X: Tensor, y: Tensor, n_classes: int) -> Examples:
        """Make examples of rows (n_rows, n_inputs) and their classes (n_rows,)."""
        return cls(X.T.contiguous(), torch.nn.functional.one_hot(y, n_classes).T.to(X.dtype).contiguous())

    @property
    def n_rows(self) -> int:
        """Number of examples."""
        return self.inputs.shape[1]

    def picked(self, rows: Tensor) -> Examples:
        """Return some of them."""
        return Examples(self.inputs[:, rows], self.targets[:, rows])

    def double(self) -> Examples:
        """Return the same in float64."""
        return Examples(self.inputs.double(), self.targets.double())

    def float(self) -> Examples:
        """Return the same in float32."""
        return Examples(self.inputs.float(), self.targets.float())


@dataclass(frozen=True)
class Schedule:
    """How one training runs, but for its start and its data weights.

    Parameters
    ----------
    n_steps : int
        Full-batch steps.
    learning_rate : float, default=1e-3
        At the start.
    weight_decay : float, default=0.0
        Added to the gradient, times the parameters.
    eps : float, default=1e-8
        Epsilon of Adam.
    inside : bool, default=False
        Epsilon inside the square root instead of after it.
    shape : {"plateau", "constant", "cosine"}, default="plateau"
        How the learning rate goes on: divided by ten whenever the loss has not improved for 100 steps; not at all; a tenth of
        the steps up, then half a cosine down to 0.
    last_only : bool, default=False
        Train the last layer alone.
    """

    n_steps: int
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    eps: float = 1e-8
    inside: bool = False
    shape: str = "plateau"
    last_only: bool = False


@dataclass(frozen=True, eq=False)
class State:
    """Where trainings are.

    Attributes
    ----------
    theta, first, second : Tensor of shape (n_retrainings, n_params)
        Parameters, and the moments that Adam remembers.
    n_taken : int
        Steps that the moments remember.
    n_done : int
        Steps of the last training, fewer than asked for if its plateau schedule ended early.
    path : list of (theta, first, second, rates)
        Before each step of a recorded training; rates has shape (n_retrainings, 1).
    """

    theta: Tensor
    first: Tensor
    second: Tensor
    n_taken: int = 0
    n_done: int = 0
    path: list[tuple[Tensor, Tensor, Tensor, Tensor]] = field(default_factory=list)

    @classmethod
    def fresh(cls, theta: Tensor) -> State:
        """Return a start without memory."""
        return cls(theta, torch.zeros_like(theta), torch.zeros_like(theta))

    def repeated(self, n: int) -> State:
        """Return the state of every training n times in a row, shape (n * n_retrainings, n_params)."""
        theta, first, second = (part.repeat_interleave(n, 0) for part in (self.theta, self.first, self.second))
        return State(theta, first, second, self.n_taken)

    def rows(self, picked: slice) -> State:
        """Return the states of some trainings."""
        return State(self.theta[picked], self.first[picked], self.second[picked], self.n_taken)

    def forgetful(self) -> State:
        """Return the parameters with a fresh optimizer."""
        return State.fresh(self.theta)


class Plateau:
    """Learning rates of many trainings, each divided by ten when its own loss has not improved for a while."""

    def __init__(self, rates: Tensor) -> None:
        self.rates = rates.clone()
        self._best = torch.full_like(rates, torch.inf)
        self._bad = torch.zeros_like(rates)

    @property
    def over(self) -> bool:
        """Whether every rate is as low as it gets."""
        return bool((self.rates <= 2 * FLOOR).all())

    def see(self, loss: Tensor) -> None:
        """Take note of the losses of a step, of the shape of the rates."""
        improved = loss < self._best * (1 - THRESHOLD)
        self._best = torch.where(improved, loss, self._best)
        self._bad = torch.where(improved, 0.0, self._bad + 1)
        late = self._bad > PATIENCE
        self.rates = torch.where(late & (self.rates > 2 * FLOOR), self.rates * FACTOR, self.rates)
        self._bad = torch.where(late, 0.0, self._bad)


def train(
    network: Network, start: State, examples: Examples, weights: Tensor, schedule: Schedule, *, record: bool = False
) -> State:
    """Train many networks side by side, each from its own start and at its own data weights.

    Parameters
    ----------
    network : Network
        The architecture.
    start : State
        Where each training starts; a fresh state is a fresh optimizer.
    examples : Examples
        Shared by all trainings.
    weights : Tensor of shape (n_retrainings, n_rows)
        1 / n as trained, 0 removed.
    schedule : Schedule
        How.
    record : bool, default=False
        Keep what :func:`~clusterexplain.experiments.fragility.exact_derivative.vjp` needs: four numbers for each parameter
        and step.

    Returns
    -------
    State
        After the last step. A plateau schedule ends early once every rate has reached 1e-8, where float32 parameters near 1
        no longer change.

    References
    ----------
    D. P. Kingma, J. Ba. Adam: a method for stochastic optimization. ICLR 2015.
    """
    theta, first, second = (part.clone() for part in (start.theta, start.first, start.second))
    plateau, path, done = Plateau(torch.full_like(theta[:, :1], schedule.learning_rate)), [], 0
    free = network.last_layer if schedule.last_only else slice(0, network.n_params)
    with torch.no_grad():
        for step in range(schedule.n_steps):
            if schedule.shape == "plateau" and step % LOOK_EVERY == 0 and plateau.over:
                break
            # g = gradient of the weighted loss + decay * theta, (n_retrainings, n_params)
            losses, gradient = network.gradient(theta, examples.inputs, examples.targets, weights)
            gradient = gradient.add_(theta, alpha=schedule.weight_decay) if schedule.weight_decay else gradient
            rates = plateau.rates * share(schedule, step)  # (n_retrainings, 1)
            if record:
                path.append((theta.clone(), first.clone(), second.clone(), rates))
            taken = start.n_taken + step
            # Adam: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, theta -= rate * m / (1 - b1^t) / root(v)
            first.mul_(BETA_1).add_(gradient, alpha=1 - BETA_1)
            second.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
            change = (first / denominator(second, schedule, taken)).mul_(rates / (1 - BETA_1 ** (taken + 1)))
            theta[:, free] -= change[:, free]
            done += 1
            if schedule.shape == "plateau":
                plateau.see((losses * weights).sum(dim=1, keepdim=True))
    return State(theta, first, second, start.n_taken + done, done, path)


def train_many(network: Network, start: State, examples: Examples, weights: Tensor, schedule: Schedule) -> Tensor:
    """Return trained parameters, shape (n_retrainings, n_params), as :func:`train`, in chunks that fit the cache."""
    chunks = [slice(first, first + CHUNK) for first in range(0, len(weights), CHUNK)]
    return torch.cat([train(network, start.rows(rows), examples, weights[rows], schedule).theta for rows in chunks])


def denominator(second: Tensor, schedule: Schedule, step: int) -> Tensor:
    """Return what Adam divides its first moment by."""
    corrected = second / (1 - BETA_2 ** (step + 1))
    if schedule.inside:
        return corrected.add_(schedule.eps).sqrt_()
    return corrected.sqrt_().add_(schedule.eps)


def share(schedule: Schedule, step: int) -> float:
    """Return the share of the learning rate at a step."""
    if schedule.shape != "cosine":
        return 1.0
    rising = max(1, round(0.1 * schedule.n_steps))
    if step < rising:
        return (step + 1) / rising
    done = (step - rising + 1) / (schedule.n_steps - rising + 1)
    return 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * done, dtype=torch.float64))))
