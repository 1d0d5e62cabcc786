"""What a batch does to everybody else who uses the database, as the copy has shown it.

Each rule is data and a pure function over what was measured; size and traffic in production make
its level.
"""

from pytest_housekeeping.checks.changes.levels import Thresholds
from pytest_housekeeping.checks.changes.subject import PlannedFile, Subject
from pytest_housekeeping.checks.changes.verdict import Production, changes_verdict

__all__ = ["PlannedFile", "Production", "Subject", "Thresholds", "changes_verdict"]
