"""How work is dealt out: threads and progress bars, knowing nothing of what is computed."""
