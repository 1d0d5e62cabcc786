"""Mutants: a slip planted in this very schema, and whether a check catches it."""

from pytest_housekeeping.checks.mutation.checks import MutationInput
from pytest_housekeeping.checks.mutation.score import mutation_score

__all__ = ["MutationInput", "mutation_score"]
