"""What the package computes now, floor by floor. The adapter follows every change of its names and modules."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd

with warnings.catch_warnings():  # torch announces deprecations of its own dependencies while it is imported
    warnings.simplefilter("ignore")
    import torch

from clusterexplain import ClusterExplainer, Dataset, EmbeddingTask
from clusterexplain.exceptions import SolverWarning
from clusterexplain.execution import Execution
from clusterexplain.experiments import mixture
from clusterexplain.experiments.mixture import corrected, published
from clusterexplain.experiments.mixture.points import draw_mixture
from clusterexplain.experiments.weat import run as weat
from clusterexplain.explanation.gradients import cotangents_of
from clusterexplain.training import Adam
from clusterexplain.word_embeddings import Cosine, EmbeddingBias, Weat
from clusterexplain.word_embeddings.sampled import SampledSkipGram
from tests.goldens import cases
from tests.goldens.cases import Case

Arrays = dict[str, np.ndarray]

# ---------------------------------------------------------------------------------------------------------------------------
# The adapter: all that the floors know of names, modules and private attributes of the package.
# ---------------------------------------------------------------------------------------------------------------------------

RENAMED: dict[str, str] = {"keep": "cache", "n_duplicated": "n_duplicates"}
"""Keywords in ``cases`` that are called otherwise today."""
NEWER: dict[str, Any] = {"reclusterer": None, "start": "random"}
"""Parameters that came since, at what keeps the numbers; a network of the user's own has no start."""
STORED = {"nonempty": "alive", "share_with_larger_margin": "rank", "runner_ups": "rivals", "runner_up": "rival"}
"""What is called otherwise today, by the name under which it is stored."""


