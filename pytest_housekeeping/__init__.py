"""Promote a PostgreSQL schema as a pytest suite: prove, then commit."""

__version__ = "0.1.0"
