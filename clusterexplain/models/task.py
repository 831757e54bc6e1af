"""The contract of everything that can be trained and explained."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol

import torch
from torch import Tensor
from typing_extensions import TypeVar

from clusterexplain.exceptions import InvalidTaskError
from clusterexplain.models.target_columns import TargetColumns

if TYPE_CHECKING:
    from torch import nn

Params = dict[str, Tensor]
Drawn = Tensor | tuple[Tensor, ...]
"""What an augmentation returns and a loss receives; every tensor has one row for each example."""
DrawnT = TypeVar("DrawnT", bound=Drawn, default=Any)


class FittedNet(Protocol):
    """What keeps its network in ``module_``, as a fitted skorch net does."""

    @property
    def module_(self) -> nn.Module:
        """The network."""


@dataclass(frozen=True)
class Stage:
    """One stage of a training; most tasks have one.

    Parameters
    ----------
    loss : callable
        ``(params, inputs, weights) -> scalar``, as :meth:`EmbeddingTask.loss`; with `memory` it receives a fourth
        argument, the batch's rows of the memory.
    share : float, default=1.0
        Share of the training steps, relative to the other stages.
    rate : float, default=1.0
        Factor on the learning rate.
    freeze_choice : callable, optional
        ``(params, inputs, weights) -> Tensor``: a discrete choice made when the stage is first reached (labels of a
        k-means), on all training examples. It is saved with the run and fixed in every retraining, like the batch plan.
    initialize : callable, optional
        ``(params, inputs, weights, choice) -> params``: initial parameters of the stage as a differentiable function of
        those before it and of the weights of all training examples.
    memory : callable, optional
        ``(params, inputs, weights) -> Tensor of shape (n_samples, width)``: quantities of every training example that the
        loss holds constant within a gradient (target distributions). The derivative goes through them: they are functions
        of parameters and weights.
    update_interval : int, default=1
        Steps between two updates of the memory.
    """

    loss: Callable[..., Tensor]
    share: float = 1.0
    rate: float = 1.0
    freeze_choice: Callable[[Params, Tensor, Tensor], Tensor] | None = None
    initialize: Callable[[Params, Tensor, Tensor, Any], Params] | None = None
    memory: Callable[[Params, Tensor, Tensor], Tensor] | None = None
    update_interval: int = 1


class EmbeddingTask(ABC, Generic[DrawnT]):
    r"""A model as a pure function of its parameters, with a loss that takes one weight for every example.

    The loss of a batch of nominal size B is

    .. math:: L(\theta, w) = \frac{1}{B} \sum_{i \in batch} w_i \, \ell_i(\theta)

    for separable losses; a batch-dependent loss uses the weights so that :math:`w_i = 0` is exactly "i was never
    there". The normaliser is the nominal batch size, never the sum of the weights: otherwise removing one example would
    rescale all others.

    Attributes
    ----------
    separable : bool
        True if the loss is a sum of one term for each example.
    pretrained : bool
        Whether :meth:`initial_params` returns weights that were trained elsewhere, so that ``fit(X, train=False)`` can
        keep them.
    source : str or None
        How the command line found the task ("package.module:factory"); kept in runs as a reminder, never executed.
    closed_form : bool
        True if the parameters are a function of the data weights that is computed without steps: what the only stage's
        `initialize` returns, the initial parameters if it has none.
    held_fixed : str
        What the answers of a model in closed form hold fixed, in words.
    takes_targets : bool
        Whether the loss is given a target for each example (``fit(X, targets=...)``).
    """

    separable: bool = False
    pretrained: bool = False
    source: str | None = None
    closed_form: bool = False
    held_fixed: str = ""
    takes_targets: bool = False

    @abstractmethod
    def initial_params(self, generator: torch.Generator, dtype: torch.dtype) -> Params:
        """Draw initial parameters.

        Parameters
        ----------
        generator : torch.Generator
            The only source of randomness.
        dtype : torch.dtype
            Floating point type of the parameters.

        Returns
        -------
        dict of str to Tensor
            Names and values; the order is the order in which they are stored.
        """

    @abstractmethod
    def embed(self, params: Params, inputs: Tensor) -> Tensor:
        """Map inputs to the latent space.

        Parameters
        ----------
        params : dict of str to Tensor
            Parameters.
        inputs : Tensor of shape (batch, ...)
            Rows as the model sees them.

        Returns
        -------
        Tensor of shape (batch, dim)
            Embeddings.
        """

    @abstractmethod
    def loss(self, params: Params, inputs: DrawnT, weights: Tensor) -> Tensor:
        """Return the weighted training loss of one batch.

        Parameters
        ----------
        params : dict of str to Tensor
            Parameters.
        inputs : Tensor of shape (batch, ...) or tuple of Tensor
            What :meth:`augment` returned.
        weights : Tensor of shape (batch,)
            One weight for every example; 1 is present, 0 is absent.

        Returns
        -------
        Tensor of shape ()
            The loss, divided by the nominal batch size.
        """

    def augment(self, inputs: Tensor, keys: Tensor) -> Drawn:
        """Apply this step's random augmentation; the default is none.

        Randomness enters training only here, as data: it depends on the key of the (step, example) pair and on nothing
        else, so removing one example never shifts the noise of another.

        Parameters
        ----------
        inputs : Tensor of shape (batch, ...)
            Rows of the batch.
        keys : Tensor of shape (batch,), int64
            One random key for each (step, example).

        Returns
        -------
        Tensor or tuple of Tensor
            What :meth:`loss` receives; every tensor has one row for each example.
        """
        return inputs

    def stages(self) -> tuple[Stage, ...]:
        """Return the stages of the training in order; by default one, with :meth:`loss`."""
        return (Stage(self.loss),)

    def cluster_centers(self, params: Params) -> Tensor | None:
        """Return centroids that are parameters of the model, shape (n_clusters, dim); None if it has none.

        Parameters
        ----------
        params : dict of str to Tensor
            Parameters.

        Returns
        -------
        Tensor or None
            A differentiable function of `params`; what ``clusterer="dec"`` explains.
        """
        return None

    def with_targets(self, columns: TargetColumns) -> EmbeddingTask:
        """Return the task for rows that have their targets as further columns.

        Parameters
        ----------
        columns : TargetColumns
            Where the targets are.

        Returns
        -------
        EmbeddingTask
            Sees the features in :meth:`embed`, and the targets in its loss too.

        Raises
        ------
        InvalidTaskError
            If the loss takes no targets.
        """
        raise InvalidTaskError(
            f"There are targets, but the loss of {type(self).__name__} takes none. Expected example_loss=(net, x, y) or "
            f"loss=(net, x, y, weights) in EmbeddingTask.from_module, or no targets."
        )

    def finds_targets(self, inputs: Tensor) -> bool:
        """Whether rows of shape (n, ...) have their targets as further columns, where :meth:`with_targets` said."""
        return False

    @property
    def smooth_warnings(self) -> list[str]:
        """Reasons why this model is not smooth, in words; empty when it is."""
        return []

    @staticmethod
    def from_module(
        encoder: nn.Module | FittedNet,
        *,
        decoder: nn.Module | FittedNet | None = None,
        embed: Callable[[Any, Tensor], Tensor] | None = None,
        example_loss: Callable[..., Tensor] | None = None,
        loss: Callable[..., Tensor] | None = None,
        augment: Callable[[Tensor, Tensor], Drawn] | None = None,
        input_shape: tuple[int, ...] | None = None,
    ) -> EmbeddingTask:
        """Make a task of any ``torch.nn.Module``; its own copy is kept, the module itself is never changed.

        Training starts from the module's present weights; ``fit(X, train=False)`` keeps them as they are. Parameters that do
        not require a gradient and buffers are constants.

        Parameters
        ----------
        encoder : torch.nn.Module or fitted skorch net
            Maps a batch to embeddings of shape (batch, dim), unless `embed` says how. In eval mode if it has dropout or
            BatchNorm.
        decoder : torch.nn.Module, optional
            Maps embeddings back; the loss is then the mean squared reconstruction error, unless another is given. If
            `augment` returns a tuple (clean, noisy), the clean rows are reconstructed from the noisy ones.
        embed : callable, optional
            ``(net, inputs) -> embeddings`` where `net` is the encoder, or has the attributes ``encoder`` and ``decoder`` if a
            decoder is given. All functions must use the `net` that they are given: a module that they bring along by
            themselves stays as it is.
        example_loss : callable, optional
            ``(net, inputs) -> Tensor of shape (batch,)``: the loss of each example, if it does not depend on the others. The
            task weighs and sums it. ``(net, inputs, targets)`` is given the targets of ``fit(X, targets=...)`` too.
        loss : callable, optional
            ``(net, inputs, weights) -> scalar``: a weighted loss in which examples may interact. Weight 0 must mean absence,
            and the normaliser must be the batch size, not the sum of the weights. Or ``(net, inputs, targets, weights)``.
        augment : callable, optional
            ``(inputs, keys) -> inputs`` or a tuple of Tensor: random views from one key for each example; see
            ``clusterexplain.models.counter_rng``.
        input_shape : tuple of int, optional
            Shape of one example as the module expects it, for example (1, 8, 8); rows of X are reshaped.

        Returns
        -------
        EmbeddingTask
            For ``ClusterExplainer(model=...)``.

        Raises
        ------
        InvalidTaskError
            If there is nothing to train on, or the parts do not fit.

        Examples
        --------
        >>> from torch import nn
        >>> task = EmbeddingTask.from_module(nn.Linear(4, 2), decoder=nn.Linear(2, 4))
        >>> sorted(task.initial_params(torch.Generator(), torch.float32))
        ['decoder.bias', 'decoder.weight', 'encoder.bias', 'encoder.weight']
        """
        from clusterexplain.models.module import ModuleTask

        return ModuleTask(
            encoder,
            decoder=decoder,
            embed=embed,
            example_loss=example_loss,
            loss=loss,
            augment=augment,
            input_shape=input_shape,
        )

    @staticmethod
    def from_checkpoint(net: nn.Module, path: str | os.PathLike[str], **options: Any) -> EmbeddingTask:
        """Make a task of a network and the weights that a file holds for it.

        The file is read with ``torch.load(weights_only=True)``: nothing in it is executed. Names and shapes must be those of
        the network; prefixes that ``torch.compile`` and ``DataParallel`` put before names are taken off.

        Parameters
        ----------
        net : torch.nn.Module
            The architecture, in eval mode if it has dropout or BatchNorm; it is not changed.
        path : path-like
            From ``torch.save(net.state_dict(), path)``, or a checkpoint that has such a dict under "state_dict",
            "model_state_dict" or "model".
        **options : object
            As for :meth:`from_module`: embed, example_loss, loss, augment, input_shape, decoder.

        Returns
        -------
        EmbeddingTask
            For ``ClusterExplainer(model=...).fit(X, train=False)``.

        Raises
        ------
        InvalidTaskError
            If the file holds more than tensors, cannot be read, or does not fit the network; the message names the keys.
        """
        from clusterexplain.models.checkpoint import with_checkpoint

        return EmbeddingTask.from_module(with_checkpoint(net, Path(path)), **options)
