"""rambler: files by name, as text, with sections behind ``-- rambler up`` and ``-- rambler down``.

https://github.com/elwinar/rambler#usage
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.halves import down_of, holds_sql
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Layout, Listing, Reading
from pytest_housekeeping.sql.path_names import stands_alone
from pytest_housekeeping.sql.problems import Problem
from pytest_housekeeping.sql.text import Woven

_MARK = re.compile(r"^-- rambler[ \t]*([^\r\n]*?)[ \t]*\r?$", re.MULTILINE)
_UP, _DOWN = "up", "down"


def _listing(ground: Ground) -> Listing:
    entries: list[Entry] = []
    for path in ground.files.find(ground.folder, "*.sql"):
        name = path.rpartition("/")[2]
        back = down_of(path)
        entries.append(Entry(path=path, kind=Kind.MIGRATION, version=name, rollback=back))
        if any(holds_sql(text) for text, _ in _sections(ground.text(path), _DOWN)):
            entries.append(Entry(path=back, kind=Kind.ROLLBACK, undoes=path))
    return Listing(entries=tuple(entries))


def _sections(text: str, wanted: str) -> Sequence[tuple[str, int]]:
    """The parts of a text behind marks of one kind, each with the line at which it begins."""
    marks = list(_MARK.finditer(text))
    if not marks:
        return ()
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return [
        (text[mark.end() : end], text.count("\n", 0, mark.end()) + 1)
        for mark, end in zip(marks, ends, strict=True)
        if mark[1] == wanted
    ]


def _reading(_: Ground, path: str, text: str) -> Reading:
    """All sections of a direction, the last one first on the way back."""
    up = stands_alone(path)
    sections = list(_sections(text, _UP if up else _DOWN))
    lines: list[tuple[str, int]] = []
    for section, first in sections if up else reversed(sections):
        lines += [(line, first + n) for n, line in enumerate(section.split("\n"))]
    woven = Woven("\n".join(line for line, _ in lines), tuple(("", number) for _, number in lines))
    return Reading(text=woven, problems=_problems(text, sections) if up else ())


def _problems(text: str, sections: Sequence[tuple[str, int]]) -> tuple[Problem, ...]:
    marks = list(_MARK.finditer(text))
    odd = next((mark for mark in marks if mark[1] not in (_UP, _DOWN)), None)
    above = text[: marks[0].start()] if marks else text
    if odd is not None:
        found, why = f"{odd[0].strip()!r} is no mark", "rambler leaves out what follows it"
        fix = "write -- rambler up or -- rambler down"
    elif not sections:
        found, why = "no line says -- rambler up", "rambler runs nothing of the file"
        fix = "write it in a line of its own above the statements"
    elif holds_sql(above):
        found, why = "statements stand above the first mark", "rambler leaves them out"
        fix = "move them below -- rambler up"
    else:
        return ()
    return (Problem.at(text, odd.start() if odd else 0, found, why + " without a word", fix),)


LAYOUT = Layout(
    name="rambler",
    tool="rambler",
    listing=_listing,
    reading=_reading,
    marks=("rambler",),
    one_by_one=True,
)
