"""Influence methods by name: from a name and its options to a Jacobian of a recorded training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution import DEFAULT_EXECUTION, Execution
from clusterexplain.influence.baselines import GradientCosine, GradientDot
from clusterexplain.influence.closed_form import ClosedForm
from clusterexplain.influence.implicit import Implicit
from clusterexplain.influence.jacobian import TrainingJacobian, missing_record
from clusterexplain.influence.solvers import ConjugateGradients, Dense, LiSSA, Solver
from clusterexplain.influence.unrolled import Unrolled
from clusterexplain.training import Trajectory

CLASSES: dict[str, type[TrainingJacobian]] = {
    "auto": Unrolled,
    "unrolled": Unrolled,
    "further": Unrolled,
    "implicit": Implicit,
    "gradient_dot": GradientDot,
    "gradient_cosine": GradientCosine,
}
METHODS = tuple(CLASSES)
EXACT = ("unrolled", "further")
SOLVERS: dict[str, tuple[Callable[..., Solver], tuple[str, ...]]] = {
    "dense": (Dense.of, ("eigenvalues", "max_params")),
    "cg": (ConjugateGradients, ("tolerance", "max_iterations", "on_negative")),
    "lissa": (LiSSA, ("scale", "depth", "tolerance")),
}
OF_OBJECTIVE = ("passes", "decay")
LARGEST_DENSE = 3000
"""Parameters up to which "implicit" decomposes the curvature unless a solver is named: seconds, not minutes."""
DAMPING = 1e-2


JacobianFactory = Callable[[Trajectory], TrainingJacobian]


def make_jacobian(
    method: str | TrainingJacobian | JacobianFactory,
    options: dict[str, Any] | None,
    trajectory: Trajectory,
    *,
    further: str,
    execution: Execution = DEFAULT_EXECUTION,
) -> TrainingJacobian:
    """Make the Jacobian that an influence method takes for d theta / d w.

    Parameters
    ----------
    method : str, TrainingJacobian, or callable ``Trajectory -> TrainingJacobian``
        One of ``METHODS``, or one of your own: see :func:`clusterexplain.influence.check_method.check_method`.
    options : dict or None
        For "implicit": solver ("dense", "cg", "lissa"; by default "dense" up to ``LARGEST_DENSE`` parameters, else "cg"),
        damping, the solver's options, passes, decay (see :meth:`Implicit.of_trajectory`). The gradient products take passes and
        decay, the others nothing.
    trajectory : Trajectory
        The recorded training.
    further : str
        What further training it is, empty for a training from scratch.
    execution : Execution, default=DEFAULT_EXECUTION
        Workers and progress bars of the exact methods; the others solve on one thread.

    Returns
    -------
    TrainingJacobian
        Of shape (n_params, n_samples) of the training.

    Raises
    ------
    InvalidParameterError
        If the method is unknown, the fit did not record what it needs, it does not take an option, or it is a Jacobian of
        another shape.
    """
    closed_form = trajectory.recipe.task.closed_form
    check_method_available(method, pretrained=bool(further), closed_form=closed_form)
    if closed_form and isinstance(method, str):
        _refuse(dict(options or {}), (), method)
        return ClosedForm(trajectory)
    if isinstance(method, str):
        _check_record(CLASSES[method], trajectory)
    jacobian = _make(method, options, trajectory, further, execution)
    _check_record(jacobian, trajectory)
    return jacobian


def _check_record(jacobian: TrainingJacobian | type[TrainingJacobian], trajectory: Trajectory) -> None:
    missing = missing_record(jacobian, trajectory)
    if missing:
        raise InvalidParameterError(missing)


def _make(
    method: str | TrainingJacobian | JacobianFactory,
    options: dict[str, Any] | None,
    trajectory: Trajectory,
    further: str,
    execution: Execution,
) -> TrainingJacobian:
    options = dict(options or {})
    if not isinstance(method, str):
        _refuse(options, (), "a method of your own")
        return _own(method, trajectory)
    if method in ("auto", *EXACT):
        _refuse(options, (), method)
        name = "further" if further else "unrolled"
        description = f"with or without an example in {further}" if further else ""
        return Unrolled(trajectory, execution, name, description)
    if method == "implicit":
        return _implicit(options, trajectory)
    _refuse(options, OF_OBJECTIVE, method)
    product = GradientDot.of_trajectory(trajectory, **options)
    products: dict[str, TrainingJacobian] = {"gradient_dot": product, "gradient_cosine": GradientCosine(product)}
    return products[method]


def _own(method: TrainingJacobian | JacobianFactory, trajectory: Trajectory) -> TrainingJacobian:
    """Return a user's Jacobian if it is one of this training."""
    jacobian = method if isinstance(method, TrainingJacobian) else method(trajectory)
    if not isinstance(jacobian, TrainingJacobian):
        raise InvalidParameterError(
            f"The callable that was given as method returned a {type(jacobian).__name__}. Expected a TrainingJacobian."
        )
    expected = (trajectory.recipe.layout.size, trajectory.recipe.n_samples)
    if jacobian.shape != expected:
        raise InvalidParameterError(
            f"The {type(jacobian).__name__} that was given as method has shape {jacobian.shape}. Expected (n_params, "
            f"n_samples) = {expected} of this fit; give a callable (Trajectory -> TrainingJacobian) to make one for each fit."
        )
    return jacobian


