"""Runs of the throwaway server in a process of their own, to be killed, or run as somebody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

import pytest_housekeeping
from pytest_housekeeping.server import ServerSettings

# Where this very tool lies: the folder of the tests may hold another one.
_PLACE = str(Path(pytest_housekeeping.__file__).parents[1])

_START = """
import json, os, sys, time
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server import ServerSettings, start
settings = ServerSettings(**json.loads(sys.argv[1]))
try:
    server = start(settings)
    database = server.database()
except ServerError as error:
    print(json.dumps({"error": str(error)}), flush=True)
    sys.exit(4)
print(json.dumps({
    "conninfo": database.migrator_conninfo,
    "superuser": database.superuser_conninfo,
    "host": database.host,
    "name": database.name,
    "says": server.describe(),
    "shown": repr((settings, server, database)),
}), flush=True)
"""
# Imports first: the interpreter itself may lie where only root can read.
BECOME = """
import os, concurrent.futures.thread, platformdirs, psycopg, pytest_postgresql.janitor
import psycopg.conninfo, psycopg.errors, psycopg.sql, encodings.idna, platformdirs.unix
from pytest_housekeeping.server import postmaster
os.setgroups([]); os.setgid({gid}); os.setuid({uid})
"""
STOP = "server.stop()"
WAIT = "time.sleep(60)"


def settings_from_environment() -> ServerSettings:
    """``HK_TEST_SERVER``: 16 (the default), 18, or system."""
    wanted = os.environ.get("HK_TEST_SERVER", "16")
    if wanted == "system":
        return ServerSettings(kind="system")
    return ServerSettings(version=int(wanted))


def launch(
    script: str = WAIT,
    *,
    settings: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    before: str = "",
    prefix: tuple[str, ...] = (),
    **options: Any,
) -> subprocess.Popen[str]:
    """A process that starts a server, prints what it is as JSON, and goes on with `script`."""
    code = "\n".join((before, _START, script))
    return subprocess.Popen(
        [*prefix, sys.executable, "-P", "-c", code, json.dumps(dict(settings or {}))],
        env={**os.environ, "PYTHONPATH": _PLACE, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def first_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    said: dict[str, Any] = json.loads(line)
    return said


def run(script: str = STOP, **options: Any) -> dict[str, Any]:
    """What `launch` printed, after the process has ended; `stderr` and `status` beside it."""
    process = launch(script, **options)
    out, err = process.communicate(timeout=60)
    assert out, err
    said: dict[str, Any] = json.loads(out.splitlines()[0])
    return said | {"stderr": err, "status": process.returncode, "rest": out.splitlines()[1:]}


def folder(said: Mapping[str, Any]) -> Path:
    """The run folder of a server; its socket lies in the data folder."""
    return Path(said["host"]).parent


def serving(path: Path) -> bool:
    """Whether a process runs on a data folder in `path`, by its command line."""
    return any(os.fsencode(path) in command for command in running_commands())


def gone(path: Path, within_s: float = 5.0) -> bool:
    """Whether the run folder and its processes are gone, or will be within a moment."""
    deadline = time.monotonic() + within_s
    while path.exists() or serving(path):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def asks(conninfo: str, query: str) -> Any:
    """The first column of the first row."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
        return row[0] if row else None


def running_commands() -> list[bytes]:
    """The command lines of all processes here; a slim Linux has no ps, and macOS no /proc."""
    if not Path("/proc/self").exists():
        every = ["ps", "-ww", "-e", "-o", "command="]
        return subprocess.run(every, capture_output=True, check=True).stdout.splitlines()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" "))
    return found
