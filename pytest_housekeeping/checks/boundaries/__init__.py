"""Boundaries between applications, judged in the database on every route that is known."""
