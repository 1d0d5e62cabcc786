"""Policy expressions: read, and rewritten with the values of what depends on the context alone."""
