"""Boundaries between applications, judged in the database on every known route."""
