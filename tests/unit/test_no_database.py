"""That unit tests need no PostgreSQL is no habit: what would need one fails."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import psycopg
import pytest

from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.server import ServerSettings, start


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: start(ServerSettings()),
        lambda: psycopg.connect("host=127.0.0.1"),
        lambda: connect("host=127.0.0.1"),
        lambda: subprocess.run(["/somewhere/bin/postgres", "--version"]),
        lambda: subprocess.Popen(["initdb"]),
    ],
    ids=["server", "psycopg", "connection", "postgres", "initdb"],
)
def test_what_would_need_a_server_fails(attempt: Callable[[], object]) -> None:
    with pytest.raises(pytest.fail.Exception, match="tests/database"):
        attempt()
