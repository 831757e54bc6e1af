"""Does a task keep its contract? Probes on a few real rows, with messages that say how to mend it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.func import grad, jvp, vmap

from clusterexplain.data.targets import checked_targets
from clusterexplain.exceptions import InvalidTaskError
from clusterexplain.models.target_columns import TargetColumns
from clusterexplain.models.task import Drawn, EmbeddingTask, Params
from clusterexplain.training.compiled_steps import CompiledSteps, with_choices_kept
from clusterexplain.training.optimizer import Adam
from clusterexplain.training.plan import BatchPlan
from clusterexplain.training.recipe import Recipe
from clusterexplain.training.torch_compat import BatchNorm, Dropout

ROWS = 8
NOISY_LAYERS = (Dropout, nn.RReLU)


def check_task(
    task: EmbeddingTask,
    inputs: Tensor,
    *,
    targets: object = None,
    generator: torch.Generator | None = None,
    record: bool = True,
) -> None:
    """Probe the contract of a task, as ``check_estimator`` does for estimators.

    Parameters
    ----------
    task : EmbeddingTask
        The task.
    inputs : Tensor of shape (n_samples, ...)
        Rows as the model will see them, of a floating-point type, at least 4; a few of them are used.
    targets : array or tensor of n_samples rows, optional
        For a loss that takes them, as ``fit(X, targets=...)``.
    generator : torch.Generator, optional
        For the initial parameters.
    record : bool, default=True
        Record a step of every stage too, forwards for two trainings side by side and in reverse for two scores, as ``fit``
        does: it takes seconds for large networks.

    Raises
    ------
    InvalidTaskError
        Naming the first broken rule: embeddings deterministic, of shape (batch, dim), finite, and of each row alone;
        augmentation a function of the keys alone; loss a finite scalar, differentiable twice, that uses the weights, that is
        normalised by the batch size, for which weight 0 equals leaving the example out, and separable if it says so.

    Examples
    --------
    >>> from torch import nn
    >>> task = EmbeddingTask.from_module(nn.Linear(3, 2), decoder=nn.Linear(2, 3))
    >>> check_task(task, torch.randn(10, 3))
    """
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
        kind = inputs.dtype if isinstance(inputs, Tensor) else type(inputs).__name__
        raise InvalidTaskError(
            f"check_task got rows of {kind}. Expected a floating-point tensor, for example "
            f"torch.tensor(X[:8], dtype=torch.float32)."
        )
    if inputs.shape[0] < 4:
        raise InvalidTaskError(f"check_task got {inputs.shape[0]} rows. Expected at least 4.")
    task, inputs = _with_targets(task, inputs, targets)
    batch = inputs[:ROWS]
    params = task.initial_params(generator or torch.Generator().manual_seed(0), inputs.dtype)
    with torch.no_grad():
        _check_modes(task)
        _check_embedding(task, params, batch)
        drawn = _check_augmentation(task, batch)
        for number, stage in enumerate(task.stages()):
            if stage.memory is None:
                _check_loss(stage.loss, params, drawn, len(batch), separable=task.separable and number == 0)
    if task.closed_form and not params:  # an embedding that is given: nothing of it is differentiated
        return
    for stage in task.stages():
        ones = torch.ones(len(batch), dtype=batch.dtype)
        remembered = () if stage.memory is None else (stage.memory(params, batch, ones).detach(),)
        _check_derivatives(stage.loss, params, drawn, ones, remembered)
    _check_dependence(task, params, batch, drawn)
    if record and not task.closed_form:  # there are no steps
        _check_recording(task, params, batch)


def _with_targets(task: EmbeddingTask, inputs: Tensor, targets: object) -> tuple[EmbeddingTask, Tensor]:
    """Return the task and the rows as a fit with these targets has them."""
    if targets is not None:
        values = checked_targets(targets, len(inputs))
        columns = TargetColumns.of(values, inputs.shape[1])
        return task.with_targets(columns), columns.beside(inputs, values)
    if task.takes_targets and not task.finds_targets(inputs):
        raise InvalidTaskError(
            "The loss of the task takes targets (net, x, y), but there are none. Expected fit(X, targets=...), in a check "
            "check_task(task, rows, targets=...): one for each row."
        )
    return task, inputs


def _check_modes(task: EmbeddingTask) -> None:
    modules: Iterator[tuple[str, nn.Module]] = (
        pair for net in vars(task).values() if isinstance(net, nn.Module) for pair in net.named_modules()
    )
    for name, module in modules:
        if not module.training:
            continue
        where = f"{name.removeprefix('net.') or 'the module'} ({type(module).__name__})"
        if isinstance(module, NOISY_LAYERS) and getattr(module, "p", 1) > 0:
            raise InvalidTaskError(
                f"{where} is in train mode, so two passes over the same rows differ. Call .eval() on the network and make the "
                f"task again, or put the noise into augment=, which draws it from the key of each (step, example)."
            )
        if isinstance(module, BatchNorm):
            raise InvalidTaskError(
                f"{where} is in train mode: the embedding of an example then depends on who else is in the batch, also on "
                f"removed examples, and its running statistics change outside of the parameters. Call .eval() on the network "
                f"(statistics frozen) and make the task again, or use LayerNorm or GroupNorm."
            )


def _check_embedding(task: EmbeddingTask, params: Params, batch: Tensor) -> None:
    try:
        embedding = task.embed(params, batch)
    except InvalidTaskError:
        raise
    except Exception as error:
        raise InvalidTaskError(
            f"embed failed on {len(batch)} rows of shape {tuple(batch.shape[1:])} and type {batch.dtype}: "
            f"{type(error).__name__}: {error}. Expected a module that takes such rows; input_shape= reshapes them, "
            f"embed= says how to call the network."
        ) from error
    if not isinstance(embedding, Tensor):
        raise InvalidTaskError(
            f"embed returned a {type(embedding).__name__}. Expected a Tensor of shape (batch, dim); with embed= pick it out, "
            f"for example embed=lambda net, x: net(x).last_hidden_state.mean(dim=1)."
        )
    if embedding.ndim != 2 or embedding.shape[0] != batch.shape[0]:
        raise InvalidTaskError(
            f"embed returned shape {tuple(embedding.shape)} for a batch of {len(batch)}. Expected (batch, dim): flatten or "
            f"pool the rest, for example embed=lambda net, x: net(x).flatten(1)."
        )
    if not torch.isfinite(embedding).all():
        raise InvalidTaskError(
            "embed returned NaN or infinite values on the first rows. Expected finite embeddings: look at the weights and at "
            "the scaling of the rows."
        )
    if not torch.equal(embedding, task.embed(params, batch)):
        raise InvalidTaskError(
            "Two passes over the same rows gave different embeddings. Expected a deterministic function: switch noise off "
            "(.eval()), or put it into augment=, which draws it from keys."
        )
    half = len(batch) // 2
    if not _close(task.embed(params, batch[:half]), embedding[:half]):
        raise InvalidTaskError(
            "The embedding of a row depends on the other rows of its batch. Expected a function of the row alone: BatchNorm in "
            "eval mode, no normalisation over the batch."
        )


def _check_augmentation(task: EmbeddingTask, batch: Tensor) -> Drawn:
    keys = torch.arange(1, len(batch) + 1) * 7919
    drawn, again = _parts(task.augment(batch, keys)), _parts(task.augment(batch, keys))
    backwards = _parts(task.augment(batch.flip(0), keys.flip(0)))
    if any(len(part) != len(batch) for part in drawn):
        raise InvalidTaskError(
            "augment returned another number of rows than it got. Expected one row for each example."
        )
    if not all(map(torch.equal, drawn, again)):
        raise InvalidTaskError(
            "augment gave different results for the same keys. Expected a function of rows and keys alone: draw from "
            "clusterexplain.models.counter_rng.normal(keys, ...) or uniform(keys, ...), not from a global generator."
        )
    if not all(_close(a, b.flip(0)) for a, b in zip(drawn, backwards, strict=True)):
        raise InvalidTaskError(
            "What augment draws for an example depends on its place in the batch. Expected a function of its row and key, "
            "so that removing one example shifts nobody else's noise."
        )
    return task.augment(batch, keys)


def _check_loss(loss: Callable[..., Tensor], params: Params, drawn: Drawn, n: int, *, separable: bool) -> None:
    ones = torch.ones(n, dtype=_parts(drawn)[0].dtype)
    value = loss(params, drawn, ones)
    if not isinstance(value, Tensor) or value.ndim != 0 or not torch.isfinite(value):
        raise InvalidTaskError(
            f"The loss returned {value!r}. Expected a finite scalar Tensor: the weighted sum over the batch, divided by the "
            f"batch size."
        )
    if not torch.equal(value, loss(params, drawn, ones)):
        raise InvalidTaskError(
            "Two calls of the loss with the same arguments gave different values. Expected a deterministic function: put the "
            "noise into augment=, which draws it from the key of each (step, example)."
        )
    absent = ones.clone()
    absent[1] = 0
    without, left_out = loss(params, drawn, absent), loss(params, _select_rows(drawn, [0, *range(2, n)]), ones[1:])
    if _close(loss(params, drawn, 2 * ones), value) and not _close(without, value):
        raise InvalidTaskError(
            "The loss is normalised by the sum of the weights: doubling them all left it unchanged. Expected division by the "
            "batch size, so that removing one example does not re-weight all others: (weights * each).sum() / len(weights)."
        )
    if _close(without, value) and not _close(left_out * (n - 1), value * n):
        raise InvalidTaskError(
            "The loss ignores the weights: weight 0 for one example left it unchanged. Expected (weights * each).sum() / "
            "len(weights), or example_loss=, which weighs for you."
        )
    if _close(without, left_out) and not _close(without * n, left_out * (n - 1)):
        raise InvalidTaskError(
            "The loss is a sum over the batch. Expected division by the batch size, so that the learning rate means the same "
            "for every batch size: (weights * each).sum() / len(weights)."
        )
    if not _close(without * n, left_out * (n - 1)):
        raise InvalidTaskError(
            f"Weight 0 is not the same as leaving the example out: batch size times loss is {float(without * n):.6g} with "
            f"weight 0 and {float(left_out * (n - 1)):.6g} without the row. Expected equality: the weight must enter wherever "
            f"the example does (in a contrastive loss also in every denominator)."
        )
    mixed = torch.linspace(0.2, 1.8, n, dtype=ones.dtype)
    if separable and not _close(loss(params, drawn, mixed) + loss(params, drawn, 2 * ones - mixed), 2 * value):
        raise InvalidTaskError(
            "The task says separable=True, but its loss is not a sum of one weighted term for each example. Set "
            "separable=False, or give loss= instead of example_loss=."
        )


def _check_derivatives(
    loss: Callable[..., Tensor], params: Params, drawn: Drawn, weights: Tensor, remembered: tuple[Tensor, ...]
) -> None:
    def slopes(params: Params) -> tuple[Params, Tensor]:
        on_params, on_weights = grad(loss, argnums=(0, 2))(params, drawn, weights, *remembered)
        return on_params, on_weights

    def second(params: Params) -> tuple[tuple[Params, Tensor], ...]:
        # what a reverse pass and, side by side, retrainings need
        there, along = jvp(slopes, (params,), ({name: torch.ones_like(value) for name, value in params.items()},))[:2]
        return there, along

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.func's own, and those about branches, which fail below
            found = vmap(second)({name: torch.stack([value, value]) for name, value in params.items()})
    except (RuntimeError, NotImplementedError) as error:
        raise InvalidTaskError(
            f"The loss cannot be differentiated twice by torch.func: {str(error).splitlines()[0]} Expected "
            f"functions of tensors without operations in place, branches on values (if x.sum() > 0) or .item()."
        ) from error
    values = [value for slope in found for value in (*slope[0].values(), slope[1])]
    if not all(bool(torch.isfinite(value).all()) for value in values):
        raise InvalidTaskError(
            "A first or second derivative of the loss is NaN or infinite at the initial weights. Expected finite ones: add a "
            "small constant under square roots, norms and logarithms."
        )


def _check_dependence(task: EmbeddingTask, params: Params, batch: Tensor, drawn: Drawn) -> None:
    """Refuse functions that use another network than the one they are given: their derivative would be zero."""
    stage, ones = task.stages()[0], torch.ones(len(batch), dtype=batch.dtype)
    remembered = () if stage.memory is None else (stage.memory(params, batch, ones).detach(),)
    with_noise = {name: value + 0.01 * torch.ones_like(value) for name, value in params.items()}
    slopes = {
        "embed": grad(lambda params: (task.embed(params, batch) ** 2).sum())(with_noise),
        "The loss": grad(stage.loss)(with_noise, drawn, ones, *remembered),
    }
    for what, slope in slopes.items():
        if not any(bool(value.any()) for value in slope.values()):
            raise InvalidTaskError(
                f"{what} does not depend on any parameter. Expected functions that use the network they are given as their "
                f"first argument: lambda net, x: net(x), not a module from outside, which stays constant."
            )


def _check_recording(task: EmbeddingTask, params: Params, batch: Tensor) -> None:
    """Record what a fit records: refused in the words of the fit, before anything is trained."""
    shares = [stage.share for stage in task.stages()]
    n_steps = 2 * math.ceil(sum(shares) / min(shares))
    plan = BatchPlan.draw(len(batch), n_steps=n_steps, batch_size=len(batch) - 1, seed=0)
    recipe = Recipe(task, batch, params, plan, Adam(1e-3, n_steps))
    recipe = with_choices_kept(recipe, torch.ones(len(batch), dtype=batch.dtype))
    compiled = CompiledSteps(recipe)
    for planned in recipe.planned_stages:
        compiled.step(planned.start, 2)
        compiled.step_vjp(planned.start, 2)


def _parts(drawn: Drawn) -> tuple[Tensor, ...]:
    return drawn if isinstance(drawn, tuple) else (drawn,)


def _select_rows(drawn: Drawn, rows: list[int]) -> Drawn:
    return tuple(part[rows] for part in drawn) if isinstance(drawn, tuple) else drawn[rows]


def _close(a: Tensor, b: Tensor) -> bool:
    tolerance = 1e-4 if a.dtype == torch.float32 else 1e-8
    return bool(torch.allclose(a, b, rtol=tolerance, atol=tolerance * max(1e-6, float(b.abs().max()))))
