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
# Everything of the migrator's and of roles that are new, then what is left of the superuser's: a
# tenth of what a database takes that is made anew.
_SWEEP = """
DO $$
DECLARE made record;
BEGIN
SET LOCAL client_min_messages = error;
SET LOCAL lock_timeout = '2s';
PERFORM pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
AND a.state <> 'idle';
FOR made IN SELECT rolname FROM pg_catalog.pg_roles
WHERE rolname = '{migrator}' OR oid <> ALL ('{{{roles}}}'::oid[]) LOOP
    EXECUTE pg_catalog.format('DROP OWNED BY %I CASCADE', made.rolname);
END LOOP;
FOR made IN SELECT i.type, i.identity FROM (
    SELECT 1 AS place, 'pg_catalog.pg_event_trigger'::regclass AS catalog, oid
    FROM pg_catalog.pg_event_trigger
    UNION ALL SELECT 2, 'pg_catalog.pg_publication'::regclass, oid FROM pg_catalog.pg_publication
    UNION ALL SELECT 3, 'pg_catalog.pg_extension'::regclass, oid FROM pg_catalog.pg_extension
    UNION ALL SELECT 4, 'pg_catalog.pg_namespace'::regclass, oid FROM pg_catalog.pg_namespace
    WHERE {lasting}
    UNION ALL SELECT 5, 'pg_catalog.pg_class'::regclass, oid FROM pg_catalog.pg_class
    WHERE relnamespace < {first} AND relkind IN ('r', 'v', 'm', 'f', 'p', 'S')
    UNION ALL SELECT 6, 'pg_catalog.pg_proc'::regclass, oid FROM pg_catalog.pg_proc
    WHERE pronamespace < {first}
    UNION ALL SELECT 7, 'pg_catalog.pg_type'::regclass, oid FROM pg_catalog.pg_type
    WHERE typnamespace < {first} AND typrelid = 0 AND typcategory <> 'A'
) AS o, pg_catalog.pg_identify_object(o.catalog, o.oid, 0) AS i
WHERE o.oid >= {first} ORDER BY o.place LOOP
    EXECUTE pg_catalog.format('DROP %s IF EXISTS %s CASCADE', made.type, made.identity);
END LOOP;
FOR made IN SELECT rolname FROM pg_catalog.pg_roles
WHERE oid <> ALL ('{{{roles}}}'::oid[]) LOOP
    EXECUTE pg_catalog.format('DROP ROLE %I', made.rolname);
END LOOP;
END $$
"""
# The server keeps an empty schema for each session that has had a temporary table.
_LASTING = "nspname !~ '^pg_(toast_)?temp_'"
_SWEPT_AT_MOST = 50
_ROLES = "SELECT oid FROM pg_catalog.pg_authid"


class LentDatabase:
    """Lends one database of a server to a test after the other; see `lend`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._database: StagingDatabase | None = None
        self._contents: list[tuple[Any, ...]] = []
        self._watch: psycopg.Connection[Any] | None = None
        self._swept = 0
        self._sessions: dict[str, psycopg.Connection[Any]] = {}

    @contextmanager
    def lend(self) -> Iterator[StagingDatabase]:
        """A database with nothing in it: the one of before, swept where a test has left something,
        or a fresh one.

        The roles that a test has left beside it go with it.
        """
        if self._database is None:
            self._database = self._server.database()
            self._contents, self._swept = self._read(), 0
        # Fixtures of a module may have made some meanwhile, for a database of their own.
        roles = self._ask(_ROLES)
        yield self._database
        if self._read() != self._contents and not self._is_swept(roles):
            self.close()

    @contextmanager
    def session(self, conninfo: str) -> Iterator[psycopg.Connection[Any]]:
        """A session in the lent database, in autocommit, that one test after the other has.

        A test finds it as a new one, but for settings of its own that were ever set: of those the
        server knows the names from then on.
        """
        opened = self._sessions.get(conninfo)
        if opened is None or opened.closed:
            # As the tool's own connections: psycopg prepares nothing.
            opened = psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)
            self._sessions[conninfo] = opened
        yield opened
        try:
            opened.rollback()
            opened.autocommit = True
            opened.execute("DISCARD ALL")
        except psycopg.Error:
            opened.close()

    def close(self) -> None:
        """Drop the database, if there is one."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._database is not None:
            self._server.drop(self._database)
            self._database = None

    def _is_swept(self, roles: list[tuple[Any, ...]]) -> bool:
        """Whether it could be made what it was, with no more than these roles. Its catalogs grow by
        what was in them, so that it is not done for ever."""
        self._swept += 1
        if self._database is None or self._swept > _SWEPT_AT_MOST:
            return False
        sweep = _SWEEP.format(
            first=_FIRST_OID,
            lasting=_LASTING,
            migrator=self._database.migrator,
            roles=",".join(str(oid) for (oid,) in roles),
        )
        try:
            assert self._watch is not None
            self._watch.execute(sweep.encode())
        except psycopg.Error:
            return False
        return self._read() == self._contents

    def _read(self) -> list[tuple[Any, ...]]:
        """What a test may have left: objects, privileges, settings, roles."""
        return self._ask("EXECUTE hk_left")

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        """In one session for many tests: planning the query takes longer than running it. Where a
        test has ended that session, another one is begun."""
        for _ in range(2):
            if self._watch is None:
                self._watch = self._prepared()
            try:
                return self._watch.execute(query.encode()).fetchall()
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
        + (f" AND {_LASTING}" if name == "pg_namespace" else "")
        for name in catalogs
        if name not in _SHARED
    ]
    return " UNION ALL ".join([*made, _OTHERS.format(first=_FIRST_OID)]).encode()
