"""A promotion undone: what is to be undone, and what has to hold before the COMMIT."""
