"""Read a folder of images: one size, one mode, ids that are relative paths, class folders as metadata."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterexplain.data.dataset import Dataset
from clusterexplain.exceptions import InputWarning, InvalidDataError, MissingExtraError, warn

if TYPE_CHECKING:
    from PIL import Image

Folder = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""A folder, or files."""
PICTURES = (".png", ".jpg", ".jpeg")
MODES = ("L", "RGB")
"""Grey and colour; a picture with transparency is put on white first."""
LISTED_FILES = 10
"""Files that a message names."""
LARGEST_PICTURE = 100_000_000
"""Pixels of a picture that is decoded; one that says it has more is refused as broken."""


def read_images(
    folder: Folder,
    *,
    size: str | tuple[int, int] | None = None,
    mode: str | None = None,
    skip_bad: bool = False,
) -> Dataset:
    """Read PNG and JPEG pictures of a folder and of the folders in it.

    Parameters
    ----------
    folder : path-like or iterable of path-like
        The folder, or the files themselves.
    size : str or (width, height), optional
        What every picture is scaled to, for example "16x16" (width x height). By default all must have the same size.
    mode : {"L", "RGB"}, optional
        Grey or colour. By default colour, if one picture is in colour.
    skip_bad : bool, default=False
        Leave out what cannot be read, and list it, instead of stopping.

    Returns
    -------
    Dataset
        Pixels from 0 to 1, ``image_shape`` (height, width) or (height, width, 3). The ids are the paths relative to the
        folder, with slashes; the folders on the way become the metadata columns ``folder`` and ``subfolder``.

    Raises
    ------
    InvalidDataError
        If there is no picture, if one cannot be read, or if their sizes differ and no size is given.
    MissingExtraError
        If Pillow is not installed.
    """
    _require_pillow()
    wanted = None if size is None else _parsed_size(size)
    if mode is not None and mode not in MODES:
        raise InvalidDataError(f"mode={mode!r} is unknown. Expected 'L' (grey) or 'RGB' (colour).")
    names, files, others = _listed_files(folder)
    pictures, bad = _opened(files, wanted)
    _refuse_bad(
        {**others, **{names[place]: why for place, why in bad.items()}}, len(files) + len(others), skip_bad=skip_bad
    )
    kept = [name for name, picture in zip(names, pictures, strict=True) if picture is not None]
    found = [picture for picture in pictures if picture is not None]
    if not found:
        raise InvalidDataError(
            f"{_shown(folder)} holds no picture. Expected {', '.join(PICTURES)} files in it or in its folders."
        )
    _refuse_sizes(found, kept)
    shown = _common_mode(found) if mode is None else mode
    pixels = np.stack([_pixels(one, shown) for one in found])
    return Dataset(
        pixels.reshape(len(pixels), -1),
        ids=np.array(kept),
        image_shape=pixels.shape[1:],
        metadata=_folders(kept),
        pictures=True,
    )


def _require_pillow() -> None:
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            'Reading pictures needs Pillow, which is not installed. Expected the extra: pip install "clusterexplain[images]".'
        ) from error


