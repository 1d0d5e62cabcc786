r"""The difference of two dumps object by object, without what changes though nothing has changed.

pg_dump writes a key of its own into each dump (``\restrict``), puts objects into another order when
they depend on others, and switches between tables what the next ones are made with.
https://www.postgresql.org/docs/16/app-pgdump.html
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from pytest_housekeeping.snapshot.dump import without_restriction

_ENTRY = re.compile(
    r"^--\n-- Name: (?P<name>.*); Type: (?P<type>[^;]*); Schema: (?P<schema>[^;\n]*)"
    r"(?:; Owner:.*)?\n--\n",
    re.MULTILINE,
)
_END = "-- PostgreSQL database dump complete"
_USUAL = re.compile(
    r"SET (?P<what>default_tablespace|default_table_access_method) = (?P<value>.*);\Z"
)
_NONE = {"default_tablespace": "''", "default_table_access_method": "heap"}
_CONTEXT = 3


def dump_difference(before: bytes, after: bytes, name_before: str, name_after: str) -> str:
    """As ``diff -u`` writes it, a hunk or more for each object that differs, with its name behind
    the place; lines are counted from the object's own beginning. Empty when nothing differs."""
    old, new = _entries(before), _entries(after)
    hunks = [
        hunk
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
        for hunk in _hunks(name, old.get(name, []), new.get(name, []))
    ]
    head = [f"--- {name_before}", f"+++ {name_after}"]
    return "\n".join([*head, *hunks, ""]) if hunks else ""


def _entries(dump: bytes) -> dict[str, list[str]]:
    """The lines of each object, by what pg_dump calls it."""
    text = without_restriction(dump).decode(errors="replace")
    found: dict[str, list[str]] = {}
    usual = dict(_NONE)
    marks = list(_ENTRY.finditer(text))
    ends = [mark.start() for mark in marks] + [len(text)]
    _add(found, "", text[: ends[0]], usual)
    for mark, end in zip(marks, ends[1:], strict=True):
        schema = "" if mark["schema"] == "-" else f"{mark['schema']}."
        _add(found, f"{mark['type']} {schema}{mark['name']}", text[mark.end() : end], usual)
    return found


def _add(found: dict[str, list[str]], name: str, text: str, usual: dict[str, str]) -> None:
    """What the object is made with, where that is not the usual, stands before it."""
    made_with = [f"SET {what} = {value};" for what, value in usual.items() if value != _NONE[what]]
    lines: list[str] = []
    for line in text.splitlines():
        if switched := _USUAL.match(line):
            usual[switched["what"]] = switched["value"]
        elif line != _END and (line or lines):
            lines.append(line)
    while lines and lines[-1] in ("", "--"):
        lines.pop()
    lines = [*made_with, *lines]
    found.setdefault(name, []).extend(lines)


def _hunks(name: str, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    for line in list(difflib.unified_diff(old, new, lineterm="", n=_CONTEXT))[2:]:
        yield f"{line} {name}".rstrip() if line.startswith("@@") else line
