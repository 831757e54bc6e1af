"""The fragility study: why retraining seems to contradict influence, and what remains when every step is controlled."""
