"""Tools that keep the way up and the way down in one file, each behind a mark of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.halves import down_of, holds_sql, lower
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Listing, Reading
from pytest_housekeeping.sql.layouts.numbered import by_version, twice, version_key
from pytest_housekeeping.sql.path_names import on_disk, stands_alone
from pytest_housekeeping.sql.problems import Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Halves:
    """How a tool names its files and marks their halves; ``outside`` tells, of a text and the mark
    of its half, whether the half is to run in no transaction. ``up_optional``: a file without a
    mark is the way up. ``by_name``: of several that bear one number the tool runs all, and the name
    of each is its version."""

    tool: str
    name: re.Pattern[str]
    up: re.Pattern[str]
    down: re.Pattern[str]
    up_mark: str
    outside: Callable[[str, re.Match[str] | None], bool]
    order: Callable[[Entry], Any] = by_version
    up_optional: bool = False
    by_name: bool = False

    def listing(self, ground: Ground) -> Listing:
        """The files directly in the folder, and the way down of those that have one."""
        migrations: list[Entry] = []
        rollbacks: list[Entry] = []
        passed_over: dict[str, str] = {}
        for path in ground.files.find(ground.folder, "*.sql"):
            found = self.name.fullmatch(path.rpartition("/")[2])
            if found is None:
                passed_over[path] = f"{self.tool} does not read a name like this"
                continue
            rollback = down_of(path)
            migrations.append(
                Entry(path=path, kind=Kind.MIGRATION, version=found[1], rollback=rollback)
            )
            if _has_way_down(ground, path, self):
                rollbacks.append(Entry(path=rollback, kind=Kind.ROLLBACK, undoes=path))
        if self.by_name:
            migrations = _apart(migrations)
        migrations.sort(key=self.order)
        return Listing(
            entries=(*migrations, *rollbacks),
            passed_over=passed_over,
            errors=() if self.by_name else tuple(twice(migrations, self.tool)),
        )

    def reading(self, _: Ground, path: str, text: str) -> Reading:
        """The half that a path means."""
        up, down = self.up.search(text), self.down.search(text)
        cut = down.start() if down else len(text)
        if not stands_alone(path):
            return Reading(text=lower(text, cut), outside=self.outside(text, down))
        return Reading(
            text=text[:cut],
            outside=self.outside(text, up),
            problems=tuple(_problems(text, up, cut, self)),
        )


def _apart(migrations: Sequence[Entry]) -> list[Entry]:
    borne = Counter(version_key(each.version) for each in migrations)
    return [
        each
        if borne[version_key(each.version)] == 1
        else replace(each, version=each.path.rpartition("/")[2].removesuffix(".sql"))
        for each in migrations
    ]


def _problems(text: str, up: re.Match[str] | None, cut: int, halves: Halves) -> list[Problem]:
    again = halves.up.search(text, cut)
    if up is not None and up.start() < cut and again is not None:
        return [
            Problem.at(
                text,
                again.start(),
                f"{halves.up_mark} stands again behind the way back",
                "what follows it is meant for the way up, and the way back is taken to be the rest"
                " of the file",
                "move it above the way back, or into a file of its own",
            )
        ]
    if up is None and halves.up_optional:
        return []
    if up is None or up.start() > cut:
        return [
            Problem.at(
                text,
                0,
                f"no line says {halves.up_mark}",
                f"{halves.tool} reads no file without it: nobody can say which part is the way up",
                f"write {halves.up_mark} in a line of its own above the statements",
            )
        ]
    if holds_sql(text[: up.start()]):
        return [
            Problem.at(
                text,
                0,
                f"statements stand above {halves.up_mark}",
                f"{halves.tool} refuses them: they belong to neither half",
                "move them below it",
            )
        ]
    return []


def _has_way_down(ground: Ground, path: str, halves: Halves) -> bool:
    """Whether any statement stands in the lower half; what cannot be read is told elsewhere."""
    text = ground.text(on_disk(path))
    down = halves.down.search(text)
    return down is not None and holds_sql(text[down.end() :])
