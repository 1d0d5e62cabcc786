"""libpq without the environment: none of its variables reaches a connection of ours.

libpq takes whatever a connection string leaves out from variables such as PGHOSTADDR, PGOPTIONS,
PGSERVICE or PGCLIENTENCODING (https://www.postgresql.org/docs/16/libpq-envars.html). They would
lead a run elsewhere than its audit says, or give its texts another meaning. Their names are PG and
capital letters, with one exception; those that name a target (PGHOST_PROD …) have an underscore.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_housekeeping.child_environment import without

_VARIABLE = re.compile(r"PG[A-Z0-9]+|PGCONNECT_TIMEOUT")


def libpq_variables() -> tuple[str, ...]:
    """The variables of the environment that libpq would read, sorted."""
    return tuple(sorted(name for name in os.environ if _VARIABLE.fullmatch(name)))


@contextmanager
def without_libpq_variables() -> Iterator[None]:
    """They are gone while a connection is made; one thread at a time, and put back afterwards.

    libpq reads the environment of the process, so it has to be taken out of there.
    """
    with without(_VARIABLE.fullmatch):
        yield
