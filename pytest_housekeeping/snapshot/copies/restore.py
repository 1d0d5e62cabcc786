"""Restore a backup into a throwaway database that looks like the one it was taken from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from psycopg import sql
from psycopg.conninfo import make_conninfo

from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.server import Server, StagingDatabase
from pytest_housekeeping.snapshot.copies.foreseen import copy_conninfo, session_options
from pytest_housekeeping.snapshot.copies.kept import CopyKey, KeptCopy, begun_with, keep
from pytest_housekeeping.snapshot.copies.script import run_schema, run_script
from pytest_housekeeping.snapshot.copies.server import RestoreServer
from pytest_housekeeping.snapshot.dumps.dump import without_restriction
from pytest_housekeeping.snapshot.extensions import with_versions
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.snapshot.reading_again.incremental import Reading
from pytest_housekeeping.sql.identifiers import unquoted

_ASIDE = "hk_steps_aside"
_SPACE = "tablespace: "
_ENCODED = """
UPDATE pg_catalog.pg_database SET encoding = pg_catalog.pg_char_to_encoding(%s),
    datlocprovider = 'c', datcollate = 'C', datctype = 'C', datcollversion = NULL
WHERE datname = pg_catalog.current_database()
"""
_COLLATION = re.compile(r'COLLATE (?:pg_catalog\.)?("(?:[^"]|"")+"|\w+)(?![\w.])')


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A restored database, as a superuser sees it, and the collations that something stood in for.

    The superuser is none of the backup's roles. It may have been ``restored_before``, by a run that
    kept it. ``reading`` is of all of it as it was restored, where it was read; ``key`` is that
    under which it is kept, if it is. ``spare`` is another one of the same content, where one was
    made.
    """

    database: StagingDatabase
    connection: Connection
    stand_ins: tuple[str, ...] = ()
    restored_before: bool = False
    reading: Reading | None = None
    key: str = ""
    spare: StagingDatabase | None = None


@contextmanager
def restored(
    restore_server: RestoreServer,
    schema: bytes,
    roles: bytes,
    expected: Fingerprint,
    *,
    around: bytes = b"",
    name: str = "",
) -> Iterator[Copy]:
    """A database of that server in which the backup was restored; it is dropped afterwards.

    ``around`` is what completes it (`dumps/around.py`), ``name`` that of the database
    that the backup is of, where the copy has to bear it as well. What an earlier run has restored
    of the same texts is used again (`kept.py`).

    Raises RestoreRefused with the first statement that fails, BackupNotProved where this machine
    is in the way.
    """
    major = restore_server.major
    key = CopyKey(schema=schema, roles=roles, around=around, name=name, expected=expected)
    kept = begun_with(restore_server, key)
    if kept is not None:
        with _restored_before(kept, key) as copy:
            yield copy
        return
    made = restore_server.server.database()
    try:
        with (
            _called(made, name) as database,
            _named(database, conninfo := copy_conninfo(database, major), expected.superuser),
        ):
            _encode(conninfo, expected)
            stand_ins, text = _prepare(conninfo, expected, schema)
            run_script(database, conninfo, roles, "roles", major)
            run_schema(database, conninfo, without_restriction(text), major)
            if around:
                run_script(database, conninfo, around, "surroundings", major)
            known = keep(restore_server, key, database, conninfo, stand_ins)
            with connect(conninfo) as connection:
                yield Copy(
                    database=database,
                    connection=connection,
                    stand_ins=stand_ins,
                    reading=known,
                    key=key.digest if known else "",
                )
    finally:
        restore_server.server.drop(made)


@contextmanager
def _restored_before(kept: KeptCopy, key: CopyKey) -> Iterator[Copy]:
    with kept.connected() as connection:
        yield Copy(
            database=kept.database,
            connection=connection,
            stand_ins=kept.stand_ins,
            restored_before=True,
            reading=kept.reading,
            key=key.digest,
        )


@contextmanager
def restored_beside(
    server: Server, server_major: int, dump: bytes, expected: Fingerprint
) -> Iterator[Copy]:
    """Another database of the server that the dump is of, where its roles are; dropped afterwards.

    Raises RestoreRefused with the first statement that fails, BackupNotProved where this machine
    is in the way.
    """
    database = server.database()
    try:
        with restored_in(database, server_major, dump, expected) as copy:
            yield copy
    finally:
        server.drop(database)


@contextmanager
def restored_in(
    database: StagingDatabase, server_major: int, dump: bytes, expected: Fingerprint
) -> Iterator[Copy]:
    """The same in an empty database that the caller has made, and drops."""
    conninfo = make_conninfo(database.superuser_conninfo, options=session_options(server_major))
    stand_ins, text = _prepare(conninfo, expected, dump)
    run_schema(database, conninfo, without_restriction(text), server_major)
    with connect(conninfo) as connection:
        yield Copy(database=database, connection=connection, stand_ins=stand_ins)


