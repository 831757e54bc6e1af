"""Bytes on disk: the run directory, what is written into it later, and caches."""

from clusterexplain.storage.sidecars import write_atomically

__all__ = ["write_atomically"]
