"""A unit test needs no PostgreSQL: one that starts a server, or connects to one, fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pytest

from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.server import Server
from support.evidence_repository import new_repository

_PROGRAMS = {"createdb", "initdb", "pg_ctl", "pg_dump", "pg_restore", "postgres", "psql"}
_watching = False


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the length of the test; tests of the other folders may run in the same process."""
    monkeypatch.setattr(sys.modules[__name__], "_watching", True)
    monkeypatch.setattr(psycopg, "connect", _refuse)
    monkeypatch.setattr(psycopg.Connection, "connect", _refuse)
    monkeypatch.setattr(Server, "__init__", _refuse)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """A repository that has no evidence yet."""
    with new_repository(tmp_path / "p") as made:
        yield made


def _refuse(*_: object, **__: object) -> NoReturn:
    pytest.fail("tests that need PostgreSQL stand in tests/database or tests/runs")


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen" and _watching:
        program = Path(os.fsdecode(arguments[0])).name
        if program in _PROGRAMS:
            _refuse()


# An audit hook cannot be taken away, and sees what is started however it is started.
sys.addaudithook(_watch)
