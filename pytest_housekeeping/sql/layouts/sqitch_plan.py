"""A plan of Sqitch: changes and tags, line by line, and the id of each change.

https://sqitch.org/docs/manual/sqitchplan/
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_housekeeping.errors import SqlFileError

_PRAGMA = re.compile(r"%\s*([\w-]+)\s*(?:=\s*(.*?))?\s*")
_WHO = r"(?P<date>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\s+(?P<planner>[^<]*?)\s*<(?P<email>[^>]*)>"
_NOTE = r"(?:\s*#\s*(?P<note>.*?))?\s*"
_TAG = re.compile(rf"@(?P<name>[^\s@#]+)\s+{_WHO}{_NOTE}")
_CHANGE = re.compile(
    rf"\+?\s*(?P<name>[^\s@#\[\]+%-][^\s@#\[\]]*)(?:\s+\[(?P<needs>[^\]]*)\])?\s+{_WHO}{_NOTE}"
)
_ESCAPES = {"n": "\n", "r": "\r", "\\": "\\"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A change in its place; ``tags`` stand between it and a later change of the same name.
    ``id`` is the one that Sqitch's own tables have."""

    name: str
    id: str
    tags: tuple[str, ...] = ()


@dataclass(kw_only=True)
class _Reading:
    """What was read so far: changes in order, and the tags behind each."""

    path: str
    pragmas: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    tags: list[list[str]] = field(default_factory=list)


def read_plan(text: str, path: str) -> tuple[Change, ...]:
    """The changes of a plan, in order. Raises SqlFileError for a line that cannot be read, and for
    a change that stands twice without a tag between."""
    reading = _Reading(path=path)
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("%"):
            pragma = _PRAGMA.fullmatch(line)
            if pragma is None:
                raise _unreadable(path, number, line)
            reading.pragmas[pragma[1]] = pragma[2] or ""
        elif line.startswith("@"):
            tag = _TAG.fullmatch(line)
            if tag is None or not reading.tags:
                raise _unreadable(path, number, line)
            reading.tags[-1].append(tag["name"])
        else:
            change = _CHANGE.fullmatch(line)
            if change is None:
                raise _unreadable(path, number, line)
            _add(reading, change, number)
    return tuple(_with_tags(reading))


def _add(reading: _Reading, found: re.Match[str], number: int) -> None:
    name = found["name"]
    before = [place for place, each in enumerate(reading.changes) if each.name == name]
    if before and not any(reading.tags[before[-1] :]):
        raise SqlFileError(
            f"{reading.path}:{number}: {name} stands twice, and no tag between",
            why="Sqitch cannot tell the files of the two apart",
            fix="tag the plan above it: sqitch tag",
        )
    parent = reading.changes[-1].id if reading.changes else ""
    info = _info(reading.pragmas, found, parent)
    reading.changes.append(Change(name=name, id=_id(info)))
    reading.tags.append([])


def _with_tags(reading: _Reading) -> Iterator[Change]:
    """Of a change that is reworked later, the tags up to there: one of them names its files."""
    names = [each.name for each in reading.changes]
    for place, change in enumerate(reading.changes):
        again = _next(names, change.name, place)
        between = reading.tags[place:again] if again is not None else ()
        tags = tuple(tag for each in between for tag in each)
        yield Change(name=change.name, id=change.id, tags=tags)


def _next(names: Sequence[str], name: str, place: int) -> int | None:
    return next((later for later in range(place + 1, len(names)) if names[later] == name), None)


def _info(pragmas: Mapping[str, str], found: re.Match[str], parent: str) -> str:
    """What the id is the digest of: https://sqitch.org/docs/manual/sqitch-show/"""
    needs = (found["needs"] or "").split()
    requires = [each for each in needs if not each.startswith("!")]
    conflicts = [each.removeprefix("!") for each in needs if each.startswith("!")]
    note = re.sub(
        r"\\(.)", lambda each: _ESCAPES.get(each[1], each[0]), (found["note"] or "").strip()
    )
    lines = [
        f"project {pragmas.get('project', '')}",
        *([f"uri {pragmas['uri']}"] if pragmas.get("uri") else []),
        f"change {found['name']}",
        *([f"parent {parent}"] if parent else []),
        f"planner {found['planner']} <{found['email']}>",
        f"date {found['date']}",
        *(["requires\n  + " + "\n  + ".join(requires)] if requires else []),
        *(["conflicts\n  - " + "\n  - ".join(conflicts)] if conflicts else []),
        *(["", note] if note else []),
    ]
    return "\n".join(lines)


def _id(info: str) -> str:
    content = info.encode()
    return hashlib.sha1(
        f"change {len(content)}\0".encode() + content, usedforsecurity=False
    ).hexdigest()


def _unreadable(path: str, number: int, line: str) -> SqlFileError:
    return SqlFileError(
        f"{path}:{number}: {line!r} is no line of a plan",
        why="the plan is the order in which the changes run",
        fix="let sqitch write it: sqitch add, sqitch rework, sqitch tag",
    )
