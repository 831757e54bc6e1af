"""Scores of word vectors: what is asked of them."""
