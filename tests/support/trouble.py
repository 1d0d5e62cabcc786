"""A pytest plugin that brings trouble from the n-th time on that its process writes to a disk.

Loaded with ``-p support.trouble``. HK_TEST_TROUBLE is ``<what>:<n>``: the name of an error that
every write meets from then on, ``closed`` for a terminal that nobody reads any more, or the name of
a signal that is sent once. HK_TEST_WRITES names a file for what was written, one write a line.
"""

from __future__ import annotations

import errno
import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_HERE = (str(Path.cwd()), os.environ["TMPDIR"])
_WHAT, _, _AT = os.environ["HK_TEST_TROUBLE"].partition(":")
_LIST = os.open(os.environ["HK_TEST_WRITES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_real_write, _real_sync = os.write, os.fsync
_numbers = itertools.count(1)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    # https://docs.python.org/3/library/audit_events.html
    if event == "open":
        path, _, flags = arguments
        if isinstance(path, str | bytes) and isinstance(flags, int) and flags & _WRITING:
            _meet(f"open {os.fsdecode(path)}", os.fsdecode(path))
    elif event in ("os.mkdir", "os.rename"):
        _meet(f"{event} {os.fsdecode(arguments[0])}", os.fsdecode(arguments[0]))


def _meet(what: str, path: str) -> None:
    if not str(Path(path).absolute()).startswith(_HERE):
        return
    number = next(_numbers)
    _real_write(_LIST, f"{number} {what}\n".encode())
    if _WHAT.startswith("E") and number >= int(_AT):
        kind = getattr(errno, _WHAT)
        raise OSError(kind, os.strerror(kind), path)
    if number == int(_AT):
        if _WHAT == "closed":
            reader, writer = os.pipe()
            os.close(reader)
            os.dup2(writer, 1)
        elif _WHAT.startswith("SIG"):
            _change_the_schema()
            os.kill(os.getpid(), getattr(signal, _WHAT))


def _change_the_schema() -> None:
    """As somebody else does in the same moment, where HK_TEST_MEANWHILE says how to log in."""
    if conninfo := os.environ.get("HK_TEST_MEANWHILE"):
        import psycopg

        with psycopg.connect(conninfo) as connection:
            connection.execute("ALTER TABLE desk.ticket ADD COLUMN meanwhile int")


def _watched(real: Callable[..., Any], name: str) -> Callable[..., Any]:
    def write(descriptor: int, *data: bytes) -> Any:
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if descriptor != _LIST and path.startswith("/"):
            _meet(f"{name} {path}", path)
        return real(descriptor, *data)

    return write


os.write = _watched(_real_write, "write")
os.fsync = _watched(_real_sync, "fsync")
sys.addaudithook(_note)
