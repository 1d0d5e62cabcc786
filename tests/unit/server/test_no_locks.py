"""A file system without locks, as a network's may be: told at once with what to do, and nothing is
left. It was tried without end, with a new folder each time."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from pathlib import Path

import platformdirs
import pytest

from pytest_housekeeping import sandbox
from pytest_housekeeping.databases import run_file
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.promotion.fleet.work_folder import new_folder
from pytest_housekeeping.server.os_account import server_account
from pytest_housekeeping.server.run_folder import claim


def _refused(file: int, kind: int) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


@pytest.fixture(autouse=True)
def no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", _refused)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(run_file, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(platformdirs, "user_state_path", lambda _: tmp_path / "state")


def test_the_folder_of_a_server(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No locks available"):
        claim(tmp_path, server_account())
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_fleet(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No locks available"):
        new_folder()
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_a_run() -> None:
    with (
        pytest.raises(ServerError, match="No locks available") as told,
        run_file.RunFile("run").alone(),
    ):
        pass
    assert "set XDG_CACHE_HOME" in str(told.value)


def test_the_sandbox(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="No locks available") as told:
        sandbox.start(tmp_path)
    assert "set XDG_STATE_HOME" in str(told.value)
