"""sql-migrate: ``20240131120000-name.sql`` by number, ``-- +migrate Up`` and ``Down`` in it.

https://github.com/rubenv/sql-migrate#writing-migrations
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Layout
from pytest_housekeeping.sql.layouts.numbered import version_key
from pytest_housekeeping.sql.layouts.two_halves import Halves

_NAME = re.compile(r"(\d+)[^/]*\.sql")
_NUMBER = re.compile(r"\d+")
_UP = re.compile(r"^-- \+migrate +Up\b(?P<options>[^\n]*)$", re.MULTILINE)
_DOWN = re.compile(r"^-- \+migrate +Down\b(?P<options>[^\n]*)$", re.MULTILINE)


def _order(entry: Entry) -> tuple[tuple[int, ...], str]:
    name = entry.path.rpartition("/")[2]
    return version_key(_NUMBER.findall(name)[0]), name


_HALVES = Halves(
    tool="sql-migrate",
    name=_NAME,
    up=_UP,
    down=_DOWN,
    up_mark="-- +migrate Up",
    outside=lambda _, mark: bool(mark and "notransaction" in mark["options"].split()),
    order=_order,
    by_name=True,
)


def _recorded(ground: Ground) -> Mapping[str, str]:
    entries = _HALVES.listing(ground).of(Kind.MIGRATION)
    return {entry.path: entry.path.rpartition("/")[2] for entry in entries}


LAYOUT = Layout(
    name="sql-migrate",
    tool="sql-migrate",
    listing=_HALVES.listing,
    reading=_HALVES.reading,
    recorded=_recorded,
    marks=("sql-migrate",),
    outside_mark="-- +migrate Up notransaction",
)
