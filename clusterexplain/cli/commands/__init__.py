"""The verbs of the command line, one file for each group; heavy imports stand inside the verbs, so that ``--help`` is quick."""
