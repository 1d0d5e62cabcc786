"""The record of runs: the journal of one that runs, the audit of one that ended, and git.

What is imported here is light. What reads or writes audits imports pydantic, and is imported from
its own module where it is needed.
"""

from pytest_housekeeping.evidence.git.compare import Differences
from pytest_housekeeping.evidence.git.objects import BRANCHES
from pytest_housekeeping.evidence.git.repository import Repository, open_repository
from pytest_housekeeping.evidence.run_facts import (
    RunFacts,
    SourceFacts,
    StartFacts,
    stem,
    utc_stamp,
)
from pytest_housekeeping.evidence.secrets import Secrets

__all__ = [
    "BRANCHES",
    "Differences",
    "Repository",
    "RunFacts",
    "Secrets",
    "SourceFacts",
    "StartFacts",
    "open_repository",
    "stem",
    "utc_stamp",
]
