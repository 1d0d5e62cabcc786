"""One database for many tests: it goes on to the next one if a test has left it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from pytest_housekeeping.server import Server, StagingDatabase

# Objects that no initdb has made bear these numbers: access/transam.h, FirstNormalObjectId.
_FIRST_OID = 16384
# A row of a catalog without a column oid belongs to an object with one.
_CATALOGS = """
SELECT c.relname::text FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r'
AND EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = c.oid AND a.attname = 'oid') ORDER BY 1
"""
_SHARED = ("pg_authid", "pg_auth_members", "pg_database", "pg_tablespace")
# What can be changed of that which initdb has made, and what all databases share.
_OTHERS = """
SELECT 'role', r::text FROM pg_catalog.pg_authid AS r
UNION ALL SELECT 'member', m.roleid || ' ' || m.member FROM pg_catalog.pg_auth_members AS m
UNION ALL SELECT 'setting', s::text FROM pg_catalog.pg_db_role_setting AS s
UNION ALL SELECT 'database', d.datname || ' ' || d.datdba || ' ' || d.datconnlimit
|| coalesce(d.datacl::text, '') FROM pg_catalog.pg_database AS d WHERE datname = current_database()
UNION ALL SELECT 'schema', n.nspname || ' ' || n.nspowner || coalesce(n.nspacl::text, '')
FROM pg_catalog.pg_namespace AS n WHERE n.oid < {first}
UNION ALL SELECT 'relation', c.oid || c.relacl::text FROM pg_catalog.pg_class AS c
WHERE c.relacl IS NOT NULL AND c.oid < {first}
UNION ALL SELECT 'column', a.attrelid || ' ' || a.attnum || a.attacl::text
FROM pg_catalog.pg_attribute AS a WHERE a.attacl IS NOT NULL AND a.attrelid < {first}
UNION ALL SELECT 'function', p.oid || p.proacl::text FROM pg_catalog.pg_proc AS p
WHERE p.proacl IS NOT NULL AND p.oid < {first}
UNION ALL SELECT 'parameter', p::text FROM pg_catalog.pg_parameter_acl AS p
UNION ALL SELECT 'language', l::text FROM pg_catalog.pg_language AS l
UNION ALL SELECT 'tablespace', t::text FROM pg_catalog.pg_tablespace AS t
UNION ALL SELECT 'comment', s::text FROM pg_catalog.pg_shdescription AS s
ORDER BY 1, 2
"""


class LentDatabase:
    """Lends one database of a server to a test after the other; see `lend`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._database: StagingDatabase | None = None
        self._contents: list[tuple[Any, ...]] = []
        self._watch: psycopg.Connection[Any] | None = None

    @contextmanager
    def lend(self) -> Iterator[StagingDatabase]:
        """A database with nothing in it: the one of before, or a fresh one.

        The roles that a test has left beside it go with it.
        """
        if self._database is None:
            self._database = self._server.database()
            self._contents = self._read()
        yield self._database
        if self._read() != self._contents:
            self.close()

    def close(self) -> None:
        """Drop the database, if there is one."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._database is not None:
            self._server.drop(self._database)
            self._database = None

    def _read(self) -> list[tuple[Any, ...]]:
        """What a test may have left: objects, privileges, settings, roles.

        In one session for many tests: planning the query takes longer than running it. Where a test
        has ended that session, another one is begun.
        """
        for _ in range(2):
            if self._watch is None:
                self._watch = self._prepared()
            try:
                return self._watch.execute("EXECUTE hk_left").fetchall()
            except psycopg.OperationalError:
                self._watch.close()
                self._watch = None
        raise AssertionError("the lent database cannot be read")

    def _prepared(self) -> psycopg.Connection[Any]:
        assert self._database is not None
        opened = psycopg.connect(
            self._database.superuser_conninfo, autocommit=True, prepare_threshold=None
        )
        opened.execute(b"PREPARE hk_left AS " + _query(opened))
        return opened


def _query(connection: psycopg.Connection[Any]) -> bytes:
    """The rows that differ when something was left; the catalogs are those of this version."""
    catalogs = [name for (name,) in connection.execute(_CATALOGS.encode()).fetchall()]
    made = [
        f"SELECT '{name}', oid::text FROM pg_catalog.{name} WHERE oid >= {_FIRST_OID}"
        for name in catalogs
        if name not in _SHARED
    ]
    return " UNION ALL ".join([*made, _OTHERS.format(first=_FIRST_OID)]).encode()
