"""Tables that hold no page: nothing has to be read to know that they hold no row."""

from __future__ import annotations

from pytest_housekeeping.checks.rules.scope import run_readonly
from pytest_housekeeping.postgres.connection import Connection

# Rows of children and partitions are read with their parent, and a view has no page of its own.
_WITHOUT_PAGES = b"""
SELECT ARRAY(
    SELECT ARRAY[n.nspname::text, c.relname::text] FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_am AS a ON a.oid = c.relam
    WHERE c.relkind = 'r' AND NOT c.relhassubclass AND a.amname = 'heap'
    AND c.oid >= 16384 AND pg_catalog.pg_relation_size(c.oid) = 0
)"""


def tables_without_pages(connection: Connection) -> frozenset[tuple[str, str]]:
    """Every one by schema and name, as it is now."""
    (found,) = run_readonly(connection, _WITHOUT_PAGES)
    return frozenset((schema, name) for schema, name in found)
