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
_MAYBE_USUAL = "SET default_table"
_USUAL = re.compile(
    r"^SET (?P<what>default_tablespace|default_table_access_method) = (?P<value>.*);\n",
    re.MULTILINE,
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
        # Most of it is the same text: it is not read line by line.
        if old.get(name) != new.get(name)
        for hunk in _hunks(name, _lines(old.get(name, ())), _lines(new.get(name, ())))
    ]
    head = [f"--- {name_before}", f"+++ {name_after}"]
    return "\n".join([*head, *hunks, ""]) if hunks else ""


def _entries(dump: bytes) -> dict[str, list[str]]:
    """The texts of each object, by what pg_dump calls it."""
    text = without_restriction(dump).decode(errors="replace")
    found: dict[str, list[str]] = {}
    usual = dict(_NONE)
    marks = list(_ENTRY.finditer(text))
    ends = [mark.start() for mark in marks] + [len(text)]
    found[""] = [_made_with(text[: ends[0]], usual)]
    for mark, end in zip(marks, ends[1:], strict=True):
        schema = "" if mark["schema"] == "-" else f"{mark['schema']}."
        name = f"{mark['type']} {schema}{mark['name']}"
        found.setdefault(name, []).append(_made_with(text[mark.end() : end], usual))
    return found


def _made_with(text: str, usual: dict[str, str]) -> str:
    """The text without what the next objects are made with, and behind what this one is made with,
    where that is not the usual."""
    made_with = [
        f"SET {what} = {value};\n" for what, value in usual.items() if value != _NONE[what]
    ]
    if _MAYBE_USUAL in text:
        for match in _USUAL.finditer(text):
            usual[match["what"]] = match["value"]
        text = _USUAL.sub("", text)
    return "".join([*made_with, text.lstrip("\n")])


def _lines(texts: Sequence[str]) -> list[str]:
    found: list[str] = []
    for text in texts:
        lines = [line for line in text.splitlines() if line != _END]
        while lines and lines[-1] in ("", "--"):
            lines.pop()
        found += lines[next((place for place, line in enumerate(lines) if line), 0) :]
    return found


def _hunks(name: str, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    for line in list(difflib.unified_diff(old, new, lineterm="", n=_CONTEXT))[2:]:
        yield f"{line} {name}".rstrip() if line.startswith("@@") else line
