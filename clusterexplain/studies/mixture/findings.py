"""What the tables of the experiment say, in sentences whose numbers come from the tables."""

from __future__ import annotations

import pandas as pd

NOTES: tuple[str, ...] = ()


def findings(tables: dict[str, pd.DataFrame], *, n_queries: int) -> tuple[str, ...]:
    """Return the sentences."""
    return ()
