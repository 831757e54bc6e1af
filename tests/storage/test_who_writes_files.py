"""Only `clusterexplain/storage` writes files, read from the syntax trees of the package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import clusterexplain

PACKAGE = Path(clusterexplain.__file__).parent
EXCEPTIONS: dict[str, str] = {}
"""Files outside of storage that may write, relative to the package, with the reason."""

WRITERS = {
    "write_text", "write_bytes", "touch", "mkstemp", "NamedTemporaryFile", "tofile", "symlink_to", "hardlink_to",
    "save_file", "copy", "copy2", "copyfile", "copytree", "move",
}  # fmt: skip
"""Always write a file, whatever they are called with; `copy` and `move` on :mod:`shutil` only."""
STREAM_FIRST = {"to_parquet", "to_csv", "to_feather", "to_pickle", "to_excel", "to_html", "to_json", "savetxt"}
"""Write to their first argument; without one, or with a stream in memory, they write no file."""
DUMPS = {
    "np": ("save", "savez", "savez_compressed"),
    "numpy": ("save", "savez", "savez_compressed"),
    "torch": ("save",),
}
LAST_DUMPS = {"json": ("dump",), "pickle": ("dump",), "yaml": ("dump",)}


def name_of(function: ast.expr) -> tuple[str, str]:
    """Return (module or object, name) of a called function."""
    if isinstance(function, ast.Attribute):
        owner = function.value.id if isinstance(function.value, ast.Name) else ""
        return owner, function.attr
    return "", function.id if isinstance(function, ast.Name) else ""


def in_memory(tree: ast.AST) -> set[str]:
    """Return the names that hold streams in memory."""
    streams = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        if name_of(node.value.func)[1] in ("BytesIO", "StringIO"):
            streams |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return streams


def mode_of(call: ast.Call) -> str:
    """Return the mode of an `open`: its second argument, or the first of a method."""
    given = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    positional = (
        call.args[1:2] if isinstance(call.func, ast.Name) or name_of(call.func)[0] in ("os", "io") else call.args[:1]
    )
    modes = [
        node.value for node in (*given, *positional) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return modes[0] if modes else ""


def writes(call: ast.Call, streams: set[str]) -> bool:
    """Whether a call writes a file."""
    owner, name = name_of(call.func)
    first = call.args[0] if call.args else None
    to_stream = isinstance(first, ast.Name) and first.id in streams
    if name in ("open", "fdopen") and owner != "webbrowser":
        return owner == "os" or bool(set("wax+") & set(mode_of(call)))
    if name in ("copy", "copy2", "copyfile", "copytree", "move"):
        return owner == "shutil"
    if name in WRITERS:
        return True
    if name in STREAM_FIRST:
        paths = {keyword.arg for keyword in call.keywords} & {"path", "path_or_buf", "buf", "fname", "excel_writer"}
        return (first is not None and not to_stream) or bool(paths)
    if name in LAST_DUMPS.get(owner, ()):
        return True
    return name in DUMPS.get(owner, ()) and not to_stream


def writing_lines(source: str) -> Iterator[int]:
    tree = ast.parse(source)
    streams = in_memory(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and writes(node, streams):
            yield node.lineno


def test_only_storage_writes_files() -> None:
    writers = {
        f"{file.relative_to(PACKAGE).as_posix()}:{line}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if file.parent.name != "storage" and file.relative_to(PACKAGE).as_posix() not in EXCEPTIONS
        for line in writing_lines(file.read_text(encoding="utf-8"))
    }
    assert not writers, (
        "These lines write a file. Call storage.atomic.write_output for a path that the user chose, write_in_run inside of a "
        f"run: {sorted(writers)}"
    )


def test_every_exception_is_needed() -> None:
    for name, reason in EXCEPTIONS.items():
        assert list(writing_lines((PACKAGE / name).read_text(encoding="utf-8")))
        assert reason


@pytest.mark.parametrize(
    "line",
    [
        "open('x', 'w')",
        "open('x', mode='ab')",
        "path.open('x')",
        "path.open('r+')",
        "path.write_text('x')",
        "frame.to_csv('x')",
        "frame.to_csv(path_or_buf=path)",
        "frame.to_parquet(path)",
        "np.save(path, array)",
        "np.savez_compressed(path, a=array)",
        "torch.save(state, path)",
        "json.dump(value, file)",
        "shutil.copy2(a, b)",
        "os.open('x', flags)",
    ],
)
def test_writing_is_noticed(line: str) -> None:
    assert list(writing_lines(line))


@pytest.mark.parametrize(
    "line",
    [
        "open('x')",
        "path.open('rb')",
        "webbrowser.open(page)",
        "frame.to_csv(index=False)",
        "frame.to_html(index=False)",
        "s = io.BytesIO(); frame.to_parquet(s)",
        "s = io.BytesIO(); np.savez(s, a=array)",
        "frame.copy()",
        "explainer.save(path)",
    ],
)
def test_reading_and_streams_in_memory_are_none(line: str) -> None:
    assert not list(writing_lines(line))
