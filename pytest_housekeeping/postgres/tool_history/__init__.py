"""The history that another tool keeps in a database: what it has applied, in which order."""
