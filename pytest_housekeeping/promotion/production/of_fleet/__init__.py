"""A run on one database of a fleet: which there are, and what a run is handed of the others."""
