"""The command line: one command per verb; parses, calls, prints."""
