"""Figures that were published with the study that is reproduced: signed Spearman correlations, means over 50 restarts.

Computed from the arrays in the authors' repository (github.com/jrepifano/xai_is_fragile, commit fd7e213 of November 2021,
before publication, so that figures of the article may differ). The plots there show means of absolute correlations.

References
----------
J. R. Epifano, R. P. Ramachandran, A. J. Masino, G. Rasool. Revisiting the fragility of influence functions. Neural
Networks 162, 581-588, 2023.
"""

from __future__ import annotations

DEPTHS = (1, 2, 3, 5, 8)
WIDTHS = (8, 14, 20, 30, 40, 50)

BY_DEPTH: dict[str, dict[int, float]] = {
    "SELU, weight decay": {1: 0.66, 2: 0.40, 3: 0.45, 5: 0.48, 8: 0.40},
    "SELU, no weight decay": {1: 0.10, 2: 0.06, 3: 0.06, 5: 0.02, 8: 0.18},
    "SELU, weight decay, last layer retrained": {1: 0.48, 2: 0.37, 3: 0.47, 5: 0.48, 8: 0.51},
    "tanh, weight decay": {1: 0.36, 2: 0.20, 3: 0.15, 5: 0.04, 8: 0.00},
}
BY_WIDTH: dict[str, dict[int, float]] = {
    "SELU, weight decay": {8: 0.38, 14: 0.04, 20: 0.20, 30: 0.11, 40: 0.14, 50: -0.03},
}
ABSOLUTE_WITHOUT_DECAY = {1: 0.22, 2: 0.21, 3: 0.19, 5: 0.19, 8: 0.25}
"""Means of the absolute correlations without weight decay, which were plotted."""
CHANCE_OF_ABSOLUTE = 0.163
"""Mean absolute Spearman correlation of two random orders of 25."""
