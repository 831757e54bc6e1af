"""How the rows of a data set are shown: thumbnails of images, snippets of texts, the most telling columns of a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clusterexplain.data import Dataset
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.report.samples.preview import LONGEST_NAME, Renderer, SamplePreview, preview_of
from clusterexplain.report.samples.thumbnails import thumbnail
from clusterexplain.results.text.names import snippet

SHOWN_COLUMNS = 3
"""Columns of a table row that are named."""
PROFILE_COLUMNS, LEAST_PROFILE = 5, 0.25
"""Columns that say what a cluster is, and by how many standard deviations they must differ from the whole."""


@dataclass(frozen=True)
class Difference:
    """One column in which a table row differs: its name, the row's value, the reference's, and the mean of its cluster."""

    name: str
    value: float
    reference: float
    cluster_mean: float


@dataclass(frozen=True, eq=False)
class SamplePreviewer:
    """How the rows of a data set are shown.

    Parameters
    ----------
    data : Dataset
        The rows.
    render : Renderer or None
        The user's own way.
    """

    data: Dataset
    render: Renderer | None = None

    @classmethod
    def of(cls, data: Dataset, render: Renderer | None = None) -> SamplePreviewer:
        """Choose how the rows of a data set are shown; the user's own way comes first.

        Parameters
        ----------
        data : Dataset
            The rows.
        render : Renderer, optional
            The user's own way.

        Returns
        -------
        SamplePreviewer
            Ready to show.

        Raises
        ------
        InvalidParameterError
            If `render` cannot be called.
        """
        if render is not None and not callable(render):
            raise InvalidParameterError(
                f"render={render!r:.80} cannot be called. Expected a function render(row, position) that returns text or an "
                f"image."
            )
        return cls(data, render)

    @property
    def kind(self) -> str:
        """Say "own" (the user's function), "image", "text" or "table"."""
        if self.render is not None:
            return "own"
        return "image" if self.data.image_shape is not None else "text" if self.data.text is not None else "table"

    @property
    def is_table(self) -> bool:
        """Whether rows are told apart by their columns, beside what else is shown of them."""
        return self.kind == "table" or (self.kind == "text" and self.data.feature_names is not None)

    def preview(self, row: np.ndarray, position: int) -> SamplePreview:
        """Return what a row looks like.

        Parameters
        ----------
        row : ndarray of shape (n_features,)
            The row as the user gave it.
        position : int
            Its number in the training data; -1 for a new row.

        Returns
        -------
        SamplePreview
            Empty for a row of a table, and for a new row of which only the numbers are known.

        Raises
        ------
        InvalidParameterError
            If the user's function returns what cannot be shown.
        """
        if self.render is not None:
            try:
                return preview_of(self.render(np.array(row), int(position)), int(position))
            except Exception as error:
                error.add_note(f"This happened while render was asked how to show row {position} (-1: a new row).")
                raise
        text = snippet(self._texts[position]) if self._texts and position >= 0 else ""
        if self.data.image_shape is None:
            return SamplePreview(text=text)
        low, high = self._range
        levels = (255 * np.clip((row - low) / max(high - low, np.finfo(float).tiny), 0, 1)).astype(np.uint8)
        pixels = levels.reshape(self.data.image_shape)
        if pixels.ndim == 3 and pixels.shape[2] > 2:
            return SamplePreview(text=text, image=thumbnail(pixels[:, :, :3]))  # colours as they are
        return SamplePreview(text=text, image=thumbnail(255 - (pixels if pixels.ndim == 2 else pixels[:, :, 0])))

    def differences(self, row: np.ndarray, reference: np.ndarray, cluster_mean: np.ndarray) -> list[Difference]:
        """Return the columns in which a table row differs most from another, in standard deviations of the column.

        Parameters
        ----------
        row, reference, cluster_mean : ndarray of shape (n_features,)
            The row, what it is told apart from, and the mean of the row's cluster.

        Returns
        -------
        list of Difference
            The `SHOWN_COLUMNS` largest, largest first.
        """
        distance = np.abs(row - reference) / np.where(self._spread > 0, self._spread, 1)
        telling = np.argsort(-distance, kind="stable")[:SHOWN_COLUMNS]
        return [
            Difference(self._names[column], float(row[column]), float(reference[column]), float(cluster_mean[column]))
            for column in telling.tolist()
        ]

    def profile(self, cluster_mean: np.ndarray, mean: np.ndarray) -> list[tuple[str, float]]:
        """Return the columns in which a cluster differs most from the whole.

        Parameters
        ----------
        cluster_mean, mean : ndarray of shape (n_features,)
            Mean of the cluster's members, and of all training examples.

        Returns
        -------
        list of (name, size)
            At most ``PROFILE_COLUMNS``, largest first: cluster's mean minus the other in standard deviations of the column;
            none below ``LEAST_PROFILE``.
        """
        size = (cluster_mean - mean) / np.where(self._spread > 0, self._spread, np.inf)
        largest = np.argsort(-np.abs(size), kind="stable")[:PROFILE_COLUMNS].tolist()
        return [(self._names[column], float(size[column])) for column in largest if abs(size[column]) >= LEAST_PROFILE]

    @cached_property
    def _names(self) -> list[str]:
        """What the columns are called, short enough to be shown."""
        width = self.data.X.shape[1]
        return [
            snippet(name, LONGEST_NAME) for name in self.data.feature_names or map("column {}".format, range(width))
        ]

    @cached_property
    def _range(self) -> tuple[float, float]:
        return float(self.data.X.min()), float(self.data.X.max())

    @cached_property
    def _spread(self) -> np.ndarray:
        return np.asarray(self.data.X.std(axis=0))

    @cached_property
    def _texts(self) -> list[str]:
        """The rows as text, empty where there is none; no entry at all if the data have no texts."""
        if self.data.text is None or self.data.metadata is None:
            return []
        column = self.data.metadata[self.data.text]
        return ["" if missing else str(text) for text, missing in zip(column.tolist(), column.isna(), strict=True)]
