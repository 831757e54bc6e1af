"""The contract of everything that can be trained and explained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

Params = dict[str, Tensor]


class EmbeddingTask(ABC):
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
    """

    separable: ClassVar[bool] = False

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
    def loss(self, params: Params, inputs: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted training loss of one batch.

        Parameters
        ----------
        params : dict of str to Tensor
            Parameters.
        inputs : Tensor of shape (batch, ...)
            What :meth:`augment` returned.
        weights : Tensor of shape (batch,)
            One weight for every example; 1 is present, 0 is absent.

        Returns
        -------
        Tensor of shape ()
            The loss, divided by the nominal batch size.
        """

    def augment(self, inputs: Tensor, keys: Tensor) -> Tensor:
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
        Tensor
            What :meth:`loss` receives.
        """
        return inputs

    @property
    def smooth_warnings(self) -> list[str]:
        """Reasons why this model is not smooth, in words; empty when it is."""
        return []
