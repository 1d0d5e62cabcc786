"""Run the texts of a backup in a database: a schema many objects at a time, the rest with psql."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pytest_housekeeping.child_environment import bare_environment
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.postgres.connection import Connection, LentConnection, connect
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.copies.lanes import MADE_WITH, stretches
from pytest_housekeeping.snapshot.copies.refusal import object_at, remedy
from pytest_housekeeping.snapshot.copies.server import WHY
from pytest_housekeeping.snapshot.dumps.programs import find_pg_dump
from pytest_housekeeping.snapshot.problems import BackupNotProved, RestoreRefused

_TIMEOUT_S = 900.0
# An error in the script; psql that lost its connection, or fails by itself, ends otherwise:
# https://www.postgresql.org/docs/16/app-psql.html (Exit Status)
_REFUSED = 3
_NO_ROOM = ("No space left on device", "out of memory", "out of shared memory")
# pg_dump writes a comment above each object.
_OBJECT = re.compile(rb"^(?=--\n-- (?:Data for )?Name: )", re.MULTILINE)
_DATA = b"--\n-- Data for Name: "
_COPY = re.compile(rb"^(COPY [^\n]+ FROM stdin);\n((?:.*\n)?)\\\.\n", re.MULTILINE | re.DOTALL)
# Objects in one message. Each message is a transaction: https://www.postgresql.org/docs/16/
# protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT; all of a schema would run out of locks.
_TOGETHER = 50


def run_schema(database: StagingDatabase, conninfo: str, text: bytes, server_major: int) -> None:
    """The text of a schema as pg_dump has written it, in half the time that psql takes, and of a
    large one in two sessions.

    What psql has to say of a statement it says itself: the objects of a message that was refused,
    and all that are left then, are given to it. Raises as ``run_script`` does.
    """
    settings, *objects = _OBJECT.split(text)
    left = _run_together(conninfo, settings, objects)
    if left or not objects:
        rest = b"".join([settings, *_rest(objects, left)])
        run_script(database, conninfo, rest, "schema", server_major)


def _run_together(conninfo: str, settings: bytes, objects: Sequence[bytes]) -> frozenset[int]:
    """The places of the objects that are left when one was refused; none where all are restored."""
    done: set[int] = set()
    made_with: dict[bytes, bytes] = {}
    with suppress(psycopg.Error, ServerError), ExitStack() as ends:
        first = ends.enter_context(_session(conninfo, settings))
        second: LentConnection | None = None
        worker = ends.enter_context(ThreadPoolExecutor(max_workers=1))
        for stretch in stretches(objects):
            mine, *others = stretch.lanes
            beside = None
            if others:
                if second is None:
                    second = ends.enter_context(_session(conninfo, settings))
                    worker.submit(second.admit).result()
                second.execute(b"".join(made_with.values()))
                beside = worker.submit(_run_lane, second, objects, others[0], done)
            try:
                _run_lane(first, objects, mine, done)
            finally:
                wait([beside] if beside else [])
            if beside is not None:
                beside.result()
            made_with |= _made_with(objects[place] for place in mine)
    return frozenset(range(len(objects))) - done


@contextmanager
def _session(conninfo: str, settings: bytes) -> Iterator[LentConnection]:
    with connect(conninfo) as connection:
        connection.execute(settings)
        connection.execute(f"SET statement_timeout = '{_TIMEOUT_S:.0f}s'".encode())
        yield connection


def _run_lane(
    connection: Connection, objects: Sequence[bytes], places: Iterable[int], done: set[int]
) -> None:
    for group in _groups(objects, places):
        texts = [objects[place] for place in group]
        copied = _COPY.search(texts[0])
        if copied is None:
            connection.execute(b"".join(texts))
        elif copied[2]:
            with connection.cursor().copy(copied[1]) as copy:
                copy.write(copied[2])
        done.update(group)


def _rest(objects: Sequence[bytes], left: Collection[int]) -> Iterator[bytes]:
    """What is left, each with what the objects before it have chosen for it."""
    chosen: dict[bytes, bytes] = {}
    for place, text in enumerate(objects):
        if place in left:
            yield from chosen.values()
            yield text
            chosen = {}
        else:
            chosen |= _made_with([text])


def _made_with(objects: Iterable[bytes]) -> dict[bytes, bytes]:
    return {match[1]: match[0] + b"\n" for text in objects for match in MADE_WITH.finditer(text)}


def _groups(objects: Sequence[bytes], places: Iterable[int]) -> Iterator[list[int]]:
    """What goes in one message: rows by themselves, and of the rest so many objects at a time."""
    group: list[int] = []
    for place in places:
        is_data = objects[place].startswith(_DATA)
        if group and (is_data or len(group) == _TOGETHER):
            yield group
            group = []
        group.append(place)
        if is_data:
            yield group
            group = []
    if group:
        yield group


def run_script(
    database: StagingDatabase, conninfo: str, text: bytes, what: str, server_major: int
) -> None:
    """With psql, statement by statement. Its password is in its environment and nowhere else.

    Raises RestoreRefused with the first statement that fails, BackupNotProved where this machine
    is in the way.
    """
    known = conninfo_to_dict(conninfo)
    password = str(known.pop("password", None) or "")
    psql = f"{database.cluster.programs or find_pg_dump(server_major).parent}/psql"
    try:
        done = subprocess.run(
            [
                *(psql, "-Xq", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", "-"),
                *("-d", make_conninfo("", **known)),
            ],
            input=b"SET client_min_messages = warning;\n" + text,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
            env=bare_environment()
            | {"PGCLIENTENCODING": "UTF8", "PGTZ": "UTC"}
            | ({"PGPASSWORD": password} if password else {}),
        )
    except subprocess.TimeoutExpired:
        raise BackupNotProved(
            f"the {what} of the backup could not be restored in {_TIMEOUT_S:.0f} s",
            why=WHY,
            fix="run again when this machine has less to do, or on a faster one",
        ) from None
    except OSError as error:
        raise BackupNotProved(
            f"the {what} of the backup could not be restored: {psql}: {error.strerror}",
            why=WHY,
            fix="reinstall the client programs of PostgreSQL, and run again",
        ) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").splitlines()
        place = object_at(text, said)
        said = [line for line in said if re.search("ERROR|FATAL|CONTEXT", line)] or said
        said = [re.sub(r"^psql:<stdin>:\d+: ", "", line) for line in said]
        found = f"the {what} of the backup did not restore: {place}{' / '.join(said[:3])}"
        if any(each in line for line in said for each in _NO_ROOM):
            raise BackupNotProved(found, why=WHY, fix="make room on this machine, and run again")
        if done.returncode != _REFUSED:
            raise BackupNotProved(found, why=WHY, fix="see the message of psql, and run again")
        raise RestoreRefused(found, why=WHY, fix=remedy(said))
