"""How well the exact influence predicts retraining on digits with default settings, by the protocol of the method page.

Run: ``python tests/benchmarks/faithfulness.py [seed ...]``. 8 queries: 4 random, 4 among the tenth of the samples with the
smallest margin. 48 random single removals, 48 random 5 % groups, 48 down-weightings by 5 %.
"""

from __future__ import annotations

import sys

import numpy as np

from clusterexplain import Check, ClusterExplainer, load_dataset

QUERIES = 4


def faithfulness(seed: int) -> Check:
    """Fit, explain 8 queries and check them."""
    data = load_dataset("digits")
    explainer = ClusterExplainer(n_clusters=10, random_state=seed).fit(data)
    membership = np.sort(explainer.membership(data), axis=1)
    boundary = np.argsort(membership[:, -1] / membership[:, -2])[: len(data) // 10]
    rng = np.random.default_rng(seed)
    near = rng.choice(boundary, QUERIES, replace=False)
    random = rng.choice(np.setdiff1d(np.arange(len(data)), near), QUERIES, replace=False)
    explanation = explainer.explain(np.concatenate([random, near]))
    return explainer.verify(explanation, n_down=48, n_top=0)


if __name__ == "__main__":
    for argument in sys.argv[1:] or ["0"]:
        print(f"seed {argument}\n{faithfulness(int(argument))}", flush=True)
