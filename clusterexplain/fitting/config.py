"""Everything that a fit depends on besides the data, as plain values: checked once, resolved, and stored resolved."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import numpy as np

from clusterexplain.clustering.make import is_factory
from clusterexplain.clustering.registry import CLUSTERERS
from clusterexplain.clustering.registry import check_options as check_clusterer_options
from clusterexplain.clustering.registry import default_options as default_clusterer_options
from clusterexplain.clustering.scores import SCORES, Score
from clusterexplain.data.scaling import SCALINGS
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.fitting.constraints import Constraint, Flag, Number, OneOf, Options, Share, Whole, Widths
from clusterexplain.models import MODELS, EmbeddingTask
from clusterexplain.models.networks import ACTIVATIONS
from clusterexplain.models.registry import CLOSED_FORM, OF_COUNTS, PRINCIPAL_STARTS, STARTS, default_widths, takes_start
from clusterexplain.models.registry import check_options as check_model_options
from clusterexplain.models.registry import default_options as default_model_options
from clusterexplain.training.optimizer import SCHEDULES

MODEL_DEFAULTS: dict[str, dict[str, Any]] = {
    "": {"n_steps": 1400, "learning_rate": 3e-3, "latent_dim": 10},
    "contrastive": {"n_steps": 600, "learning_rate": 1e-3, "latent_dim": 16},
}
"""What None stands for, by model; "" is every other one."""
REFINEMENT_RATE, REFINEMENT_EPOCHS, REFINEMENT_STEPS = 1e-3, 25, (150, 700)
"""Learning rate, passes over the rows, and the fewest and most steps where training refines a start at principal components.
Longer, small tables are learned by heart and their seeds part; docs/models.md has figures."""
DEFAULT_START = "random"
"""Where a training starts whose model can start at principal components."""
OPTIMIZER_DEFAULTS: dict[str, dict[str, Any]] = {
    "adamw": {"schedule": "cosine", "warmup": 0.1, "betas": (0.9, 0.999)},
    "adam": {"schedule": "cosine", "warmup": 0.1, "betas": (0.9, 0.999)},
    "sgd": {"schedule": "cosine", "warmup": 0.1, "momentum": 0.9},
}
"""What each optimizer takes, and its defaults."""
CONSTRAINTS: dict[str, Constraint] = {
    "activation": OneOf(tuple(sorted(ACTIVATIONS))),
    "optimizer": OneOf(tuple(OPTIMIZER_DEFAULTS)),
    "scaling": OneOf(("auto", *SCALINGS)),
    "dtype": OneOf(("float32", "float64")),
    "clusterer_options": Options("{'covariance_type': 'diag'}"),
    "model_options": Options("{'beta': 0.1}"),
    "optimizer_options": Options("{'schedule': 'linear'}"),
    "min_agreement": Share(),
    "hidden": Widths(),
    "n_clusters": Whole(),
    "latent_dim": Whole(optional=True),
    "start": OneOf((None, *STARTS)),
    "n_steps": Whole(optional=True),
    "batch_size": Whole(),
    "further_steps": Whole(optional=True),
    "learning_rate": Number(optional=True),
    "adam_eps": Number(),
    "further_rate": Number(optional=True),
    "weight_decay": Number(zero=True),
    "measure_smoothness": Flag(),
}
"""What each parameter may be, in the order in which they are checked."""
OF_TRAINING = ("n_steps", "hidden", "start", "learning_rate", "optimizer_options", "further_steps", "further_rate")
"""What a model that is computed without a training does not take."""
_CLIPPING = ("clip", "clip_norm", "max_norm", "max_grad_norm", "gradient_clip_val", "clip_value")


@dataclass(frozen=True)
class Config:
    """What is fitted, as plain values; see :class:`clusterexplain.ClusterExplainer` for each parameter.

    Models, estimators, labels and functions are objects and stand beside a configuration: their place in it holds None.
    :func:`resolve` replaces every value that stands for a default ("auto", None, an option that was not given) by what it
    stands for, so that a run does not depend on the defaults of the program that opens it.
    """

    model: str | None = "autoencoder"
    clusterer: str | None = "kmeans"
    n_clusters: int = 8
    clusterer_options: dict[str, Any] | None = None
    membership_score: str | None = "auto"
    min_agreement: float = 0.8
    latent_dim: int | None = None
    hidden: tuple[int, ...] | None = None
    start: str | None = None
    activation: str = "gelu"
    n_steps: int | None = None
    batch_size: int = 64
    learning_rate: float | None = None
    weight_decay: float = 1e-2
    adam_eps: float = 1e-4
    optimizer: str = "adamw"
    optimizer_options: dict[str, Any] | None = None
    model_options: dict[str, Any] | None = None
    further_steps: int | None = None
    further_rate: float | None = None
    measure_smoothness: bool = False
    scaling: str | None = "auto"
    dtype: str = "float32"
    random_state: int | None = None
    said: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The parameters as the user gave them, for what is shown; filled in by :func:`resolve`."""

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Config:
        """Check parameters and keep their plain values.

        Parameters
        ----------
        parameters : mapping of str to object
            Those of a ``ClusterExplainer``; others than a configuration has (of execution) are left out.

        Returns
        -------
        Config
            Not yet resolved.

        Raises
        ------
        InvalidParameterError
            Naming the parameter, its value and what was expected.
        """
        check(parameters)
        known = {entry.name for entry in dataclasses.fields(cls)} - {"said"}
        plain: dict[str, Any] = {name: _plain(value) for name, value in parameters.items() if name in known}
        for name in ("model", "clusterer", "membership_score"):
            plain[name] = parameters[name] if isinstance(parameters[name], str) else None
        if not isinstance(parameters.get("random_state"), (Integral, type(None))):
            plain["random_state"] = None  # a generator: the seed that was drawn from it is stored
        return cls(**plain)

    def with_min_agreement(self, share: float) -> Config:
        """Return the configuration with another least agreement, which is judged at each question and changes no result."""
        CONSTRAINTS["min_agreement"].check("min_agreement", share)
        return dataclasses.replace(self, min_agreement=float(share), said={**self.said, "min_agreement": float(share)})

    @property
    def takes_number(self) -> bool:
        """Whether the clusterer is found here with a given number of clusters."""
        return self.clusterer is not None and CLUSTERERS[self.clusterer].takes_number

    def to_dict(self) -> dict[str, Any]:
        """Return the values as plain data; :meth:`from_dict` reads them."""
        values = {entry.name: _plain(getattr(self, entry.name)) for entry in dataclasses.fields(self)}
        return values | {"said": dict(self.said)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Config:
        """Return the configuration that :meth:`to_dict` wrote."""
        for name, constraint in CONSTRAINTS.items():
            constraint.check(name, stored[name])
        missing = {"model", "clusterer", "membership_score", "hidden"} - set(stored["said"])
        if missing:
            raise KeyError(f"said has no {', '.join(sorted(missing))}")
        hidden = stored["hidden"]
        return cls(**{**stored, "hidden": None if hidden is None else tuple(hidden)})


def resolve(config: Config, *, n_samples: int, image: bool) -> Config:
    """Replace what stands for a default by what it stands for; what was said is kept beside it.

    The score and the length and rate of further training are chosen later, when clusters and drift are known.

    Parameters
    ----------
    config : Config
        As the user gave it.
    n_samples : int
        Number of training examples, on which some defaults depend.
    image : bool
        Whether rows are images, on which some others depend.

    Returns
    -------
    Config
        With the same meaning, whatever becomes of the defaults.
    """
    usual = MODEL_DEFAULTS[""] | MODEL_DEFAULTS.get(config.model or "", {})
    if config.start in PRINCIPAL_STARTS and config.model != "contrastive":
        usual |= _refinement(n_samples, config.batch_size)
    sizes = usual | {name: getattr(config, name) for name in usual if getattr(config, name) is not None}
    options: dict[str, Any] | None = OPTIMIZER_DEFAULTS[config.optimizer] | (config.optimizer_options or {})
    closed_form = config.model in CLOSED_FORM
    if closed_form:  # what belongs to a training stays unsaid, so that the file that repeats a run is accepted
        sizes |= {"n_steps": None, "learning_rate": None}
        options = None
    if config.model == "precomputed":
        sizes["latent_dim"] = None
    automatic = None if config.model is None or closed_form or config.model in OF_COUNTS else "global"
    model_options: dict[str, Any] = {}
    hidden = config.hidden
    if config.model is not None:
        model_options = default_model_options(config.model, latent_dim=sizes["latent_dim"], image=image)
        strengths, given = model_options.get("augmentation"), dict(config.model_options or {})
        if isinstance(given.get("augmentation"), dict):
            given["augmentation"] = {**(strengths or {}), **given["augmentation"]}
        model_options |= given
        if hidden is None and not closed_form:
            hidden = default_widths(config.model, model_options)
    clusterer_options = dict(config.clusterer_options or {})
    if config.clusterer is not None:
        clusterer_options = default_clusterer_options(config.clusterer, n_samples) | clusterer_options
    said = {name: value for name, value in config.to_dict().items() if name != "said"}
    return dataclasses.replace(
        config,
        **sizes,
        hidden=hidden,
        start=_resolved_start(config, model_options),
        optimizer_options=options,
        model_options=model_options,
        clusterer_options=clusterer_options,
        scaling=automatic if config.scaling == "auto" else config.scaling,
        dtype="float64" if closed_form else config.dtype,
        said=said,
    )


def _refinement(n_samples: int, batch_size: int) -> dict[str, Any]:
    """Return length and rate of a training that starts at principal components."""
    fewest, most = REFINEMENT_STEPS
    steps = REFINEMENT_EPOCHS * n_samples / batch_size
    return {"n_steps": min(max(round(steps), fewest), most), "learning_rate": REFINEMENT_RATE}


def _resolved_start(config: Config, model_options: dict[str, Any]) -> str | None:
    """Return where the training starts; None for a model of the user's own and for one that is not trained."""
    if config.model is None or config.model in CLOSED_FORM:
        return None
    return (config.start or DEFAULT_START) if takes_start(config.model, model_options) else "random"


def check(parameters: Mapping[str, Any]) -> None:
    """Refuse parameters outside their range.

    Parameters
    ----------
    parameters : mapping of str to object
        By name.

    Raises
    ------
    InvalidParameterError
        Naming the parameter, its value and what was expected.
    """
    for name, constraint in CONSTRAINTS.items():
        constraint.check(name, parameters[name])
    _check_model(parameters)
    _check_clusterer(parameters)
    _check_optimizer_options(parameters)
    if parameters["measure_smoothness"] and parameters["n_clusters"] < 2:
        raise InvalidParameterError(
            "measure_smoothness=True needs margins between clusters, but n_clusters=1. Expected n_clusters >= 2."
        )


def _check_model(parameters: Mapping[str, Any]) -> None:
    model, options = parameters["model"], parameters["model_options"]
    if isinstance(model, EmbeddingTask):
        if options:
            raise InvalidParameterError(
                "model_options belong to a model that is asked for by name. Expected None with a task of your own."
            )
        if parameters["start"] is not None:
            raise InvalidParameterError(
                f"start={parameters['start']!r} belongs to a model that is asked for by name. Expected None with a task of "
                f"your own: it starts at its own weights."
            )
        return
    if not isinstance(model, str) or model not in MODELS:
        raise InvalidParameterError(
            f"model={model!r} is unknown. Expected one of {', '.join(map(repr, MODELS))}, or a task: "
            f"EmbeddingTask.from_module(your_network, ...)."
        )
    check_model_options(model, options or {})
    if model == "contrastive":
        _check_contrastive({**parameters, **(options or {})})
    _check_closed_form(parameters)
    if model in OF_COUNTS and parameters["scaling"] not in ("auto", None):
        raise InvalidParameterError(
            f"scaling={parameters['scaling']!r} would make something else of counts, which model={model!r} needs as they are. "
            f"Expected 'auto' or None: the encoder sees log(1 + x), and the total of each row is part of the likelihood."
        )
    if parameters["start"] not in (None, "random") and not takes_start(model, options or {}):
        raise InvalidParameterError(
            f"start={parameters['start']!r} needs a linear path from the columns to the embedding, which model={model!r} with "
            f"these options has not. Expected start='random' or None."
        )
    needs_channels = model == "conv_autoencoder" or (options or {}).get("encoder") == "conv"
    if needs_channels and parameters["hidden"] is not None and not parameters["hidden"]:
        raise InvalidParameterError(
            "hidden=() leaves a convolutional model without convolutions. Expected channels, for example (16, 32), or None."
        )


def _check_contrastive(given: Mapping[str, object]) -> None:
    for name, what in (("latent_dim", "embedding"), ("projector_dim", "projection")):
        if given.get(name) == 1:
            raise InvalidParameterError(
                f"{name}=1 leaves a contrastive model nothing to learn: its {what} is scaled to length 1, which on a line is "
                f"-1 or 1 for every example. Expected {name} of at least 2."
            )
    if given.get("batch_size") == 1:
        raise InvalidParameterError(
            "batch_size=1 leaves a contrastive model nothing to learn: it tells an example from the others of its batch. "
            "Expected batch_size of at least 2, for example 64."
        )


def _check_closed_form(parameters: Mapping[str, Any]) -> None:
    """Refuse what a model that is not trained cannot use."""
    model = parameters["model"]
    if model not in CLOSED_FORM:
        return
    for name in OF_TRAINING:
        if parameters[name] is not None:
            raise InvalidParameterError(
                f"{name}={parameters[name]!r} belongs to a training, but model={model!r} is computed without one. Expected "
                f"None."
            )
    if parameters["measure_smoothness"]:
        raise InvalidParameterError(
            f"measure_smoothness=True measures a training, but model={model!r} is computed without one. Expected False."
        )
    if model == "precomputed":
        if parameters["latent_dim"] is not None:
            raise InvalidParameterError(
                f"latent_dim={parameters['latent_dim']} cannot be chosen with model='precomputed': the columns of X are the "
                f"embedding. Expected None."
            )
        if parameters["scaling"] not in ("auto", None):
            raise InvalidParameterError(
                f"scaling={parameters['scaling']!r} would change the embedding that was given. Expected 'auto' or None with "
                f"model='precomputed'; scale X yourself, or use model='pca'."
            )


def _check_clusterer(parameters: Mapping[str, Any]) -> None:
    clusterer, options, score = (parameters[name] for name in ("clusterer", "clusterer_options", "membership_score"))
    if not isinstance(score, Score):  # whether one of the user's own reads the clusters is known once there are some
        OneOf(("auto", *SCORES)).check("membership_score", score)
    if isinstance(clusterer, str):
        if clusterer not in CLUSTERERS:
            raise InvalidParameterError(
                f"clusterer={clusterer!r} is unknown. Expected one of {', '.join(map(repr, CLUSTERERS))}, an estimator that "
                f"was fitted to the embedding of X, one label for each row, -1 for noise, or a clusterer of your own: a "
                f"Clustering, or a function (inputs, spec) -> Clustering."
            )
        check_clusterer_options(clusterer, options or {})
    elif not is_factory(clusterer) and options:
        raise InvalidParameterError(
            "clusterer_options belong to a clusterer that is asked for by name. Expected None with one that is already fitted."
        )


def _check_optimizer_options(parameters: Mapping[str, Any]) -> None:
    optimizer = parameters["optimizer"]
    for name, value in (parameters["optimizer_options"] or {}).items():
        if name in _CLIPPING:
            raise InvalidParameterError(
                f"optimizer_options has {name!r}: gradient clipping is refused. It has a kink at its threshold, and one "
                f"example that pushes the norm across it rescales the step of all others, so derivatives would not predict "
                f"retraining. Lower learning_rate, raise warmup, or raise adam_eps instead."
            )
        if name not in OPTIMIZER_DEFAULTS[optimizer]:
            known = ", ".join(OPTIMIZER_DEFAULTS[optimizer])
            raise InvalidParameterError(
                f"optimizer_options has {name!r}, which optimizer={optimizer!r} does not take. Its options: {known}."
            )
        if name == "schedule":
            if value not in SCHEDULES:
                raise InvalidParameterError(
                    f"optimizer_options['schedule']={value!r} is unknown. Expected one of {', '.join(map(repr, SCHEDULES))}."
                )
            continue
        shares = value if name == "betas" else (value,)
        numbers = isinstance(shares, (tuple, list)) and all(
            isinstance(share, Real) and 0 <= float(share) < 1 for share in shares
        )
        if not (numbers and len(shares) == (2 if name == "betas" else 1)):
            wanted = "two numbers" if name == "betas" else "a number"
            raise InvalidParameterError(f"optimizer_options[{name!r}]={value!r} must be {wanted} in [0, 1).")


def _plain(value: object) -> object:
    """Return a value as JSON and TOML can hold it; None for an object, whose place is beside the configuration."""
    if isinstance(value, Mapping):
        return {str(name): value_ if callable(value_) else _plain(value_) for name, value_ in value.items()}
    if isinstance(value, (tuple, list)) and all(isinstance(entry, (str, Real)) for entry in value):
        return tuple(_plain(entry) for entry in value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Real) and not isinstance(value, (bool, int, float)):
        return int(value) if isinstance(value, Integral) else float(value)
    return value if isinstance(value, (str, bool, int, float, type(None))) else None
