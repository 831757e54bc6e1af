"""Naive dense float64 oracles: the whole pipeline as one loop of plain autograd operations on the data weights.

Nothing of the package is called here but the schedule of the learning rate; everything else is written out again from
the formulas in the documentation, so that a mistake in the package cannot hide in its own oracle.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Parts(NamedTuple):
    """Derivatives of one margin in the data weights, each of shape (n_train,), and the margin itself."""

    total: Tensor
    encoder: Tensor
    cluster: Tensor
    direct: Tensor
    score: Tensor


def activation(name: str, x: Tensor) -> Tensor:
    """Return the activation of a hidden layer from its textbook formula."""
    if name == "gelu":
        return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    if name == "silu":
        return x / (1 + torch.exp(-x))
    if name == "softplus":
        return torch.log(1 + torch.exp(x))
    if name == "tanh":
        return torch.tanh(x)
    raise ValueError(name)


def perceptron(params: dict[str, Tensor], part: str, name: str, rows: Tensor) -> Tensor:
    """Return the output of the encoder or the decoder for rows: linear layers, activations between them."""
    depth = sum(key.startswith(f"{part}.") and key.endswith(".weight") for key in params)
    for layer in range(depth):
        rows = rows @ params[f"{part}.{layer}.weight"].T + params[f"{part}.{layer}.bias"]
        if layer < depth - 1:
            rows = activation(name, rows)
    return rows


def embed(params: dict[str, Tensor], task: Any, rows: Tensor) -> Tensor:
    """Return the embeddings of rows."""
    return perceptron(params, "encoder", task.activation, rows)


def batch_loss(params: dict[str, Tensor], task: Any, rows: Tensor, weights: Tensor) -> Tensor:
    """Return the sum of weight times mean squared error over the examples, divided by the nominal batch size."""
    error = perceptron(params, "decoder", task.activation, embed(params, task, rows)) - rows
    return (weights * (error * error).mean(dim=1)).sum() / len(rows)


def trained_params(recipe: Any, weights: Tensor) -> dict[str, Tensor]:
    """Train from the initial parameters, keeping the graph of every step, and return the final parameters."""
    optimizer = recipe.optimizer
    beta_1, beta_2 = optimizer.betas
    params = {name: value.detach().clone().requires_grad_() for name, value in recipe.initial.items()}
    first = {name: torch.zeros_like(value) for name, value in params.items()}
    second = {name: torch.zeros_like(value) for name, value in params.items()}
    for step, batch in enumerate(recipe.plan.indices):
        loss = batch_loss(params, recipe.task, recipe.inputs[batch], weights[batch])
        gradients = torch.autograd.grad(loss, list(params.values()), create_graph=True)
        rate = optimizer.learning_rate * optimizer.schedule(step)
        for name, gradient in zip(list(params), gradients, strict=True):
            first[name] = beta_1 * first[name] + (1 - beta_1) * gradient
            second[name] = beta_2 * second[name] + (1 - beta_2) * gradient**2
            mean = first[name] / (1 - beta_1 ** (step + 1))
            square = second[name] / (1 - beta_2 ** (step + 1))
            move = mean / torch.sqrt(square + optimizer.eps) + optimizer.weight_decay * params[name]
            params[name] = params[name] - rate * move
    return params


def centroids_and_variance(embedding: Tensor, weights: Tensor, labels: list[int]) -> tuple[dict[int, Tensor], Tensor]:
    """Return the weighted centroids at kept labels and the pooled within-cluster variance; -1 belongs to none."""
    centers: dict[int, Tensor] = {}
    scatter, mass = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for k in sorted(set(labels) - {-1}):
        members = [i for i, label in enumerate(labels) if label == k]
        share = weights[members]
        centers[k] = (share[:, None] * embedding[members]).sum(dim=0) / share.sum()
        scatter = scatter + (share * ((embedding[members] - centers[k]) ** 2).sum(dim=1)).sum()
        mass = mass + share.sum()
    return centers, scatter / mass


def margin(query: Tensor, embedding: Tensor, weights: Tensor, labels: list[int], own: int, runner_up: int) -> Tensor:
    """Return log(d_runner_up^2 + 0.01 within) - log(d_own^2 + 0.01 within) of an embedded query."""
    centers, within = centroids_and_variance(embedding, weights, labels)
    to_own = ((query - centers[own]) ** 2).sum() + 0.01 * within
    to_runner_up = ((query - centers[runner_up]) ** 2).sum() + 0.01 * within
    return torch.log(to_runner_up) - torch.log(to_own)


def score_after_training(
    recipe: Any, weights: Tensor, query: Tensor, labels: list[int], own: int, runner_up: int
) -> Tensor:
    """Return the margin of a scaled query row as a function of the data weights, for finite differences."""
    params = trained_params(recipe, weights)
    embedding = embed(params, recipe.task, recipe.inputs)
    return margin(embed(params, recipe.task, query), embedding, weights, labels, own, runner_up)


def parts_of(
    recipe: Any, weights: Tensor, queries: Tensor, labels: list[int], own: list[int], runner_up: list[int]
) -> list[Parts]:
    """Differentiate the margins of scaled query rows through the whole training, in total and path by path.

    Parameters
    ----------
    recipe : object
        With task, inputs, initial, plan and optimizer; all tensors float64.
    weights : Tensor of shape (n_train,)
        Data weights to differentiate at.
    queries : Tensor of shape (n_queries, n_features)
        Rows as the model sees them.
    labels : list of int
        Kept clusters of the training examples.
    own, runner_up : list of int
        The fixed pair of clusters of each query.

    Returns
    -------
    list of Parts
        One entry for each query.
    """
    w = weights.detach().clone().requires_grad_()
    params = trained_params(recipe, w)
    stopped = {name: value.detach() for name, value in params.items()}
    moving = embed(params, recipe.task, recipe.inputs)
    fixed = moving.detach()
    answers = []
    for row, a, b in zip(queries, own, runner_up, strict=True):
        z, z_fixed = embed(params, recipe.task, row), embed(stopped, recipe.task, row)
        paths = [  # in the order of Parts
            margin(z, moving, w, labels, a, b),
            margin(z, fixed, w.detach(), labels, a, b),
            margin(z_fixed, moving, w.detach(), labels, a, b),
            margin(z_fixed, fixed, w, labels, a, b),
        ]
        slopes = [torch.autograd.grad(value, w, retain_graph=True)[0] for value in paths]
        answers.append(Parts(slopes[0], slopes[1], slopes[2], slopes[3], paths[0].detach()))
    return answers


def explanation_parts(explanation: Any) -> list[Parts]:
    """Return the oracle's answer to an explanation, in the explanation's units: relative to the weights of the fit.

    Parameters
    ----------
    explanation : Explanation
        Of a fit with dtype="float64".

    Returns
    -------
    list of Parts
        One entry for each query; the derivatives are multiplied by the example's weight.
    """
    weights = torch.from_numpy(explanation.sample_weight.copy())
    answers = parts_of(
        explanation.fit.recipe,
        weights,
        explanation.fit.scaling.to_tensor(explanation.queries, "float64"),
        explanation.train_labels.tolist(),
        explanation.labels.tolist(),
        explanation.runner_ups.tolist(),
    )
    return [
        Parts(weights * a.total, weights * a.encoder, weights * a.cluster, weights * a.direct, a.score) for a in answers
    ]
