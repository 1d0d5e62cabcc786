"""Whether what was written and taken back has left the catalogs as they were, told afterwards.

Between a reading and the next one this transaction has written and taken back, and then written
more in a savepoint of its own: all with statements that only define, so that none was rolled back.
That it was back in between needs no reading of its own where

1. each catalog had as many rows then as before: so as many of the old rows were gone as there were
   new ones;
2. of the old rows none is gone at the end, so none was gone then, and none was new.

A foreign key leaves its mark in a row of the table that it refers to (``relhastriggers``), and
nothing takes that back: a new row of ``pg_class`` may stand in for an old one where it is the one
of then, which shows in who wrote it, and where the table reads as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pytest_housekeeping.snapshot.catalog.catalogs import CATALOGS
from pytest_housekeeping.snapshot.catalog.rows import NotedRows
from pytest_housekeeping.snapshot.catalog.search import Address, Written
from pytest_housekeeping.snapshot.reading_again.incremental import Reading

_TABLES = "pg_class"
_SEARCHED = frozenset(each.name for each in CATALOGS)
# Who owns what and may do what stands in the objects' own rows as well.
_SAID_ELSEWHERE = frozenset(("pg_shdepend",))
# Of these not every row that goes is seen: what comes has to be of a table that is new.
_SEEN_IN_PART = frozenset(each.name for each in CATALOGS if not each.key or each.where != "true")
_HALF_OF_IDS = 2**31


def as_many_rows(before: NotedRows, between: Mapping[str, Written]) -> bool:
    """Whether each catalog has as many rows as before; one that is not searched, no new ones."""
    return bool(between) and all(
        name in before.written
        and (
            written[1] == before.written[name][1]
            if name in _SEARCHED or name in _SAID_ELSEWHERE
            else written == before.written[name]
        )
        for name, written in between.items()
    )


def shows_return(before: Reading, now: Reading) -> bool:
    """Whether the rows that are there ``now`` show that it was in between as it was ``before``,
    provided that there were `as_many_rows`."""
    if now.rows.horizon != before.rows.horizon:
        return False  # everything was read anew, and rows cannot be compared
    changed = {
        name: (before.rows.catalogs[name], rows)
        for name, rows in now.rows.catalogs.items()
        if rows is not before.rows.catalogs[name]
    }
    if any(
        rows.settled is not was.settled
        or was.absent - rows.absent
        or (name != _TABLES and (was.young - rows.young or rows.absent != was.absent))
        for name, (was, rows) in changed.items()
    ):
        return False
    came = {name: rows.young - was.young for name, (was, rows) in changed.items()}
    was, rows = (each.rows.catalogs[_TABLES] for each in (before, now))
    gone = [*map(_key, was.young - rows.young), *(rows.absent - was.absent)]
    if gone and not _stand_in(before, now, came, gone):
        return False
    known = {*map(_key, was.young)}
    new = {
        _address(word)
        for word in came.get(_TABLES, ())
        if _key(word) not in known and _key(word) not in was.settled
    }
    return all(_address(word) in new for name in _SEEN_IN_PART for word in came.get(name, ()))


def _stand_in(
    before: Reading, now: Reading, came: Mapping[str, Iterable[str]], gone: Sequence[int]
) -> bool:
    """Whether a row for each that is ``gone``, by its key, was written first, and no others, and
    their tables read as before."""
    writers = {_writer(word) for words in came.values() for word in words}
    if len(writers) != 2:
        return False
    one, other = writers
    first = one if (other - one) % (2 * _HALF_OF_IDS) < _HALF_OF_IDS else other
    kept = [
        (name, word) for name, words in came.items() for word in words if _writer(word) == first
    ]
    return sorted(_key(word) for _, word in kept) == sorted(gone) and all(
        name == _TABLES and _reads_alike(before, now, _address(word)) for name, word in kept
    )


def _reads_alike(before: Reading, now: Reading, address: Address) -> bool:
    one, other = (frozenset(each.each.get(address, ())) for each in (before, now))
    return one == other


def _key(word: str) -> int:
    return int(word.partition(":")[0])


def _writer(word: str) -> int:
    return int(word.split(":", 3)[2])


def _address(word: str) -> Address:
    catalog, oid, _ = word.split(":", 3)[3].split(":", 2)
    return int(catalog), int(oid)
