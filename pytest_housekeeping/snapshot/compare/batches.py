"""Whether a batch has made the same of two databases whose schemas were equal before.

Not the schemas are compared but what has changed. Two databases with different pasts may print one
expression differently (a view over columns that were renamed, a column that was dropped and made
again), and what the batch has left alone keeps the text that it had.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import attrgetter

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.compare.declared_moves import split_declared
from pytest_housekeeping.snapshot.compare.difference import Change, Difference
from pytest_housekeeping.snapshot.compare.equivalent_expression import same_when_restated
from pytest_housekeeping.snapshot.extensions import tells_of
from pytest_housekeeping.snapshot.fingerprint import Fingerprint


@dataclass(frozen=True, kw_only=True)
class SchemaChange:
    """A schema before and after."""

    before: Fingerprint
    after: Fingerprint


@dataclass(frozen=True, kw_only=True, slots=True)
class UnlikeChange:
    """An object of which something else has become in the original than in the copy."""

    name: str
    copy: str
    original: str

    def __str__(self) -> str:
        return f"{self.name}\n    on the copy: {self.copy}\n    in production: {self.original}"


def unlike_changes(
    connection: Connection,
    copy: SchemaChange,
    original: SchemaChange,
    *,
    may_move: Mapping[str, str],
    stubs: frozenset[str] = frozenset(),
) -> tuple[UnlikeChange, ...]:
    """Each object of which the original has become something else than the copy.

    ``connection`` leads to the copy: where two texts differ, PostgreSQL is asked there whether it
    reads both as one. What moves by itself, as ``may_move`` declares, is not counted; nor is what
    tells of an extension that the copy has as one of the ``stubs``.
    """
    there, here = _texts(copy), _texts(original)
    copied, made = copy.after.texts, original.after.texts
    # Where both end alike it does not matter from where: what is on no copy may have to go.
    names = [name for name in there.keys() | here.keys() if copied.get(name) != made.get(name)]
    unlike = [name for name in names if not _same(name, there, here) and not tells_of(name, stubs)]
    if not unlike:
        return ()
    # Production's own text of an object is executed on the copy, and read again.
    differing = [
        Difference(
            name=name, change=Change.CHANGED, before=here[name][1] or "", after=there[name][1] or ""
        )
        for name in unlike
        if name in here and name in there and here[name][1] and there[name][1]
    ]
    parents = {entry.name: entry.parent for entry in original.after.entries}
    same = same_when_restated(connection, differing, parents, original.after.excluded)
    moves = split_declared(original.before, original.after, may_move)
    moved = {each.name for each, _ in moves.declared} | _left_out(moves.others, original)
    return tuple(
        UnlikeChange(name=name, copy=_told(there.get(name)), original=_told(here.get(name)))
        for name in sorted(unlike)
        if name not in same and (name in there or name not in moved)
    )


def with_changes(schema: Fingerprint, change: SchemaChange) -> Fingerprint:
    """The schema with what has changed elsewhere, object by object."""
    before = {entry.name: entry for entry in change.before.entries}
    after = {entry.name: entry for entry in change.after.entries}
    entries = {entry.name: entry for entry in schema.entries}
    for name in before.keys() | after.keys():
        was, now = before.get(name), after.get(name)
        if was is now or was == now:
            continue
        if name in after:
            entries[name] = after[name]
        else:
            entries.pop(name, None)
    kept = sorted(entries.values(), key=attrgetter("name", "text"))
    return replace(schema, entries=tuple(kept))


_Texts = dict[str, tuple[str | None, str | None]]


def _texts(change: SchemaChange) -> _Texts:
    """Before and after of each object that is not as it was, parts of others included."""
    before, after = change.before.texts, change.after.texts
    return {
        name: (before.get(name), after.get(name))
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }


def _same(name: str, there: _Texts, here: _Texts) -> bool:
    if name not in there or name not in here:
        return False
    copied, made = there[name], here[name]
    if None in copied or None in made:
        return False
    return _edits(*copied) == _edits(*made)


def _edits(before: str | None, after: str | None) -> tuple[Counter[str], Counter[str]]:
    """The lines that went, and those that came."""
    old, new = Counter((before or "").splitlines()), Counter((after or "").splitlines())
    return old - new, new - old


def _left_out(others: tuple[Difference, ...], original: SchemaChange) -> set[str]:
    """Roles that have no way into this database: what came or went with them counts for nothing."""
    told = {each.name for each in others}
    return {name for name in _texts(original) if name.startswith(_OF_ROLES) and name not in told}


_OF_ROLES = ("role ", "limits of role ", "membership of ", "settings of role ")


def _told(texts: tuple[str | None, str | None] | None) -> str:
    if texts is None:
        return "left as it was"
    before, after = texts
    if after is None:
        return "dropped"
    if before is None:
        return f"made: {_one_line(after)}"
    went, came = _edits(before, after)
    return " ".join((*(f"- {line};" for line in went), *(f"+ {line};" for line in came)))


def _one_line(text: str) -> str:
    return "; ".join(text.splitlines())
