"""Files to a data set."""
