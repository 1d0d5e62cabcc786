"""The part of a dump that an earlier one, which was restored, says nothing of: what to restore.

Of two dumps of one database most is the same text. A statement that went through goes through
again where nothing that it can meet has become another thing. All names in a dump are written in
full and as they are, so what is concerned shows in the words: an entry that names something that
has changed is concerned, and so is what names that, in the bodies of functions too, which
PostgreSQL notes nowhere. What names nothing (an operator, a cast), or meets what it does not name
(an event trigger), has everything restored. A function that makes up its statements counts as
changed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from pytest_housekeeping.snapshot.dumps.dump import without_restriction
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject

_HEADER = re.compile(
    r"^--\n-- (?:Data for )?Name: (?P<name>[^\n]*); Type: (?P<kind>[^;\n]*); Schema: [^\n]*\n--\n",
    re.MULTILINE,
)
# What the next entries are made with, and the end of a dump, stand behind the entry before.
_MADE_WITH = re.compile(
    r"\n+SET (?P<what>default_tablespace|default_table_access_method) = (?P<value>[^\n]*);\s*\Z"
)
_MAYBE_MADE_WITH = "\nSET default_table"
_END = re.compile(r"\n--\n-- PostgreSQL database dump complete\n--\s*\Z")
_WORD = re.compile(r"\w+")
_MAKES_UP = re.compile(r"\bexecute\b", re.IGNORECASE)
_OF_KIND = re.compile(r"^(?:[A-Z]+ )+")

_ROUTINES = frozenset(("FUNCTION", "PROCEDURE", "AGGREGATE"))
_TABLES = frozenset(("TABLE", "FOREIGN TABLE"))
_VIEWS = frozenset(("VIEW", "MATERIALIZED VIEW"))
# They have a name of their own, which others may use.
_NAMED = (
    _ROUTINES
    | _TABLES
    | _VIEWS
    | {"SEQUENCE", "INDEX", "SCHEMA", "TYPE", "DOMAIN", "SHELL TYPE", "COLLATION", "CONVERSION"}
    | {"FOREIGN DATA WRAPPER", "SERVER", "PROCEDURAL LANGUAGE", "ACCESS METHOD", "STATISTICS"}
    | {"PUBLICATION", "TEXT SEARCH CONFIGURATION", "TEXT SEARCH DICTIONARY"}
    | {"TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE"}
)
# Their name begins with that of the table that they are of, and nothing else uses the rest.
_OF_TABLE = frozenset(
    (
        *("CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT", "DEFAULT"),
        *("POLICY", "TRIGGER", "RULE", "ROW SECURITY"),
    )
)
# They do something to each table that they name.
_TO_TABLES = _TABLES | {
    *("TABLE ATTACH", "INDEX ATTACH", "INDEX", "FK CONSTRAINT", "SEQUENCE", "SEQUENCE OWNED BY"),
    "STATISTICS",
}
_ABOUT = frozenset(("ACL", "COMMENT"))
# What may have changed where a part is enough.
_MAY_CHANGE = _OF_TABLE | _TO_TABLES | _ABOUT | _VIEWS | _ROUTINES
# What a table needs besides itself, for whoever refers to it, and what nobody has to name.
_WITH_TABLE = frozenset(("CONSTRAINT", "INDEX", "TABLE ATTACH", "INDEX ATTACH"))
_UNNAMED = ("EXTENSION", "OPERATOR", "CAST", "TRANSFORM")
_ENTERED = "EVENT TRIGGER"
_PUBLISHED = "PUBLICATION TABLE"
# Names that are no UTF-8 come out as they went in.
_FOREIGN = "surrogateescape"
_FEW_WORDS = 30
# Of more than this share of a dump, all is restored.
_SHARE = 3


@dataclass(frozen=True, kw_only=True)
class ChangedPart:
    """What of a dump is to be restored, as a dump; ``concerned`` tells what that has to show."""

    text: bytes
    words: frozenset[str]

    def concerned(self, entries: Iterable[SchemaObject]) -> set[str]:
        """The names of those that name anything that is concerned."""
        names = _finder(self.words)
        return {
            each.name
            for each in entries
            if names(f"{each.name}\n{each.text}\n{each.parent}".lower())
        }

    def shown_by(
        self, found: Fingerprint, *, before: Fingerprint, after: Fingerprint
    ) -> int | None:
        """Of how many objects the restored part, which was ``found``, shows that they are as
        ``after``; None where it does not show it of each that is concerned."""
        was, now = ({e.name: e for e in each.entries} for each in (before, after))
        moved = {name for name in was.keys() | now.keys() if was.get(name) != now.get(name)}
        there = {each.name: each for each in found.entries}
        asked = moved | self.concerned(after.entries) | self.concerned(found.entries)
        alike = all(there.get(name) == now.get(name) for name in asked)
        return len(asked) if alike else None


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """An object of a dump; ``made_with`` are the settings in force."""

    kind: str
    name: str
    text: str
    made_with: str

    @cached_property
    def lowered(self) -> str:
        return self.text.lower()

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(_WORD.findall(self.lowered))

    @cached_property
    def names(self) -> frozenset[str]:
        """The words by which others name it, or what it is of."""
        name = self.name
        if self.kind in _ABOUT:
            of_column = name.startswith("COLUMN ")
            name = _OF_KIND.sub("", name).rpartition(" ON ")[2]
            name = name.partition(".")[0] if of_column else name
        words = _WORD.findall(name.partition("(")[0])
        if self.kind in _OF_TABLE and name.count(" ") == 1:
            words = _WORD.findall(name.partition(" ")[0])
        return frozenset(map(str.lower, words))


def _finder(words: AbstractSet[str]) -> Callable[[str], object]:
    """Whether a text in small letters has one of these words in it, as a whole word.

    Few are looked for in it; of many it is quicker to take the text apart.
    """
    if not words:
        return lambda _: False
    if len(words) > _FEW_WORDS:
        return lambda text: not words.isdisjoint(_WORD.findall(text))
    # Each begins with its own first letter, so that most of a text is passed over at once.
    each = (rf"{re.escape(word)}(?!\w)(?<!\w{re.escape(word)})" for word in sorted(words))
    return re.compile("|".join(each)).search


def _naming(words: AbstractSet[str], entries: Iterable[_Entry]) -> Iterator[_Entry]:
    found = _finder(words)
    return (each for each in entries if found(each.lowered))


def changed_part(before: bytes, after: bytes) -> ChangedPart | None:
    """What of ``after`` to restore, where ``before`` was restored; None where that is all of it."""
    read: _Known = {}
    (head, old), (new_head, new) = _read(before, read), _read(after, read)
    was, now = set(old), set(new)
    if head != new_head or len(was) < len(old) or len(now) < len(new):
        return None
    changed = was ^ now
    known = {each.kind for each in (*old, *new)}
    if _ENTERED in known or any(e.kind not in _MAY_CHANGE for e in changed):
        return None
    words = _begun_with(changed, new)
    if words is None:
        return None
    concerned, words = _concerned(changed, new, words)
    left = [each for each in new if each not in concerned]
    if left != [each for each in old if each not in concerned and each not in changed]:
        return None
    chosen = _with_needed(concerned, new)
    if len(chosen) * _SHARE > len(new):
        return None
    parts = [f"{each.made_with}{each.text}\n\n" for each in new if each in chosen]
    return ChangedPart(text="".join([head, *parts]).encode(errors=_FOREIGN), words=words)


def _begun_with(changed: Iterable[_Entry], new: Sequence[_Entry]) -> frozenset[str] | None:
    """The words that name what has changed; None where something has none."""
    tables = frozenset[str]().union(*(each.names for each in new if each.kind in _TABLES))
    words = set[str]()
    for each in changed:
        if not each.names:
            return None
        words |= each.names
        if each.kind in _TO_TABLES:
            words |= each.words & tables
    for each in new:
        if each.kind in _ROUTINES and _MAKES_UP.search(each.text):
            words |= each.names
    return frozenset(words)


def _concerned(
    changed: set[_Entry], new: Sequence[_Entry], words: frozenset[str]
) -> tuple[set[_Entry], frozenset[str]]:
    """What has changed and whatever names it, however far that goes; and the words of all that."""
    concerned = changed.intersection(new)
    others = [each for each in new if each not in concerned]
    known, asked = set(words), set(words)
    while asked:
        found = list(_naming(asked, others))
        concerned.update(found)
        others = [each for each in others if each not in concerned] if found else others
        told = set[str]().union(*(each.names for each in found if each.kind in _NAMED))
        asked = told - known
        known |= asked
    return concerned, frozenset(known)


def _with_needed(concerned: set[_Entry], new: Sequence[_Entry]) -> set[_Entry]:
    """The same with what they stand on, and with all that is told of them.

    What is missing here does not restore, or is not as it should be, and shows.
    """
    defined = defaultdict[str, list[_Entry]](list)
    for each in new:
        if each.kind in _NAMED:
            for word in each.names:
                defined[word].append(each)
    of_tables = [each for each in new if each.kind in _WITH_TABLE]
    published = [each for each in new if each.kind == _PUBLISHED]
    chosen = {each for each in new if each.kind.startswith(_UNNAMED)}
    chosen |= concerned | _told_of(concerned, new)
    left, looked_up = list(chosen), set[str]()
    while left:
        words = set[str]().union(*(each.words for each in left)) - looked_up
        looked_up |= words
        found = {one for word in words for one in defined.get(word, ())}
        tables = set[str]().union(*(each.names for each in left if each.kind in _TABLES))
        found.update(_naming(tables, of_tables))
        shown = {each.name.split()[0] for each in left if each.kind == _PUBLISHED}
        found |= {one for one in published if one.name.split()[0] in shown}
        left = list(found - chosen)
        chosen |= found
    return chosen


def _told_of(concerned: Iterable[_Entry], new: Sequence[_Entry]) -> set[_Entry]:
    """The comments on them, and their privileges."""
    words = [_WORD.findall(each.name.partition("(")[0].lower()) for each in concerned]
    first = {min(each) for each in words if each}
    by_word = defaultdict[str, list[_Entry]](list)
    for each in _naming(first, (each for each in new if each.kind in _ABOUT)):
        for word in each.words & first:
            by_word[word].append(each)
    return {
        one for each in words if each for one in by_word[min(each)] if one.words.issuperset(each)
    }


# By what is read of an entry: most stand in both dumps.
_Known: TypeAlias = dict[tuple[str, str], _Entry]


def _read(dump: bytes, known: _Known) -> tuple[str, list[_Entry]]:
    """What a dump begins with, and its objects in their order."""
    text = _END.sub("", without_restriction(dump).decode(errors=_FOREIGN))
    marks = list(_HEADER.finditer(text))
    ends = [mark.start() for mark in marks] + [len(text)]
    return text[: ends[0]], list(_entries(text, marks, ends[1:], known))


def _entries(
    text: str, marks: Sequence[re.Match[str]], ends: Sequence[int], known: _Known
) -> Iterator[_Entry]:
    settings: dict[str, str] = {}
    for mark, end in zip(marks, ends, strict=True):
        made_with = "".join(settings.values())
        body = text[mark.start() : end]
        while _MAYBE_MADE_WITH in body and (found := _MADE_WITH.search(body)):
            body = body[: found.start()]
            settings[found["what"]] = f"SET {found['what']} = {found['value']};\n"
        key = body.rstrip(), made_with
        if key not in known:
            kind, name = mark["kind"], mark["name"]
            known[key] = _Entry(kind=kind, name=name, text=key[0], made_with=made_with)
        yield known[key]