def _implicit(options: dict[str, Any], trajectory: Trajectory) -> Implicit:
    usual = "dense" if len(trajectory.final) <= LARGEST_DENSE else "cg"
    kind, damping = options.pop("solver", usual), options.pop("damping", DAMPING)
    if kind not in SOLVERS:
        raise InvalidParameterError(f"solver={kind!r} is unknown. Expected one of {', '.join(map(repr, SOLVERS))}.")
    if isinstance(damping, bool) or not isinstance(damping, (int, float)) or not 0 <= damping < float("inf"):
        raise InvalidParameterError(
            f"damping={damping!r} must be a finite number of at least 0, for example {DAMPING}."
        )
    make, takes = SOLVERS[kind]
    _refuse(options, (*takes, *OF_OBJECTIVE), f"implicit with solver={kind!r}")
    for_solver = {key: value for key, value in options.items() if key in takes}
    for_objective = {key: value for key, value in options.items() if key in OF_OBJECTIVE}
    try:
        implicit = Implicit.of_trajectory(
            trajectory, damping=float(damping), solver=partial(make, **for_solver), **for_objective
        )
    except TypeError as error:
        raise InvalidParameterError(f"An option of method='implicit' has the wrong type: {error}.") from error
    words = {"dense": "eigendecomposition", "cg": "conjugate gradients", "lissa": "LiSSA"}[kind]
    return replace(implicit, description=f"{words} of the Hessian, damping {float(damping):g}")


def check_method_available(
    method: str | TrainingJacobian | JacobianFactory, *, pretrained: bool, closed_form: bool = False
) -> None:
    """Refuse an influence method that is unknown, or that a fit did not record what it needs for.

    Parameters
    ----------
    method : str, TrainingJacobian, or callable
        One of ``METHODS``, or one of the user's own.
    pretrained : bool
        Whether the model is pretrained.
    closed_form : bool, default=False
        Whether the model is computed and not trained.

    Raises
    ------
    InvalidParameterError
        Naming the method that can be used.
    """
    if isinstance(method, TrainingJacobian) or (callable(method) and not isinstance(method, str)):
        return
    if method not in METHODS:
        raise InvalidParameterError(
            f"method={method!r} is unknown. Expected {', '.join(map(repr, METHODS[:-1]))} or {METHODS[-1]!r}, a "
            f"TrainingJacobian, or a callable that makes one of a Trajectory."
        )
    if closed_form and method != "auto":
        raise InvalidParameterError(
            f"method={method!r} belongs to a model that is trained. This one is computed in closed form, and so is its "
            f"derivative. Expected method='auto'."
        )
    if method == "unrolled" and pretrained:
        raise InvalidParameterError(
            "method='unrolled' differentiates the training that made the model, but this model is pretrained "
            "(fit(X, train=False)) and its training was not recorded. Use method='further', which differentiates further "
            "training from its weights, or fit(X) to train here."
        )
    if method == "further" and not pretrained:
        raise InvalidParameterError(
            "method='further' is for a pretrained model. This one was trained here and its training is recorded: "
            "use method='unrolled', or fit(X, train=False) with a task that has the weights."
        )


def _refuse(options: dict[str, Any], known: tuple[str, ...], name: str) -> None:
    unknown = sorted(set(options) - set(known))
    if unknown:
        expected = f"Expected only {', '.join(map(repr, known))}." if known else "Expected none."
        raise InvalidParameterError(
            f"method_options {', '.join(map(repr, unknown))}: {name} does not take them. {expected}"
        )
