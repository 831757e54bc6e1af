"""How the package is built, in figures: from its syntax trees, and from one `why` under a profile hook.

``python tests/benchmarks/house.py [FOLDER]`` prints one table; FOLDER is the root of a checkout, this one by default. The
figures are means and not ends: where one pushes towards worse code, the code wins.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "clusterexplain"
LARGE, LARGEST = 300, 350
"""Lines of code from which on a file is counted."""
PROFILE = """
import sys, warnings
warnings.simplefilter("ignore")
import numpy as np
from sklearn.datasets import load_digits
import clusterexplain
from clusterexplain import ClusterExplainer

ce = ClusterExplainer(n_clusters=10, n_steps=20, random_state=0).fit(load_digits().data[:200])
ce.explain([3])
root = clusterexplain.__path__[0] + "/"
numerical = "optimizer recipe tracing stage phase compiled_steps layout unrolled"
loop = tuple(f"/{name}.py" for name in numerical.split())
pairs, seen, embedded = set(), set(), []

def room(file):
    return file[len(root):].split("/")[0].removesuffix(".py")

def hook(frame, event, arg):
    if event != "call" or not frame.f_code.co_filename.startswith(root):
        return
    file, caller = frame.f_code.co_filename, frame.f_back
    if frame.f_code.co_name == "embed" and "inputs" in frame.f_locals and "params" in frame.f_locals:
        rows = frame.f_locals["inputs"]
        if file.endswith(("autoencoder.py",)) and len(rows) == 1 and not "vmap" in str(type(rows)):
            embedded.append(caller.f_code.co_name if caller else "")
    if file.endswith(loop):
        return
    seen.add((file, frame.f_code.co_qualname))
    while caller is not None and not caller.f_code.co_filename.startswith(root):
        caller = caller.f_back
    if caller is not None and not caller.f_code.co_filename.endswith(loop) and room(caller.f_code.co_filename) != room(file):
        pairs.add((room(caller.f_code.co_filename), room(file)))

sys.setprofile(hook)
e = ce.explain([5])
e.to_dict(), repr(e)
sys.setprofile(None)
print(len({file for file, _ in seen}), len(seen), len(pairs), len([one for one in embedded if "<lambda>" not in one]))
"""


def modules(root: Path) -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    found = {}
    for file in sorted((root / PACKAGE).rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(name: str, tree: ast.Module, known: dict[str, Path]) -> Iterator[tuple[str, bool]]:
    """Yield ``(module, whether at module level)`` for every module of the package that a module imports at run time."""
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Import, ast.ImportFrom)) or _for_types_only(node, tree):
            continue
        names = [entry.name for entry in node.names]
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{entry.name}" for entry in node.names]
        for full in names:
            target = full if full in known else full.rpartition(".")[0]
            if target in known and target != name:
                yield target, node in tree.body


def _for_types_only(node: ast.AST, tree: ast.Module) -> bool:
    blocks = [one for one in ast.walk(tree) if isinstance(one, ast.If) and "TYPE_CHECKING" in ast.unparse(one.test)]
    return any(node in ast.walk(block) for block in blocks)


def code_lines(tree: ast.Module, text: str) -> int:
    """Count lines that hold code: no docstrings, no comments, no blank lines."""
    strings: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            strings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(text.splitlines(), start=1)
    return sum(bool(line.strip()) and not line.strip().startswith("#") and n not in strings for n, line in lines)


def longest_chain(graph: dict[str, set[str]]) -> int:
    """Return the number of files in the longest chain of imports; a cycle counts as it is entered."""
    lengths: dict[str, int] = {}

    def length(module: str, above: frozenset[str]) -> int:
        if module not in lengths:
            below = [length(other, above | {module}) for other in graph[module] - above - {module}]
            lengths[module] = 1 + max(below, default=0)
        return lengths[module]

    return max(length(module, frozenset()) for module in graph)


def cycles(graph: dict[str, set[str]]) -> int:
    """Count groups of files that import each other in a circle."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        todo = list(graph[start])
        while todo:
            other = todo.pop()
            if other not in seen:
                seen.add(other)
                todo += graph[other]
        reach[start] = seen
    return len({frozenset(o for o in reach[m] if m in reach[o]) for m in graph if m in reach[m]})


