"""Files to a data set: one reader for each kind of file."""
