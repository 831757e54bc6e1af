"""Influence methods by name: the classical formula and gradient products beside the exact method."""

from __future__ import annotations

import gc
import warnings
import weakref
from functools import partial
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError, SolverWarning
from clusterexplain.explanation.gradients import influence_rows
from clusterexplain.explanation.predicted_jumps import PredictedContinuation
from clusterexplain.influence import GradientDot, Implicit, MethodReport, TrainingJacobian, make_jacobian
from clusterexplain.influence.solvers import Dense
from clusterexplain.results.influence_rows import InfluenceRows

SMALL: dict[str, Any] = {
    "batch_size": 8, "hidden": (6,), "latent_dim": 2, "n_clusters": 3, "n_steps": 60, "random_state": 0,
    "dtype": "float64",
}  # fmt: skip
DENSE = {"solver": "dense", "damping": 0.05}


@pytest.fixture(scope="module")
def fitted(blobs: np.ndarray) -> ClusterExplainer:
    return ClusterExplainer(**SMALL).fit(blobs)


def parts(ce: ClusterExplainer, jacobian: TrainingJacobian) -> InfluenceRows:
    return influence_rows(ce.fit_, ce.explain([0, 5]).margins, jacobian)


def test_implicit_is_the_classical_formula_and_the_direct_part(fitted: ClusterExplainer) -> None:
    e = fitted.explain([0, 5], method="implicit", method_options=DENSE)
    by_hand = Implicit.of_trajectory(fitted.fit_.trajectory, damping=0.05, solver=partial(Dense.of))
    expected = parts(fitted, by_hand)
    np.testing.assert_allclose(e.influence, expected.total, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(e.direct, fitted.explain([0, 5]).direct)
    assert e.method == "implicit"
    assert "eigendecomposition of the Hessian, damping 0.05" in e.method_note
    assert "implicit, an approximation from the final parameters alone" in repr(e)
    assert e.to_dict()["method_options"] == DENSE
    np.testing.assert_array_equal(e.scores, fitted.explain([0, 5]).scores)


def test_gradient_products_are_baselines(fitted: ClusterExplainer) -> None:
    e = fitted.explain([0, 5], method="gradient_dot")
    product = GradientDot.of_trajectory(fitted.fit_.trajectory)
    np.testing.assert_allclose(e.influence, parts(fitted, product).total)
    assert "a baseline" in e.method_words
    cosine = fitted.explain([0, 5], method="gradient_cosine")
    assert np.abs(cosine.encoder).max() <= 1 + 1e-9


def test_the_default_solver_says_how_it_went(fitted: ClusterExplainer) -> None:
    options = {"solver": "cg", "max_iterations": 1, "damping": 0.001}
    with pytest.warns(SolverWarning, match="conjugate gradients of the Hessian"):
        e = fitted.explain([0], method="implicit", method_options=options)
    assert "conjugate gradients of the Hessian, damping 0.001" in e.method_note
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        e = fitted.explain([0], method="implicit")
    assert "eigendecomposition" in e.method_note


def test_the_exact_method_is_asked_as_before(fitted: ClusterExplainer) -> None:
    assert fitted.fit_.jacobian("implicit", DENSE) is fitted.fit_.jacobian("implicit", dict(DENSE))
    np.testing.assert_array_equal(fitted.explain([0]).influence, fitted.explain([0], method="unrolled").influence)


def test_the_continued_clustering_is_predicted_by_the_method_of_the_answer(fitted: ClusterExplainer) -> None:
    exact, classical = fitted.explain([0]), fitted.explain([0], method="implicit", method_options=DENSE)
    weights = np.ones(len(exact.train_ids))
    weights[:6] = 0
    jumps = [e.predict(weights, assignments="continued") - e.predict(weights) for e in (exact, classical)]
    crossing = [
        PredictedContinuation.near(e.fit, e.fit.jacobian(e.method, e.method_options)) for e in (exact, classical)
    ]
    for e, jump, near in zip((exact, classical), jumps, crossing, strict=True):
        expected = near.changes(exact.fit, e.margins, np.atleast_2d(e.predict(weights)), np.atleast_2d(weights - 1))[0]
        np.testing.assert_allclose(e.predict(weights) + jump, expected)
    assert not np.allclose(crossing[0].influence, crossing[1].influence)


def test_a_check_of_one_method_is_none_of_another(fitted: ClusterExplainer) -> None:
    exact, classical = fitted.explain([0]), fitted.explain([0], method="implicit", method_options=DENSE)
    few = {"n_single": 6, "n_within": 0, "n_groups": 0, "n_top": 0}
    stored = fitted.verify(classical, **few).explanation.stored_check()
    assert classical.with_check(stored).check is not None
    assert exact.with_check(stored).check is None
    other = fitted.explain([0], method="implicit", method_options={**DENSE, "damping": 0.5})
    assert other.with_check(stored).check is None


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("implict", None, "method='implict' is unknown"),
        ("implicit", {"solver": "qr"}, "solver='qr' is unknown. Expected one of 'dense', 'cg', 'lissa'"),
        ("implicit", {"damping": -1}, "damping=-1 must be a finite number of at least 0"),
        ("implicit", {"damping": True}, "damping=True must be"),
        ("implicit", {"solver": "dense", "depth": 5}, "'depth': implicit with solver='dense' does not take them"),
        ("implicit", {"solver": "dense", "eigenvalues": "none"}, "eigenvalues='none' is unknown"),
        ("unrolled", {"damping": 1}, "'damping': unrolled does not take them. Expected none"),
        ("gradient_dot", {"damping": 1}, "gradient_dot does not take them. Expected only 'passes', 'decay'"),
        ("further", None, "method='further' is for a pretrained model"),
    ],
)
def test_what_a_method_does_not_take_is_refused(
    fitted: ClusterExplainer, method: str, options: dict[str, Any] | None, message: str
) -> None:
    with pytest.raises(InvalidParameterError, match=message.replace("(", r"\(")):
        fitted.explain([0], method=method, method_options=options)


