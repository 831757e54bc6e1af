"""Pages of every kind, made once for all tests of a session, and a browser without a network to open them in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs

from clusterexplain import ClusterExplainer, Dataset, load_dataset
from tests.report.browser import (
    WIDE,
    Opened,
    Opener,
)
from tests.report.pages import EVIL, RUN, Made, fitted, rows

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Open a browser for the tests of one file: Playwright keeps an event loop running, which other tests must not find."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        pytest.skip(f"no Chromium is installed (none of {', '.join(names)} is on the path)")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def opens(browser: Any) -> Iterator[Opener]:
    """Open pages with the network blocked; what is not the file itself, errors, warnings and dialogs are logged."""
    contexts = []

    def opened(
        path: Path, *, hash_: str = "", width: int = WIDE, settle: bool = True, script: str = "", **options: Any
    ) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": 900}, accept_downloads=True, **options)
        contexts.append(context)
        address = Path(path).resolve().as_uri()
        context.route("**/*", lambda route: route.continue_() if is_file(route.request, address) else route.abort())
        context.set_offline(True)
        if script:
            context.add_init_script(script)
        seen = Opened(context.new_page())
        watch(seen, address)
        seen.page.goto(address + hash_)
        if settle:
            seen.settle()
        return seen

    yield opened
    for context in contexts:
        context.close()


def is_file(request: Any, address: str) -> bool:
    return bool(request.url.split("#")[0] == address)


def watch(seen: Opened, address: str) -> None:
    """Log all requests but the first, dialogs, errors and warnings."""
    asked: list[str] = []

    def note_request(request: Any) -> None:
        if request.url.startswith("data:"):
            return
        asked.append(request.url)
        if len(asked) > 1 or not is_file(request, address):
            seen.log.append(f"request: {request.url[:200]}")

    def note_dialog(dialog: Any) -> None:
        seen.log.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def note_words(message: Any) -> None:
        if message.type in ("error", "warning"):
            seen.log.append(f"{message.type}: {message.text[:300]}")

    seen.page.on("request", note_request)
    seen.page.on("dialog", note_dialog)
    seen.page.on("console", note_words)
    seen.page.on("pageerror", lambda error: seen.log.append(f"page error: {str(error)[:300]}"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="session")
def sheet(folder: Path) -> Made:
    """Write the page of a table with metadata, checked, with its stability measured: it has every panel."""
    metadata = pd.DataFrame({"lab": [f"lab {i % 3}" for i in range(60)], "day": [i % 2 for i in range(60)]})
    data = Dataset(
        rows(), ids=[f"r{i}" for i in range(60)], feature_names=["mass", "length", "age", "temp", "load"],
        metadata=metadata,
    )  # fmt: skip
    ce = fitted(data)
    ce.name_clusters({0: "heavy ones"})
    ce.stability(n_seeds=2, n_bootstrap=2)
    ce.save(folder / "run")
    e = ce.verify(ce.explain(["r3", "r10", "r25", "r40"]), n_single=12, n_within=6, n_groups=12).explanation
    return Made(ce, e, e.report(folder / "sheet.html", run=RUN))


@pytest.fixture(scope="session")
def digits(folder: Path) -> Made:
    ce = ClusterExplainer(n_clusters=10, n_steps=100, random_state=0).fit(load_dataset("digits"))
    ce.fit_.annotations.map_coordinates = np.ascontiguousarray(ce.embedding_[:, :2])
    ce.stability(n_seeds=2, n_bootstrap=2)
    e = ce.verify(ce.explain([3, 100]), n_single=24, n_within=0, n_groups=0).explanation
    return Made(ce, e, e.report(folder / "digits.html", run="runs/digits"))


@pytest.fixture(scope="session")
def hostile(folder: Path) -> Made:
    n = 3 * len(EVIL)
    metadata = pd.DataFrame(
        {
            **{name: [f"{EVIL[(i + k) % 8]}" for i in range(n)] for k, name in enumerate((EVIL[0], EVIL[1], EVIL[4]))},
            "words": [f"{EVIL[i % len(EVIL)]} number {i}" for i in range(n)],
        },
        dtype=object,
    )
    ids = [*EVIL, *(f"{one}"[:200] + str(i) for i in range(2) for one in EVIL)]
    ce = fitted(Dataset(rows(n), ids=ids, feature_names=EVIL[:5], metadata=metadata))
    ce.name_clusters({0: EVIL[0] + EVIL[1], 1: EVIL[2]})
    e = ce.explain([*EVIL[:8], "=1+1", "%", "#sample=1", EVIL[-1]])
    return Made(ce, e, e.report(folder / "hostile.html", run="runs/`$(touch x)` 'it'"))


@pytest.fixture(scope="session")
def gallery(folder: Path) -> dict[str, Made]:
    """One page of every other kind, none with metadata."""
    X = make_blobs(120, n_features=5, centers=4, cluster_std=1.0, random_state=0)[0]
    X[-6:] *= np.linspace(2, 4, 6)[:, None]
    means, mixture, two = fitted(X), fitted(X, clusterer="gmm"), fitted(X, n_clusters=2)
    density = fitted(X, clusterer="hdbscan", clusterer_options={"min_cluster_size": 8})
    noise = [int(one) for one in np.flatnonzero(density.labels_ == -1)[:1]]
    asked = {
        "k-means": (means, means.explain([3, 50])),
        "gmm": (mixture, mixture.explain([3])),
        "hdbscan": (density, density.explain([3])),
        "noise": (density, density.explain(noise)),
        "whole cluster of hdbscan": (density, density.explain_cluster(0).cohesion),
        "cohesion": (means, means.explain_cluster(0).cohesion),
        "between": (means, means.separation(0, 1)),
        "new rows": (means, means.explain(X[:2] + 0.5)),
        "two clusters": (two, two.explain([0])),
    }
    assert noise
    return {name: Made(ce, e, e.report(folder / f"{name.replace(' ', '-')}.html")) for name, (ce, e) in asked.items()}
