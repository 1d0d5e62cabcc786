"""The PostgreSQL that is installed on this machine, for tests that need one no wheel holds."""

from __future__ import annotations

import pytest

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import Programs
from pytest_housekeeping.server.system import find_system


def installed_server() -> Programs:
    """Its programs; where there is none, the test is skipped."""
    try:
        return find_system()
    except ServerError as error:
        pytest.skip(f"no PostgreSQL is installed on this machine: {error.found}")
