"""dbmate: ``20240131120000_name.sql`` by name, ``-- migrate:up`` and ``-- migrate:down`` in it.

https://github.com/amacneil/dbmate#creating-migrations
"""

from __future__ import annotations

import re

from pytest_housekeeping.sql.layouts.layout import Layout
from pytest_housekeeping.sql.layouts.two_halves import Halves

_NAME = re.compile(r"(\d+)[^/]*\.sql")
_UP = re.compile(r"^--[ \t]*migrate:up(?P<options>[^\n]*)$", re.MULTILINE)
_DOWN = re.compile(r"^--[ \t]*migrate:down(?P<options>[^\n]*)$", re.MULTILINE)
_OPTION = re.compile(r"\btransaction:false\b")

_HALVES = Halves(
    tool="dbmate",
    name=_NAME,
    up=_UP,
    down=_DOWN,
    up_mark="-- migrate:up",
    outside=lambda _, mark: bool(mark and _OPTION.search(mark["options"])),
    # By the name as text, not by the number at its beginning.
    order=lambda entry: entry.path.rpartition("/")[2],
)
LAYOUT = Layout(
    name="dbmate",
    tool="dbmate",
    listing=_HALVES.listing,
    reading=_HALVES.reading,
    marks=("dbmate",),
    outside_mark="-- migrate:up transaction:false",
)
