"""A sum over every row of every catalog: whether a server that was begun again is what it was.

It holds more than a fingerprint, the numbers of objects too, so that no two servers have the same
unless one was begun with the data folder of the other; and it names nothing.
"""

from __future__ import annotations

from hashlib import sha256

from pytest_housekeeping.postgres.connection import Connection

# Columns of these types are hashed as they are, which costs a third of printing them; whatever has
# no hash of its own is printed, and so is "char", where each value has a text of its own. The
# contents of large objects are rows like those of tables.
_CATALOGS = """
SELECT c.relname::text, pg_catalog.string_agg(CASE WHEN a.atttypid = ANY (
    '{oid,int2,int4,int8,bool,name,float4,xid,regproc}'::regtype[]::oid[])
    THEN pg_catalog.format('t.%I', a.attname)
    ELSE pg_catalog.format('t.%I::pg_catalog.text', a.attname) END, ', ' ORDER BY a.attnum)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r'
AND c.relname <> 'pg_largeobject'
GROUP BY c.relname ORDER BY c.relname
"""
_SUM = """
SELECT '{0}', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hash_record_extended(ROW({1}), 0))
FROM pg_catalog.{0} AS t
"""


def catalog_sum(connection: Connection) -> str:
    """The sum as a superuser reads it, in a session with pinned settings: they steer the texts."""
    catalogs = connection.execute(_CATALOGS).fetchall()
    query = " UNION ALL ".join(_SUM.format(*each) for each in catalogs)
    rows = sorted(map(repr, connection.execute(query.encode()).fetchall()))
    return sha256("\n".join(rows).encode()).hexdigest()
