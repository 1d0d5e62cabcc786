"""Liquibase's files in SQL: each ``--changeset author:id`` of them is a migration.

https://docs.liquibase.com/concepts/changelogs/sql-format.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.changesets import (
    Changeset,
    CutFile,
    cut_at_changesets,
    is_formatted,
    without_ignored,
)
from pytest_housekeeping.sql.layouts.halves import down_of, holds_sql
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Layout, Listing, Reading
from pytest_housekeeping.sql.layouts.liquibase_marks import (
    attributes_of,
    left_out,
    logical_path,
    way_back,
    way_up,
)
from pytest_housekeeping.sql.layouts.liquibase_order import Order, order_of
from pytest_housekeeping.sql.path_names import changeset_path, stands_alone
from pytest_housekeeping.sql.text import Woven, origin

_HEAD = (
    "write at its head, in lines of their own: --liquibase formatted sql, and"
    " --changeset AUTHOR:ID; or move it out of the folder"
)


def _listing(ground: Ground) -> Listing:
    order = order_of(ground)
    entries: list[Entry] = []
    passed_over = dict(order.passed_over)
    errors = [*order.errors]
    for path in order.paths:
        data = ground.files.read(path)
        cut = cut_at_changesets(data)
        errors += _unread(path, data, cut)
        for each in cut.changesets:
            place = changeset_path(path, each.name)
            if why := left_out(_header(each)):
                passed_over[place] = why
            else:
                entries += _entries(ground, place, each)
    return Listing(entries=tuple(entries), passed_over=passed_over, errors=tuple(errors))


def _entries(ground: Ground, path: str, changeset: Changeset) -> Iterator[Entry]:
    """The changeset, and its way back where it has one."""
    again = attributes_of(_header(changeset)).get("runonchange") == "true"
    back = down_of(path)
    has_back = holds_sql(way_back(_text(changeset.data)).text)
    yield Entry(
        path=path,
        kind=Kind.VIEW if again else Kind.MIGRATION,
        version=path.removeprefix(ground.at("")),
        rollback="" if again else back,
        of_tool=again,
    )
    if has_back and not again:
        yield Entry(path=back, kind=Kind.ROLLBACK, undoes=path)


def _unread(path: str, data: bytes, cut: CutFile) -> Iterator[SqlFileError]:
    """What of a file Liquibase would refuse, or leave out without a word."""
    if not is_formatted(data):
        yield SqlFileError(
            f"{path} does not begin with --liquibase formatted sql",
            why="Liquibase takes such a file for one changeset, under an id of its own making",
            fix=_HEAD,
        )
        return
    for line, mark in cut.unread:
        yield SqlFileError(
            f"{path}:{line}: {mark} names no changeset",
            why="Liquibase refuses the file: author and id are how it knows what it has run",
            fix="write --changeset AUTHOR:ID, without a space behind the colon",
        )
    if holds_sql(_text(without_ignored(cut.head))):
        yield SqlFileError(
            f"{path}: statements stand above its first changeset",
            why="Liquibase leaves them out without a word",
            fix="move them below a --changeset, or delete them",
        )
    borne = Counter(each.name for each in cut.changesets)
    for name in (name for name, count in borne.items() if count > 1):
        yield SqlFileError(
            f"{path} has {borne[name]} changesets {name}",
            why="which of them ran nobody can say: Liquibase refuses it as well",
            fix="give each an id of its own",
        )


def _header(changeset: Changeset) -> str:
    return _text(changeset.data.split(b"\n", 1)[0])


def _text(data: bytes) -> str:
    return data.decode("utf-8-sig", errors="replace")


def _reading(ground: Ground, path: str, text: str) -> Reading:
    """The half that a path means, with the numbers that its lines have in the file."""
    values = ground.config.placeholders
    found = way_up(text, values) if stands_alone(path) else way_back(text, values)
    first = (ground.files.lines(path) or range(1, 2)).start
    lines = [origin(found.text, "", n)[1] for n in range(1, found.text.count("\n") + 2)]
    woven = Woven(found.text, tuple(("", first + line - 1) for line in lines))
    return replace(found, text=woven)


def _recorded(ground: Ground) -> Mapping[str, str]:
    """As the table has it: the path of the file, which may be a logical one, author and id."""
    order: Order = order_of(ground)
    found = {}
    for path in order.paths:
        data = ground.files.read(path)
        cut = cut_at_changesets(data)
        of_file = logical_path(_text(cut.head)) or path
        for each in cut.changesets:
            there = logical_path(_header(each)) or of_file
            found[changeset_path(path, each.name)] = f"{there}::{each.author}::{each.id}"
    return found


LAYOUT = Layout(
    name="liquibase",
    tool="Liquibase",
    listing=_listing,
    reading=_reading,
    recorded=_recorded,
    marks=("Liquibase",),
    outside_mark="runInTransaction:false behind the mark",
)
