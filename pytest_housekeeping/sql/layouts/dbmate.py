"""dbmate: ``20240131120000_name.sql`` by name, ``-- migrate:up`` and ``-- migrate:down`` in it.

https://github.com/amacneil/dbmate#creating-migrations
"""

from __future__ import annotations

import re

from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Layout, Listing
from pytest_housekeeping.sql.layouts.two_halves import Halves, halves_listing

_NAME = re.compile(r"(\d+)[^/]*\.sql")
_UP = re.compile(r"^--[ \t]*migrate:up(?P<options>[^\n]*)$", re.MULTILINE)
_DOWN = re.compile(r"^--[ \t]*migrate:down(?P<options>[^\n]*)$", re.MULTILINE)
_OPTION = re.compile(r"\btransaction:false\b")

_HALVES = Halves(
    tool="dbmate",
    up=_UP,
    down=_DOWN,
    up_mark="-- migrate:up",
    outside=lambda _, mark: bool(mark and _OPTION.search(mark["options"])),
)


def _listing(ground: Ground) -> Listing:
    return halves_listing(ground, _NAME, _HALVES, order=_order)


def _order(entry: Entry) -> str:
    """dbmate goes by the name as text, not by the number at its beginning."""
    return entry.path.rpartition("/")[2]


LAYOUT = Layout(
    name="dbmate",
    tool="dbmate",
    listing=_listing,
    reading=_HALVES.reading,
    marks=("dbmate",),
    outside_mark="-- migrate:up transaction:false",
)
