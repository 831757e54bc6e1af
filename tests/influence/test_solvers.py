"""Solvers against torch.linalg.solve on matrices of chosen spectra; what goes wrong is said, not hidden."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError, MemoryBudgetError
from clusterexplain.influence.curvature import Curvature
from clusterexplain.influence.solvers import ConjugateGradients, Dense, LiSSA, OnBlock, Solution, Solver, Status

SIZE = 20
SPECTRA = {
    "even": torch.linspace(1.0, 5.0, SIZE, dtype=torch.float64),
    "condition 1e3": torch.logspace(-2, 1, SIZE, dtype=torch.float64),
    "one large": torch.cat([torch.full((SIZE - 1,), 0.5, dtype=torch.float64), torch.tensor([50.0]).double()]),
}
INDEFINITE = torch.linspace(-1.0, 3.0, SIZE, dtype=torch.float64)
SOLVERS: dict[str, Callable[[Curvature], Solver]] = {
    "dense": Dense.of,
    "conjugate gradients": partial(ConjugateGradients, tolerance=1e-11),
    "lissa": partial(LiSSA, tolerance=1e-9, depth=50_000),
}


@dataclass(frozen=True, eq=False)
class Matrix(Curvature):
    """A matrix that counts the vectors it is multiplied with."""

    matrix: Tensor
    counts: list[int] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.matrix)

    @property
    def dtype(self) -> torch.dtype:
        return self.matrix.dtype

    def times(self, vectors: Tensor) -> Tensor:
        self.counts.append(len(vectors))
        return vectors @ self.matrix.T


def basis(size: int = SIZE) -> Tensor:
    """Return an orthogonal matrix."""
    drawn = torch.randn(size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.linalg.qr(drawn)[0]


def with_spectrum(values: Tensor) -> Matrix:
    """Return a symmetric matrix with these eigenvalues."""
    q = basis(len(values))
    return Matrix(q @ torch.diag(values) @ q.T)


def right_sides(k: int = 3, size: int = SIZE) -> Tensor:
    """Return random right-hand sides."""
    return torch.randn(k, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def exact(operator: Matrix, right: Tensor, damping: float) -> Tensor:
    """Return the solutions by LU."""
    shifted = operator.matrix + damping * torch.eye(operator.size, dtype=torch.float64)
    return torch.linalg.solve(shifted, right.T).T


def true_residual(operator: Matrix, solution: Solution, right: Tensor, damping: float) -> Tensor:
    """Return the relative residual of each row, written out."""
    rows = []
    for v, b in zip(solution.value, right, strict=True):
        rows.append((b - operator.matrix @ v - damping * v).norm() / b.norm())
    return torch.stack(rows)


def assert_close(actual: Tensor, expected: Tensor, bound: float) -> None:
    """Compare relative to the largest entry."""
    assert float((actual - expected).abs().max() / expected.abs().max()) <= bound


@pytest.mark.parametrize("damping", [0.0, 0.1])
@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("name", SOLVERS)
def test_positive_definite_matrices_are_solved(name: str, spectrum: str, damping: float) -> None:
    operator, right = with_spectrum(SPECTRA[spectrum]), right_sides()
    solution = SOLVERS[name](operator).solve(right, damping)
    assert solution.status is Status.CONVERGED
    assert solution.status.fine
    assert_close(solution.value, exact(operator, right, damping), 1e-6)
    torch.testing.assert_close(solution.residual, true_residual(operator, solution, right, damping))
    assert (solution.iterations > 0).all() == (name != "dense")


@pytest.mark.parametrize("name", SOLVERS)
def test_a_row_does_not_depend_on_the_others(name: str) -> None:
    operator, right = with_spectrum(SPECTRA["even"]), right_sides()
    right[1] *= 1e6  # a stopping rule that looks at all rows at once would stop the others too early
    right[2] = 0
    together = SOLVERS[name](operator).solve(right, 0.1)
    for row in range(3):
        alone = SOLVERS[name](operator).solve(right[row : row + 1], 0.1)
        torch.testing.assert_close(together.value[row], alone.value[0], rtol=1e-9, atol=1e-12)
        assert together.iterations[row] == alone.iterations[0]
    assert not together.value[2].any()
    assert together.residual[2] == 0
    assert together.iterations[2] == 0


def test_conjugate_gradients_needs_one_step_for_each_distinct_eigenvalue() -> None:
    operator = with_spectrum(SPECTRA["one large"])
    solution = ConjugateGradients(operator, tolerance=1e-9).solve(right_sides(), 0.0)
    assert solution.iterations.tolist() == [2, 2, 2]


def test_a_converged_row_costs_no_more_products() -> None:
    operator = with_spectrum(SPECTRA["condition 1e3"])
    right = torch.stack([basis()[:, 0], right_sides()[0]])  # an eigenvector is solved in one step
    solution = ConjugateGradients(operator).solve(right, 0.0)
    assert solution.iterations[0] == 1
    assert operator.counts[0] == 2
    assert set(operator.counts[1:-1]) == {1}  # the last product is that of the true residual


def test_dense_decomposes_once_for_all_right_sides_dampings_and_treatments() -> None:
    operator, right = with_spectrum(INDEFINITE), right_sides()
    solver = Dense.of(operator)
    for damping in (1e-3, 1e-1):
        solver.solve(right, damping)
    replace(solver, eigenvalues="raw").solve(right, 2.0)
    assert sum(operator.counts) == SIZE + 3 * len(right)  # the columns, and one residual for each solve


@pytest.mark.parametrize(
    ("eigenvalues", "treat", "status"),
    [
        ("clamped", lambda values: values.clamp(min=0), Status.MODIFIED),
        ("absolute", torch.abs, Status.MODIFIED),
        ("raw", lambda values: values, Status.INDEFINITE),
    ],
)
def test_dense_on_an_indefinite_matrix_is_what_its_definition_says(
    eigenvalues: str, treat: Callable[[Tensor], Tensor], status: Status
) -> None:
    operator, right = with_spectrum(INDEFINITE), right_sides()
    solution = Dense.of(operator, eigenvalues=eigenvalues).solve(right, 0.05)
    q = basis()
    expected = right @ (q @ torch.diag(1 / (treat(INDEFINITE) + 0.05)) @ q.T)
    assert_close(solution.value, expected, 1e-10)
    assert solution.status is status
    assert solution.status.fine == (eigenvalues != "raw")
    torch.testing.assert_close(solution.residual, true_residual(operator, solution, right, 0.05), rtol=1e-6, atol=1e-12)
    assert (solution.residual > 0.1).all() == (eigenvalues != "raw")


def test_damping_above_the_negative_eigenvalues_makes_raw_a_solution() -> None:
    operator, right = with_spectrum(INDEFINITE), right_sides()
    solution = Dense.of(operator, eigenvalues="raw").solve(right, 1.5)
    assert solution.status is Status.CONVERGED
    assert_close(solution.value, exact(operator, right, 1.5), 1e-10)


@pytest.mark.parametrize("on_negative", ["stop", "continue"])
def test_conjugate_gradients_reports_negative_curvature(on_negative: str) -> None:
    operator, right = with_spectrum(INDEFINITE), right_sides()
    solution = ConjugateGradients(operator, tolerance=1e-9, on_negative=on_negative).solve(right, 0.05)
    assert solution.status is Status.INDEFINITE
    assert not solution.status.fine
    assert (solution.residual <= 1).all()
    torch.testing.assert_close(solution.residual, true_residual(operator, solution, right, 0.05), rtol=1e-4, atol=1e-12)
    if on_negative == "continue":
        assert_close(solution.value, exact(operator, right, 0.05), 1e-6)
    assert ConjugateGradients(operator).solve(right, 1.5).status is Status.CONVERGED


def test_conjugate_gradients_stops_at_the_first_step_where_it_must() -> None:
    negative = with_spectrum(-SPECTRA["even"])
    solution = ConjugateGradients(negative).solve(right_sides(), 0.0)
    assert solution.status is Status.INDEFINITE
    assert not solution.value.any()
    assert solution.residual.tolist() == [1, 1, 1]
    assert solution.iterations.tolist() == [0, 0, 0]


@pytest.mark.parametrize("make", [Dense.of, ConjugateGradients])
def test_a_singular_matrix_is_said_to_be_one(make: Callable[[Curvature], Solver]) -> None:
    operator, q = with_spectrum(torch.tensor([0.0, 0.0, 1.0, 2.0], dtype=torch.float64)), basis(4)
    outside, inside = (q[:, 0] + q[:, 3]).unsqueeze(0), (3 * q[:, 2] + 4 * q[:, 3]).unsqueeze(0)
    assert make(operator).solve(outside, 0.0).status is Status.SINGULAR
    solved = make(operator).solve(inside, 0.0)  # nothing is asked for along the flat directions, so nothing is wrong
    assert solved.status is Status.CONVERGED
    torch.testing.assert_close(solved.value, (3 * q[:, 2] + 2 * q[:, 3]).unsqueeze(0))
    assert make(operator).solve(outside, 0.5).status is Status.CONVERGED
    nowhere = Matrix(torch.zeros(4, 4, dtype=torch.float64))
    assert make(nowhere).solve(outside, 0.0).status is Status.SINGULAR


@pytest.mark.parametrize("make", [Dense.of, ConjugateGradients, LiSSA, partial(LiSSA, scale=1.0)])
def test_products_that_are_not_finite_are_said_to_be(make: Callable[[Curvature], Solver]) -> None:
    operator = Matrix(torch.full((3, 3), torch.nan, dtype=torch.float64))
    solution = make(operator).solve(torch.ones(2, 3, dtype=torch.float64), 0.1)
    assert solution.status is Status.NOT_FINITE
    assert "log(0)" in str(solution)


def test_too_few_steps_are_reported() -> None:
    operator, right = with_spectrum(SPECTRA["condition 1e3"]), right_sides()
    for solver in (ConjugateGradients(operator, max_iterations=3), LiSSA(operator, depth=10)):
        solution = solver.solve(right, 0.0)
        assert solution.status is Status.NOT_CONVERGED
        assert not solution.status.fine
        torch.testing.assert_close(solution.residual, true_residual(operator, solution, right, 0.0))
        assert (solution.residual > solver.tolerance).any()


def test_lissa_is_the_truncated_series() -> None:
    operator, right = with_spectrum(SPECTRA["even"]), right_sides()
    solution = LiSSA(operator, scale=6.0, depth=7, tolerance=1e-12).solve(right, 0.1)
    step = torch.eye(SIZE, dtype=torch.float64) - (operator.matrix + 0.1 * torch.eye(SIZE, dtype=torch.float64)) / 6.0
    series = sum(torch.linalg.matrix_power(step, power) for power in range(7)) / 6.0
    assert_close(solution.value, right @ series, 1e-12)
    assert solution.iterations.tolist() == [7, 7, 7]


@pytest.mark.parametrize("damping", [0.0, 1.0, 100.0])
def test_the_scale_that_lissa_finds_is_large_enough(damping: float) -> None:
    for values in SPECTRA.values():
        solution = LiSSA(with_spectrum(values), depth=20_000).solve(right_sides(), damping)
        assert solution.status is Status.CONVERGED


@pytest.mark.parametrize(
    ("values", "scale"), [(SPECTRA["even"], 1.0), (INDEFINITE, None)], ids=["scale too small", "negative eigenvalue"]
)
def test_lissa_that_diverges_stops_and_says_so(values: Tensor, scale: float | None) -> None:
    operator, right = with_spectrum(values), right_sides()
    solution = LiSSA(operator, scale=scale, depth=5000).solve(right, 0.05)
    assert solution.status is Status.DIVERGED
    assert (solution.iterations < 50).all()
    assert (solution.residual <= 1).all()  # the best iterate, not the last
    torch.testing.assert_close(solution.residual, true_residual(operator, solution, right, 0.05))
    assert "Raise scale above the largest eigenvalue" in str(solution)


def halves(operator: Matrix, spread: float) -> list[Matrix]:
    """Return two matrices whose mean is the operator."""
    drawn = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    difference = spread * (drawn + drawn.T)
    return [Matrix(operator.matrix + difference), Matrix(operator.matrix - difference)]


def test_lissa_on_batches_comes_near_and_reports_the_residual_of_all_data() -> None:
    operator, right = with_spectrum(SPECTRA["even"]), right_sides()
    batches = halves(operator, 0.02)
    solution = LiSSA(operator, batches, tolerance=0.05, scale=30.0).solve(right, 0.1)
    assert solution.status is Status.CONVERGED
    torch.testing.assert_close(solution.residual, true_residual(operator, solution, right, 0.1))
    assert_close(solution.value, exact(operator, right, 0.1), 0.1)
    assert batches[0].counts
    assert batches[1].counts
    tight = LiSSA(operator, batches, tolerance=1e-9, scale=30.0).solve(right, 0.1)
    assert tight.status is Status.NOT_CONVERGED  # batches leave a bias that more steps do not remove


def test_lissa_on_batches_that_diverges_says_so() -> None:
    operator, right = with_spectrum(SPECTRA["even"]), right_sides()
    solution = LiSSA(operator, halves(operator, 0.02), scale=0.5).solve(right, 0.1)
    assert solution.status is Status.DIVERGED
    assert torch.isfinite(solution.value).all()
    assert (solution.residual <= 1).all()


def test_lissa_returns_its_last_iterate_if_asked_for() -> None:
    """Of a series that runs away: what a procedure that never looks at a residual would use."""
    operator, right = with_spectrum(INDEFINITE), right_sides()
    kept = LiSSA(operator, [operator], scale=4.0, depth=30, check_every=31, keep_last=True).solve(right, 0.1)
    x = torch.zeros_like(right)
    for _ in range(30):
        x += (right - operator.times(x) - 0.1 * x) / 4.0
    assert torch.allclose(kept.value, x, rtol=1e-12)
    assert kept.status is Status.DIVERGED
    assert (kept.residual > 1).all()
    best = LiSSA(operator, [operator], scale=4.0, depth=30, check_every=31).solve(right, 0.1)
    assert (best.residual <= 1).all()


def test_a_block_is_solved_alone_and_the_rest_is_zero() -> None:
    operator, right = with_spectrum(SPECTRA["even"]), right_sides()
    mask = torch.arange(SIZE) % 3 == 0
    solution = OnBlock.of(operator, mask, Dense.of).solve(right, 0.1)
    part = operator.matrix[mask][:, mask] + 0.1 * torch.eye(int(mask.sum()), dtype=torch.float64)
    assert_close(solution.value[:, mask], torch.linalg.solve(part, right[:, mask].T).T, 1e-10)
    assert not solution.value[:, ~mask].any()
    assert solution.status is Status.CONVERGED
    everything = OnBlock.of(operator, torch.ones(SIZE, dtype=torch.bool), Dense.of).solve(right, 0.1)
    assert_close(everything.value, exact(operator, right, 0.1), 1e-10)


def test_single_precision_products_keep_their_dtype() -> None:
    operator = Matrix(with_spectrum(SPECTRA["even"]).matrix.float())
    for make in (Dense.of, ConjugateGradients, LiSSA):
        solution = make(operator).solve(right_sides().float(), 0.1)
        assert solution.status is Status.CONVERGED
        assert solution.value.dtype == torch.float32


def test_every_status_says_what_to_do() -> None:
    for status in Status:
        solution = Solution(torch.zeros(1, 2), status, torch.tensor([0.5]), torch.tensor([4]))
        assert status.value in str(solution)
        assert "after 4 iterations, largest relative residual 0.5" in str(solution)
    assert str(solution).startswith("not finite")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: Dense.of(m, eigenvalues="kept"), "eigenvalues='kept' is unknown. Expected one of 'clamped'"),
        (lambda m: ConjugateGradients(m, tolerance=0), "tolerance=0 must be between 0 and 1"),
        (lambda m: ConjugateGradients(m, max_iterations=0), "max_iterations=0 must be a whole number of at least 1"),
        (lambda m: ConjugateGradients(m, on_negative="go"), "on_negative='go' is unknown. Expected 'stop'"),
        (lambda m: LiSSA(m, scale=-1.0), "scale=-1.0 must be a finite number above 0"),
        (lambda m: LiSSA(m, tolerance=2.0), "tolerance=2.0 must be between 0 and 1"),
        (lambda m: LiSSA(m, depth=0), "depth=0 must be a whole number"),
        (lambda m: LiSSA(m, check_every=0), "check_every=0 must be a whole number"),
        (lambda m: LiSSA(m, [Matrix(torch.eye(2))]), r"batches have curvatures of size \[2\]. Expected 20"),
        (lambda m: Dense.of(m).solve(torch.ones(SIZE), 0.1), r"shape \(20,\). Expected \(k, 20\)"),
        (lambda m: Dense.of(m).solve(torch.full((1, SIZE), torch.nan), 0.1), "NaN or infinite values. Expected finite"),
        (lambda m: Dense.of(m).solve(right_sides(), -0.1), "damping=-0.1 must be a finite number of at least 0"),
        (lambda m: OnBlock.of(m, torch.ones(3), Dense.of), r"shape \(3,\). Expected torch.bool and \(20,\)"),
        (
            lambda m: OnBlock.of(m, torch.zeros(SIZE) > 0, Dense.of),
            "picks none of 20 parameters. Expected at least one",
        ),
        (lambda m: wrong_block(m), "takes 20 numbers, but the block has 10 parameters"),
    ],
)
def test_what_does_not_fit_is_refused(call: Callable[[Matrix], object], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        call(with_spectrum(SPECTRA["even"]))


def wrong_block(operator: Matrix) -> OnBlock:
    """Give a block a solver of all parameters."""
    block = OnBlock.of(operator, torch.arange(SIZE) < 10, Dense.of).block
    return OnBlock(block, Dense.of(operator))


def test_a_dense_solver_refuses_what_would_not_fit_into_memory() -> None:
    operator = with_spectrum(SPECTRA["even"])
    with pytest.raises(
        MemoryBudgetError, match=r"20 parameters needs about .* GB, and max_params=19.*ConjugateGradients"
    ):
        Dense.of(operator, max_params=19)
    solvers: Sequence[Solver] = [Dense.of(operator, max_params=20)]
    assert solvers[0].size == SIZE
    assert not operator.counts  # nothing is computed before the first solve
