"""Options that several verbs share, and how an option is declared; only typer is imported here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from typer.models import OptionInfo

CLUSTERERS = ("kmeans", "spherical_kmeans", "soft_kmeans", "gmm", "hdbscan", "dec")
MODELS = ("precomputed", "pca", "autoencoder", "conv_autoencoder", "vae", "count_vae", "contrastive", "dec")
METHODS = ("auto", "unrolled", "further", "implicit", "gradient_dot", "gradient_cosine")
LEVELS = ("quick", "standard", "full")
ESTIMANDS = ("seed", "model", "recipe")
CHARTS = ("map", "influence", "waterfall", "groups", "distances", "clusters", "check", "stability")


def option(
    flag: str | None,
    text: str,
    *,
    short: str | None = None,
    value: str | None = None,
    least: int | None = None,
    choices: tuple[str, ...] = (),
) -> OptionInfo:
    """Declare an option of a verb.

    Parameters
    ----------
    flag : str or None
        Its name; None makes it of the parameter's name.
    text : str
        What it does, in sentences.
    short : str, optional
        A second name of one letter.
    value : str, optional
        How the help calls its value; by default N for a number with a least value, else the type.
    least : int, optional
        Least value of a number.
    choices : tuple of str, default=()
        Values that the shell completes. Others are not refused here: the library refuses them and says what it expected.

    Returns
    -------
    OptionInfo
        For ``Annotated``.
    """
    flags = [name for name in (flag, short) if name is not None]
    metavar = "N" if value is None and least is not None else value
    complete = _completion(choices) if choices else None
    declared: OptionInfo = typer.Option(*flags, help=text, metavar=metavar, min=least, autocompletion=complete)
    return declared


def _completion(choices: tuple[str, ...]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete


OWN_NETWORK = (
    "Use your own network: package.module:factory names a function that returns an EmbeddingTask. The function takes the data "
    "set or nothing. This option runs the Python code that you name."
)
FOUND_ANEW = (
    "Find given labels anew with package.module:function, a function (Z, sample_weight) -> labels or an estimator. This option "
    "runs the Python code that you name."
)
COMPARED = "Compare with this cluster: 'runner-up', a cluster number or name, or 'noise'."
INFLUENCE = f"Compute influence with this method: {', '.join(METHODS)}. 'auto' differentiates the recorded training."

Run = Annotated[Path | None, option("--run", "Read this run directory. The default is the newest run under ./runs.")]
SHOWN = "Show these columns of the metadata beside every example, and with 'text' the beginning of its text."
Samples = Annotated[
    list[str] | None, option("--sample", "Take the sample with this id. Repeat it for several samples.", value="ID")
]
Task = Annotated[str | None, option("--task", OWN_NETWORK, value="MODULE:FACTORY")]
Reclusterer = Annotated[str | None, option("--reclusterer", FOUND_ANEW, value="MODULE:FUNCTION")]
Against = Annotated[str, option("--against", COMPARED, value="CLUSTER", choices=("runner-up", "noise"))]
Method = Annotated[str, option("--method", INFLUENCE, value="METHOD", choices=METHODS)]
MethodOptions = Annotated[
    list[str] | None,
    option("--method-option", "Set an option of the method. Repeat it for several options.", value="NAME=VALUE"),
]
Seeds = Annotated[int, option("--seeds", "Average the influence over N training seeds.", least=1)]
Show = Annotated[str | None, option("--show", SHOWN, value="COLUMN,COLUMN")]
Top = Annotated[int, option("--top", "Show N examples on each side.", least=1)]
Verify = Annotated[
    bool, option("--verify", "Check the answer by retraining without examples; it takes about a minute.")
]
Json = Annotated[bool, option("--json", "Print the answer as JSON.")]
Quiet = Annotated[bool, option("--quiet", "Hide progress bars and remarks.", short="-q")]
Overwrite = Annotated[bool, option("--overwrite", "Replace an existing run.")]
