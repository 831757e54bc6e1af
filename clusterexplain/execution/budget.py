"""How much memory and disk each kind of work may take before it is cut into chunks.

The size of a chunk decides in which order numbers are added, so a change here changes results by round-off.
"""

from __future__ import annotations

BATCH_CACHE_BYTES = 256e6
"""Batches of all steps of a training (augmented inputs; word pairs): up to here they are kept, beyond they are drawn again
in every pass."""
RETRAINING_CHUNK_BYTES = 4e6
"""Optimizer states of the retrainings in one chunk: larger chunks leave the processor's cache, smaller ones wait for Python."""
REVERSE_PASS_BYTES = 256e6
"""Cotangents of one reverse pass through a training."""
COTANGENT_BLOCK_BYTES = 256e6
"""Embeddings and clustering states of the scores that are differentiated side by side."""
WORD_STATES_BYTES = 1e9
"""States of a recorded training of word vectors: beyond, some are computed again in the reverse pass."""
DISTANCE_CHUNK = 1 << 22
"""Distances (numbers, not bytes) that are held in memory at once while clusters and their boundaries are searched."""
DIFFERENCES_BLOCK = 1 << 17
"""Differences (numbers, not bytes) of rows and centroids that are squared and summed at once: they stay in the processor's
cache."""
RETRAINING_CACHE_BYTES = 2e9
"""Retrained parameters that a run directory keeps on disk: what is beyond is trained but not kept."""
DENSE_ROWS_BYTES = 2e9
"""What a sparse matrix may take as the dense one that is trained on."""
DENSIFIED_BLOCK_BYTES = 64e6
"""Rows of a sparse matrix that are made dense at a time."""
