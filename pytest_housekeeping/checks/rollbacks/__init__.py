"""Rollback files: whether they undo their migration, and what they destroy."""

from pytest_housekeeping.checks.rollbacks.data_loss import table_of
from pytest_housekeeping.checks.rollbacks.round_trip import prove_round_trips
from pytest_housekeeping.checks.rollbacks.round_trip_input import AppliedRepeatable, RoundTripInput
from pytest_housekeeping.checks.rollbacks.round_trip_verdicts import unprovable_rollback

__all__ = [
    "AppliedRepeatable",
    "RoundTripInput",
    "prove_round_trips",
    "table_of",
    "unprovable_rollback",
]
