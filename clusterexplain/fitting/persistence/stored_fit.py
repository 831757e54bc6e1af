"""What a run directory holds, read into types and not yet put together; what cannot be read is damage."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clusterexplain.data import Dataset, load_dataset
from clusterexplain.data.bookkeeping import index_column
from clusterexplain.data.containers.foreign import is_anndata
from clusterexplain.data.containers.frames import as_frame
from clusterexplain.data.scaling import Scaling
from clusterexplain.exceptions import ClusterExplainError, RunDamagedError, RunMismatchError
from clusterexplain.execution import Execution
from clusterexplain.fitting.config import Config
from clusterexplain.results.smoothness import Smoothness
from clusterexplain.storage import run_directory
from clusterexplain.storage.run_files import METADATA
from clusterexplain.training.further_training import FurtherTraining

if TYPE_CHECKING:
    from clusterexplain.data.dataset import Rows


@dataclasses.dataclass(frozen=True, eq=False)
class StoredFit:
    """The content of a run, read into types; what cannot be read is damage."""

    content: run_directory.RunContent
    where: str
    config: Config
    execution: Execution
    scaling: Scaling
    seed: int
    further: FurtherTraining | None
    smoothness: Smoothness | None

    @classmethod
    def of(cls, content: run_directory.RunContent, where: str) -> StoredFit:
        """Read the content of a run into types."""
        manifest = content.manifest
        try:
            return cls(
                content,
                where,
                Config.from_dict(manifest["config"]),
                Execution(**manifest["execution"]),
                Scaling(content.arrays["center"], content.arrays["spread"]),
                int(manifest["seed"]),
                None if manifest["further"] is None else FurtherTraining(**manifest["further"]),
                None if manifest["smoothness"] is None else Smoothness(**manifest["smoothness"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunDamagedError(
                f"The run {where} is damaged: {type(error).__name__} {error} while reading its content. Restore it or fit anew."
            ) from error


@contextlib.contextmanager
def as_damage(where: str) -> Iterator[None]:
    """Say of content that cannot be used that the run is damaged."""
    try:
        yield
    except ClusterExplainError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError, RuntimeError, ArithmeticError) as error:
        raise RunDamagedError(
            f"The run {where} is damaged: {type(error).__name__} {error} while it was opened. Restore it or fit anew."
        ) from error


def stored_data(content: run_directory.RunContent) -> Dataset:
    """Return the training data of a run: from the catalogue if they have a name there, else from the run."""
    described = content.manifest["data"]
    if described["name"] is not None:
        named = load_dataset(described["name"])
        metadata = content.tables.get(METADATA, named.metadata)
        return dataclasses.replace(named, metadata=metadata, text=described.get("text"))
    shape, use_rep = described["image_shape"], described.get("use_rep")
    return Dataset(
        content.arrays["X"],
        ids=content.arrays["ids"],
        feature_names=described["feature_names"],
        image_shape=None if shape is None else tuple(shape),
        metadata=content.tables.get(METADATA, None),
        text=described.get("text"),
        use_rep=use_rep if isinstance(use_rep, str) else None,
        pictures=described.get("pictures") is True,
        targets=content.arrays.get("targets"),
    )


def given_data(data: Rows, manifest: dict[str, Any]) -> Dataset:
    """Read the training data of a run again: of a frame, the columns that were trained on."""
    if is_anndata(data):
        return Dataset.of(data, use_rep=manifest["data"].get("use_rep"))
    frame, names = as_frame(data), manifest["data"]["feature_names"]
    if frame is None or names is None or not set(names) <= set(frame.columns):
        return Dataset.of(data)
    return Dataset.of(
        frame, metadata=[name for name in frame.columns if name not in names and name != index_column(frame)]
    )


def as_image(data: Dataset, manifest: dict[str, Any], where: str) -> Dataset:
    """Give plain rows the image shape of the run, which decides about augmentations; refuse another one."""
    stored = manifest["data"]["image_shape"]
    if data.image_shape is None and stored is not None:
        return dataclasses.replace(data, image_shape=tuple(stored))
    if data.image_shape is not None and list(data.image_shape) != stored:
        raise RunMismatchError(
            f"The run {where} was made with image_shape={stored}, but the data have {list(data.image_shape)}. Expected "
            f"the same."
        )
    return data
