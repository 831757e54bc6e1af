"""A fit as a run directory: written, opened, and compared with what was written."""
