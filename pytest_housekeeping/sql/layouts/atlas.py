"""Atlas: ``20240131120000_name.sql`` by name, beside ``atlas.sum``.

https://atlasgo.io/concepts/migration-directory-integrity
"""

from __future__ import annotations

import re

from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.halves import down_of, lower
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Layout, Listing, Reading
from pytest_housekeeping.sql.path_names import stands_alone
from pytest_housekeeping.sql.problems import Problem

SUM = "atlas.sum"
# What is said of a whole file stands above everything else, with an empty line below it.
_HEAD = re.compile(r"(?:(?:--|#)[^\n]*\n)+(?=[ \t]*\r?\n)")
_DIRECTIVE = re.compile(r"^[ -~]*atlas:(\w+)[ \t]*([^\r\n]*)", re.MULTILINE)
# https://atlasgo.io/versioned/checks: several files in one.
_SECTION = re.compile(r"^-- (\S+\.sql) --[ \t]*\r?$", re.MULTILINE)
_UP, _DOWN = "migration.sql", "down.sql"


def _listing(ground: Ground) -> Listing:
    migrations: list[Entry] = []
    rollbacks: list[Entry] = []
    passed_over: dict[str, str] = {}
    for path in sorted(ground.files.find(ground.folder, "*.sql")):
        version = path.rpartition("/")[2].removesuffix(".sql").partition("_")[0]
        text = ground.text(path)
        if migrations and "checkpoint" in _directives(text):
            # An empty database gets it in the place of what is before it, and no other one.
            passed_over[path] = "it sums up files that are here"
            continue
        back = down_of(path) if _DOWN in _sections(text) else ""
        migrations.append(Entry(path=path, kind=Kind.MIGRATION, version=version, rollback=back))
        if back:
            rollbacks.append(Entry(path=back, kind=Kind.ROLLBACK, undoes=path))
    return Listing(entries=(*migrations, *rollbacks), passed_over=passed_over)


def _directives(text: str) -> dict[str, str]:
    """What the head of a file says of all of it."""
    head = _HEAD.match(text)
    return {each[1]: each[2].strip() for each in _DIRECTIVE.finditer(head[0] if head else "")}


def _sections(text: str) -> dict[str, tuple[int, int]]:
    """The parts of a file that holds several, by name: from where to where."""
    if "txtar" not in _directives(text):
        return {}
    found = list(_SECTION.finditer(text))
    ends = [*(each.start() for each in found[1:]), len(text)]
    return {each[1]: (each.end(), end) for each, end in zip(found, ends, strict=True)}


def _reading(_: Ground, path: str, text: str) -> Reading:
    outside = _directives(text).get("txmode") == "none"
    sections = _sections(text)
    if not sections:
        return Reading(text=text, outside=outside)
    wanted = _UP if stands_alone(path) else _DOWN
    start, end = sections.get(wanted, (0, 0))
    told = (
        Problem.at(
            text,
            place,
            f"what {name} asks is not asked",
            "it is Atlas that asks it before the file",
            f"ask the rows of production in checks/queries/: {name} as a query without a row",
        )
        for name, (place, _) in sections.items()
        if name not in (_UP, _DOWN) and wanted == _UP
    )
    return Reading(text=lower(text[:end], start), outside=outside, told=tuple(told))


LAYOUT = Layout(
    name="atlas",
    tool="Atlas",
    listing=_listing,
    reading=_reading,
    marks=("Atlas",),
    outside_mark="-- atlas:txmode none, with an empty line below it",
)
