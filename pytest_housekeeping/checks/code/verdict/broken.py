"""Code that the schema would break: what PostgreSQL would refuse, and at which word."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from pytest_housekeeping.checks.code.facts import CodeReference
from pytest_housekeeping.checks.code.readers.files import decode
from pytest_housekeeping.checks.code.resolve.resolution import (
    Rejection,
    Resolutions,
    rejected_for_all,
)
from pytest_housekeeping.checks.code.verdict.breach import BROKEN, Breach, breach_at

# A statement may be longer in the file than it is as a text: so many lines more are looked at.
_MORE_LINES = 20


def broken_code(
    root: Path, references: Sequence[CodeReference], resolutions: Sequence[Resolutions]
) -> tuple[Breach, ...]:
    """What would be refused for every role of the application. Prose cannot break."""
    result = []

    def read(file: str) -> bytes:
        return (root / file).read_bytes()

    for reference in references:
        rejection = rejected_for_all(reference, resolutions)
        if rejection is not None and reference.certain and not reference.foreign:
            result.append(
                breach_at(
                    reference,
                    place=place_of(read, reference, rejection),
                    rule=BROKEN,
                    # An exemption names it: where no word is told, the kind of refusal does.
                    object=rejection.word or rejection.sqlstate,
                    detail=f"code that this schema would break: {rejection.message}"
                    f" (SQLSTATE {rejection.sqlstate})",
                    fix="change the code before the schema, or keep what it needs",
                )
            )
    return tuple(result)


def place_of(
    read: Callable[[str], bytes], reference: CodeReference, rejection: Rejection
) -> tuple[int, int] | None:
    """Line and column of the very word that the server stopped at, in the file as ``read`` has it;
    None where it is not found. ``read`` raises OSError for a file that is not there."""
    if not rejection.word:
        return None
    suffix = Path(reference.file).suffix.lower()
    try:
        lines = decode(read(reference.file), suffix).split("\n")
    except (OSError, ValueError):
        return None
    end = reference.line + reference.text.count("\n") + _MORE_LINES
    left = rejection.occurrence
    for number in range(reference.line, min(end, len(lines)) + 1):
        start = reference.column - 1 if number == reference.line else 0
        for match in re.finditer(re.escape(rejection.word), lines[number - 1][start:]):
            if left == 0:
                return number, start + match.start() + 1
            left -= 1
    return None
