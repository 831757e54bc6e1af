"""One HTML file that needs no network: libraries, data and our own script inside, and a policy that forbids all else."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from pathlib import Path
from string import Template

from clusterexplain._version import __version__
from clusterexplain.report.assets import asset
from clusterexplain.report.context import ReportContext
from clusterexplain.report.export import refuse_folder, write_file
from clusterexplain.report.payload.page_payload import payload
from clusterexplain.report.text import page_question
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.text.names import replace_unprintable

LIBRARIES = ("vega", "vega-lite", "vega-embed")
OWN = ("dom.js", "tables.js", "charts.js", "page.js")
SHOWN_IDS = 5


def write_page(
    explanation: Explanation,
    context: ReportContext,
    path: str | os.PathLike[str],
    *,
    run: str | None = None,
    task: str | None = None,
) -> Path:
    """Write the page about an explanation.

    Parameters
    ----------
    explanation : Explanation
        All its queries can be chosen on the page.
    context : ReportContext
        Its fit.
    path : path-like
        Where to write; the folder is made if it is missing.
    run : str, optional
        The run directory, for commands to copy.
    task : str, optional
        Where the run's own network is made, for commands to copy.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidParameterError
        If there is a folder where the file should be.
    ReportWriteError
        If the file cannot be written.
    """
    target = Path(path)
    refuse_folder(target)
    scripts = [*(_library(name) for name in LIBRARIES), _own()]
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    page = Template(asset("page.html")).substitute(
        title=html.escape(replace_unprintable(_title(explanation))),
        css=asset("page.css"),
        hashes=" ".join(f"'sha256-{digest}'" for digest in digests),
        text=html.escape(repr(explanation)),
        version=html.escape(__version__),
        data=safe_json(payload(explanation, context, run=run, task=task)),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )
    return write_file(target, page.encode("utf-8", errors="replace"))


def safe_json(value: object) -> str:
    """Return JSON in ASCII that cannot end the script element that holds it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _title(explanation: Explanation) -> str:
    named = ", ".join(str(sample)[:80] for sample in explanation.query_ids[:SHOWN_IDS])
    more = f" and {len(explanation) - SHOWN_IDS} more" if len(explanation) > SHOWN_IDS else ""
    if explanation.combined:
        return f"{page_question(explanation)}: {named}{more}"
    return f"{page_question(explanation)} {named}{more}"


def _library(name: str) -> str:
    """Return a vendored library after its licence, without the line that points a debugger to another file."""
    code = asset("vendor", f"{name}.min.js")
    lines = [line for line in code.splitlines() if not line.startswith("//# sourceMappingURL=")]
    licence = asset("vendor", f"LICENSE-{name}.txt").replace("*/", "* /")
    return f"/* {name}\n{licence}*/\n" + "\n".join(lines)


def _own() -> str:
    parts = "\n".join(asset(name) for name in OWN)
    return f'(() => {{\n"use strict";\n{parts}\n}})();'
