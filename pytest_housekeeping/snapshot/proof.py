"""Prove a backup: restored into a server of its own, it is the schema that it was taken from."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from pytest_housekeeping.database import Connection
from pytest_housekeeping.server import (
    StagingDatabase,
)
from pytest_housekeeping.server.account import environment
from pytest_housekeeping.snapshot.bench import WHY, Bench, open_bench
from pytest_housekeeping.snapshot.difference import Change, Difference, diff
from pytest_housekeeping.snapshot.dump import without_restriction
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.snapshot.problems import BackupNotProved
from pytest_housekeeping.snapshot.restated import same_when_restated

_TIMEOUT_S = 900.0
_SHOWN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What was proved: how many objects are as they were, in which version, with what limits."""

    objects: int
    server_major: int
    limits: tuple[str, ...] = ()


def prove_backup(
    schema: bytes,
    roles: bytes,
    expected: Fingerprint,
    *,
    server_major: int,
    bench: Bench | None = None,
) -> Proof:
    """Restore the roles and the schema, and compare the fingerprint with the expected one.

    ``bench`` is a server opened ahead, which stays open; without it one is made for the purpose.
    Raises BackupNotProved, naming the objects that differ or the statement that failed. What a
    schema dump cannot hold by its nature is no difference but a limit of the proof.
    """
    extensions = frozenset(_extension_names(expected))
    own = None
    if bench is None or not bench.has(extensions):
        own = bench = open_bench(server_major, extensions)
    try:
        database = bench.server.database()
        try:
            with _named(database, expected.superuser):
                _prepare(database, expected)
                _restore(database, roles, "roles")
                _restore(database, without_restriction(schema), "schema")
                with psycopg.connect(database.migrator_conninfo, autocommit=True) as connection:
                    return _compared(connection, expected)
        finally:
            bench.server.drop(database)
    finally:
        if own is not None:
            own.close()


def _compared(connection: Connection, expected: Fingerprint) -> Proof:
    restored = read_fingerprint(connection, exclude_schemas=expected.excluded)
    differences = diff(expected, restored)
    parents = {entry.name: entry.parent for entry in expected.entries}
    same = same_when_restated(connection, differences, parents, expected.excluded)
    limits: dict[str, list[str]] = {}
    for each in differences:
        limits.setdefault(_limit(each, same), []).append(each.name)
    if faults := limits.pop("", ()):
        raise _not_equal([each for each in differences if each.name in faults])
    said = [f"{limit}: {_some(names)}" for limit, names in limits.items()]
    if expected.server_major != restored.server_major:
        said.insert(
            0,
            f"restored in PostgreSQL {restored.server_major}, production is"
            f" {expected.server_major}: that it restores there as well is not shown",
        )
    return Proof(
        objects=len(expected.entries), server_major=restored.server_major, limits=tuple(said)
    )


def _limit(difference: Difference, same: frozenset[str]) -> str:
    """Why a difference is none of the backup's; "" when it is one."""
    if difference.name.startswith("extension ") and difference.change is Change.CHANGED:
        return "a dump names an extension and not its version"
    if difference.name.startswith("index ") and "\ninvalid" in difference.before:
        return "pg_dump leaves out an invalid index"
    if difference.name in same:
        return "what PostgreSQL prints differently after a restore, and reads as the same"
    return ""


@contextmanager
def _named(database: StagingDatabase, superuser: str) -> Iterator[None]:
    """The role that made the server bears its name of production, so that owners are equal.

    The restoring role is another one, whose name no production has.
    """
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        connection.execute(
            sql.SQL("ALTER ROLE {} SUPERUSER").format(sql.Identifier(database.migrator))
        )
    renaming = sql.SQL("ALTER ROLE {} RENAME TO {}")
    made = sql.Identifier(database.superuser)
    with psycopg.connect(database.migrator_conninfo, autocommit=True) as connection:
        if superuser != database.superuser:
            connection.execute(renaming.format(made, sql.Identifier(superuser)))
    try:
        yield
    finally:
        with psycopg.connect(database.migrator_conninfo, autocommit=True) as connection:
            _clear(connection, database, superuser)


def _clear(connection: Connection, database: StagingDatabase, superuser: str) -> None:
    """A role of the backup may bear the server's name; it has to go before that is given back."""
    if superuser == database.superuser:
        return
    hidden = sql.Identifier("hk_proof_renamed")
    names = connection.execute(
        "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", [database.superuser]
    )
    made, given = sql.Identifier(database.superuser), sql.Identifier(superuser)
    if names.fetchone():
        connection.execute(sql.SQL("ALTER ROLE {} RENAME TO {}").format(made, hidden))
    connection.execute(sql.SQL("ALTER ROLE {} RENAME TO {}").format(given, made))


def _prepare(database: StagingDatabase, expected: Fingerprint) -> None:
    """What a dump takes for granted: tablespaces, and a schema public only where there is one."""
    names = {entry.name for entry in expected.entries}
    spaces = {
        match[1]
        for entry in expected.entries
        for match in re.finditer(r"^tablespace: (.+)$", entry.text, re.MULTILINE)
    }
    with psycopg.connect(database.migrator_conninfo, autocommit=True) as connection:
        if "schema public" not in names and "public" not in expected.excluded:
            connection.execute("DROP SCHEMA public CASCADE")
        for space in sorted(spaces):
            if not _exists(connection, space):
                connection.execute("SET allow_in_place_tablespaces = on")
                connection.execute(f"CREATE TABLESPACE {space} LOCATION ''".encode())


def _exists(connection: Connection, tablespace: str) -> bool:
    found = connection.execute(
        "SELECT FROM pg_catalog.pg_tablespace WHERE pg_catalog.quote_ident(spcname) = %s",
        [tablespace],
    )
    return found.rowcount > 0


def _restore(database: StagingDatabase, text: bytes, what: str) -> None:
    """With psql, statement by statement: one transaction would run out of locks."""
    command = [
        f"{database.cluster.programs}/psql",
        *("-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null"),
        *("-d", database.migrator_conninfo),
    ]
    try:
        done = subprocess.run(
            command,
            input=b"SET client_min_messages = warning;\n" + text,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
            env=environment() | {"PGCLIENTENCODING": "UTF8", "PGTZ": "UTC"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackupNotProved(
            f"the {what} could not be restored: {type(error).__name__}",
            why=WHY,
            fix="make room on this machine, and run again",
        ) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise BackupNotProved(
            f"the {what} of the backup did not restore: {' / '.join(said[:3])}",
            why=WHY,
            fix="repair what cannot be restored (a function whose body names what is gone, say),"
            " and run again",
        )


def _not_equal(faults: list[Difference]) -> BackupNotProved:
    shown = "".join(f"\n  {_turned(fault)}" for fault in faults[:_SHOWN])
    more = f"\n  and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    return BackupNotProved(
        f"the restored backup differs from production in {len(faults)} objects:{shown}{more}",
        why=WHY,
        fix="see whether the schema changed while it was dumped, and run again; if it did not,"
        " bring the object into a form that pg_dump can hold",
    )


def _turned(fault: Difference) -> str:
    words = {Change.REMOVED: "is missing", Change.ADDED: "is there and should not be"}
    if fault.change in words:
        return f"{fault.name} {words[fault.change]}"
    lines = "".join(f"\n    {line}" for line in fault.lines[:6])
    return f"{fault.name} (- production, + restored){lines}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _extension_names(expected: Fingerprint) -> Iterator[str]:
    for entry in expected.entries:
        if entry.name.startswith("extension "):
            yield entry.name.removeprefix("extension ").strip('"')
