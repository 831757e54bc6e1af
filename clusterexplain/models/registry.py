"""The models that can be asked for by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from inspect import signature
from numbers import Real
from typing import Any

from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.models.augmentation import ImageAugmentation, TableAugmentation
from clusterexplain.models.autoencoder import Autoencoder, ConvAutoencoder
from clusterexplain.models.contrastive import Contrastive
from clusterexplain.models.count_vae import LIKELIHOODS, CountVAE
from clusterexplain.models.dec import DEC
from clusterexplain.models.networks import ConvEncoder, Dense, ImageShape, Network, dense
from clusterexplain.models.pca import PCA
from clusterexplain.models.precomputed import Precomputed
from clusterexplain.models.start import PrincipalStart
from clusterexplain.models.task import EmbeddingTask
from clusterexplain.models.variational import VariationalAutoencoder

DENSE_WIDTHS, CONV_CHANNELS = (64,), (16, 32)


@dataclass(frozen=True, eq=False)
class ModelSpec:
    """What a named model is built from.

    Parameters
    ----------
    inputs : Tensor of shape (n_present, n_features)
        Scaled training data of positive weight.
    image_shape : tuple of int or None
        How a row is an image, if it is one.
    background : Tensor of shape (n_features,)
        What the scaling subtracted, in scaled units.
    n_clusters, latent_dim : int
        Sizes.
    hidden : tuple of int or None
        Widths or channels; None is the model's default.
    activation : str
        One of ``ACTIVATIONS``.
    options : dict
        The model's own options.
    start : str or None
        One of ``STARTS``; None for a model that takes none.
    """

    inputs: Tensor
    image_shape: tuple[int, ...] | None
    background: Tensor
    n_clusters: int
    latent_dim: int
    hidden: tuple[int, ...] | None
    activation: str
    options: dict[str, Any]
    start: str | None = None

    @property
    def principal_start(self) -> PrincipalStart | None:
        """Where a training starts that does not start at random."""
        if self.start not in PRINCIPAL_STARTS:
            return None
        return PrincipalStart(self.latent_dim, follows=self.start == "pca")

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self.inputs.shape[1]

    def image(self, what: str) -> tuple[int, ...]:
        """Return the image shape, or refuse in the name of `what`."""
        if self.image_shape is None:
            raise InvalidParameterError(
                f"{what} needs images. Expected a Dataset with image_shape=(height, width); give one, or use a dense model."
            )
        return self.image_shape

    def widths(self, default: tuple[int, ...] = DENSE_WIDTHS) -> dict[str, Any]:
        """Return the arguments that every network takes."""
        hidden = default if self.hidden is None else self.hidden
        return {"hidden": hidden, "latent_dim": self.latent_dim, "activation": self.activation}


def _precomputed(plan: ModelSpec) -> EmbeddingTask:
    return Precomputed()


def _pca(plan: ModelSpec) -> EmbeddingTask:
    return PCA(plan.n_features, plan.latent_dim, **plan.options)


def _autoencoder(plan: ModelSpec) -> EmbeddingTask:
    return Autoencoder(plan.n_features, **plan.widths(), start=plan.principal_start)


def _conv_autoencoder(plan: ModelSpec) -> EmbeddingTask:
    return ConvAutoencoder(plan.image("model='conv_autoencoder'"), **plan.widths(CONV_CHANNELS))


def _variational(plan: ModelSpec) -> EmbeddingTask:
    return VariationalAutoencoder(plan.n_features, **plan.widths(), **plan.options, start=plan.principal_start)


def _count_vae(plan: ModelSpec) -> EmbeddingTask:
    return CountVAE(plan.n_features, **plan.widths(), **plan.options, start=plan.principal_start)


def _dec(plan: ModelSpec) -> EmbeddingTask:
    return DEC(plan.n_features, n_clusters=plan.n_clusters, **plan.widths(), **plan.options, start=plan.principal_start)


def _contrastive(plan: ModelSpec) -> EmbeddingTask:
    options = dict(plan.options)
    augmentation = options.pop("augmentation", {})
    wide = options.pop("projector_dim", plan.latent_dim)
    if options.pop("encoder", "dense") == "conv":
        image = ImageShape(plan.image("model_options={'encoder': 'conv'}"))
        channels = plan.widths(CONV_CHANNELS)["hidden"]
        encoder: Network = ConvEncoder("encoder", image, channels, plan.latent_dim, plan.activation)
    else:
        widths = (plan.n_features, *plan.widths()["hidden"], plan.latent_dim)
        encoder = dense("encoder", widths, plan.activation, linear=plan.principal_start is not None)
    projector = Dense("projector", (plan.latent_dim, plan.latent_dim, wide), plan.activation)
    if not callable(augmentation):
        augmentation = _augmentation(plan, augmentation)
    return Contrastive(encoder, projector, augmentation, plan.activation, **options, start=plan.principal_start)


IMAGE_STRENGTHS = ("shift", "rotation", "scale", "noise", "cutout", "crop", "color")


def _augmentation(plan: ModelSpec, strengths: dict[str, Any]) -> Callable[[Tensor, Tensor], Tensor]:
    kind = "table" if plan.image_shape is None else "image"
    allowed = {"table": ("noise", "mask", "swap"), "image": IMAGE_STRENGTHS}[kind]
    for name, value in strengths.items():
        if name not in allowed:
            raise InvalidParameterError(
                f"augmentation has an unknown strength {name!r} for a data set of {kind}s. Expected some of "
                f"{', '.join(allowed)}, or a function (inputs, keys) -> inputs."
            )
        _check_number(f"augmentation strength {name!r}", value, at_least=0, below=1 if name == "crop" else math.inf)
    if plan.image_shape is None:
        return TableAugmentation.measured(plan.inputs, **strengths)
    return ImageAugmentation(ImageShape(plan.image_shape), plan.background, **strengths)


_BUILDERS: dict[str, Callable[[ModelSpec], EmbeddingTask]] = {
    "precomputed": _precomputed,
    "pca": _pca,
    "autoencoder": _autoencoder,
    "conv_autoencoder": _conv_autoencoder,
    "vae": _variational,
    "count_vae": _count_vae,
    "contrastive": _contrastive,
    "dec": _dec,
}
_NUMBERS: dict[str, dict[str, float]] = {
    "beta": {"at_least": 0},
    "temperature": {"at_least": 0.02},
    "projector_dim": {"at_least": 1},
    "pretrain": {"at_least": 0, "below": 1},
    "update_every": {"at_least": 1},
    "rate": {"above": 0},
}
_WHOLE = ("projector_dim", "update_every")
_WORDS: dict[str, tuple[str | bool, ...]] = {
    "encoder": ("dense", "conv"),
    "embedding": ("encoder", "projector"),
    "likelihood": LIKELIHOODS,
    "whiten": (False, True),
}
_OPTIONS: dict[str, tuple[str, ...]] = {
    "precomputed": (),
    "pca": ("whiten",),
    "autoencoder": (),
    "conv_autoencoder": (),
    "vae": ("beta",),
    "count_vae": ("beta", "likelihood"),
    "contrastive": ("temperature", "augmentation", "encoder", "projector_dim", "embedding"),
    "dec": ("pretrain", "update_every", "rate"),
}
MODELS = tuple(_BUILDERS)
PRINCIPAL_STARTS = ("pca", "fixed")
STARTS = (*PRINCIPAL_STARTS, "random")
"""Where a training starts: at the principal components at its own data weights, at those of the fit, or at random."""
CLOSED_FORM = ("precomputed", "pca")
"""Models that are not trained: their parameters are a function of the data weights."""
OF_COUNTS = ("count_vae",)
"""Models whose rows are counts."""


def build(name: str, plan: ModelSpec) -> EmbeddingTask:
    """Build a named model.

    Parameters
    ----------
    name : str
        One of ``MODELS``.
    plan : ModelSpec
        Data, sizes and options.

    Returns
    -------
    EmbeddingTask
        The model.

    Raises
    ------
    InvalidParameterError
        If an option is unknown to the model or out of range.
    """
    check_options(name, plan.options)
    return _BUILDERS[name](plan)


def default_options(name: str, *, latent_dim: int, image: bool) -> dict[str, Any]:
    """Return every option of a named model with its default.

    Parameters
    ----------
    name : str
        One of ``MODELS``.
    latent_dim : int
        Dimension of the embedding, which a projector has by default.
    image : bool
        Whether rows are images, which have augmentations of their own.

    Returns
    -------
    dict
        By option; empty for a model without options.
    """
    if name == "contrastive":
        kind = ImageAugmentation if image else TableAugmentation
        strengths = {entry.name: entry.default for entry in fields(kind) if entry.default is not MISSING}
        chosen = {"augmentation": strengths, "encoder": "dense", "projector_dim": latent_dim}
        return _defaults_of(Contrastive, ("temperature", "embedding")) | chosen
    kinds = {"vae": VariationalAutoencoder, "count_vae": CountVAE, "dec": DEC, "pca": PCA}
    return _defaults_of(kinds[name], _OPTIONS[name]) if name in kinds else {}


def takes_start(name: str | None, options: dict[str, Any]) -> bool:
    """Whether a named model with some options can start at principal components; None is a model of the user's own."""
    if name == "contrastive":
        return bool(options.get("encoder", "dense") == "dense")
    return name in ("autoencoder", "vae", "count_vae") or (name == "dec" and options.get("pretrain", 1) > 0)


