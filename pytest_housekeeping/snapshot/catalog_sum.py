"""A sum over every row of every catalog: whether a server that was begun again is what it was.

It holds more than a fingerprint, the numbers of objects too, so that no two servers have the same
unless one was begun with the data folder of the other; and it names nothing.
"""

from __future__ import annotations

from hashlib import sha256

from pytest_housekeeping.postgres.connection import Connection

# The contents of large objects are rows like those of tables.
_CATALOGS = """
SELECT relname::text FROM pg_catalog.pg_class
WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND relname <> 'pg_largeobject'
ORDER BY relname
"""
_SUM = """
SELECT '{0}', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended(t::text, 0))
FROM pg_catalog.{0} AS t
"""


def catalog_sum(connection: Connection) -> str:
    """The sum as a superuser reads it, in a session with pinned settings: they steer the texts."""
    names = [name for (name,) in connection.execute(_CATALOGS).fetchall()]
    query = " UNION ALL ".join(_SUM.format(name) for name in names)
    rows = sorted(map(repr, connection.execute(query.encode()).fetchall()))
    return sha256("\n".join(rows).encode()).hexdigest()
