"""The record of runs: the journal of one that runs, the audit of one that ended, and git.

What is imported here is light. What reads or writes audits imports pydantic, and is imported from
its own module where it is needed:

- ``audit``: make the audit of a run; ``audit_model``: its fields; ``audit_file``: its JSON file
- ``chain``: digests, and why an audit that was edited or taken away is noticed
- ``own_plan``: whether an audit fits its own plan; ``signatures``: who signed a commit of evidence
- ``journal``: line by line while a run lives; ``leftovers``, ``recovery``: what a killed run left
- ``git_branch``: how evidence is committed, and why nothing is lost; ``git_objects``: its reader
- ``report``: an audit told to people, as HTML, in the terminal, on GitHub, after an incident
"""

from pytest_housekeeping.evidence.git import Repository, open_repository
from pytest_housekeeping.evidence.git_compare import Differences
from pytest_housekeeping.evidence.git_objects import BRANCHES, FETCH
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
    "FETCH",
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
