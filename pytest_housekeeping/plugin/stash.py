"""Where the parts of an active run find each other in pytest's stash."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_housekeeping.databases.databases import Databases, Lent
    from pytest_housekeeping.evidence.finished import Finished
    from pytest_housekeeping.plugin.ran_code import CodeWatch
    from pytest_housekeeping.promotion.engine import Promotion
    from pytest_housekeeping.promotion.recording.reports import Told

PROMOTION: pytest.StashKey[Promotion] = pytest.StashKey()
# What runs as Python, from before the first conftest.py on.
CODE_WATCH: pytest.StashKey[CodeWatch] = pytest.StashKey()
# Set when the run has come to an end of which there is an audit: the exit code that is due.
ENDED: pytest.StashKey[int] = pytest.StashKey()
# What the run, or its refusal, says of the project, where a machine wants to hear it.
TOLD: pytest.StashKey[Told] = pytest.StashKey()
# The same and how it ended, in one object.
FINISHED: pytest.StashKey[Finished] = pytest.StashKey()
# Set when pytest has come to its main loop, which says how the run has ended.
HEARD: pytest.StashKey[bool] = pytest.StashKey()
# Set when no path was given on the command line, and the configured folders are collected.
DEFAULT_PATHS: pytest.StashKey[bool] = pytest.StashKey()
# Set where nothing but the collection is made, for the runs that are forked behind it.
COLLECTS_AHEAD: pytest.StashKey[bool] = pytest.StashKey()
# The test databases of this process, once a test has asked for one.
DATABASES: pytest.StashKey[Databases] = pytest.StashKey()
# What a test, a module or a session has been lent, by the name of the database.
LENT: pytest.StashKey[dict[str, Lent]] = pytest.StashKey()
