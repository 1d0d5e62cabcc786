"""The plan: which steps, in which order, from the files on disk."""
