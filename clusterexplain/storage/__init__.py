"""Bytes on disk: the run directory, what is written into it later, and caches."""

from clusterexplain.storage.atomic import write_in_run, write_output
from clusterexplain.storage.cache import ArrayCache

__all__ = ["ArrayCache", "write_in_run", "write_output"]
