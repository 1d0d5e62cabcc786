"""sqlx: ``20240131120000_name.sql`` by number, or ``….up.sql`` and ``….down.sql``.

https://docs.rs/sqlx/latest/sqlx/migrate/trait.MigrationSource.html
"""

from __future__ import annotations

from functools import partial

from pytest_housekeeping.sql.layouts.directions import directed_listing
from pytest_housekeeping.sql.layouts.layout import Ground, Layout, Reading

_OUTSIDE = "-- no-transaction"


def _reading(_: Ground, __: str, text: str) -> Reading:
    """The mark counts as the first thing of the file alone."""
    return Reading(text=text, outside=text.startswith(_OUTSIDE))


LAYOUT = Layout(
    name="sqlx",
    tool="sqlx",
    listing=partial(directed_listing, tool="sqlx", plain=True),
    reading=_reading,
    marks=("sqlx",),
    outside_mark=_OUTSIDE,
)
