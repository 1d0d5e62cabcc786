"""PostgreSQL's own functions, operators, casts and views: are they the same in two databases?

A rule is a query over the catalog, and a superuser can replace what it calls. Both databases are of
one server, and what the server came with has the same OIDs in each of them:
https://www.postgresql.org/docs/16/system-catalog-initial-data.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pytest_housekeeping.postgres.connection import Connection

Builtins: TypeAlias = Mapping[tuple[str, int], tuple[str, str]]
"""Name and definition of each, by catalog and OID."""


def replaced_builtins(here: Builtins, there: Builtins) -> tuple[str, ...]:
    """What of PostgreSQL's own does something else in one database than in another, untouched one,
    by name. Who owns it, or may use it, is another matter."""
    return tuple(sorted({name for key, (name, text) in there.items() if _text(here, key) != text}))


def read_builtins(connection: Connection) -> Builtins:
    """Those of the database that the connection leads to."""
    rows = connection.execute(_QUERY).fetchall()
    return {(catalog, oid): (name, text) for catalog, oid, name, text in rows}


def _text(found: Builtins, key: tuple[str, int]) -> str | None:
    return found[key][1] if key in found else None


# The names are written out: what prints them may be what was replaced.
_QUERY = """
SELECT 'pg_proc', p.oid::pg_catalog.int8, n.nspname || '.' || p.proname,
    ROW(p.prosrc, p.probin, p.prolang, p.prosqlbody::pg_catalog.text, p.prorettype, p.proretset,
        p.proargtypes, p.prokind)::pg_catalog.text
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON p.pronamespace = n.oid
WHERE p.oid < 16384
UNION ALL
SELECT 'pg_operator', o.oid::pg_catalog.int8, 'operator ' || o.oprname,
    ROW(o.oprcode::pg_catalog.oid, o.oprleft, o.oprright)::pg_catalog.text
FROM pg_catalog.pg_operator AS o
WHERE o.oid < 16384
UNION ALL
SELECT 'pg_cast', c.oid::pg_catalog.int8, 'cast ' || c.oid::pg_catalog.text,
    ROW(c.castsource, c.casttarget, c.castfunc, c.castmethod)::pg_catalog.text
FROM pg_catalog.pg_cast AS c
WHERE c.oid < 16384
UNION ALL
SELECT 'pg_rewrite', w.oid::pg_catalog.int8, n.nspname || '.' || v.relname,
    w.ev_action::pg_catalog.text
FROM pg_catalog.pg_rewrite AS w
JOIN pg_catalog.pg_class AS v ON w.ev_class = v.oid
JOIN pg_catalog.pg_namespace AS n ON v.relnamespace = n.oid
WHERE w.oid < 16384 AND n.nspname = 'pg_catalog'
"""
