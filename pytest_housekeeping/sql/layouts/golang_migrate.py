"""golang-migrate: ``7_name.up.sql`` by number, ``7_name.down.sql`` back.

https://github.com/golang-migrate/migrate/blob/master/MIGRATIONS.md
"""

from __future__ import annotations

from pytest_housekeeping.sql.layouts.directions import directed_listing
from pytest_housekeeping.sql.layouts.layout import Ground, Layout, Listing


def _listing(ground: Ground) -> Listing:
    return directed_listing(ground, "golang-migrate")


LAYOUT = Layout(name="golang-migrate", tool="golang-migrate", listing=_listing)
