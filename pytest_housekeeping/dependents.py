"""Which files go with a view that is taken down: upon it, as the catalog knows, or naming it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_housekeeping.database import Connection
from pytest_housekeeping.repeatables import relations_in, views_of

_UPON = """
WITH RECURSIVE named AS (
    SELECT w.path, w.makes, pg_catalog.to_regclass(w.name) AS view
    FROM ROWS FROM (
        pg_catalog.unnest(%s::text[]), pg_catalog.unnest(%s::text[]),
        pg_catalog.unnest(%s::boolean[])
    ) AS w (path, name, makes)
), upon AS (
    SELECT n.view FROM named AS n WHERE n.makes AND n.path = ANY (%s)
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
    """The files, by path, that go with the views of the touched files, which are among them.

    ``texts`` are the files as they were applied. A view cannot be dropped before those upon it,
    and with it goes what another file has granted on it, or made a trigger of.
    """
    known = [
        (path, name, makes)
        for path, text in texts.items()
        for makes, names in ((True, views_of(text)), (False, relations_in(text)))
        for name in names
    ]
    columns = [list(column) for column in zip(*known, strict=True)] or [[], [], []]
    rows = connection.execute(_UPON, (*columns, list(touched))).fetchall()
    return frozenset(row[0] for row in rows) | frozenset(touched)
