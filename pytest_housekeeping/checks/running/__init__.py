"""Code that runs already, on the schema that a batch makes: what the batch breaks of it.

- ``committed_code``: the code of a commit, read out of git
- ``answers``: a question to the server, and what it says
- ``statements``: from what the readers found to what is asked
- ``ask``, ``plan_output``: asked of a schema, statement by statement; nothing is run
- ``named``: what is looked up by name
- ``body_text``, ``bodies``: statements in the bodies of functions
- ``state``: all answers of one schema
- ``compare``, ``compare_bodies``: the answers of before and after
- ``coverage``, ``verdict``: what is said of them, and how much was judged
"""

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
