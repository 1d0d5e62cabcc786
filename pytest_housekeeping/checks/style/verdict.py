"""From what sqlfluff said of the files of a folder to the verdict of its step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pytest_housekeeping.checks.style.linter import Linting
from pytest_housekeeping.checks.style.result import Style
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Finding, Level, Verdict


def style_verdict(
    linting: Linting | None, root: Path, paths: Sequence[str], *, quiet: Callable[[str], bool]
) -> tuple[Verdict, str]:
    """The verdict on the style of files, and a remark on those that sqlfluff's own settings ignore.

    What sqlfluff says may quote a file; of one that is ``quiet`` it names the rule that is broken,
    and no more. Raises ProofFailed when the style check was not started.
    """
    if linting is None:
        raise ProofFailed("the style check was not started", why="nothing was looked at")
    styles = {path: linting.style(root / path) for path in paths}
    findings = [
        finding
        for path, style in styles.items()
        if style.violations or style.warnings
        for finding in _findings(path, style, quiet=quiet(path))
    ]
    ignored = [f"{path}: {style.unexamined}" for path, style in styles.items() if style.unexamined]
    said = f"{len(paths)} files; not examined: {'; '.join(ignored)}" if ignored else ""
    return Verdict(examined=len(paths), unit="files", findings=tuple(findings)), said


def _findings(path: str, style: Style, *, quiet: bool) -> Iterator[Finding]:
    for level, group in ((Level.ERROR, style.violations), (Level.WARNING, style.warnings)):
        for violation in group:
            yield Finding(
                rule=f"sqlfluff {violation.code}",
                level=level,
                object=f"{path}:{violation.line}:{violation.column}",
                detail=violation.name if quiet else violation.description,
                fix=f"sqlfluff fix {path}",
            )
