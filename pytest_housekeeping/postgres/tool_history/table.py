"""The table in which another tool remembers what it has applied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.postgres.connection import Connection

_CANDIDATES = """
SELECT n.nspname::text
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = %(name)s AND c.relkind IN ('r', 'p')
    AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute AS a
         WHERE a.attrelid = c.oid AND a.attname = ANY (%(columns)s)) = %(count)s
ORDER BY n.nspname <> 'public', 1
"""
_PARTS = """
SELECT pg_catalog.format('%%s.%%s', n.nspname, c.relname)
FROM pg_catalog.pg_class AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.oid
    OR c.oid IN (SELECT i.indexrelid FROM pg_catalog.pg_index AS i WHERE i.indrelid = t.oid)
    OR c.oid IN (SELECT d.objid FROM pg_catalog.pg_depend AS d
                 WHERE d.refobjid = t.oid AND d.classid = 'pg_catalog.pg_class'::regclass
                     AND d.deptype IN ('a', 'i'))
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE t.oid IN (SELECT pg_catalog.to_regclass(n.name) FROM pg_catalog.unnest(%(tables)s::text[])
                AS n (name)) AND c.relkind <> 't'
ORDER BY 1
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class TheirRow:
    """A migration that the tool has applied: its version, or the name of a repeatable file.

    ``checksum`` is what the tool remembers of its text, "" where it remembers nothing; ``fault``
    says why it is none that stands. ``by_file``: the version begins with the path of the file, from
    wherever the tool has looked for it.
    """

    version: str
    name: str
    checksum: str = ""
    fault: str = ""
    repeatable: bool = False
    by_file: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TheirHistory:
    """The rows in the order in which they were applied.

    ``up_to`` is a version up to which everything is there without a row of its own; ``ordered``
    says that the table tells the order. ``parts`` are the relations that the tool itself has made,
    with their schemas, ``schema`` one that is the tool's as a whole; ``owner`` is the role that the
    table belongs to: that of the tool.
    """

    table: str
    rows: tuple[TheirRow, ...]
    up_to: str = ""
    ordered: bool = True
    parts: tuple[str, ...] = ()
    schema: str = ""
    owner: str = ""

    def owns(self, name: str) -> bool:
        """Whether an object, as a fingerprint names it, is the tool's own."""
        words = name.replace("(", " ").split()
        own = any(_in_schema(word, self.schema) for word in words) if self.schema else False
        return own or any(
            word == part or word.startswith(f"{part}.") for word in words for part in self.parts
        )


def _in_schema(word: str, schema: str) -> bool:
    return word == schema or word.startswith(f"{schema}.")


def find_table(
    connection: Connection, tool: str, name: str, columns: Iterable[str], *, said: str
) -> tuple[str, str]:
    """Schema and name of the one table that is the tool's; ``said`` is what the settings call it.

    Raises MisuseError where there is none, or nobody can say which.
    """
    schema, _, named = said.rpartition(".")
    wanted = list(columns)
    found = [
        each
        for (each,) in connection.execute(
            _CANDIDATES,
            {"name": named or name, "columns": wanted, "count": len(wanted)},
        ).fetchall()
    ]
    if schema:
        found = [each for each in found if each == schema]
    if not found:
        raise MisuseError(
            f"there is no table {said or name} of {tool} in this database",
            why="it is what says which files production has",
            fix="name it: tool_history = 'SCHEMA.TABLE' in [tool.housekeeping]; or say up to which"
            " version it has them: --hk-baseline=VERSION",
        )
    if len(found) > 1 and found[0] != "public":
        places = ", ".join(f"{each}.{name}" for each in found)
        raise MisuseError(
            f"more than one table may be that of {tool}: {places}",
            why="each tells another history",
            fix="name the one that counts: tool_history = 'SCHEMA.TABLE' in [tool.housekeeping]",
        )
    return found[0], named or name


def owner_of(connection: Connection, schema: str, name: str) -> str:
    """The role that the table belongs to."""
    table = sql.Identifier(schema, name).as_string(connection)
    row = connection.execute(
        "SELECT pg_catalog.pg_get_userbyid(c.relowner)::text FROM pg_catalog.pg_class AS c"
        " WHERE c.oid = %s::regclass",
        (table,),
    ).fetchone()
    return str(row[0]) if row else ""


def parts_of(connection: Connection, schema: str, *names: str) -> tuple[str, ...]:
    """The tables of these names, their indexes and sequences, each with its schema."""
    tables = [sql.Identifier(schema, name).as_string(connection) for name in names]
    return tuple(part for (part,) in connection.execute(_PARTS, {"tables": tables}).fetchall())
