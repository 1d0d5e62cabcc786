"""What the code does against its contracts, with exemptions and baseline."""

from pytest_housekeeping.checks.code.verdict.app_code import AppCode, resolve_code
from pytest_housekeeping.checks.code.verdict.judge import baseline_instances, judge_code
from pytest_housekeeping.checks.code.verdict.tripwire import trip_code

__all__ = [
    "AppCode",
    "baseline_instances",
    "judge_code",
    "resolve_code",
    "trip_code",
]
