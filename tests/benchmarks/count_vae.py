"""What the embedding of counts keeps of the types of cells, beside principal components of their logarithms.

Run: ``python -m tests.benchmarks.count_vae [--cells 2000] [--genes 500] [--seeds 3]``. One Markdown row for each likelihood and
start. Columns: share of the 15 nearest neighbours in the embedding that are of the same type, and the adjusted Rand index of
k-means with the types; each is the mean over the seeds.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from clusterexplain import ClusterExplainer
from clusterexplain.models.count_vae import LIKELIHOODS
from tests.benchmarks.starts import counts_of_types, log_counts, rand_index

N_NEIGHBOURS, LATENT_DIM = 15, 10


def same_type(Z: np.ndarray, types: np.ndarray) -> float:
    """Return the share of the nearest neighbours of each row, without itself, that are of its type."""
    near = NearestNeighbors(n_neighbors=N_NEIGHBOURS).fit(Z).kneighbors(return_distance=False)
    return float((types[near] == types[:, None]).mean())


def row(name: str, start: str, embeddings: list[np.ndarray], types: np.ndarray) -> str:
    """Return a row of the table."""
    shares = [same_type(Z, types) for Z in embeddings]
    indices = [rand_index(Z, types) for Z in embeddings]
    return f"| {name} | {start} | {np.mean(shares):.3f} | {np.mean(indices):.2f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--genes", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    X, types = counts_of_types(asked.cells, asked.genes)
    logs, _ = log_counts(asked.cells, asked.genes)
    print("| model | start | neighbours of the same type | Rand index |\n|---|---|---|---|")
    print(row(f"PCA({LATENT_DIM}) of log counts", "", [PCA(LATENT_DIM, random_state=0).fit_transform(logs)], types))
    for likelihood in LIKELIHOODS:
        for start in ("random", "pca"):
            found = []
            for seed in range(asked.seeds):
                ce = ClusterExplainer(
                    "count_vae", n_clusters=8, latent_dim=LATENT_DIM, start=start, random_state=seed,
                    model_options={"likelihood": likelihood},
                )  # fmt: skip
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found.append(ce.fit(X).embedding_)
            print(row(likelihood, start, found, types), flush=True)


if __name__ == "__main__":
    main()
