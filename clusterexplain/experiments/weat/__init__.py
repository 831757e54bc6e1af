"""Which speeches an association of words comes from: the WEAT experiment."""
