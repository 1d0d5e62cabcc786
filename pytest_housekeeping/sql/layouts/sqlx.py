"""sqlx: ``20240131120000_name.sql`` by number, or ``….up.sql`` and ``….down.sql``.

https://docs.rs/sqlx/latest/sqlx/migrate/trait.MigrationSource.html
"""

from __future__ import annotations

from pytest_housekeeping.sql.layouts.directions import directed_listing
from pytest_housekeeping.sql.layouts.layout import Ground, Layout, Listing, Reading

_OUTSIDE = "-- no-transaction"


def _listing(ground: Ground) -> Listing:
    return directed_listing(ground, "sqlx", plain=True)


def _reading(_: Ground, __: str, text: str) -> Reading:
    """The mark counts as the first thing of the file alone."""
    return Reading(text=text, outside=text.startswith(_OUTSIDE))


LAYOUT = Layout(
    name="sqlx",
    tool="sqlx",
    listing=_listing,
    reading=_reading,
    marks=("sqlx",),
    outside_mark=_OUTSIDE,
)
