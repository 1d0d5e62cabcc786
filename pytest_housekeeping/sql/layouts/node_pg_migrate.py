"""node-pg-migrate: ``1704067200000_name.sql`` by time, ``-- Up Migration`` and ``Down`` in it.

https://salsita.github.io/node-pg-migrate/migrations/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.layout import (
    Entry,
    Ground,
    Layout,
    Listing,
    not_run_here,
)
from pytest_housekeeping.sql.layouts.two_halves import Halves

_NAME = re.compile(r"(\d+)[-_][^/]*\.sql")
_CODE = re.compile(r"\d+[-_].*(?<!\.d)\.[cm]?[jt]s")
_FLAGS = re.MULTILINE | re.IGNORECASE
_UP = re.compile(r"^\s*--[\s-]*up\s+migration[^\n]*$", _FLAGS)
_DOWN = re.compile(r"^\s*--[\s-]*down\s+migration[^\n]*$", _FLAGS)
# A time to the millisecond that is written out; others are milliseconds since 1970.
_WRITTEN_OUT = 17


def _order(entry: Entry) -> tuple[int, str]:
    name = entry.path.rpartition("/")[2]
    number = re.split(r"\D", name)[0]
    if len(number) == _WRITTEN_OUT:
        at = datetime.strptime(number[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        return int(at.timestamp()) * 1000 + int(number[14:]), name
    return int(number), name


_HALVES = Halves(
    tool="node-pg-migrate",
    name=_NAME,
    up=_UP,
    down=_DOWN,
    up_mark="-- Up Migration",
    outside=lambda _, __: False,
    order=_order,
    up_optional=True,
    by_name=True,
)


def _listing(ground: Ground) -> Listing:
    found = _HALVES.listing(ground)
    return replace(found, errors=(*found.errors, *_code(ground.named("*.*s", _CODE))))


def _code(paths: Sequence[str]) -> Iterator[SqlFileError]:
    return not_run_here(
        paths,
        "is a migration of node-pg-migrate in code",
        "are migrations of node-pg-migrate in code",
        fix="begin with what they have made, as one file of SQL: python -m pytest_housekeeping"
        " docs adoption, under 'Migrations in code'",
    )


def _recorded(ground: Ground) -> Mapping[str, str]:
    entries = _listing(ground).of(Kind.MIGRATION)
    return {each.path: each.path.rpartition("/")[2].removesuffix(".sql") for each in entries}


LAYOUT = Layout(
    name="node-pg-migrate",
    tool="node-pg-migrate",
    listing=_listing,
    reading=_HALVES.reading,
    recorded=_recorded,
    marks=("node-pg-migrate",),
)
