"""Code that runs already, on the schema that a batch makes: what the batch breaks of it."""

from pytest_housekeeping.checks.running.committed_code import (
    RunningApp,
    RunningCommit,
    running_code,
)
from pytest_housekeeping.checks.running.state import SchemaState, read_state
from pytest_housekeeping.checks.running.verdict import running_verdict

__all__ = [
    "RunningApp",
    "RunningCommit",
    "SchemaState",
    "read_state",
    "running_code",
    "running_verdict",
]
