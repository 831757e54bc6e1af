"""Influence methods by name: what a fit can be asked with, and what each answer says of itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError, SolverWarning
from clusterexplain.influence import Implicit, Method, RunObjective, Unrolled
from clusterexplain.influence.simple import gradient_cosine, gradient_dot
from clusterexplain.influence.solvers import ConjugateGradients, Dense, LiSSA, Solver
from clusterexplain.training import Trajectory

METHODS = ("auto", "unrolled", "further", "implicit", "gradient_dot", "gradient_cosine")
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


@dataclass(eq=False)
class Asked:
    """A method that was asked for, and afterwards what it says of its answer.

    Parameters
    ----------
    name : str
        One of ``METHODS`` but "auto".
    method : Method
        Pulls cotangents.
    about : str
        What its answer is about beyond its name.
    """

    name: str
    method: Method
    about: str = ""
    _outcome: list[str] = field(default_factory=list)

    def pull(self, cotangents: Tensor) -> Tensor:
        """Return the method's rows, see :class:`Method`; the outcome of a solve is kept for :attr:`note`."""
        if not isinstance(self.method, Implicit):
            return self.method.pull(cotangents)
        solution = self.method.solve(cotangents)
        self._outcome[:] = [f"{self.about}: {solution}".rstrip(".")]
        if not solution.status.fine:
            warnings.warn(f"{self.about}: {solution}", SolverWarning, stacklevel=4)
        return self.method.rows(solution.value)

    @property
    def note(self) -> str:
        """What the last answer is about, with the outcome of its solve."""
        return self._outcome[0] if self._outcome else self.about


@dataclass(frozen=True, eq=False)
class GradientProduct:
    """A baseline as a method: products of gradients at the final parameters, no curvature."""

    objective: RunObjective
    run: Trajectory
    cosine: bool

    def pull(self, cotangents: Tensor) -> Tensor:
        """Return the products, of shape (n_cotangents, n_samples)."""
        product = gradient_cosine if self.cosine else gradient_dot
        return product(self.objective, self.run.final, self.run.weights, cotangents)


def ask(
    name: str,
    options: dict[str, Any] | None,
    run: Trajectory,
    *,
    further: str,
    n_jobs: int | None,
    show_progress: bool,
) -> Asked:
    """Make the method that was asked for.

    Parameters
    ----------
    name : str
        One of ``METHODS``.
    options : dict or None
        For "implicit": solver ("dense", "cg", "lissa"; by default "dense" up to ``LARGEST_DENSE`` parameters, else "cg"),
        damping, the solver's options, passes, decay (see :meth:`Implicit.of_run`). The gradient products take passes and
        decay, the others nothing.
    run : Trajectory
        The training.
    further : str
        What further training it is, empty for a training from scratch.
    n_jobs : int or None
        Threads.
    show_progress : bool
        Progress bars on a terminal.

    Returns
    -------
    Asked
        Ready to pull.

    Raises
    ------
    InvalidParameterError
        If the method is unknown, the fit did not record what it needs, or it does not take an option.
    """
    check_method(name, pretrained=bool(further))
    options = dict(options or {})
    if name in ("auto", *EXACT):
        _refuse(options, (), name)
        about = f"with or without an example in {further}" if further else ""
        return Asked("further" if further else "unrolled", Unrolled(run, n_jobs, show_progress), about)
    if name == "implicit":
        return _implicit(options, run)
    _refuse(options, OF_OBJECTIVE, name)
    return Asked(name, GradientProduct(RunObjective.of_run(run, **options), run, name == "gradient_cosine"))


def _implicit(options: dict[str, Any], run: Trajectory) -> Asked:
    usual = "dense" if len(run.final) <= LARGEST_DENSE else "cg"
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
        implicit = Implicit.of_run(run, damping=float(damping), solver=partial(make, **for_solver), **for_objective)
    except TypeError as error:
        raise InvalidParameterError(f"An option of method='implicit' has the wrong type: {error}.") from error
    words = {"dense": "eigendecomposition", "cg": "conjugate gradients", "lissa": "LiSSA"}[kind]
    return Asked("implicit", implicit, f"{words} of the Hessian, damping {float(damping):g}")


def check_method(method: str, *, pretrained: bool) -> None:
    """Refuse an influence method that the fit did not record what it needs for.

    Parameters
    ----------
    method : str
        One of ``METHODS``.
    arrived : bool
        Whether the model is pretrained.

    Raises
    ------
    InvalidParameterError
        Naming the method that can be used.
    """
    if method not in METHODS:
        raise InvalidParameterError(
            f"method={method!r} is unknown. Expected {', '.join(map(repr, METHODS[:-1]))} or {METHODS[-1]!r}."
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
