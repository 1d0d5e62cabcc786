"""What the answers say: rows in the way fail, what nobody could tell is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_housekeeping.checks.rows.asking import Answer, NotChecked
from pytest_housekeeping.evidence.report.display import one_line, shortened
from pytest_housekeeping.model import Finding, Level, Verdict

_LENGTH = 60
REFUSED, LOST, UNCHECKED = "rows-refuse", "rows-lose", "rows-not-checked"
_FIX = "change these rows first, by hand or earlier in the batch, or ask less of them"


def rows_verdict(answers: Sequence[Answer | NotChecked], changes: int) -> tuple[Verdict, str]:
    """The verdict on a batch with so many changes, and what it says in one line."""
    findings = tuple(_findings(answers))
    asked = [each for each in answers if isinstance(each, Answer) and not each.question.lossy]
    unchecked = [each for each in answers if isinstance(each, NotChecked)]
    refused = sum(1 for each in asked if each.violations)
    if not answers:
        said = f"{changes} changes examined: rows can refuse none of them"
    else:
        held = f"{len(asked)} questions to production's rows, {refused} with rows in the way"
        said = f"{changes} changes examined; {held}"
        said += f"; {len(unchecked)} not checked" if unchecked else ""
        lines = [f"{each.question.object}: {_share(each)}" for each in asked]
        said = "; ".join((said, *lines[:20], *[f"and {len(lines) - 20} more"] * (len(lines) > 20)))
    return Verdict(examined=max(1, changes), unit="changes", findings=findings), said


def _findings(answers: Sequence[Answer | NotChecked]) -> Iterator[Finding]:
    for each in answers:
        if isinstance(each, NotChecked):
            yield Finding(
                rule=UNCHECKED,
                level=Level.WARNING,
                object=each.object,
                detail=f"not checked: {each.why}",
            )
        elif each.violations:
            yield Finding(
                rule=LOST if each.question.lossy else REFUSED,
                level=Level.WARNING if each.question.lossy else Level.ERROR,
                object=each.question.object,
                detail=_told(each),
                fix="" if each.question.lossy else _FIX,
            )


def _share(answer: Answer) -> str:
    """``2 / 1,204``; of a table whose rows take too long to be counted, ``2``."""
    return f"{answer.violations:,}" + (f" / {answer.rows:,}" if answer.rows is not None else "")


def _told(answer: Answer) -> str:
    more = "at least " if answer.at_least else ""
    said = f"{more}{_share(answer)} rows of {answer.question.table}: {answer.question.demand}"
    said += f" ({answer.error})" if answer.error else ""
    if answer.keys:
        keys = ", ".join(f"({shortened(one_line(key), _LENGTH)})" for key in answer.keys)
        return f"{said}; primary keys: {keys}"
    return f"{said}; without a primary key none can be named"
