"""Boundaries between applications, judged in the database on every route that is known."""

from pytest_housekeeping.checks.boundaries.verdict import judge_boundary, verify_contract

__all__ = ["judge_boundary", "verify_contract"]
