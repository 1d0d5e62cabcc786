"""Extensions that a copy of the database can do without.

``pg_stat_statements`` and its like stand in many a production and in no server that is made for a
run. Where nothing in the database depends on an extension, its absence decides no check. What a
function's body names leaves no trace in ``pg_depend``: such a function fails where it is called,
which is a failed check and never a passed one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import LiteralString

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server.stubs import COMMENT
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.sql.identifiers import unquoted

# As pg_dump writes it, below its headline; the same words may stand in a function.
_MADE = re.compile(
    rb"(^-- Name: [^\n]+; Type: EXTENSION; [^\n]+\n--\n\n"
    rb'CREATE EXTENSION IF NOT EXISTS (\w+|"(?:[^"]|"")+") WITH SCHEMA [^;\n]+);$',
    re.MULTILINE,
)
_KINDS = ("extension", "state of extension", "members of extension")


def extension_names(schema: Fingerprint) -> Iterator[str]:
    """The extensions of a schema, by their plain names."""
    for entry in schema.of_kind("extension"):
        yield unquoted(entry.name.removeprefix("extension "))


def with_versions(connection: Connection, dump: bytes, schema: Fingerprint) -> bytes:
    """A dump of that schema that makes each extension in its version, where this server has it:
    pg_dump names none, and the default of this server may be another."""
    there = {
        (name, version)
        for name, version in connection.execute(
            "SELECT name, version FROM pg_catalog.pg_available_extension_versions"
        ).fetchall()
    }
    versions = {
        entry.name.removeprefix("extension "): entry.text.splitlines()[0].removeprefix("version: ")
        for entry in schema.of_kind("extension")
    }

    def in_version(made: re.Match[bytes]) -> bytes:
        name = made[2].decode(errors="replace")
        version = versions.get(name, "")
        if (unquoted(name), version) not in there:
            return made[0]
        return made[1] + b" VERSION " + sql.Literal(version).as_bytes(connection) + b";"

    return _MADE.sub(in_version, dump)


def needed_extensions(connection: Connection) -> frozenset[str]:
    """Those that something of the database, or another extension, depends on.

    https://www.postgresql.org/docs/16/catalog-pg-depend.html
    """
    return frozenset(name for (name,) in connection.execute(_NEEDED).fetchall())


def stubs_of(connection: Connection) -> frozenset[str]:
    """The extensions that this server has only as stubs."""
    return frozenset(name for (name,) in connection.execute(_STUBS, [COMMENT]).fetchall())


def members_by_name(connection: Connection, names: frozenset[str]) -> frozenset[str]:
    """What a fingerprint calls the members of these extensions, where it tells of one by itself:
    an access method, or privileges that somebody has changed."""
    rows = connection.execute(_MEMBERS, [sorted(names)]).fetchall()
    return frozenset(
        f"{told} {kind} {identity}"
        for kind, identity in rows
        for told in ("privileges of", "system privileges of", "system")
    )


def tells_of(name: str, extensions: frozenset[str]) -> bool:
    """Whether an entry of a fingerprint tells of one of these extensions itself."""
    kind, _, last = name.rpartition(" ")
    return kind in _KINDS and unquoted(last) in extensions


def without_extensions(
    schema: Fingerprint, names: frozenset[str], members: frozenset[str]
) -> Fingerprint:
    """A schema without these extensions and their ``members``."""

    def is_left_out(name: str) -> bool:
        return name in members or tells_of(name, names)

    return replace(schema, entries=tuple(e for e in schema.entries if not is_left_out(e.name)))


# Parts of an extension are its members and what belongs to those: the rule of a view, a row type.
_NEEDED: LiteralString = """
WITH RECURSIVE part (classid, objid, extension) AS (
    SELECT d.classid, d.objid, d.refobjid FROM pg_catalog.pg_depend AS d
    WHERE d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
    UNION
    SELECT d.classid, d.objid, p.extension FROM pg_catalog.pg_depend AS d
    JOIN part AS p ON p.classid = d.refclassid AND p.objid = d.refobjid
    WHERE d.deptype IN ('i', 'a')
)
SELECT e.extname FROM pg_catalog.pg_extension AS e
WHERE EXISTS (
    SELECT FROM part AS p
    JOIN pg_catalog.pg_depend AS d ON d.refclassid = p.classid AND d.refobjid = p.objid
    WHERE p.extension = e.oid AND d.deptype = 'n' AND NOT EXISTS (
        SELECT FROM part AS own
        WHERE own.classid = d.classid AND own.objid = d.objid AND own.extension = e.oid
    )
) OR EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid
    AND d.deptype <> 'e'
)
"""

_STUBS: LiteralString = """
SELECT name::text FROM pg_catalog.pg_available_extensions WHERE comment = %s
"""

_MEMBERS: LiteralString = """
SELECT o.type, o.identity FROM pg_catalog.pg_extension AS e
JOIN pg_catalog.pg_depend AS d ON d.refobjid = e.oid AND d.deptype = 'e'
    AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) AS o
WHERE e.extname = ANY (%s)
"""
