"""The project's own layout: ``0007_name.sql`` by number, ``sql/rollback/0007_name.sql`` back."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from pytest_housekeeping.errors import SqlFileError, named
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Layout, Listing
from pytest_housekeeping.sql.layouts.numbered import twice, version_key

ROLLBACKS = "rollback"
_UP = re.compile(r"([._-])up\.sql$")
_NUMBERED = re.compile(r"(\d+(?:\.\d+)*)(?:[_-][\w.-]*|\.[A-Za-z][\w.-]*)?\.sql", re.ASCII)


def _listing(ground: Ground) -> Listing:
    back = rollbacks_at(ground)
    migrations, errors = [], []
    for path in ground.files.find(ground.folder, "*.sql"):
        name = path.rpartition("/")[2]
        number = number_of(name)
        if number is None:
            errors.append(_misnamed(path))
            continue
        migrations.append(
            Entry(
                path=path, kind=Kind.MIGRATION, version=number, rollback=posixpath.join(back, name)
            )
        )
    rollbacks = []
    for path in ground.files.find(back, "*.sql"):
        name = path.rpartition("/")[2]
        if number_of(name) is None:
            errors.append(_misnamed(path))
        else:
            undoes = ground.at(name)
            rollbacks.append(Entry(path=path, kind=Kind.ROLLBACK, undoes=undoes))
    migrations.sort(key=lambda entry: (version_key(entry.version), entry.path))
    halves = list(_halves(migrations, back))
    return Listing(
        entries=(*migrations, *rollbacks),
        errors=(*errors, *(halves or twice(migrations, "this tool", called="number"))),
    )


def _halves(migrations: Sequence[Entry], back: str) -> Iterator[SqlFileError]:
    """Ways down that stand beside their ways up, as tools keep them that have no layout here."""
    paths = {entry.path for entry in migrations}
    ups = [(path, _UP.sub(r"\1down.sql", path)) for path in sorted(paths) if _UP.search(path)]
    both = [(up, down) for up, down in ups if down in paths]
    if both:
        up, down = both[0]
        there = posixpath.join(back, posixpath.basename(up))
        yield SqlFileError(
            named([f"{down} undoes {up}" for up, down in both], 3),
            why="in this layout each file of the folder is a migration, and the ways back would run"
            " as well",
            fix=f"move each to {back}/, under the name of its migration: git mv {down} {there}; or"
            " name both as golang-migrate does (7_name.up.sql, 7_name.down.sql), which is read",
        )


def rollbacks_at(ground: Ground, *names: str) -> str:
    """The folder of what undoes migrations, beside theirs, or a path in it."""
    return posixpath.join(posixpath.dirname(ground.folder), ROLLBACKS, *names)


def number_of(name: str) -> str | None:
    """The number at the beginning of a name; None for a name that does not fit."""
    found = _NUMBERED.fullmatch(name)
    return found[1] if found else None


def _misnamed(path: str) -> SqlFileError:
    return SqlFileError(
        f"{path}: the name does not fit",
        why="the number at its start is its place in the order",
        fix="name it like 0007_add_customer_email.sql",
    )


LAYOUT = Layout(
    name="own", tool="this tool", listing=_listing, psql_home=lambda _: "", placeholders=False
)
