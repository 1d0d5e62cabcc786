"""What a schema breaks of code that worked on the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.code.facts import CodeReference
from pytest_housekeeping.checks.code.resolve.resolution import Rejection
from pytest_housekeeping.checks.code.resolve.statements import TYPES_UNKNOWN, rejection_at
from pytest_housekeeping.checks.code.verdict.app_code import references_of
from pytest_housekeeping.checks.code.verdict.breach import Breach, breach_at
from pytest_housekeeping.checks.code.verdict.broken import place_of
from pytest_housekeeping.checks.running.answers import Answer, NullWrite, Question, Refusal
from pytest_housekeeping.checks.running.committed_code import RunningApp
from pytest_housekeeping.checks.running.named import NamedState
from pytest_housekeeping.checks.running.state import RoleState
from pytest_housekeeping.checks.running.statements import question_of
from pytest_housekeeping.declarations.exemptions import RUNNING_RULES
from pytest_housekeeping.model import Level

BROKEN, REQUIRED, ROW = RUNNING_RULES
# It names a column of another table; what else names columns maps a table, with all that it writes.
_REFERS = "ForeignKey()"
WHOLE = "statement"
_IN_STEPS = (
    "in two steps: deploy code that does without it first, and take it away in a later promotion"
)
_FIXES = {
    # invalid_column_reference is what an ON CONFLICT without its index is told; the second is
    # insufficient_privilege: https://www.postgresql.org/docs/16/errcodes-appendix.html
    "42P10": "in two steps: make what takes its place beside it, deploy code that names that, and"
    " drop the old unique index in a later promotion",
    "42501": "in two steps: deploy code that does without it first, and revoke in a later"
    " promotion",
}
FILL = (
    "in two steps: give the column a DEFAULT, or leave it nullable, until code that writes it runs"
    " everywhere; make it required in a later promotion"
)
_LIST = (
    "where the code counts on the columns or their types, list them in it and deploy that first; a"
    " client that keeps prepared statements gets 'cached plan must not change result type' until"
    " it prepares them again"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """Of one role: what it was answered before, and is after."""

    role: str
    before: Answer
    after: Answer

    @property
    def lost(self) -> Refusal | None:
        if self.after.refused is not None:
            return self.after.refused
        return self.after.unplanned if self.before.unplanned is None else None


def breaks(
    app: RunningApp, before: Sequence[RoleState], after: Sequence[RoleState]
) -> Iterator[Breach]:
    """What no longer works of an application's code, and what would read or write otherwise.

    ``before`` and ``after``: for each of its roles. What was refused before already is not judged.
    """
    for reference in references_of(app.extraction):
        question = question_of(reference)
        if question is not None:
            answers = [
                Answers(role=x.role, before=x.answers[question], after=y.answers[question])
                for x, y in zip(before, after, strict=True)
            ]
            yield from _of_statement(app, reference, question, answers)
        if all(reference in each.named for each in before):
            states = [
                (x.role, x.named[reference], y.named.get(reference, NamedState()))
                for x, y in zip(before, after, strict=True)
            ]
            yield from _of_names(reference, states)


def lost_and_kept(answers: Sequence[Answers]) -> tuple[list[Answers], list[Answers]]:
    """Those that lost a statement that worked for them, and those that kept it."""
    worked = [each for each in answers if each.before.refused is None]
    # A role that might not execute it before does not stand for one that might.
    able = [each for each in worked if each.before.unplanned is None] or worked
    lost = [each for each in able if each.lost is not None]
    return lost, [each for each in able if each.lost is None]


def _of_statement(
    app: RunningApp, reference: CodeReference, question: Question, answers: Sequence[Answers]
) -> Iterator[Breach]:
    lost, kept = lost_and_kept(answers)
    if lost:
        yield _broken(app, reference, question, lost, kept)
    if not kept:
        return
    for write in new_nulls(kept[0].before, kept[0].after):
        yield breach_at(
            reference,
            rule=REQUIRED,
            object=f"{write.table}.{write.column}",
            detail=required_detail(write),
            fix=FILL,
            level=write.level,
        )
    if change := _shape_change(kept[0].before, kept[0].after):
        level = Level.ERROR if question.by_position else Level.WARNING
        yield breach_at(
            reference,
            rule=ROW,
            object=WHOLE,
            detail=f"what it reads or writes has another shape: {change}",
            fix=_LIST,
            level=level,
        )


def new_nulls(before: Answer, after: Answer) -> list[NullWrite]:
    """The required columns that are written as NULL now, and were not before."""
    known = {(each.table, each.column) for each in before.nulls}
    found = [each for each in after.nulls if (each.table, each.column) not in known]
    return sorted(found, key=lambda each: (each.table, each.column))


def required_detail(write: NullWrite) -> str:
    """What is wrong with a column that gets nothing."""
    detail = f"it writes no {write.column} into {write.table}, where it is NOT NULL and has no"
    detail += " default"
    return detail + "; a BEFORE trigger of the table may fill it in" * write.by_trigger


def fix_for(refusal: Refusal) -> str:
    """The way out that an SQLSTATE calls for."""
    return _FIXES.get(refusal.sqlstate, _IN_STEPS)


def broken_detail(refusal: Refusal) -> str:
    """What the server says, now and not before."""
    return f"it works now, and the batch breaks it: {refusal.message} (SQLSTATE {refusal.sqlstate})"


def level_of(refusal: Refusal, text: str, *, kept: bool) -> Level:
    """Where types were left to the server, those that the driver tells may decide otherwise; and
    what works for another role may never be run by this one."""
    unknown = refusal.sqlstate in TYPES_UNKNOWN and "$1" in text
    return Level.WARNING if kept or unknown else Level.ERROR


def _broken(
    app: RunningApp,
    reference: CodeReference,
    question: Question,
    lost: Sequence[Answers],
    kept: Sequence[Answers],
) -> Breach:
    refusal = next(each.lost for each in lost if each.lost is not None)
    rejection = rejection_at(
        question.text, refusal.position, sqlstate=refusal.sqlstate, message=refusal.message
    )
    roles = f" for {', '.join(each.role for each in lost)}" if kept else ""
    return breach_at(
        reference,
        place=_place(app, reference, rejection),
        rule=BROKEN,
        object=rejection.word or WHOLE,
        detail=broken_detail(refusal) + roles,
        fix=fix_for(refusal),
        level=level_of(refusal, question.text, kept=bool(kept)),
    )


def _place(
    app: RunningApp, reference: CodeReference, rejection: Rejection
) -> tuple[int, int] | None:
    return place_of(lambda file: app.texts.get(file, b""), reference, rejection)


def _shape_change(before: Answer, after: Answer) -> str:
    """What a client sees of the change: columns that it gets, parameters that it gives."""
    said = []
    for what, old, new in (
        ("columns", before.columns, after.columns),
        ("parameters", before.parameters, after.parameters),
    ):
        if old != new:
            gone = [each for each in old if each not in new]
            come = [each for each in new if each not in old]
            parts = [f"without {', '.join(gone)}"] * bool(gone)
            parts += [f"with {', '.join(come)}"] * bool(come)
            said.append(f"{what} {' and '.join(parts) or 'in another order'}")
    if not said and before.types != after.types:
        return "a type of it is another one that is called alike"
    return "; ".join(said)


def _of_names(
    reference: CodeReference,
    states: Sequence[tuple[str, NamedState, NamedState]],
) -> Iterator[Breach]:
    """Of what is looked up by name: what is not there any more, and columns of mapped tables."""
    lost = [
        (role, gone)
        for role, old, new in states
        if old.role and (gone := [each for each in new.missing if each not in old.missing])
    ]
    kept = [new for _, _, new in states if not new.missing]
    if lost:
        role, gone = lost[0]
        yield breach_at(
            reference,
            rule=BROKEN,
            object=gone[0],
            detail=f"it is there now, and is not after the batch: {', '.join(gone)}"
            + f" for {role}" * bool(kept),
            fix=_IN_STEPS,
            level=Level.ERROR if reference.certain and not kept else Level.WARNING,
        )
    elif reference.how != _REFERS and reference.names[0].columns:
        yield from _of_mapped(reference, states)


def _of_mapped(
    reference: CodeReference, states: Sequence[tuple[str, NamedState, NamedState]]
) -> Iterator[Breach]:
    """A mapper writes the columns that it knows, all of them, and reads them as what they were."""
    named = reference.names[0].columns
    _, old, new = next((each for each in states if each[2].written), states[0])
    for column, now in new.columns.items():
        was = old.columns.get(column)
        if column in named:
            if was is not None and was.type != now.type:
                yield breach_at(
                    reference,
                    rule=ROW,
                    object=f"{new.table}.{column}",
                    detail=f"the column is {now.type}, and was {was.type}",
                    fix=_LIST,
                    level=Level.WARNING,
                )
        elif now.required and new.written and not (was and was.required):
            write = NullWrite(table=new.table, column=column, by_trigger=new.by_trigger)
            # What was there before may be mapped elsewhere, in a class that this one inherits from.
            sure = was is None and not new.by_trigger
            yield breach_at(
                reference,
                rule=REQUIRED,
                object=f"{write.table}.{write.column}",
                detail=f"its rows lack a column: {required_detail(write)}",
                fix=FILL,
                level=Level.ERROR if sure else Level.WARNING,
            )
