"""What each of some files has made that ran one after another: told by one reading behind them.

Each file only defines and wrote in a savepoint of its own, which shows in its rows (``xmin``). That
a file has changed nothing of what one before it had made, nor of what was there before them all,
shows at the end, where

1. of the rows of before none is gone;
2. each file has left as many rows in each catalog as this had more behind it than before.

For a file that replaces or deletes a row of an earlier one leaves that with fewer rows than it had
made. So what was there between two files is what is there at the end, without what the later ones
have made. The first file alone may add to an object of before, which no later one touches: a
foreign key marks the row of the table that it refers to (``relhastriggers``), and nothing takes
that back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from itertools import pairwise

from pytest_housekeeping.snapshot.catalog.rows import CatalogRows
from pytest_housekeeping.snapshot.catalog.search import Address, Written
from pytest_housekeeping.snapshot.fingerprint import SchemaObject
from pytest_housekeeping.snapshot.reading_again.incremental import Reading
from pytest_housekeeping.snapshot.reading_again.taken_away import ONE_BY_ONE, WITH_OBJECTS

_TABLES = "pg_class"
_IDS = 2**32
# The number of the file, the catalog's name, the object that the row tells of and whose part it is.
_Made = tuple[int, str, Address, Address]


def made_in_turn(
    before: Reading, now: Reading, written: Sequence[Mapping[str, Written]]
) -> list[frozenset[SchemaObject]] | None:
    """The objects of the fingerprint that each file has added; None where one has done more, or it
    does not show.

    ``written`` is what this transaction had written to the catalogs before the first file and
    behind each.
    """
    if now.rows.horizon != before.rows.horizon or now.whole != before.whole:
        return None
    changed = {
        name: (before.rows.catalogs[name], rows)
        for name, rows in now.rows.catalogs.items()
        if rows is not before.rows.catalogs[name]
    }
    marked = _marked(changed)
    if marked is None:
        return None
    files = _files(before, changed, len(written) - 1)
    made = list[_Made]()
    for name, (was, rows) in changed.items():
        for word in rows.young - was.young:
            key, _, writer, catalog, oid, of, owner = word.split(":")
            file, address = files.get(int(writer), -1), (int(catalog), int(oid))
            if name == _TABLES and int(key) in marked:
                if file != 0:
                    return None
            else:
                made.append((file, name, address, (int(of), int(owner))))
    if not files or not _as_many(made, written, now.rows.catalogs.keys()):
        return None
    return _added(before, now, made, len(files))


def _marked(changed: Mapping[str, tuple[CatalogRows, CatalogRows]]) -> frozenset[int] | None:
    """The keys of the rows of tables that were replaced; None where any other is gone."""
    marked = list[int]()
    for name, (was, rows) in changed.items():
        gone = [int(word.partition(":")[0]) for word in was.young - rows.young]
        gone += rows.absent - was.absent
        if rows.settled is not was.settled or was.absent - rows.absent:
            return None
        if gone and name != _TABLES:
            return None
        marked += gone
    if not marked:
        return frozenset()
    was, rows = changed[_TABLES]
    came = {int(word.partition(":")[0]) for word in rows.young - was.young}
    return frozenset(marked) if came.issuperset(marked) else None


def _files(
    before: Reading, changed: Mapping[str, tuple[CatalogRows, CatalogRows]], count: int
) -> Mapping[int, int]:
    """The number of the file by who wrote its rows; nothing where there are not so many writers."""
    words = {word for was, rows in changed.values() for word in rows.young - was.young}
    writers = {int(word.split(":", 3)[2]) for word in words}
    horizon = int(before.rows.horizon)
    in_turn = sorted(writers, key=lambda writer: (writer - horizon) % _IDS)
    return (
        {writer: number for number, writer in enumerate(in_turn)} if len(writers) == count else {}
    )


def _as_many(
    made: Sequence[_Made], written: Sequence[Mapping[str, Written]], searched: Set[str]
) -> bool:
    """Whether each file has left as many rows as the catalogs had more behind it."""
    left = Counter((file, name) for file, name, _, _ in made)
    for file, (earlier, later) in enumerate(pairwise(written)):
        for name, (often, more) in later.items():
            often_before, more_before = earlier.get(name, (0, 0))
            if name in WITH_OBJECTS:
                continue
            if more - more_before != left[file, name]:
                return False
            if name not in searched and often != often_before:
                return False
    return bool(written[-1])


def _added(
    before: Reading, now: Reading, made: Sequence[_Made], count: int
) -> list[frozenset[SchemaObject]] | None:
    """The objects by the file that made them: all that its rows tell of is of its own, but that the
    first one may add to what was there."""
    names = before.catalogs
    file_of = {address: file for file, name, address, _ in made if names[address[0]] == name}
    near = set[Address]()
    for file, _, *told in made:
        for address in told:
            if file == 0 and address not in file_of and names.get(address[0]) in ONE_BY_ONE:
                near.add(address)
            elif address[0] and file_of.get(address) != file:
                return None
    added = [set[SchemaObject]() for _ in range(count)]
    for address, entries in now.each.items():
        was = before.each.get(address, ())
        if was is entries or was == entries:
            continue
        if not set(entries).issuperset(was) or not (address in file_of or address in near):
            return None
        added[file_of.get(address, 0)].update(set(entries).difference(was))
    if before.each.keys() - now.each.keys():
        return None
    return [frozenset(each) for each in added]
