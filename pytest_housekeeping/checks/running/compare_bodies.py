"""What a schema breaks of the bodies of functions that the batch leaves as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_housekeeping.checks.code.resolve.statements import rejection_at
from pytest_housekeeping.checks.code.verdict.breach import Breach, breach_at
from pytest_housekeeping.checks.running.answers import Refusal
from pytest_housekeeping.checks.running.bodies import BodyState
from pytest_housekeeping.checks.running.compare import (
    BROKEN,
    FILL,
    REQUIRED,
    WHOLE,
    Answers,
    broken_detail,
    fix_for,
    level_of,
    lost_and_kept,
    new_nulls,
    required_detail,
)

_REPLACE = "; or replace the function in the same batch"


@dataclass(frozen=True, kw_only=True, slots=True)
class _InBody:
    """A place in a body, as a place in code is told: the function stands for file and symbol."""

    file: str
    line: int
    symbol: str
    column: int = 1


def broken_bodies(before: BodyState, after: BodyState) -> Iterator[Breach]:
    """Statements of bodies that worked before, and do not now. A function that the batch replaces
    or drops is not judged: its old body is not called any more."""
    for place, old in before.answers.items():
        new = after.answers.get(place, {})
        paths = [path for path in old if path in new]
        answers = [Answers(role=path, before=old[path][1], after=new[path][1]) for path in paths]
        lost, kept = lost_and_kept(answers)
        name = f"function {place.routine}"
        placed = _InBody(file=name, line=place.line, symbol=name)
        for path, refusal in [(each.role, each.lost) for each in lost][:1]:
            if refusal is not None:
                yield _broken(placed, old[path][0].text, path, refusal, kept=bool(kept))
        for write in new_nulls(kept[0].before, kept[0].after) if kept else ():
            yield breach_at(
                placed,
                rule=REQUIRED,
                object=f"{write.table}.{write.column}",
                detail=required_detail(write),
                fix=FILL + _REPLACE,
                level=write.level,
            )


def _broken(placed: _InBody, text: str, path: str, refusal: Refusal, *, kept: bool) -> Breach:
    rejection = rejection_at(
        text, refusal.position, sqlstate=refusal.sqlstate, message=refusal.message
    )
    where = f" with the search_path {path}" if kept else ""
    return breach_at(
        placed,
        rule=BROKEN,
        # A parameter stands for a variable, which is called otherwise in the body.
        object=WHOLE if rejection.word.startswith("$") else rejection.word or WHOLE,
        detail=broken_detail(refusal) + where,
        fix=fix_for(refusal) + _REPLACE,
        level=level_of(refusal, text, kept=kept),
    )
