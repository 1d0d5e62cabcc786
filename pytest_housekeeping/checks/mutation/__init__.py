"""Mutants: a slip planted in this very schema, and whether a check catches it."""