class Fitted:
    """A fitted explainer as arrays: one method or property for each floor.

    Parameters
    ----------
    explainer : ClusterExplainer
        Fitted.
    """

    def __init__(self, explainer: ClusterExplainer) -> None:
        self.explainer = explainer
        self.fit = explainer.fit_
        self.recipe = self.fit.recipe

    @classmethod
    def of(cls, case: Case) -> Fitted:
        """Fit a case."""
        rows = case.rows()
        parameters = {RENAMED.get(name, name): value for name, value in case.parameters.items()}
        parameters |= NEWER
        train = True
        if case.network is not None:
            network, parameters["start"] = case.network(), None
            parameters["model"], train = EmbeddingTask.from_module(network.encoder, **network.options), network.train
        data = Dataset(rows.X, ids=rows.ids, image_shape=rows.image_shape)
        return cls(ClusterExplainer(**parameters).fit(data, sample_weight=rows.sample_weight, train=train))

    @staticmethod
    def parameters() -> set[str]:
        """Return the names of all parameters of the explainer but those that are ``NEWER``."""
        return set(ClusterExplainer().get_params(deep=False)) - set(NEWER)

    def refitted(self, weights: np.ndarray) -> Fitted:
        """Fit again at weights of shape (n,)."""
        return Fitted(self.explainer.refit(weights))

    @property
    def weights(self) -> np.ndarray:
        """Data weights, shape (n,)."""
        return self.explainer.sample_weight_

    def training(self) -> Iterator[tuple[str, Any]]:
        """Yield the plan, the keys of two steps, inputs, initial and trained parameters, states on the way, and the loss."""
        trajectory, join = self.fit.trajectory, self.recipe.layout.join
        yield "plan", self.recipe.plan.indices
        yield "keys", torch.stack([self.recipe.plan.keys(0), self.recipe.plan.keys(self.recipe.plan.n_steps - 1)])
        yield "inputs", self.recipe.inputs
        yield "initial", join(self.recipe.initial)
        yield "theta", trajectory.final
        for slot, value in enumerate(trajectory.checkpoints[len(trajectory.checkpoints) // 2]):
            yield f"halfway.{slot}", value
        yield "loss", self.explainer.loss_

    def clustering(self) -> Iterator[tuple[str, Any]]:
        """Yield embedding, labels, the state of the clusters, margins and memberships of the training rows."""
        yield "embedding", self.explainer.embedding_
        yield "viewed", self.fit.assignment.embedding
        yield "labels", self.explainer.labels_
        yield "centers", self.explainer.cluster_centers_
        state = self.fit.assignment.state._asdict()
        state.pop("representatives", None)  # where a state stores them, they are the centers from above
        yield from ((f"state.{STORED.get(name, name)}", value) for name, value in state.items())
        yield "margins", self.explainer.margins_
        yield from self.seen(self.explainer.data_.X, "")

    def seen(self, X: np.ndarray, prefix: str) -> Iterator[tuple[str, Any]]:
        """Yield what the fit says of rows of shape (n, n_features), as if they had not been trained on."""
        yield f"{prefix}predict", self.explainer.predict(X)
        yield f"{prefix}transform", self.explainer.transform(X)
        yield f"{prefix}membership", self.explainer.membership(X)

    def explain(self, queries: Any, options: dict[str, Any]) -> Any:
        """Explain rows, by position or as a matrix."""
        named = queries if isinstance(queries, np.ndarray) else self.explainer.data_.ids[list(queries)].tolist()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SolverWarning)  # 20 steps end far from a minimum, and the solvers say so
            return self.explainer.explain(named, **options)

    def explain_clusters(self) -> Any:
        """Explain what holds each cluster together."""
        return self.explainer.cohesion()

    def explain_pair(self, first: int, second: int) -> Any:
        """Explain what keeps two clusters apart."""
        return self.explainer.separation(first, second)

    @staticmethod
    def answer(explanation: Any) -> Iterator[tuple[str, Any]]:
        """Yield the numbers of an explanation."""
        for name in ("encoder", "cluster", "direct"):
            yield f"rows.{name}", getattr(explanation, name)
        yield "own", explanation.labels
        for name in ("runner_ups", "scores", "probabilities", "share_with_larger_margin", "agreement"):
            yield STORED.get(name, name), getattr(explanation, name)

    @staticmethod
    def over_seeds(explanation: Any) -> Iterator[tuple[str, Any]]:
        """Yield the numbers about seeds of an explanation."""
        for name in ("standard_error", "stable", "shared", "within", "margins"):
            yield f"over_seeds.{name}", getattr(explanation.seed_variability, name)

    def cotangents(self, explanation: Any) -> Iterator[tuple[str, Any]]:
        """Yield the derivatives of the scores in the parameters, of shape (n_scores, n_params), and in the weights."""
        found = cotangents_of(self.fit, explanation.margins)
        yield from zip(("cotangents.encoder", "cotangents.cluster", "cotangents.direct"), found, strict=True)

    def retrained(self, weights: np.ndarray, block: int) -> torch.Tensor:
        """Train at weights of shape (n_weights, n) in one padded block, as a check does; shape (n_weights, n_params)."""
        padded = np.concatenate([weights, np.repeat(weights[-1:], block - len(weights), axis=0)])
        return self.fit.thetas(padded, chunk=block)[: len(weights)]

    def rescored(self, explanation: Any, theta: torch.Tensor, weights: np.ndarray) -> dict[str, Any]:
        """Return scores with the members kept and with the clustering continued, and the labels after that."""
        tried = ("kept", "continued") if self.fit.clustering.reassigns else ("kept",)
        outcomes = self.fit.outcomes(theta, weights, explanation.margins, tried)
        last = outcomes[tried[-1]]
        return {"kept": outcomes["kept"].scores, "continued": last.scores, "labels": last.labels}

    def afresh(self, explanation: Any, theta: torch.Tensor, weights: np.ndarray) -> dict[str, Any]:
        """Return scores and labels after clustering from scratch; nothing where there is no other start."""
        if not self.fit.clustering.has_random_init:
            return {}
        outcome = self.fit.outcome(theta, weights, explanation.margins, assignments="scratch", seed=5)
        return {"afresh": outcome.scores, "afresh_labels": outcome.labels}

    @staticmethod
    def predicted(explanation: Any, weights: np.ndarray) -> Iterator[tuple[str, Any]]:
        """Yield predicted changes at weights of shape (n_weights, n), members kept and clustering continued."""
        yield "predicted.kept", explanation.predict(weights, assignments="kept")
        yield "predicted.continued", explanation.predict(weights, assignments="continued")

    def flip(self, query: int, max_removed: int) -> Iterator[tuple[str, Any]]:
        """Yield what it takes to move a row to its runner-up."""
        found = self.explainer.flip(self.explainer.data_.ids[query], against="runner-up", max_removed=max_removed)
        for name in ("removed", "own", "runner_up", "margin", "flipped", "predicted", "retrained", "landed"):
            yield f"flip.{STORED.get(name, name)}", getattr(found, name)
        for name in ("round", "n_removed", "predicted", "retrained", "landed", "flipped"):
            yield f"flip.tried.{name}", found.tried[name].to_numpy()

    def stability(self, options: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield labels and weights of refits from scratch, and what they say."""
        found = self.explainer.stability(**options)
        for name in ("labels", "weights", "kept", "counted", "jaccards", "adjusted_rand"):
            yield f"stability.{name}", getattr(found, name)

    def check(self, explanation: Any, options: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield predicted and retrained changes of a check."""
        named = {RENAMED.get(name, name): value for name, value in options.items()}
        execution = Execution(n_jobs=named.pop("n_jobs"), progress=named.pop("show_progress"))
        headline = self.explainer.verify(explanation, **named, execution=execution).headline
        yield from (
            ("check.sizes", headline.sizes),
            ("check.tried", headline.tried),
            ("check.own", headline.own_cluster),
        )
        yield "check.overlap", headline.overlap["continued"]
        yield "check.unchanged", headline.null_changes + explanation.scores  # a null by itself is nothing but rounding
        for kind in ("kept", "continued"):
            yield f"check.predicted.{kind}", headline.predicted[kind]
            yield f"check.retrained.{kind}", headline.retrained[kind]
        yield from ((f"check.yardstick.{name}", rows) for name, rows in headline.reference_rankings.items())

    def tables(self) -> Iterator[tuple[str, Any]]:
        """Yield what the fit says about its clusters and about one of them."""
        one = self.explainer.explain_cluster(0, n_shown=2)
        listed = {
            "clusters": (self.explainer.clusters(), ("cluster", "n", "median_margin", "typical", "marginal")),
            "members": (one.members, ("id", "margin", "rival", "self_influence")),
            "towards": (one.towards, ("rival", "margin", "n_runner_up", "pull", "strongest")),
        }
        for name, (table, columns) in listed.items():
            yield from ((f"{name}.{column}", table[column].to_numpy()) for column in columns)


def mixture_study(variant: str) -> Iterator[tuple[str, Any]]:
    """Yield predicted and retrained changes of a small part of ``reproduce mog``: "published" or "corrected"."""
    options = dict(cases.MIXTURE)
    draw, n_steps = partial(draw_mixture, per_component=options.pop("per_component")), options.pop("n_steps")
    execution = Execution(options.pop("n_jobs"), progress=options.pop("show_progress"))
    if variant == "published":
        with mock.patch.object(published, "draw_mixture", draw):
            found = published.published(**options, execution=execution)
    else:
        with mock.patch.multiple(corrected, draw_mixture=draw, N_STEPS=n_steps):
            found = corrected.corrected(**options, execution=execution)
    for number, one in enumerate(found):
        yield f"{number}.retrained", one.retrained
        yield from ((f"{number}.{method.replace(' ', '_')}", value) for method, value in one.predicted.items())
        yield from ((f"{number}.{part}", getattr(one, part)) for part in ("member", "queries", "components", "removed"))


def word_vectors() -> Iterator[tuple[str, Any]]:
    """Yield word vectors, influence of the texts, and retrainings: what ``reproduce weat`` is made of."""
    test = Weat("test", **cases.TEST)
    model = EmbeddingBias(test, **cases.WORDS).fit(cases.texts())
    yield "vocabulary", np.array(model.corpus_.vocabulary.words)
    yield "table", model.corpus_.counts.table(np.ones(len(model.corpus_)))
    yield "vectors", model.trajectory_.final
    for name, score in (("test", test), ("cosine", Cosine("king", "crown"))):
        answer = model.explain(score)
        yield f"{name}.score", answer.value
        yield f"{name}.p_value", answer.p_value
        yield f"{name}.influence", answer.influence
        yield f"{name}.gradient_dot", answer.gradient_dot
    yield "retrained", torch.stack(model.retrain_without([np.array([0]), np.array([3, 8, 20])]))
    check = model.verify(model.explain(test), test, n_single=3, n_groups=3, share=0.1, seed=0).retrained
    yield from ((f"check.{name}", check[name].to_numpy()) for name in ("predicted", "gradient_dot", "retrained"))
    for how in ("retrain", "continue"):
        yield from _numbers(f"change.{how}", model.mitigate(test, how=how, **cases.CHANGE).rows)
    recipe, everything = model.recipe_, np.ones(len(model.corpus_))
    optimizer = Adam(0.05, cases.N_STEPS, weight_decay=0.1, eps=1e-4)
    sampled = SampledSkipGram(recipe.counts, recipe.dim, optimizer, scale=0.1, dtype=torch.float64, batch_size=256)
    theta = sampled.train(everything)
    yield "sampled.vectors", theta
    yield "sampled.influence", sampled.vjp(torch.ones_like(theta), everything)


def study(name: str) -> Iterator[tuple[str, Any]]:
    """Yield the tables of a quick experiment, one of ``cases.EXPERIMENTS``, column by column, but for the clock's."""
    run = {"reproduce_mog": mixture.run, "reproduce_weat": weat.run}[name]
    for table, frame in run(None, quick=True, execution=Execution(n_jobs=1)).tables.items():
        timed = [column for column in frame if column.endswith("seconds")]
        kept = frame.drop(columns=timed).rename(columns={"purity": "right"})  # as it was called at commit 88e2d3f
        yield from ((f"{table}.{column}", kept[column].to_numpy()) for column in kept)


def payloads(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield what ``why``, ``verify`` and ``report`` say with default settings of ``cases.shown()``, as plain data."""
    rows, options = cases.shown()
    explainer = ClusterExplainer(**{RENAMED.get(name, name): value for name, value in options.items()})
    explanation = explainer.fit(Dataset(rows.X, image_shape=rows.image_shape)).explain(list(cases.QUERIES))
    yield "why", explanation.to_dict()
    check = explainer.verify(explanation, level="quick")
    yield "verify", check.to_dict()
    page = Path(check.explanation.report(folder / "page.html")).read_text(encoding="utf-8")
    yield (
        "report",
        json.loads(page.partition('<script type="application/json" id="page">')[2].partition("</script>")[0]),
    )


# ---------------------------------------------------------------------------------------------------------------------------
# The floors.
# ---------------------------------------------------------------------------------------------------------------------------

BLOCK = 16
"""Retrainings side by side in a check."""
EVERY = 4
"""One row of so many is kept of parameters that were retrained."""


def floors(name: str) -> Arrays:
    """Return all arrays of a case.

    Parameters
    ----------
    name : str
        One of ``cases.NAMES`` or ``cases.EXPERIMENTS``.

    Returns
    -------
    dict of str to ndarray
        By floor.
    """
    if name in cases.EXPERIMENTS:
        return _plain(study(name))
    if name.startswith("mixture_"):
        return _plain(mixture_study(name.removeprefix("mixture_")))
    if name == "words":
        return _plain(word_vectors())
    return _plain(_of_case(cases.CASES[name], _fitted(cases.first_of_fit(name))))


@cache
def _fitted(name: str) -> Fitted:
    """Fit a case, once for all that share its fit."""
    return Fitted.of(cases.CASES[name])


def _of_case(case: Case, fitted: Fitted) -> Iterator[tuple[str, Any]]:
    yield from fitted.training()
    yield from fitted.clustering()
    explanation = fitted.explain(case.queries, case.explain)
    yield from fitted.answer(explanation)
    yield from fitted.cotangents(explanation)
    yield from _retrainings(fitted, explanation)
    for floor in case.floors:
        yield from FLOORS[floor](case, fitted, explanation)


def _retrainings(fitted: Fitted, explanation: Any) -> Iterator[tuple[str, Any]]:
    weights = cases.removals(fitted.weights)
    theta = fitted.retrained(weights, BLOCK)
    yield "retrained.theta", theta[::EVERY]
    found = [fitted.rescored(explanation, one, row) for one, row in zip(theta, weights, strict=True)]
    yield from ((f"retrained.{name}", np.stack([one[name] for one in found])) for name in found[0])
    yield from (
        (f"retrained.{name}", value) for name, value in fitted.afresh(explanation, theta[9], weights[9]).items()
    )


def _new(case: Case, fitted: Fitted, explanation: Any) -> Iterator[tuple[str, Any]]:
    new = case.rows().new
    yield from fitted.seen(new, "new.")
    yield from _named("new", fitted.answer(fitted.explain(new, case.explain)))


def _predicted(case: Case, fitted: Fitted, explanation: Any) -> Iterator[tuple[str, Any]]:
    yield from fitted.predicted(explanation, cases.removals(fitted.weights))


def _questions(case: Case, fitted: Fitted, explanation: Any) -> Iterator[tuple[str, Any]]:
    for name, asked in (("cohesion", fitted.explain_clusters()), ("between", fitted.explain_pair(0, 2))):
        yield from _named(name, fitted.answer(asked))
        yield from _named(name, fitted.predicted(asked, cases.removals(fitted.weights)[:EVERY]))


def _tables(case: Case, fitted: Fitted, explanation: Any) -> Iterator[tuple[str, Any]]:
    yield from fitted.tables()


def _flip(case: Case, fitted: Fitted, explanation: Any) -> Iterator[tuple[str, Any]]:
    scores = explanation.scores
    yield from fitted.flip(case.queries[int(np.argmin(np.where(scores > 0, scores, np.inf)))], max_removed=8)


def _stability(case: Case, fitted: Fitted, explanation: Any) -> Iterator[tuple[str, Any]]:
    yield from fitted.stability(case.stability)


def _check(case: Case, fitted: Fitted, explanation: Any) -> Iterator[tuple[str, Any]]:
    yield from fitted.check(explanation, case.check)


def _refit(case: Case, fitted: Fitted, explanation: Any) -> Iterator[tuple[str, Any]]:
    for number in (9, 12):
        other = fitted.refitted(cases.removals(fitted.weights)[number])
        yield from _named(f"refit{number}", other.training())
        yield from _named(f"refit{number}", other.clustering())
        yield from _named(f"refit{number}", other.answer(other.explain(case.queries, case.explain)))


def _methods(case: Case, fitted: Fitted, explanation: Any) -> Iterator[tuple[str, Any]]:
    for name, options in cases.METHODS.items():
        yield from _named(name, fitted.answer(fitted.explain(case.queries, case.explain | options)))


def _over_seeds(case: Case, fitted: Fitted, explanation: Any) -> Iterator[tuple[str, Any]]:
    yield from fitted.over_seeds(explanation)


FLOORS: dict[str, Callable[[Case, Fitted, Any], Iterator[tuple[str, Any]]]] = {
    "new": _new,
    "predicted": _predicted,
    "questions": _questions,
    "tables": _tables,
    "flip": _flip,
    "stability": _stability,
    "check": _check,
    "refit": _refit,
    "methods": _methods,
    "over_seeds": _over_seeds,
}


def _named(prefix: str, found: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    yield from ((f"{prefix}.{name}", value) for name, value in found)


def _numbers(prefix: str, frame: pd.DataFrame) -> Iterator[tuple[str, Any]]:
    numeric = frame.select_dtypes("number")
    yield from ((f"{prefix}.{column}", numeric[column].to_numpy()) for column in numeric)


def _plain(found: Iterator[tuple[str, Any]]) -> Arrays:
    """Return arrays of numbers and of text of fixed width, each by its own name."""
    arrays: Arrays = {}
    for name, value in found:
        assert name not in arrays, name
        array = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        arrays[name] = array.astype(str) if array.dtype.kind in "OU" else array.copy()
    return arrays
