"""HDBSCAN: its run, its condensed tree, and its state as a differentiable function."""