def default_widths(name: str, options: dict[str, Any]) -> tuple[int, ...]:
    """Return the widths of the hidden layers of a named model with some options, or the channels of its convolutions."""
    return CONV_CHANNELS if name == "conv_autoencoder" or options.get("encoder") == "conv" else DENSE_WIDTHS


def _defaults_of(kind: type, names: tuple[str, ...]) -> dict[str, Any]:
    parameters = signature(kind).parameters
    return {name: parameters[name].default for name in names}


def check_options(name: str, options: dict[str, Any]) -> None:
    """Refuse options that a named model does not take, or of the wrong range; see :func:`build`."""
    for option, value in options.items():
        if option not in _OPTIONS[name]:
            known = ", ".join(_OPTIONS[name]) or "none"
            raise InvalidParameterError(
                f"model_options has {option!r}, which model={name!r} does not take. Its options: {known}."
            )
        if option in _WORDS and value not in _WORDS[option]:
            raise InvalidParameterError(
                f"model_options[{option!r}]={value!r} is unknown. Expected one of {', '.join(map(repr, _WORDS[option]))}."
            )
        if option in _NUMBERS:
            _check_number(f"model_options[{option!r}]", value, whole=option in _WHOLE, **_NUMBERS[option])
        if option == "augmentation" and not (callable(value) or isinstance(value, dict)):
            raise InvalidParameterError(
                f"model_options['augmentation']={value!r} must be a dict of strengths, or a function (inputs, keys) -> inputs."
            )


def _check_number(
    what: str,
    value: object,
    *,
    at_least: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    whole: bool = False,
) -> None:
    if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
        number = float(value)
        if at_least <= number < below and number > above and not (whole and not number.is_integer()):
            return
    bounds = [("at least", at_least), ("above", above), ("below", below)]
    wanted = " and ".join(f"{word} {bound:g}" for word, bound in bounds if math.isfinite(bound))
    raise InvalidParameterError(f"{what}={value!r} must be a {'whole' if whole else 'finite'} number {wanted}.")