class Renamed(GradientDot):
    """The gradient product under another name."""

    @property
    def report(self) -> MethodReport:
        return MethodReport("mine", "as an example")


def test_a_jacobian_of_your_own_is_a_method(fitted: ClusterExplainer) -> None:
    trajectory = fitted.fit_.trajectory
    expected = fitted.explain([0, 5], method="gradient_dot")
    for method in (Renamed.of_trajectory(trajectory), Renamed.of_trajectory):
        e = fitted.explain([0, 5], method=method)
        np.testing.assert_array_equal(e.influence, expected.influence)
        assert (e.method, e.method_note) == ("mine", "as an example")
        assert "Method mine, a method of your own (as an example)." in str(e)
    assert e.predict(np.ones(30), assignments="continued").shape == (2,)  # found again by its name
    make = partial(make_jacobian, trajectory=trajectory, further="")
    with pytest.raises(InvalidParameterError, match="'damping': a method of your own does not take them"):
        make(Renamed.of_trajectory, {"damping": 1})
    with pytest.raises(InvalidParameterError, match=r"returned a Tensor\. Expected a TrainingJacobian"):
        make(lambda trajectory: trajectory.final, None)  # type: ignore[arg-type,return-value]
    other = GradientDot(lambda theta, w: theta.sum() * w.sum(), trajectory.final[:2], trajectory.weights)
    with pytest.raises(
        InvalidParameterError, match=r"GradientDot that was given as method has shape \(2, 30\)\. Expected"
    ):
        make(other, None)


@pytest.mark.parametrize("name", ["mine", "gradient_dot"])
def test_methods_of_one_name_are_told_apart(fitted: ClusterExplainer, name: str) -> None:
    class Scaled(Renamed):
        scale = 1.0

        @property
        def report(self) -> MethodReport:
            return MethodReport(name)

        def vjp_with_report(self, cotangents: Tensor) -> tuple[Tensor, MethodReport]:
            rows, report = super().vjp_with_report(cotangents)
            return self.scale * rows, report

    class Opposite(Scaled):
        scale = -20.0

    weights = np.ones(30)
    weights[:3] = 0
    first = fitted.explain([0, 5], method=Scaled.of_trajectory)
    before = first.predict(weights, assignments="continued")
    second = fitted.explain([0, 5], method=Opposite.of_trajectory)
    second.predict(weights, assignments="continued")
    np.testing.assert_array_equal(first.predict(weights, assignments="continued"), before)


def test_controls_take_a_function_and_refuse_an_object_before_any_training(fitted: ClusterExplainer) -> None:
    few = {"n_single": 4, "n_within": 0, "n_groups": 0, "n_top": 0}
    check = fitted.verify(fitted.explain([0], method=Renamed.of_trajectory), **few, n_planted=1, n_duplicates=2)
    assert (len(check.planted_duplicates), len(check.duplicates)) == (1, 1)
    e = fitted.explain([0], method=Renamed.of_trajectory(fitted.fit_.trajectory))
    with pytest.raises(InvalidParameterError, match=r"n_duplicates=2 fit the recipe with more rows.*Expected both 0"):
        fitted.verify(e, **few, n_duplicates=2)


def test_a_fit_goes_when_nobody_holds_it(blobs: np.ndarray) -> None:
    ce = ClusterExplainer(**SMALL).fit(blobs)
    fit, weights = weakref.ref(ce.fit_), np.ones(30)
    weights[:3] = 0
    ce.explain([0]).predict(weights, assignments="continued")
    del ce
    gc.collect()
    assert fit() is None
