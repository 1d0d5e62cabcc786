"""What the programs that a run starts see of its environment: never the way into a database, nor to
another repository.

Every program is started with one of these environments; a test reads the source for what is not.
The environment of the run itself stays as it is: project's tests and conftests run in the same
process, could find the password there in any case, and may have reasons of their own to look.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# libpq's variables, those that name a target (PGPASSWORD_PROD …), and URLs of given servers.
_TO_A_DATABASE = ("PG", "HK_STAGING_URL", "HK_TEST_URL", "HK_TWIN")
# Those of a target whose name stands before (PREPROD_PGHOST).
_OF_A_TARGET = re.compile(r"_PG[A-Z]+$")
# What a hook of git, or a shell, says of a repository; this one is where its folder is:
# https://git-scm.com/docs/git-rev-parse#Documentation/git-rev-parse.txt---local-env-vars
_TO_A_REPOSITORY = frozenset(
    f"GIT_{name}"
    for name in (
        *("ALTERNATE_OBJECT_DIRECTORIES", "COMMON_DIR", "DIR", "INDEX_FILE", "NAMESPACE"),
        *("OBJECT_DIRECTORY", "PREFIX", "REPLACE_REF_BASE", "SHALLOW_FILE", "WORK_TREE"),
    )
)
_BARE = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_TURN = threading.RLock()


def usual_environment() -> dict[str, str]:
    """The user's, as git and Python need it, without what leads elsewhere."""
    return {name: value for name, value in os.environ.items() if not _leads_there(name)}


def bare_environment() -> dict[str, str]:
    """For PostgreSQL's programs: nothing that changes what they do."""
    kept = {name: os.environ[name] for name in _BARE if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


@contextmanager
def without_ways_elsewhere() -> Iterator[None]:
    """For what starts programs or reads the environment by itself: that of the process is the usual
    one. No connection is made meanwhile by another thread."""
    with without(_leads_there):
        yield


@contextmanager
def without(is_meant: Callable[[str], object]) -> Iterator[None]:
    """Variables are gone from the process's environment, by their names, and put back afterwards;
    for one thread at a time."""
    with _TURN:
        taken = {name: os.environ.pop(name) for name in list(os.environ) if is_meant(name)}
        try:
            yield
        finally:
            os.environ.update(taken)


def _leads_there(name: str) -> bool:
    to_a_database = name.startswith(_TO_A_DATABASE) or bool(_OF_A_TARGET.search(name))
    return to_a_database or name in _TO_A_REPOSITORY
