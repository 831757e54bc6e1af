"""Progress bars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

Item = TypeVar("Item")


def progress(items: Iterable[Item], *, label: str, total: int | None = None, show: bool = True) -> Iterable[Item]:
    """Iterate with a progress bar that appears after one second, and only on a terminal.

    Parameters
    ----------
    items : iterable
        What to iterate over.
    label : str
        Shown before the bar.
    total : int, optional
        Number of items when `items` has no length.
    show : bool, default=True
        False switches the bar off.

    Returns
    -------
    iterable
        The same items.
    """
    from tqdm import tqdm

    bar: Iterable[Item] = tqdm(items, desc=label, total=total, delay=1.0, leave=False, disable=None if show else True)
    return bar