@contextmanager
def _called(database: StagingDatabase, name: str) -> Iterator[StagingDatabase]:
    """The database under another name; one that bears it already steps aside meanwhile."""
    if name in ("", database.name):
        yield database
        return
    renaming = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    moves = [(database.name, name)]
    with connect(database.cluster.conninfo(database.name)) as connection:
        if _exists(connection, "pg_database", "datname", name):
            moves.insert(0, (name, _ASIDE))

    def rename(pairs: list[tuple[str, str]]) -> None:
        # No session may be in any of them; template1 steps aside as any other would.
        way = "postgres" if name == "template1" else "template1"
        with connect(database.cluster.conninfo(way)) as connection:
            for old, new in pairs:
                connection.execute(renaming.format(sql.Identifier(old), sql.Identifier(new)))

    rename(moves)
    try:
        yield replace(database, name=name)
    finally:
        rename([(new, old) for old, new in reversed(moves)])


@contextmanager
def _named(database: StagingDatabase, conninfo: str, superuser: str) -> Iterator[None]:
    """The role that made the server bears its name of production, so that owners are equal."""
    with connect(database.superuser_conninfo) as connection:
        connection.execute(
            sql.SQL("ALTER ROLE {} SUPERUSER").format(sql.Identifier(database.migrator))
        )
    if superuser == database.superuser:
        yield
        return
    made, given = sql.Identifier(database.superuser), sql.Identifier(superuser)
    renaming = sql.SQL("ALTER ROLE {} RENAME TO {}")
    with connect(conninfo) as connection:
        connection.execute(renaming.format(made, given))
    try:
        yield
    finally:
        with connect(conninfo) as connection:
            # A role of the backup may bear the server's name; it has to go before that one.
            if _exists(connection, "pg_roles", "rolname", database.superuser):
                connection.execute(renaming.format(made, sql.Identifier("hk_proof_renamed")))
            connection.execute(renaming.format(given, made))


def _encode(conninfo: str, expected: Fingerprint) -> None:
    """The encoding of the original, so that a text which it cannot hold is refused here as well.

    What stands in a new database is ASCII, which each encoding of a server holds as it is. All of
    them go with the locale C: https://www.postgresql.org/docs/16/multibyte.html
    """
    found = [each.text for each in expected.entries if each.name == "encoding of database"]
    for encoding in found:
        with connect(conninfo) as connection:
            connection.execute(_ENCODED, [encoding])


def _prepare(conninfo: str, expected: Fingerprint, dump: bytes) -> tuple[tuple[str, ...], bytes]:
    """What a dump takes for granted: tablespaces, collations, a schema public only where it is; and
    the dump itself, with the versions of extensions."""
    names = {entry.name for entry in expected.entries}
    spaces = {
        match[1]
        for entry in expected.entries
        if _SPACE in entry.text
        for match in re.finditer(rf"^{_SPACE}(.+)$", entry.text, re.MULTILINE)
    }
    with connect(conninfo) as connection:
        if "schema public" not in names and "public" not in expected.excluded:
            connection.execute("DROP SCHEMA public CASCADE")
        for space in sorted(unquoted(space) for space in spaces):
            if not _exists(connection, "pg_tablespace", "spcname", space):
                connection.execute("SET allow_in_place_tablespaces = on")
                connection.execute(
                    sql.SQL("CREATE TABLESPACE {} LOCATION ''").format(sql.Identifier(space))
                )
        names = {unquoted(name) for name in _COLLATION.findall(dump.decode(errors="replace"))}
        return tuple(_stood_in(connection, names)), with_versions(connection, dump, expected)


def _stood_in(connection: Connection, collations: set[str]) -> Iterator[str]:
    """PostgreSQL's own collations depend on the machine and the build; a dump holds their names."""
    for name in sorted(collations):
        if not _exists(connection, "pg_collation", "collname", name):
            connection.execute("SET allow_system_table_mods = on")
            connection.execute(
                sql.SQL('CREATE COLLATION pg_catalog.{} FROM pg_catalog."C"').format(
                    sql.Identifier(name)
                )
            )
            yield name


def _exists(connection: Connection, catalog: str, column: str, name: str) -> bool:
    query = sql.SQL("SELECT FROM pg_catalog.{} WHERE {} = %s").format(
        sql.Identifier(catalog), sql.Identifier(column)
    )
    return connection.execute(query, [name]).rowcount > 0
