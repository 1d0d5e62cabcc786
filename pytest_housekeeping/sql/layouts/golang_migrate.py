"""golang-migrate: ``7_name.up.sql`` by number, ``7_name.down.sql`` back.

https://github.com/golang-migrate/migrate/blob/master/MIGRATIONS.md
"""

from __future__ import annotations

from functools import partial

from pytest_housekeeping.sql.layouts.directions import directed_listing
from pytest_housekeeping.sql.layouts.layout import Layout

LAYOUT = Layout(
    name="golang-migrate",
    tool="golang-migrate",
    listing=partial(directed_listing, tool="golang-migrate"),
)
