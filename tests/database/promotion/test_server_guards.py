"""What the configuration of the server opens for everybody is told, whoever has set it there."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pytest_housekeeping.model import Level
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.promotion.production.prechecks.server_guards import server_guards
from pytest_housekeeping.server import ServerSettings, start


@pytest.fixture(scope="module")
def conninfo() -> Iterator[str]:
    """A server of its own: its configuration is that of all its databases."""
    server = start(ServerSettings())
    try:
        yield server.database().superuser_conninfo
    finally:
        server.stop()


def told(conninfo: str) -> list[str]:
    with connect(conninfo) as connection:
        return [each.object for each in server_guards(connection, protects=True)]


def test_what_alter_system_opens_is_an_error(conninfo: str) -> None:
    assert told(conninfo) == []
    with connect(conninfo) as connection:
        connection.execute(b"ALTER SYSTEM SET lo_compat_privileges = on")
        connection.execute(b"SELECT pg_reload_conf()")
    until = time.monotonic() + 30
    while (found := told(conninfo)) == [] and time.monotonic() < until:
        time.sleep(0.02)
    assert found == ["lo_compat_privileges"]
    with connect(conninfo) as connection:
        (finding,) = server_guards(connection, protects=True)
        assert finding.level is Level.ERROR
        (finding,) = server_guards(connection, protects=False)
        assert finding.level is Level.WARNING
        # The printed repair, as it stands before the words for a person.
        for statement in finding.fix.split("; and ")[0].split("; "):
            connection.execute(statement.encode())
    until = time.monotonic() + 30
    while told(conninfo) and time.monotonic() < until:
        time.sleep(0.02)
    assert told(conninfo) == []


def test_what_a_role_or_a_session_has_set_is_told_elsewhere(conninfo: str) -> None:
    with connect(conninfo) as connection:
        connection.execute(b"SET lo_compat_privileges = on")
        assert server_guards(connection, protects=True) == ()
