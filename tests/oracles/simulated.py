"""A cheap linear pipeline with known answers: predictions, and truths that are signal + noise, for tests of statistics.

Removal i and query q have the prediction p = sqrt(c) g_i + sqrt(1 - c) e_iq: all queries share the component g_i of a removal.
The mean truth over seeds is r_q p + sqrt(1 - r_q^2) noise, where the noise has a shared component too, and r_q differs
between queries (normal on Fisher's scale). With several seeds half of the noise's variance is due to the seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from clusterexplain.results.removals import SINGLE
from clusterexplain.results.verdict import Estimand, Letter
from clusterexplain.statistics.intervals import Interval
from clusterexplain.verification.faithfulness import Faithfulness
from clusterexplain.verification.retrained_changes import ASSIGNMENTS

SHARED = 0.5
SPREAD = 0.2
SIZES = {"8x20": (8, 20), "30x60": (30, 60), "1x48": (1, 48)}


@dataclass(frozen=True)
class Setting:
    """What is simulated.

    Attributes
    ----------
    queries, removals, seeds : int
        Size of the protocol.
    correlation : float
        Typical correlation of a query: of prediction and mean truth, or of two seeds in :func:`draw_reliable`.
    tails : float or None
        Degrees of freedom of Student's distribution of all components; None is normal.
    """

    queries: int
    removals: int
    seeds: int
    correlation: float
    tails: float | None = None

    def larger(self, factor: int = 10) -> Setting:
        """Return a protocol with `factor` times the removals and queries; a single query stays the same one."""
        queries = self.queries if self.queries == 1 else factor * self.queries
        return replace(self, queries=queries, removals=factor * self.removals)

    def correlations(self, rng: np.random.Generator) -> np.ndarray:
        """Draw the queries' own correlations."""
        spread = SPREAD if self.queries > 1 else 0.0
        return np.tanh(np.arctanh(self.correlation) + spread * rng.normal(size=self.queries))

    def component(self, rng: np.random.Generator) -> np.ndarray:
        """Draw values of unit variance of shape (n_removals, n_queries) that share a part by removal."""

        def values(columns: int) -> np.ndarray:
            shape = (self.removals, columns)
            if self.tails is None:
                return rng.normal(size=shape)
            return rng.standard_t(self.tails, size=shape) / np.sqrt(self.tails / (self.tails - 2))

        return np.sqrt(SHARED) * values(1) + np.sqrt(1 - SHARED) * values(self.queries)


def draw(setting: Setting, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions, shape (n_removals, n_queries), and truths, shape (n_seeds, n_removals, n_queries)."""
    r = setting.correlations(rng)
    predicted, lasting = setting.component(rng), setting.component(rng)
    noise = np.sqrt(1 - r**2)
    if setting.seeds == 1:
        return predicted, (r * predicted + noise * lasting)[None]
    mean = r * predicted + noise * np.sqrt(0.5) * lasting
    of_seeds = np.stack([setting.component(rng) for _ in range(setting.seeds)])
    return predicted, mean + noise * np.sqrt(0.5 * setting.seeds) * of_seeds


def draw_reliable(setting: Setting, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return what seeds share, and their truths: two seeds correlate by `setting.correlation` in a typical query."""
    rho = setting.correlations(rng).clip(min=0)
    shared = setting.component(rng)
    own = np.stack([setting.component(rng) for _ in range(setting.seeds)])
    return shared, np.sqrt(rho) * shared + np.sqrt(1 - rho) * own


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean over columns of rank correlations, computed by pandas; no NaN, no constant columns."""
    return float(pd.DataFrame(a).rank().corrwith(pd.DataFrame(b).rank()).mean())


def agreement_of_seeds(truth: np.ndarray) -> float:
    """Return the mean rank correlation over pairs of seeds and columns."""
    n, seeds = truth.shape[1], len(truth)
    ranks = stats.rankdata(truth, axis=1) - (n + 1) / 2
    ranks /= np.sqrt((ranks**2).mean(axis=1, keepdims=True))
    total = (ranks.sum(axis=0) ** 2).mean(axis=0)  # of all ordered pairs, those of a seed with itself included
    return float(((total - seeds) / (seeds * (seeds - 1))).mean())


def coverage(
    interval_of: Callable[[np.ndarray, np.ndarray], Interval],
    draws: Iterable[tuple[np.ndarray, np.ndarray]],
    target: float,
) -> tuple[float, float]:
    """Return the share of intervals that contain the target, and their mean width."""
    found = [interval_of(predicted, truth) for predicted, truth in draws]
    inside = [one.low <= target <= one.high for one in found]
    return float(np.mean(inside)), float(np.mean([one.high - one.low for one in found]))


def faithfulness(
    predicted: np.ndarray, truth: np.ndarray, rng: np.random.Generator, *, cap: Letter = "A"
) -> Faithfulness:
    """Return what a check compares: baselines correlate weakly with the truth, nothing else goes wrong."""
    n, queries = predicted.shape
    mean = np.nan_to_num(truth.mean(axis=0))
    weak = 0.2 * mean / (mean.std() or 1) + rng.normal(size=mean.shape)
    return Faithfulness(
        estimand=Estimand.SEED if len(truth) == 1 else Estimand.RECIPE,
        kinds=(SINGLE,) * n,
        sizes=np.ones(n, dtype=int),
        predicted=dict.fromkeys(ASSIGNMENTS, predicted),
        retrained=dict.fromkeys(ASSIGNMENTS, truth),
        tried=np.ones((n, queries), dtype=bool),
        reference_rankings={"gradient_dot": weak, "same_cluster": np.sign(rng.normal(size=mean.shape))},
        own_cluster=np.ones((n, queries), dtype=bool),
        scores=np.ones(queries),
        null_changes=np.zeros((len(truth), queries)),
        overlap=np.ones(truth.shape),
        rerun=0.0,
        cap=cap,
    )


def letters(
    setting: Setting,
    runs: int,
    make: Callable[[Setting, np.random.Generator], tuple[np.ndarray, np.ndarray]],
    seed: int = 0,
) -> dict[str, float]:
    """Return the share of runs with each grade."""
    found = []
    for run in range(runs):
        rng = np.random.default_rng([seed, run])
        found.append(faithfulness(*make(setting, rng), rng).grade.letter)
    return {letter: found.count(letter) / runs for letter in "ABCDU"}


def shuffled(setting: Setting, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw, then shuffle the predictions among the removals."""
    predicted, truth = draw(setting, rng)
    return predicted[rng.permutation(len(predicted))], truth


def shuffled_with_gaps(setting: Setting, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Shuffle, then lose 40 % of the truth at random and the predictions of every other query (all equal)."""
    predicted, truth = shuffled(setting, rng)
    truth[:, rng.random(truth.shape[1:]) < 0.4] = np.nan
    predicted[:, 1::2] = 0.0
    return predicted, truth


def independent(setting: Setting, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw truths of seeds that have nothing in common; the prediction is the first seed's."""
    truth = np.stack([setting.component(rng) for _ in range(setting.seeds)])
    return truth[0].copy(), truth
