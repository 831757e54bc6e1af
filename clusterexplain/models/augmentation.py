"""Random views of an example, drawn from its key: the augmentations of contrastive training."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from clusterexplain.models.counter_rng import normal, uniform
from clusterexplain.models.networks import ImageShape

QUANTILES = 101


@dataclass(frozen=True, eq=False)
class TableAugmentation:
    """Noise, masked features and swapped features for rows of a table.

    Parameters
    ----------
    quantiles : Tensor of shape (QUANTILES, n_features)
        Frozen quantiles of the training columns (:meth:`measured`): the values that swapped features get. They belong to
        the recipe like the scaling, so a removed example does not leave through them.
    noise : float, default=0.2
        Standard deviation of the added noise, in units of the scaled columns.
    mask : float, default=0.1
        Share of the features that are set to 0, which is the column's mean after scaling.
    swap : float, default=0.1
        Share of the features that are replaced by a value of their column (Bahri et al. 2022).
    """

    quantiles: Tensor
    noise: float = 0.2
    mask: float = 0.1
    swap: float = 0.1

    @classmethod
    def measured(cls, inputs: Tensor, **options: float) -> TableAugmentation:
        """Return the augmentation with the quantiles of these rows."""
        levels = torch.linspace(0, 1, QUANTILES, dtype=inputs.dtype)
        return cls(torch.quantile(inputs, levels, dim=0), **options)

    def __call__(self, inputs: Tensor, keys: Tensor) -> Tensor:
        """Return one view of each row, shape (batch, n_features)."""
        n, dtype = inputs.shape[1], inputs.dtype
        view = inputs
        if self.swap:
            level = (uniform(keys, n, stream=1, dtype=dtype) * (QUANTILES - 1)).round().long().clamp(max=QUANTILES - 1)
            drawn = self.quantiles.to(dtype).gather(0, level)
            view = torch.where(uniform(keys, n, stream=2, dtype=dtype) < self.swap, drawn, view)
        if self.noise:
            view = view + self.noise * normal(keys, n, stream=3, dtype=dtype)
        if self.mask:
            view = torch.where(uniform(keys, n, stream=4, dtype=dtype) < self.mask, torch.zeros_like(view), view)
        return view


@dataclass(frozen=True, eq=False)
class ImageAugmentation:
    """Shift, rotation, scale, crop, colour, noise and cutout for small images.

    Parameters
    ----------
    image : ImageShape
        How the rows are images.
    background : Tensor of shape (n_features,)
        What the scaling subtracted, in scaled units: images are moved with it added back.
    shift : float, default=1.0
        Largest shift in pixels, in each direction.
    rotation : float, default=15.0
        Largest rotation in degrees.
    scale : float, default=0.1
        Largest relative change of the side of the area that is seen.
    noise : float, default=0.1
        Standard deviation of the added noise, in scaled units.
    cutout : int, default=0
        Side in pixels of a square that is set to the mean image; 0 is none.
    crop : float, default=0.0
        Largest share of each side that is cut away, below 1. What is left lies anywhere in the image and is enlarged.
    color : float, default=0.0
        Largest relative change of each channel, drawn for each channel: pixels are multiplied by 1 - color to 1 + color.
    """

    image: ImageShape
    background: Tensor
    shift: float = 1.0
    rotation: float = 15.0
    scale: float = 0.1
    noise: float = 0.1
    cutout: int = 0
    crop: float = 0.0
    color: float = 0.0

    def __call__(self, inputs: Tensor, keys: Tensor) -> Tensor:
        """Return one view of each flat image, shape (batch, n_features)."""
        dtype = inputs.dtype
        background = self.background.to(dtype)
        images = self.image.to_image(inputs + background)
        grid = F.affine_grid(self._affine(keys, dtype), list(images.shape), align_corners=False)
        moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
        if self.color:
            tint = 2 * uniform(keys, self.image.channels, stream=5, dtype=dtype) - 1
            moved = moved * (1 + self.color * tint)[:, :, None, None]
        view = self.image.to_rows(moved) - background
        if self.noise:
            view = view + self.noise * normal(keys, view.shape[1], stream=1, dtype=dtype)
        return self._cut(view, keys) if self.cutout else view

    def _affine(self, keys: Tensor, dtype: torch.dtype) -> Tensor:
        """Return one affine map of the sampling grid for each key, shape (batch, 2, 3)."""
        height, width = self.image.size
        draw = 2 * uniform(keys, 4, stream=2, dtype=dtype) - 1
        angle, size = draw[:, 0] * math.radians(self.rotation), 1 + draw[:, 1] * self.scale
        right, down = draw[:, 2] * 2 * self.shift / width, draw[:, 3] * 2 * self.shift / height
        cosine, sine = size * torch.cos(angle), size * torch.sin(angle)
        aspect = height / width
        rows = [torch.stack([cosine, -sine * aspect, right], 1), torch.stack([sine / aspect, cosine, down], 1)]
        affine = torch.stack(rows, dim=1)
        return self._cropped(affine, keys) if self.crop else affine

    def _cropped(self, affine: Tensor, keys: Tensor) -> Tensor:
        """Look at a part of the image, whose sides are a share of the image's, before it is moved otherwise."""
        draw = uniform(keys, 3, stream=4, dtype=affine.dtype)
        side = 1 - self.crop * draw[:, :1]
        middle = (1 - side) * (2 * draw[:, 1:] - 1)  # the part ends at the border at most
        part = affine * side[:, :, None]
        return torch.cat([part[:, :, :2], part[:, :, 2:] + middle[:, :, None]], dim=2)

    def _cut(self, view: Tensor, keys: Tensor) -> Tensor:
        corner = uniform(keys, 2, stream=3, dtype=view.dtype)
        inside = []
        for axis, length in enumerate(self.image.size):
            first = (corner[:, axis : axis + 1] * max(1, length - self.cutout + 1)).floor()
            place = torch.arange(length, dtype=view.dtype)
            inside.append((place >= first) & (place < first + self.cutout))
        hole = inside[0][:, :, None] & inside[1][:, None, :]
        hole = hole.unsqueeze(1).expand(-1, self.image.channels, -1, -1)
        return torch.where(self.image.to_rows(hole), torch.zeros_like(view), view)
