"""Progress bars, and how a time is said."""

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


def duration(seconds: float) -> str:
    """Return a time as it is spoken of.

    Examples
    --------
    >>> duration(0.4), duration(42.3), duration(200.0), duration(9000.0)
    ('less than a second', '42 s', '3 min', '2.5 h')
    """
    if seconds < 1:
        return "less than a second"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
