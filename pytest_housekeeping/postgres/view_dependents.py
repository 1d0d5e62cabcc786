"""Which files have to go when views are taken down: views on top of them, and what names these."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.repeatable import relations_in, views_of

_UPON = """
WITH RECURSIVE upon AS (
    SELECT pg_catalog.to_regclass(w.name) AS view FROM pg_catalog.unnest(%s::text[]) AS w (name)
    UNION
    SELECT r.ev_class::regclass
    FROM upon AS u
    JOIN pg_catalog.pg_depend AS d
        ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = u.view
        AND d.classid = 'pg_catalog.pg_rewrite'::regclass
    JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid
)
SELECT DISTINCT w.path
FROM ROWS FROM (pg_catalog.unnest(%s::text[]), pg_catalog.unnest(%s::text[])) AS w (path, name)
JOIN upon AS u ON u.view = pg_catalog.to_regclass(w.name)
ORDER BY 1"""


def standing_upon(
    connection: Connection, texts: Mapping[str, str], touched: Collection[str]
) -> frozenset[str]:
    """The files, by path, that go with the views of the touched files, which are among them.

    ``texts`` are the files as they were applied. A view cannot be dropped before those upon it,
    and with it goes what another file has granted on it, or made a trigger of.
    """
    views = [view for path in touched for view in views_of(texts[path])]
    named = [(path, name) for path, text in texts.items() for name in relations_in(text)]
    rows = connection.execute(
        _UPON, (views, [path for path, _ in named], [name for _, name in named])
    ).fetchall()
    return frozenset(row[0] for row in rows) | frozenset(touched)
