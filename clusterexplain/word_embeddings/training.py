"""Training of word vectors as a deterministic function of the weights of the units of text, and its exact derivative.

The steps of :mod:`clusterexplain.training` give every example its own weight in every step. Here weights enter through the
counts alone, which are the same in all steps: the reverse pass sums the derivative in the counts over the steps, and one sparse
product carries it to any number of units.

Loss, gradient and second derivative are written out in :mod:`clusterexplain.word_embeddings.expected_loss` and work on the
table block by block. The same loss differentiated and traced as the steps of a stage are (CPU time of one thread, medians;
the same numbers to 1e-15 in float64) is three to five times slower:

======================  ===========  ==================  ===================
words, dimension        type         step                reverse step
======================  ===========  ==================  ===================
500, 20                 float32      1.4 -> 4.6 ms       3.0 -> 13.8 ms
500, 20                 float64      2.1 -> 9.3 ms       5.5 -> 18.4 ms
1500, 50                float32      11.3 -> 34.8 ms     30.3 -> 105.6 ms
======================  ===========  ==================  ===================
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from clusterexplain.exceptions import TrainingDivergedError
from clusterexplain.execution import DEFAULT_EXECUTION, Execution, budget, one_thread
from clusterexplain.training.optimizer import Optimizer, State
from clusterexplain.word_embeddings.counts import UnitCounts
from clusterexplain.word_embeddings.expected_loss import CountCotangent, ExpectedLoss


@dataclass(frozen=True, eq=False)
class SkipGram:
    """Everything about a training but the weights of the units.

    Parameters
    ----------
    counts : UnitCounts
        Of the corpus.
    dim : int
        Length of a vector.
    optimizer : Optimizer
        Update rule; all steps are taken on the full objective.
    negatives : float, default=5
        Expected negatives for each pair.
    scale : float, default=0.1
        Standard deviation of the initial vectors.
    seed : int, default=0
        Of the initial vectors.
    dtype : torch.dtype, default=torch.float32
        Of vectors and counts.
    """

    counts: UnitCounts
    dim: int
    optimizer: Optimizer
    negatives: float = 5.0
    scale: float = 0.1
    seed: int = 0
    dtype: torch.dtype = torch.float32

    def with_seed(self, seed: int) -> SkipGram:
        """Return the same recipe with other initial vectors."""
        return replace(self, seed=seed)

    def initial(self) -> Tensor:
        """Return the initial word and context vectors, shape (2, n_words, dim)."""
        generator = torch.Generator().manual_seed(self.seed)
        drawn = torch.randn(2, self.counts.n_words, self.dim, generator=generator, dtype=torch.float64)
        return (self.scale * drawn).to(self.dtype)

    def loss(self, weights: np.ndarray) -> ExpectedLoss:
        """Return the objective at unit weights; the sum over pairs is divided by the mean over words of their pairs."""
        table, occurrences = self.counts.table(weights, self.dtype), self.counts.occurrences(weights, self.dtype)
        return ExpectedLoss(table, occurrences, self.counts.total / self.counts.n_words, self.negatives)

    def advance(self, state: State, loss: ExpectedLoss, step: int) -> State:
        """Return the state after a step."""
        gradient = loss.gradient(self.embeddings(state[0])).reshape(-1)
        return self.optimizer.update(state, gradient, self.coefficients(step))

    def coefficients(self, step: int) -> Tensor:
        """Return what the optimizer changes from step to step."""
        return torch.tensor(self.optimizer.coefficients(step), dtype=torch.float64).to(self.dtype)

    def embeddings(self, theta: Tensor) -> Tensor:
        """Return flat parameters as word and context vectors, shape (2, n_words, dim)."""
        return theta.view(2, self.counts.n_words, self.dim)

    def train(self, weights: np.ndarray) -> Tensor:
        """Train at unit weights of shape (n_units,).

        Returns
        -------
        Tensor of shape (2, n_words, dim)
            Word and context vectors; the same bytes for the same arguments on one machine.

        Raises
        ------
        TrainingDivergedError
            If a number became NaN or infinite.
        """
        with one_thread():
            return self.train_in_job(weights)

    def train_many(self, rows: list[np.ndarray], *, execution: Execution = DEFAULT_EXECUTION) -> list[Tensor]:
        """Train at many unit weights, side by side; the same bytes as one by one."""
        return execution.map(self.train_in_job, rows)

    def train_in_job(self, weights: np.ndarray) -> Tensor:
        """Train inside a thread of :meth:`clusterexplain.execution.Execution.map`, which has set the number of threads."""
        with torch.no_grad():
            return self._train(weights)

    def record(
        self, weights: np.ndarray, *, spacing: int | None = None, execution: Execution = DEFAULT_EXECUTION
    ) -> WordTrajectory:
        """Train and remember enough to differentiate; `spacing` is the number of steps between two states that are kept."""
        loss, state = self.loss(weights), self.optimizer.initial_state(self.initial().reshape(-1))
        every = self._spacing() if spacing is None else spacing
        checkpoints = []
        with one_thread(), torch.no_grad():
            for step in execution.track(range(self.optimizer.n_steps), "training word vectors"):
                if step % every == 0:
                    checkpoints.append(state)
                state = self.advance(state, loss, step)
        return WordTrajectory(
            self, np.asarray(weights, dtype=float), checkpoints, self._finite(self.embeddings(state[0])), every
        )

    def _train(self, weights: np.ndarray) -> Tensor:
        loss, state = self.loss(weights), self.optimizer.initial_state(self.initial().reshape(-1))
        for step in range(self.optimizer.n_steps):
            state = self.advance(state, loss, step)
        return self._finite(self.embeddings(state[0]))

    def _finite(self, embeddings: Tensor) -> Tensor:
        if torch.isfinite(embeddings).all():
            return embeddings
        raise TrainingDivergedError(
            f"Training of word vectors diverged: a number became NaN or infinite within {self.optimizer.n_steps} steps at "
            f"learning rate {self.optimizer.learning_rate:g}. Expected finite vectors; lower learning_rate."
        )

    def _spacing(self) -> int:
        steps, element = self.optimizer.n_steps, torch.empty(0, dtype=self.dtype).element_size()
        state = 2 * self.counts.n_words * self.dim * self.optimizer.n_slots * element
        best = max(1, round(math.sqrt(steps)))
        for spacing in range(1, best + 1):
            if (math.ceil(steps / spacing) + (spacing if spacing > 1 else 0)) * state <= budget.WORD_STATES_BYTES:
                return spacing
        return best


@dataclass(frozen=True, eq=False)
class WordTrajectory:
    """A training that can be differentiated in the weights of the units.

    Parameters
    ----------
    recipe : SkipGram
        What was trained.
    weights : ndarray of shape (n_units,)
        At which weights.
    checkpoints : list of State
        States before steps 0, spacing, 2 spacing, ...
    final : Tensor of shape (2, n_words, dim)
        Trained vectors.
    spacing : int
        Steps between two states that are kept.
    """

    recipe: SkipGram
    weights: np.ndarray
    checkpoints: list[State]
    final: Tensor
    spacing: int

    def vjp(self, cotangent: Tensor, *, execution: Execution = DEFAULT_EXECUTION) -> np.ndarray:
        r"""Return the derivative of a scalar in the weight of every unit, through all steps of the training.

        From :math:`\lambda_T = (g, 0, 0)` each reverse step adds
        :math:`\partial_C \langle \nabla L(\theta_t, C), h_t \rangle` to the derivative in the counts and continues with
        :math:`\lambda_t = U_u^\top \lambda_{t+1} + (\nabla^2 L \, h_t, 0, 0)`, as :class:`clusterexplain.influence.Unrolled`.

        Parameters
        ----------
        cotangent : Tensor of shape (2, n_words, dim)
            Derivative of the scalar in the trained vectors.
        execution : Execution, default=DEFAULT_EXECUTION
            Whether a bar is shown; one pass runs on one thread.

        Returns
        -------
        ndarray of shape (n_units,)
            Positive: more of the unit raises the scalar. Negate it for "if removed".
        """
        recipe = self.recipe
        loss, optimizer = recipe.loss(self.weights), recipe.optimizer
        sums = CountCotangent.empty(loss.table)
        on_state = optimizer.initial_state(cotangent.to(recipe.dtype).reshape(-1))
        bar = execution.track(self._reversed(loss), "reverse pass", total=optimizer.n_steps)
        with one_thread(), torch.no_grad():
            for step, state in bar:
                embeddings = recipe.embeddings(state[0])
                gradient = loss.gradient(embeddings).reshape(-1)
                (on_theta, *rest), u = optimizer.vjp(state, gradient, recipe.coefficients(step), on_state)
                on_state = (
                    on_theta + loss.hessian_vector_product(embeddings, recipe.embeddings(u), sums).reshape(-1),
                    *rest,
                )
            return recipe.counts.vjp(*loss.count_gradients(sums))

    def gradient_dot(self, cotangent: Tensor) -> np.ndarray:
        """Return minus the product of a cotangent with the gradient of every unit's loss at the end: a baseline."""
        loss = self.recipe.loss(self.weights)
        sums = CountCotangent.empty(loss.table)
        with one_thread(), torch.no_grad():
            loss.hessian_vector_product(self.final, cotangent.to(self.recipe.dtype), sums)
            return -self.recipe.counts.vjp(*loss.count_gradients(sums))

    def _reversed(self, loss: ExpectedLoss) -> Iterator[tuple[int, State]]:
        n_steps = self.recipe.optimizer.n_steps
        for segment in reversed(range(len(self.checkpoints))):
            start, states = segment * self.spacing, [self.checkpoints[segment]]
            with torch.no_grad():
                for step in range(start, min(start + self.spacing, n_steps) - 1):
                    states.append(self.recipe.advance(states[-1], loss, step))
            yield from reversed(list(enumerate(states, start)))