def only_forwards(function: ast.FunctionDef) -> bool:
    """Whether a function does nothing but call another one with what it was given."""
    body = [node for node in function.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    if len(body) != 1 or not isinstance(body[0], (ast.Return, ast.Expr)) or not isinstance(body[0].value, ast.Call):
        return False
    call = body[0].value
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    return all(isinstance(value, (ast.Name, ast.Attribute, ast.Starred)) for value in values) and not any(
        isinstance(value, ast.Call) for node in values for value in ast.walk(node)
    )


def typed_any(tree: ast.Module) -> int:
    """Count parameters and returns that are annotated as Any alone."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    notes = [
        note
        for function in functions
        for note in (
            function.returns,
            *(entry.annotation for entry in (*function.args.args, *function.args.kwonlyargs)),
        )
    ]
    return sum(isinstance(note, ast.Name) and note.id == "Any" for note in notes)


def upward(root: Path, graph: dict[str, set[str]]) -> int:
    """Count imports between rooms that the layers of pyproject.toml do not allow, those it excuses left out."""
    with (root / "pyproject.toml").open("rb") as file:
        contract = tomllib.load(file)["tool"]["importlinter"]["contracts"][0]
    excused = {tuple(line.split(" -> ")) for line in contract.get("ignore_imports", [])}
    floor = {room.strip(): n for n, layer in enumerate(contract["layers"]) for room in layer.split("|")}
    count = 0
    for module, others in graph.items():
        for other in others:
            if (module, other) in excused or PACKAGE in (module, other):
                continue
            above, below = (floor.get(name.split(".")[1]) for name in (module, other))
            same = module.split(".")[1] == other.split(".")[1]
            count += above is not None and below is not None and not same and above >= below
    return count


def table(root: Path) -> list[tuple[str, str]]:
    """Return the figures by name."""
    known = modules(root)
    texts = {name: file.read_text(encoding="utf-8") for name, file in known.items()}
    trees = {name: ast.parse(text) for name, text in texts.items()}
    graph = {name: {other for other, _ in imports(name, tree, known)} for name, tree in trees.items()}
    at_import = {
        name: {other for other, top in imports(name, tree, known) if top and known[other].name != "__init__.py"}
        for name, tree in trees.items()
    }
    sizes = {name: code_lines(tree, texts[name]) for name, tree in trees.items()}
    rooms: dict[str, int] = defaultdict(int)
    for name, size in sizes.items():
        if name != PACKAGE:
            rooms[name.split(".")[1]] += size
    folders: dict[Path, int] = defaultdict(int)
    for file in known.values():
        folders[file.parent] += file.name != "__init__.py"
    largest = sorted(sizes.values(), reverse=True)
    room, folder = max(rooms, key=lambda one: rooms[one]), max(folders, key=lambda one: folders[one])
    forwarding = [
        node
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and only_forwards(node)
    ]
    profiled = subprocess.run([sys.executable, "-c", PROFILE], cwd=root, capture_output=True, text=True, check=True)
    files, functions, pairs, embedded = profiled.stdout.split()[-4:]
    return [
        ("import cycles between files", str(cycles(at_import))),
        ("imports against the layers", str(upward(root, graph))),
        ("rooms", str(len(rooms))),
        ("largest room, lines of code", f"{rooms[room]:,} ({room})"),
        ("most files in one folder", f"{folders[folder]} ({folder.relative_to(root / PACKAGE)})"),
        ("longest chain of file imports", str(longest_chain(at_import))),
        (
            f"files over {LARGEST} lines of code, over {LARGE}",
            f"{sum(n > LARGEST for n in largest)}, {sum(n > LARGE for n in largest)}",
        ),
        ("largest files", ", ".join(map(str, largest[:6]))),
        ("one answer, numerical loop left out: files, functions", f"{files}, {functions}"),
        ("one answer: pairs of rooms", pairs),
        ("one answer: queries embedded", embedded),
        ("functions that only forward", str(len(forwarding))),
        ("parameters and returns typed Any", str(sum(map(typed_any, trees.values())))),
        ("lines of code", f"{sum(sizes.values()):,}"),
    ]


def main() -> None:
    """Print the table."""
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    print("| figure | value |\n|---|---|")
    for name, value in table(root):
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
