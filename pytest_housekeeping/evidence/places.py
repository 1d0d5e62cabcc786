"""Where in the files of a project a finding or a failure is to be looked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_housekeeping.model import Kind, Place
from pytest_housekeeping.sql.makers import Makers, makers
from pytest_housekeeping.sql.path_names import on_disk

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.findings import FindingRecord
    from pytest_housekeeping.evidence.model.steps import StepRecord

# The steps that are about what a file does, and not about what all files have made.
_OF_A_FILE = (
    *(Kind.MIGRATION, Kind.VIEW, Kind.POLICY, Kind.SEED),
    *(Kind.ROLLBACK, Kind.REHEARSAL, Kind.REPEATABLE, Kind.QUERY, Kind.TEST),
)
_PLACE = re.compile(r"(?P<path>.+?):(?P<line>\d+)(?::(?P<column>\d+))?(?=[\s,:]|$)")
# A refusal names a file somewhere in its first line.
_NAMED = re.compile(r"(?P<path>[^\s'\"]+\.(?:sql|toml|py))(?::(?P<line>\d+)(?::(?P<column>\d+))?)?")
_LINE = re.compile(r"\bline (\d+)\b")
_PRIVILEGE = re.compile(r"privilege|grant|membership|role-may")


class Places:
    """Places for what one audit tells.

    ``texts`` gives the SQL files by path and text, in the order in which they are applied, and is
    asked once, when the first object is looked for; ``text_of`` the text of a file of the project,
    None for what is none.
    """

    def __init__(
        self,
        audit: Audit,
        *,
        texts: Callable[[], list[tuple[str, str]]],
        text_of: Callable[[str], str | None],
    ) -> None:
        self._steps = {step.id: step for step in audit.plan.steps}
        self._texts = texts
        self._text_of = text_of
        self._of_file: dict[str, Makers] = {}
        self._known: dict[str, str | None] = {}

    def of_finding(self, finding: FindingRecord) -> Place | None:
        """The line that it names, or that made its object, or that asked for it."""
        if named := self._named(finding.object):
            return named
        step = self._steps.get(finding.step)
        path = on_disk(step.path) if step else ""
        privileges = bool(_PRIVILEGE.search(finding.rule))
        if step and path and step.kind in _OF_A_FILE and self._read(path) is not None:
            own = self._makers_of(path).of(finding.object) if path.endswith(".sql") else None
            return own or self._mention(path, finding.step)
        made = self._makers.of(finding.object, privileges=privileges)
        if made is None and finding.role:
            made = self._makers.of(finding.role, privileges=privileges)
        if made is None and path and self._read(path) is not None:
            made = self._mention(path, finding.object)
        return made

    def of_failure(self, step: StepRecord) -> Place | None:
        """The line that its message begins with, or the place of the step in its file."""
        if named := self._named(step.message):
            return named
        planned = self._steps.get(step.id)
        path = on_disk(planned.path) if planned else ""
        return self._mention(path, step.id) if path and self._read(path) is not None else None

    def of_refusal(self, message: str) -> Place | None:
        """The file that a refusal names in its first line, if it is one of the project."""
        first = message.partition("\n")[0]
        for found in _NAMED.finditer(first):
            if self._read(found["path"]) is not None:
                said = _LINE.search(first)
                line = found["line"] or (said[1] if said else "1")
                return _place(found["path"], line, found["column"])
        return None

    @cached_property
    def _makers(self) -> Makers:
        return makers(self._texts())

    def _makers_of(self, path: str) -> Makers:
        if path not in self._of_file:
            self._of_file[path] = makers([(path, self._read(path) or "")])
        return self._of_file[path]

    def _read(self, path: str) -> str | None:
        if path not in self._known:
            self._known[path] = self._text_of(path)
        return self._known[path]

    def _named(self, text: str) -> Place | None:
        """``sql/a.sql:3:7 …``, or a path and what is meant in it."""
        first = text.partition("\n")[0]
        found = _PLACE.match(first)
        if found and self._read(found["path"]) is not None:
            return _place(found["path"], found["line"], found["column"])
        path, _, what = first.partition(" ")
        if "." in path and self._read(path) is not None:
            return self._mention(path, what)
        return None

    def _mention(self, path: str, what: str) -> Place:
        """The first line in which the name of a step or an object stands; else the first one."""
        text = self._read(path) or ""
        name = what.rpartition("::")[2].partition("[")[0] if "::" in what else what
        sought = f"def {name}(" if path.endswith(".py") else name
        at = text.find(sought) if name else -1
        return Place(path=path, line=text.count("\n", 0, at) + 1 if at > 0 else 1)


def _place(path: str, line: str, column: str | None) -> Place:
    return Place(path=path, line=max(1, int(line)), column=max(1, int(column or 1)))
