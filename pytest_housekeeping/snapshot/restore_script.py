"""Run the texts of a backup in a database: a schema many objects at a time, the rest with psql."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pytest_housekeeping.child_environment import bare_environment
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.problems import BackupNotProved, RestoreRefused
from pytest_housekeeping.snapshot.programs import find_pg_dump
from pytest_housekeeping.snapshot.restore_refusal import object_at, remedy
from pytest_housekeeping.snapshot.restore_server import WHY

_TIMEOUT_S = 900.0
# An error in the script; psql that lost its connection, or fails by itself, ends otherwise:
# https://www.postgresql.org/docs/16/app-psql.html (Exit Status)
_REFUSED = 3
_NO_ROOM = ("No space left on device", "out of memory", "out of shared memory")
# pg_dump writes a comment above each object.
_OBJECT = re.compile(rb"^(?=--\n-- (?:Data for )?Name: )", re.MULTILINE)
_DATA = b"--\n-- Data for Name: "
_COPY = re.compile(rb"^(COPY [^\n]+ FROM stdin);\n((?:.*\n)?)\\\.\n", re.MULTILINE | re.DOTALL)
_CHANGED = re.compile(
    rb"^SET (default_tablespace|default_table_access_method) = .*;$", re.MULTILINE
)
# Objects in one message. Each message is a transaction: https://www.postgresql.org/docs/16/
# protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT; all of a schema would run out of locks.
_TOGETHER = 50


def run_schema(database: StagingDatabase, conninfo: str, text: bytes, server_major: int) -> None:
    """The text of a schema as pg_dump has written it, in half the time that psql takes.

    What psql has to say of a statement it says itself: the objects of a message that was refused,
    and all behind them, are given to it. Raises as ``run_script`` does.
    """
    settings, *objects = _OBJECT.split(text)
    done = _run_together(conninfo, settings, objects)
    if done < len(objects) or not objects:
        chosen = {match[1]: match[0] for match in _CHANGED.finditer(b"".join(objects[:done]))}
        rest = [settings, *(line + b"\n" for line in chosen.values()), *objects[done:]]
        run_script(database, conninfo, b"".join(rest), "schema", server_major)


def _run_together(conninfo: str, settings: bytes, objects: list[bytes]) -> int:
    """How many of the objects there are, when one is refused or all are."""
    done = 0
    try:
        with connect(conninfo) as connection:
            connection.execute(settings)
            connection.execute(f"SET statement_timeout = '{_TIMEOUT_S:.0f}s'".encode())
            for group in _groups(objects):
                copied = _COPY.search(group[0])
                if copied is None:
                    connection.execute(b"".join(group))
                elif copied[2]:
                    with connection.cursor().copy(copied[1]) as copy:
                        copy.write(copied[2])
                done += len(group)
    except (psycopg.Error, ServerError):
        return done
    return done


def _groups(objects: list[bytes]) -> Iterator[list[bytes]]:
    """What goes in one message: rows by themselves, and of the rest so many objects at a time."""
    group: list[bytes] = []
    for each in objects:
        is_data = each.startswith(_DATA)
        if group and (is_data or len(group) == _TOGETHER):
            yield group
            group = []
        group.append(each)
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
