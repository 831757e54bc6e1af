"""Write the generated parts of architecture.md: the tree from the first line of every module, and the contract.

``python docs/architecture.py`` writes them; a test compares.
"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"


def first_line(file: Path) -> str:
    """Return the first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n")[0]


def tree() -> str:
    """Return the package as a nested list: every room and module with what it holds."""
    package, lines = ROOT / "clusterexplain", []
    for folder in (package, *sorted(path.parent for path in package.rglob("__init__.py") if path.parent != package)):
        depth = len(folder.relative_to(package).parts)
        if depth:
            name = "/".join(folder.relative_to(package).parts)
            lines.append(f"\n**`{name}/`** {first_line(folder / '__init__.py')}\n")
        for file in sorted(folder.glob("*.py")):
            if not file.name.startswith("__"):
                lines.append(f"* `{file.name}` {first_line(file)}")
        for script in sorted(folder.glob("*.js")):
            lines.append(
                f"* `{script.name}` {script.read_text(encoding='utf-8').partition(chr(10))[0].removeprefix('// ')}"
            )
    return "\n".join(lines).strip()


def contract() -> str:
    """Return the layers, top to bottom, and the imports that are excused."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        first = tomllib.load(file)["tool"]["importlinter"]["contracts"][0]
    excused = "\n".join(f"* `{line}`" for line in first.get("ignore_imports", []))
    return (
        "```text\n"
        + "\n".join(first["layers"])
        + f"\n```\n\nExcused, each with its reason in `pyproject.toml`:\n\n{excused}"
    )


def written(text: str) -> str:
    """Return the page with its generated parts made anew."""
    for name, content in (("tree", tree()), ("contract", contract())):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        text = re.sub(f"{begin}.*?{end}", lambda _, c=content, b=begin, e=end: f"{b}\n{c}\n{e}", text, flags=re.S)
    return text


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