def _parsed_size(size: str | tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) of "16x16" or of a pair."""
    if isinstance(size, str):
        found = re.fullmatch(r"\s*(\d+)\s*[xX\u00d7]\s*(\d+)\s*", size)
        sides: tuple[int, ...] = () if found is None else (int(found[1]), int(found[2]))
    else:
        sides = tuple(size)
    if len(sides) != 2 or not all(isinstance(one, (int, np.integer)) and one > 0 for one in sides):
        raise InvalidDataError(f"size={size!r} is no size. Expected width x height in pixels, for example 16x16.")
    return int(sides[0]), int(sides[1])


def _shown(folder: Folder) -> str:
    return str(folder) if isinstance(folder, (str, os.PathLike)) else "The list of files"


def _listed_files(folder: Folder) -> tuple[list[str], list[Path], dict[str, str]]:
    """Return names relative to the folder, the files, and what is there but no picture, with the reason."""
    if isinstance(folder, (str, os.PathLike)):
        root = Path(folder)
        if not root.is_dir():
            raise InvalidDataError(f"There is no folder {root}. Expected a folder of {', '.join(PICTURES)} files.")
        found = sorted(one for one in root.rglob("*") if one.is_file() and not _is_hidden(one.relative_to(root)))
    else:
        found = [Path(one) for one in folder]
        root = Path(os.path.commonpath([one.absolute().parent for one in found])) if found else Path()
        found = [one.absolute() for one in found]
    names = {one.relative_to(root).as_posix(): one for one in found}
    pictures = {name: one for name, one in names.items() if one.suffix.lower() in PICTURES}
    others = {name: "is no PNG or JPEG" for name in names if name not in pictures}
    return list(pictures), list(pictures.values()), others


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts) or path.name in ("Thumbs.db", "desktop.ini")


def _opened(files: list[Path], size: tuple[int, int] | None) -> tuple[list[Image.Image | None], dict[int, str]]:
    """Return every file as a picture of that size, None where it cannot be read, and the reasons by place."""
    pictures: list[Image.Image | None] = []
    bad = {}
    for place, file in enumerate(files):
        try:
            pictures.append(_read_picture(file, size))
        except (OSError, ValueError, SyntaxError, EOFError, MemoryError, OverflowError) as error:
            pictures.append(None)
            bad[place] = f"cannot be read ({str(error).replace(str(file), file.name) or type(error).__name__})"
    return pictures, bad


def _read_picture(file: Path, size: tuple[int, int] | None) -> Image.Image:
    """Decode one picture, upright, on white where it is transparent, scaled if a size is given."""
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(file, formats=("PNG", "JPEG")) as opened:
                if opened.width * opened.height > LARGEST_PICTURE:
                    raise ValueError(f"it has {opened.width} x {opened.height} pixels")
                opened.load()
                picture = ImageOps.exif_transpose(opened)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise ValueError(str(error)) from error
    picture = _plain_mode(picture)
    return picture if size is None or picture.size == size else picture.resize(size, Image.Resampling.BOX)


def _plain_mode(picture: Image.Image) -> Image.Image:
    """Return a picture in grey ("L") or colour ("RGB"), whatever its file has: 16 bits, a palette, ink, transparency."""
    from PIL import Image

    if picture.mode.startswith("I"):
        levels = np.asarray(picture, dtype=np.float64) / 257  # 16 bits: Pillow itself would cut them off at 255
        return Image.fromarray(np.rint(np.clip(levels, 0, 255)).astype(np.uint8))
    if picture.mode in ("1", "L"):
        return picture.convert("L")
    if "A" in picture.mode or "transparency" in picture.info:
        grey = picture.mode == "LA"
        layered = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, layered).convert("L" if grey else "RGB")
    return picture.convert("RGB")


def _common_mode(pictures: list[Image.Image]) -> str:
    """Return grey if all pictures are, else colour; say so if only some are in colour."""
    grey = sum(picture.mode == "L" for picture in pictures)
    if 0 < grey < len(pictures):
        warn(
            f"{grey} of {len(pictures)} pictures are grey and were taken as colour ones. Say which with --mode L or --mode RGB "
            f"(mode=).",
            InputWarning,
        )
    return "L" if grey == len(pictures) else "RGB"


def _pixels(picture: Image.Image, mode: str) -> np.ndarray:
    return np.asarray(picture if picture.mode == mode else picture.convert(mode), dtype=np.float64) / 255


def _refuse_bad(bad: dict[str, str], n_files: int, *, skip_bad: bool) -> None:
    """Stop with the list of what is no picture, or say that it is left out."""
    if not bad:
        return
    listed = "; ".join(f"{name} {why}" for name, why in list(bad.items())[:LISTED_FILES])
    more = f"; ... ({len(bad)} in all)" if len(bad) > LISTED_FILES else ""
    if skip_bad:
        warn(f"{len(bad)} of {n_files} files were left out: {listed}{more}.", InputWarning)
        return
    raise InvalidDataError(
        f"{len(bad)} file(s) cannot be used as pictures: {listed}{more}. Expected PNG and JPEG files only; mend or remove "
        f"them, or leave them out with --skip-bad (skip_bad=True)."
    )


def _refuse_sizes(pictures: list[Image.Image], names: list[str]) -> None:
    sizes = {picture.size: name for picture, name in zip(reversed(pictures), reversed(names), strict=True)}
    if len(sizes) > 1:
        listed = ", ".join(f"{size[0]}x{size[1]} ({name})" for size, name in list(sizes.items())[-5:][::-1])
        raise InvalidDataError(
            f"The pictures have {len(sizes)} different sizes: {listed}. Expected one; scale them all with --size, for example "
            f"--size 16x16 (size=(16, 16))."
        )


def _folders(names: list[str]) -> pd.DataFrame | None:
    """Return the folders that the files are in, as columns; None if all of them are in one."""
    parts = [name.split("/")[:-1] for name in names]
    deepest = max(len(one) for one in parts)
    if deepest == 0:
        return None
    table = {"folder": [one[0] if one else "" for one in parts]}
    if deepest > 1:
        table["subfolder"] = ["/".join(one[1:]) for one in parts]
    return pd.DataFrame(table)
