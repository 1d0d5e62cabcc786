"""How much of the code that runs was judged, by file: prepared, looked up, not decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.code.facts import CodeReference, FileFacts, Undecided
from pytest_housekeeping.checks.running.committed_code import RunningApp
from pytest_housekeeping.checks.running.named import is_named
from pytest_housekeeping.checks.running.state import RoleState
from pytest_housekeeping.checks.running.statements import is_dynamic, question_of
from pytest_housekeeping.evidence.report.display import plural

_SHOWN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """Of one file, or of many: statements that could be ``prepared`` before the batch, names that
    are ``looked_up``, places that are ``dynamic``, made at run time, and statements that were
    ``refused`` before the batch already, so that it cannot break them; ``why``, of the first.
    """

    prepared: int = 0
    looked_up: int = 0
    dynamic: int = 0
    refused: int = 0
    why: str = ""

    def __add__(self, other: Coverage) -> Coverage:
        return Coverage(
            prepared=self.prepared + other.prepared,
            looked_up=self.looked_up + other.looked_up,
            dynamic=self.dynamic + other.dynamic,
            refused=self.refused + other.refused,
            why=self.why or other.why,
        )

    def __str__(self) -> str:
        said = f"{plural(self.prepared, 'statement')} prepared"
        said += f", {plural(self.looked_up, 'name')} looked up"
        said += f", {self.dynamic} made at run time and not decided" * bool(self.dynamic)
        return said + f", {self.refused} refused before already" * bool(self.refused)

    @property
    def judged(self) -> int:
        return self.prepared + self.looked_up

    @property
    def is_whole(self) -> bool:
        return not (self.dynamic or self.refused)


def coverage_of(app: RunningApp, before: Sequence[RoleState]) -> tuple[Coverage, tuple[str, ...]]:
    """What of an application was judged, and a line for it and for each file that has more."""
    files = {file: _of_file(facts, before) for file, facts in app.extraction.files.items()}
    total = sum(files.values(), Coverage(dynamic=len(app.extraction.undecided)))
    lines = [f"{app.app.name} in {app.commit}: {plural(len(files), 'file')}, {total}"]
    lines += list(_partial(app, files))
    return total, tuple(lines)


def _partial(app: RunningApp, files: dict[str, Coverage]) -> Iterator[str]:
    partial = [(file, each) for file, each in files.items() if not each.is_whole]
    partial += [(each.file, Coverage(dynamic=1)) for each in app.extraction.undecided]
    for file, each in partial[:_SHOWN]:
        yield f"{file}: {each}" + f" ({each.why})" * bool(each.why)
    if len(partial) > _SHOWN:
        more = plural(len(partial) - _SHOWN, "more file")
        yield f"and {more} with what is not decided"


def _of_file(facts: FileFacts, before: Sequence[RoleState]) -> Coverage:
    # A statement with a hole is there with the names that it has, and as undecided: one place.
    dynamic = {
        (each.line, each.column)
        for each in facts.found
        if isinstance(each, Undecided) or is_dynamic(each)
    }
    references = (each for each in facts.found if isinstance(each, CodeReference))
    judged = (_of_reference(each, before) for each in references if not is_dynamic(each))
    return sum(judged, Coverage(dynamic=len(dynamic)))


def _of_reference(each: CodeReference, before: Sequence[RoleState]) -> Coverage:
    question = question_of(each)
    if question is not None:
        refused = [role.answers[question].refused for role in before]
        if None in refused:
            return Coverage(prepared=1)
        # What is no SQL for the server, and was only taken for it, is none.
        if not each.certain:
            return Coverage()
        why = next(refusal.message for refusal in refused if refusal is not None)
        return Coverage(refused=1, why=f"line {each.line}: {why}")
    return Coverage(looked_up=int(is_named(each)))
