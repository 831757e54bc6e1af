"""Put the tables of the fragility study into its page: ``python docs/fragility_tables.py reproduced/fragility``.

The page says what the tables show; this writes the figures between its markers, so that none is typed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd

PAGE = Path(__file__).with_name("fragility.md")
SWITCHED = ("from_criticised", "from_controlled", "digits", "models")
ENDS = {"criticised": "criticised", "controlled": "this package's"}


def interval(row: pd.Series, prefix: str = "") -> str:
    """Return a figure with its interval."""
    names = ("spearman", "low", "high") if not prefix else (prefix, f"{prefix}_low", f"{prefix}_high")
    mean, low, high = (row[name] for name in names)
    if pd.isna(mean):
        return "none"
    return f"{mean:.2f}" if pd.isna(low) else f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def replication(table: pd.DataFrame) -> str:
    """Return the main table."""
    rows = [
        [
            one["pattern"],
            str(one["depth"]),
            str(one["width"]),
            interval(one),
            "" if pd.isna(one["published"]) else f"{one['published']:.2f}",
            "" if pd.isna(one["absolute"]) else f"{one['absolute']:.2f}",
            "" if pd.isna(one["spread"]) else f"{one['spread']:.2f}",
            f"{one['double']:.2f}",
            f"{one['whole']:.2f}",
            f"{one['drift']:.2f}",
            f"{one['accuracy']:.2f}",
        ]
        for _, one in table.iterrows()
    ]
    header = ["networks", "hidden layers", "units", "this run", "published", "mean of absolute values"]
    return markdown([*header, "between restarts", "in float64", "all layers, damped", "drift", "accuracy"], rows)


def switches(table: pd.DataFrame) -> str:
    """Return a table of factors, one row for each change."""
    named = [name for name in ("model", "end", "depth", "width") if name in table]
    rows = []
    for _, one in table.iterrows():
        change = "nothing" if one["factor"] == "none" else f"{one['factor']}: {one['after']}"
        cells = [ENDS.get(str(one[name]), str(one[name])) for name in named]
        difference = "" if one["factor"] == "none" else interval(one, "difference")
        rows.append([*cells, change, interval(one), difference, f"{one['signs']:.0%}"])
    words = {"model": "model", "end": "procedure", "depth": "hidden layers", "width": "units"}
    return markdown([*(words[name] for name in named), "changed", "Spearman", "difference", "signs right"], rows)


def findings(text: str) -> str:
    """Return the findings out of the text of a study: the list before its notes."""
    return "\n".join(line for line in text.split("\nNotes\n")[0].splitlines() if line.startswith("* "))


def main() -> None:
    """Rewrite the page."""
    folder = Path(sys.argv[1])
    parts = {"findings": findings((folder / "README.txt").read_text())}
    for name, draw in (("replication", replication), *((name, switches) for name in SWITCHED)):
        file = folder / f"{name}.csv"
        parts[name] = draw(pd.read_csv(file, keep_default_na=False, na_values=[""])) if file.exists() else "Not run."
    text = PAGE.read_text()
    for name, part in parts.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(\n?<!-- end -->)", re.DOTALL)
        text = pattern.sub(lambda found, part=part: f"{found[1]}\n{part}\n\n<!-- end -->", text)
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
