"""Terms that every surface uses, and what they mean."""

from __future__ import annotations

GLOSSARY = (
    (
        "margin",
        "How firmly a sample sits in its cluster rather than in the cluster that it is compared with. Positive is inside, 0 is "
        "the boundary, negative is the other cluster's side.",
    ),
    (
        "influence",
        "The derivative of the margin in the weight of one training example, through training, embedding and clustering; "
        "batches and cluster labels are held fixed. Positive: the example pulled the sample in. Negative: it pushed the "
        "sample away.",
    ),
    (
        "if removed",
        "The predicted change of the margin if that one training example were removed and everything trained again with the "
        "same randomness: minus its influence. Negative: the example holds the sample in. The percentage is of the margin.",
    ),
    (
        "runner-up",
        "The cluster with the second-best score for a sample. Its margin compares its own cluster with the runner-up, unless "
        "another cluster was asked for.",
    ),
    (
        "noise",
        "A sample that the clusterer left in no cluster. Its margin says how far it is outside of the cluster that it would "
        "join first; 0 is where it would join.",
    ),
    (
        "stability",
        "How often the sample kept its cluster when everything was refitted with other seeds and on other draws of the data. "
        "It says nothing about which examples matter.",
    ),
    (
        "checked",
        "The model was trained again without some examples, and the changes of the margin were compared with the predicted "
        "ones. The verdict names the randomness. An answer that is not checked is a prediction.",
    ),
    (
        "labels kept, clustering continued",
        "After retraining, a check keeps the old cluster labels, which tests the derivative, or continues the clustering from "
        "the old clusters, so that samples can change sides.",
    ),
    (
        "near-duplicates",
        "Rows that are almost the same. Near-duplicates with different labels, or label conflicts, lie on both sides of a "
        "boundary.",
    ),
)
"""Terms and what they mean, each in at most 45 words."""
