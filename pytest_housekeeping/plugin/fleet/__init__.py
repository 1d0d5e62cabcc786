"""A fleet in pytest: an item for each database and wave, each a run of its own."""
