"""What a batch does to everybody else who uses the database, as the copy has shown it.

Each rule is data and a pure function over what was measured; size and traffic in production make
its level.

- ``rule``, ``subject``: what a rule is, and what it judges
- ``reads``, ``statements``: why a table was read, and where that needs the text of the files
- ``rewrites``, ``validations``, ``indexes``, ``work``, ``data``, ``names``, ``clients``,
  ``replication``: the rules
- ``catalogue``: all of them
- ``levels``, ``verdict``: how grave it is, and what is said
"""

from pytest_housekeeping.checks.changes.levels import Thresholds
from pytest_housekeeping.checks.changes.subject import PlannedFile, Subject
from pytest_housekeeping.checks.changes.verdict import Production, changes_verdict

__all__ = ["PlannedFile", "Production", "Subject", "Thresholds", "changes_verdict"]
