r"""The difference of two dumps object by object, without what changes though nothing has changed.

pg_dump writes a key of its own into each dump (``\restrict``), puts objects into another order when
they depend on others, and switches between tables what the next ones are made with.
https://www.postgresql.org/docs/16/app-pgdump.html
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from pytest_housekeeping.snapshot.dumps.dump import without_restriction

_ENTRY = re.compile(
    r"^--\n-- Name: (?P<name>.*); Type: (?P<type>[^;]*); Schema: (?P<schema>[^;\n]*)"
    r"(?:; Owner:.*)?\n--\n",
    re.MULTILINE,
)
_BEGINS = "\n--\n-- Name: "
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
    texts = [without_restriction(each).decode(errors="replace") for each in (before, after)]
    one, other, usual = _apart(*texts)
    old, new = _entries(one, dict(usual)), _entries(other, dict(usual))
    hunks = [
        hunk
        for name in dict.fromkeys([*old, *new])
        # Most of it is the same text: it is not read line by line.
        if old.get(name) != new.get(name)
        for hunk in _hunks(name, _lines(old.get(name, ())), _lines(new.get(name, ())))
    ]
    head = [f"--- {name_before}", f"+++ {name_after}"]
    return "\n".join([*head, *hunks, ""]) if hunks else ""


def _apart(one: str, other: str) -> tuple[str, str, dict[str, str]]:
    """Both without the objects that both begin with, and end with, and what the first that is left
    is made with: of two dumps around a batch that is nearly all."""
    start = one.rfind(_BEGINS, 0, _common(one, other, 1)) + 1
    usual = _NONE | {match["what"]: match["value"] for match in _USUAL.finditer(one, 0, start)}
    one, other = one[start:], other[start:]
    end = one.find(_BEGINS, len(one) - _common(one, other, -1)) + 1
    left = (one[:end], other[: end + len(other) - len(one)]) if end else (one, other)
    # What is left may not say what the objects behind it are made with.
    if not any(_MAYBE_USUAL in each for each in left):
        one, other = left
    return one, other, usual


def _common(one: str, other: str, way: int) -> int:
    """How many characters two texts have in common at the beginning, or, the other way, the end."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if way > 0:
            same = one[low:middle] == other[low:middle]
        else:
            same = one[len(one) - middle :] == other[len(other) - middle :]
        low, high = (middle, high) if same else (low, middle - 1)
    return low


def _entries(text: str, usual: dict[str, str]) -> dict[str, list[str]]:
    """The texts of each object, by what pg_dump calls it; the first is made with the ``usual``."""
    found: dict[str, list[str]] = {}
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
