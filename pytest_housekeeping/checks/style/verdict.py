"""From what sqlfluff said of a file to the verdict of its step."""

from __future__ import annotations

from pathlib import Path

from pytest_housekeeping.checks.style.linter import Linting
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Finding, Level, Verdict


def style_verdict(
    linting: Linting | None, root: Path, path: str, *, quiet: bool = False
) -> tuple[Verdict, str]:
    """The verdict on a file's style, and a remark when sqlfluff's own settings ignore it.

    What sqlfluff says may quote the file; ``quiet`` names the rule that is broken, and no more.
    Raises ProofFailed when the style check was not started.
    """
    if linting is None:
        raise ProofFailed("the style check was not started", why="nothing was looked at")
    style = linting.style(root / path)
    findings = tuple(
        Finding(
            rule=f"sqlfluff {violation.code}",
            level=level,
            object=f"{path}:{violation.line}:{violation.column}",
            detail=violation.name if quiet else violation.description,
            fix=f"sqlfluff fix {path}",
        )
        for level, group in ((Level.ERROR, style.violations), (Level.WARNING, style.warnings))
        for violation in group
    )
    said = f"not examined: {style.unexamined}" if style.unexamined else ""
    return Verdict(examined=1, unit="files", findings=findings), said
