"""Bytes on disk: the run directory, what is written into it later, and caches."""
