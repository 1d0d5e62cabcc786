"""A PostgreSQL that listens on TCP and asks for a password, as the service container of CI does."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from pytest_housekeeping.server.embedded import find_embedded
from pytest_housekeeping.server.run_folder import storages
from pytest_housekeeping.server.server_state import IN_USE, ServerState, read_state

# Of the superuser of a server that is given to many tests.
PASSWORD = f"secret-{secrets.token_hex(8)}"
# Of one that is given to whole runs, as it is and as a URL and a page have it.
GIVEN_WORD = ("s3cret&word", "s3cret%26word", "s3cret&amp;word")


@dataclass(frozen=True, kw_only=True)
class Service:
    """A server that runs: its port, the programs it is from, and who it runs as, if not as we."""

    port: int
    folder: Path
    binaries: Path
    user: str | None


@contextmanager
def postgres_service(password: str, *, superuser: str = "postgres") -> Iterator[int]:
    """The port of a PostgreSQL 16 with the superuser `postgres`; gone afterwards, with its data."""
    with service(password, superuser=superuser) as found:
        yield found.port


@contextmanager
def service(
    password: str,
    *options: str,
    binaries: Path | None = None,
    superuser: str = "postgres",
    taken: Path | None = None,
    kept: Path | None = None,
) -> Iterator[Service]:
    """The same, with what a second server beside it needs, started with ``options``; of other
    ``binaries`` where given.

    Its data are a copy of those ``taken`` from an earlier one, and are ``kept`` at the end.
    """
    # PostgreSQL refuses to run as root, and another user may not reach root's site-packages: the
    # programs are those that the project itself would run, and the data lies where it would lay it.
    folder = Path(tempfile.mkdtemp(prefix="hk-service-", dir=next(storages())))
    folder.chmod(0o755)
    user = "nobody" if os.geteuid() == 0 else None
    try:
        binaries = binaries or find_embedded(16).folder
        if taken is None:
            data = _initialised(folder, binaries, password, user, superuser)
        else:
            data = _copied(taken, folder / "data")
        with serve(folder, binaries, user, data, *options) as found:
            yield found
        if kept is not None:
            _copied(data, kept)
    finally:
        shutil.rmtree(folder)


def state_of(url: str) -> ServerState:
    """What stands on a server, which nobody is at work on."""
    with psycopg.connect(url, autocommit=True) as connection:
        query = "SELECT datname FROM pg_database WHERE datname = %s"
        assert connection.execute(query, (IN_USE,)).fetchall() == []
        return read_state(connection)


@contextmanager
def left_as_found(url: str) -> Iterator[None]:
    """What is left on a server behind it fails the test."""
    before = state_of(url)
    yield
    assert state_of(url) == before


@contextmanager
def serve(
    folder: Path, binaries: Path, user: str | None, data: Path, *options: str
) -> Iterator[Service]:
    """A server on a data folder, on a port of its own."""
    port = free_port()
    server = subprocess.Popen(
        [
            binaries / "postgres",
            *("-D", data, "-p", str(port), "-k", "", "-c", "listen_addresses=127.0.0.1"),
            *("-c", "fsync=off", "-c", "shared_buffers=32MB"),
            *options,
        ],
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(server, binaries, port)
        yield Service(port=port, folder=folder, binaries=binaries, user=user)
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _initialised(
    folder: Path, binaries: Path, password: str, user: str | None, superuser: str
) -> Path:
    data, secret = folder / "data", folder / "password"
    data.mkdir(mode=0o700)
    secret.write_text(password, encoding="utf-8")
    if user is not None:
        entry = pwd.getpwnam(user)
        for path in (data, secret):
            os.chown(path, entry.pw_uid, entry.pw_gid)
    subprocess.run(
        [
            *(binaries / "initdb", "-D", data, "-U", superuser, f"--pwfile={secret}"),
            *("-A", "scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
        ],
        user=user,
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return data


def _copied(data: Path, copy: Path) -> Path:
    """Those of a server that runs no more, with their owner."""
    subprocess.run(["cp", "-a", data, copy], check=True)
    return copy


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(server: subprocess.Popen[bytes], binaries: Path, port: int) -> None:
    ready = [str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
    deadline = time.monotonic() + 30
    while subprocess.run(ready, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the service did not come up (exit code {server.poll()})")
        time.sleep(0.05)
