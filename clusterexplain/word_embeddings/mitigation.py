"""Change a score by what it was learned from: re-weight or forget the most influential units, next to controls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clusterexplain.execution import DEFAULT_EXECUTION, Execution
from clusterexplain.statistics import mean_interval
from clusterexplain.word_embeddings.corpus import Corpus
from clusterexplain.word_embeddings.counts import UnitCounts
from clusterexplain.word_embeddings.quality import held_out_loss, related_rank
from clusterexplain.word_embeddings.scores.bound_score import BoundScore
from clusterexplain.word_embeddings.settings import Constraint, check_settings, choice, real, whole
from clusterexplain.word_embeddings.training import SkipGram
from clusterexplain.word_embeddings.unit_influence import strongest
from clusterexplain.word_embeddings.unlearning import continue_training

HOW = ("retrain", "continue")
TOWARDS = ("lower", "higher")
MEASURES = ("score", "p_value", "first_half", "second_half", "held_out_loss", "related")
OPTIONS: Mapping[str, Constraint] = {
    "towards": choice(TOWARDS),
    "how": choice(HOW),
    "share": real(lambda share: 0 < share < 1, "a share between 0 and 1"),
    "weight": real(
        lambda weight: 0 <= weight < math.inf and weight != 1, "0 to remove, or another number of at least 0 except 1"
    ),
    "n_random": whole(1),
}


@dataclass(frozen=True)
class Intervention:
    """What is done to the units that move a score most.

    Parameters
    ----------
    towards : {"lower", "higher"}, default="lower"
        Where the score is to go.
    share : float, default=0.01
        Share of all units that are chosen.
    how : {"retrain", "continue"}, default="retrain"
        Train again with other weights, or go on training the trained vectors.
    weight : float, default=0.0
        New weight of the chosen units: 0 removes them (or, going on, ascends their loss), above 1 stresses them.
    n_random : int, default=5
        Draws of random units, for comparison.
    """

    towards: str = "lower"
    share: float = 0.01
    how: str = "retrain"
    weight: float = 0.0
    n_random: int = 5

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        check_settings(vars(self), OPTIONS)


@dataclass(frozen=True, eq=False)
class SeedTraining:
    """A training at one seed, and the influence of every unit on a score and on one half of its words.

    Attributes
    ----------
    recipe : SkipGram
        With this seed.
    embeddings : Tensor of shape (2, n_words, dim)
        Trained vectors.
    halves : tuple of BoundScore or None
        The score of each half of the words.
    influence : ndarray of shape (n_units,)
        On the score.
    half_influence : ndarray of shape (n_units,) or None
        On the score of the first half.
    """

    recipe: SkipGram
    embeddings: Tensor
    halves: tuple[BoundScore, BoundScore] | None
    influence: np.ndarray
    half_influence: np.ndarray | None

    @classmethod
    def train(
        cls, recipe: SkipGram, score: BoundScore, seed: int, execution: Execution = DEFAULT_EXECUTION
    ) -> SeedTraining:
        """Train at a seed and trace the score."""
        recipe, halves = recipe.with_seed(seed), score.halves(seed)
        trajectory = recipe.record(np.ones(recipe.counts.n_units))
        scores = (score,) if halves is None else (score, halves[0])
        gradients = [traced.gradient(trajectory.final) for traced in scores]
        rows = execution.map(trajectory.vjp, gradients)
        return cls(recipe, trajectory.final, halves, rows[0], rows[1] if halves is not None else None)


@dataclass(frozen=True, eq=False)
class InterventionRunner:
    """Carries interventions out on a corpus, each beside its controls.

    Parameters
    ----------
    score : BoundScore
        The score.
    corpus : Corpus
        Training units.
    held_out : UnitCounts
        Units that were not trained on.
    execution : Execution, default=DEFAULT_EXECUTION
        Trainings that run side by side.
    """

    score: BoundScore
    corpus: Corpus
    held_out: UnitCounts
    execution: Execution = DEFAULT_EXECUTION

    def run(self, training: SeedTraining, plan: Intervention) -> pd.DataFrame:
        """Carry an intervention out at one seed, with its controls.

        Returns
        -------
        DataFrame
            One row for each arm: seed, arm, n_chosen, predicted (change of the score; NaN for continued training), and the
            measures.
        """
        arms = [("before", np.empty(0, dtype=np.intp)), *self._arms(training, plan)]
        changed = self.execution.map(lambda arm: self._changed(training, plan, arm[1]), arms)
        predicts = plan.how == "retrain"
        return pd.DataFrame(
            [
                {
                    "seed": training.recipe.seed,
                    "arm": arm,
                    "n_chosen": len(chosen),
                    "predicted": (plan.weight - 1) * float(training.influence[chosen].sum())
                    if predicts
                    else float("nan"),
                    **self._measured(training, embeddings),
                }
                for (arm, chosen), embeddings in zip(arms, changed, strict=True)
            ]
        )

    def _arms(self, training: SeedTraining, plan: Intervention) -> list[tuple[str, np.ndarray]]:
        rng = np.random.default_rng([training.recipe.seed, 7])
        n_units = len(self.corpus)
        size = max(1, int(plan.share * n_units))
        arms = [("chosen", strongest(training.influence, size, plan.weight, plan.towards))]
        arms += [("random", rng.choice(n_units, size, replace=False)) for _ in range(plan.n_random)]
        mentions = (
            np.flatnonzero(self.score.uses(self.corpus).sum(axis=1)) if training.halves is not None else np.empty(0)
        )
        if len(mentions):
            drawn = rng.choice(mentions, min(size, len(mentions)), replace=False)
            arms.append(("random among mentions", drawn.astype(np.intp)))
        if training.half_influence is not None:
            arms.append(
                ("chosen by half the words", strongest(training.half_influence, size, plan.weight, plan.towards))
            )
        return arms

    def _changed(self, training: SeedTraining, plan: Intervention, chosen: np.ndarray) -> Tensor:
        if not len(chosen):
            return training.embeddings
        if plan.how == "continue":
            return continue_training(training.recipe, training.embeddings, chosen, forget=plan.weight < 1).embeddings
        weights = np.ones(len(self.corpus))
        weights[chosen] = plan.weight
        with torch.no_grad():
            return training.recipe.train_in_job(weights)

    def _measured(self, training: SeedTraining, embeddings: Tensor) -> dict[str, float]:
        first, second = (
            (float("nan"),) * 2 if training.halves is None else (half.value(embeddings) for half in training.halves)
        )
        occurrences = self.corpus.counts.occurrences(np.ones(len(self.corpus)))
        return {
            "score": self.score.value(embeddings),
            "p_value": self.score.p_value(embeddings),
            "first_half": first,
            "second_half": second,
            "held_out_loss": held_out_loss(embeddings, self.held_out, occurrences, negatives=training.recipe.negatives),
            "related": related_rank(embeddings[0], self.score.index),
        }


@dataclass(frozen=True, eq=False, repr=False)
class WordChange:
    """What an intervention did to a score, to words that it did not look at, and to the use of the vectors.

    Attributes
    ----------
    name : str
        The score.
    plan : Intervention
        What was done.
    rows : DataFrame
        One row for each seed and arm ("before", "chosen", "random", and for a WEAT "random among mentions": units that use
        a word of the test, and "chosen by half the words": units chosen by the first half of the words, whose second half
        tells whether the change carries over): n_chosen, predicted, score, p_value, first_half, second_half, held_out_loss,
        related.
    """

    name: str
    plan: Intervention
    rows: pd.DataFrame

    def changes(self) -> pd.DataFrame:
        """Return every measure of every arm minus that before, at the same seed."""
        before = self.rows[self.rows["arm"] == "before"].set_index("seed")
        after = self.rows[self.rows["arm"] != "before"].reset_index(drop=True)
        measures = list(MEASURES)
        return after.assign(
            **{measure: after[measure] - before.loc[after["seed"], measure].to_numpy() for measure in measures}
        )

    def summary(self) -> pd.DataFrame:
        """Average over seeds.

        Returns
        -------
        DataFrame
            One row for each arm and measure that it has: n_seeds; mean; change (from before) with low and high, a 95 % interval
            over seeds (Student's distribution; random draws are averaged within a seed first).
        """
        means = self.rows.groupby(["arm", "seed"], sort=False)[list(MEASURES)].mean()
        moved = self.changes().groupby(["arm", "seed"], sort=False)[list(MEASURES)].mean()
        rows = []
        for arm in dict.fromkeys(self.rows["arm"]):
            for measure in MEASURES:
                values = means.loc[arm, measure].to_numpy()
                if np.isnan(values).all():
                    continue
                row: dict[str, Any] = {"arm": arm, "measure": measure, "n_seeds": len(values), "mean": values.mean()}
                if arm != "before":
                    change = mean_interval(moved.loc[arm, measure].to_numpy())
                    row |= {"change": change.mean, "low": change.low, "high": change.high}
                rows.append(row)
        return pd.DataFrame(rows)

    def times_random(self, arm: str = "random") -> dict[str, float]:
        """Compare the size of the change with that of random units.

        Parameters
        ----------
        arm : str, default="random"
            "random", or "random among mentions".

        Returns
        -------
        dict of str to float
            ratio of the mean sizes; chosen and random (means over seeds of the change without sign, random draws averaged
            within a seed) with their 95 % intervals; apart (1 if the intervals do not meet).
        """
        moved = self.changes()
        sizes = moved.assign(size=moved["score"].abs()).groupby(["arm", "seed"])["size"].mean()
        chosen, drawn = (mean_interval(sizes.loc[name].to_numpy()) for name in ("chosen", arm))
        return {
            "ratio": chosen.mean / drawn.mean,
            "chosen": chosen.mean,
            "chosen_low": chosen.low,
            "chosen_high": chosen.high,
            "random": drawn.mean,
            "random_low": drawn.low,
            "random_high": drawn.high,
            "apart": float(chosen.low > drawn.high),
        }

    def __repr__(self) -> str:
        """Return the summary."""
        done = {"retrain": f"weight {self.plan.weight:g} and retraining", "continue": "continued training"}[
            self.plan.how
        ]
        head = f"{self.name} {self.plan.towards}: {self.plan.share:.1%} of the units, {done}"
        return f"{head}\n{self.summary().to_string(index=False, float_format='%.4f')}"
