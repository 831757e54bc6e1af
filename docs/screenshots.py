"""Make the pictures of the documentation from a real run, with Debian's chromium. Run by ``make screenshots``."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from clusterexplain import ClusterExplainer, load_dataset

IMAGES = Path(__file__).parent / "images"
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SHOTS = (
    ("page-1280.png", 1280, 1010, "light"),
    ("page-1280-dark.png", 1280, 1010, "dark"),
    ("page-390.png", 390, 1200, "light"),
)


def main() -> None:
    """Fit, explain, check, write the page, and photograph it."""
    IMAGES.mkdir(exist_ok=True)
    ce = ClusterExplainer(n_clusters=10, random_state=0).fit(load_dataset("digits"))
    ce.stability(n_seeds=5, n_bootstrap=5)
    ce.map()  # UMAP, so that the card shows it too
    check = ce.verify(ce.explain([123, 900, 5]), n_single=24, n_within=24, n_groups=16)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = check.explanation.report(Path(folder) / "page.html", run="runs/demo-digits")
        card_file = Path(folder) / "card.html"
        card = check.explanation[[0]]._repr_mimebundle_()["text/html"]
        card_file.write_text(f"<!doctype html><meta charset=utf-8><body>{card}</body>", encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        for name, width, height, scheme in SHOTS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(page_file.as_uri())
            page.wait_for_selector("#strip svg")
            page.screenshot(path=IMAGES / name)
        page = browser.new_page(viewport={"width": 980, "height": 400})
        page.goto(card_file.as_uri())
        page.locator("body").screenshot(path=IMAGES / "card.png")
        browser.close()


if __name__ == "__main__":
    main()
