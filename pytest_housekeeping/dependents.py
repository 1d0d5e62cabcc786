"""Which views stand upon others, as the catalog knows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_housekeeping.database import Connection
from pytest_housekeeping.repeatables import views_of

_UPON = """
WITH RECURSIVE named AS (
    SELECT w.path, pg_catalog.to_regclass(w.name) AS view
    FROM ROWS FROM (
        pg_catalog.unnest(%s::text[]), pg_catalog.unnest(%s::text[])
    ) AS w (path, name)
), upon AS (
    SELECT n.view FROM named AS n WHERE n.path = ANY (%s)
    UNION
    SELECT r.ev_class::regclass
    FROM upon AS u
    JOIN pg_catalog.pg_depend AS d
        ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = u.view
        AND d.classid = 'pg_catalog.pg_rewrite'::regclass
    JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid
)
SELECT DISTINCT n.path FROM named AS n JOIN upon AS u USING (view) ORDER BY 1"""


def standing_upon(
    connection: Connection, texts: Mapping[str, str], touched: Iterable[str]
) -> frozenset[str]:
    """The files, by path, whose views stand upon a view of a touched file, which are among them.

    ``texts`` are the files as they were applied. A view cannot be dropped before those upon it.
    """
    pairs = [(path, view) for path, text in texts.items() for view in views_of(text)]
    rows = connection.execute(
        _UPON,
        ([path for path, _ in pairs], [view for _, view in pairs], list(touched)),
    ).fetchall()
    return frozenset(row[0] for row in rows) | frozenset(touched)
