"""From what sqlfluff said of the files of a folder to the verdict of its step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_housekeeping.checks.style.cache import has_settings
from pytest_housekeeping.checks.style.linter import OVERRIDES, Linting
from pytest_housekeeping.checks.style.result import Style, Violation
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.sql.path_names import on_disk

_OPTIONS = " ".join(f"--{name} {value}" for name, value in OVERRIDES.items())
# sqlfluff's own code for what its parser does not understand; PostgreSQL's has read the file.
_UNPARSED = "PRS"


def style_verdict(
    linting: Linting | None,
    root: Path,
    paths: Sequence[str],
    *,
    quiet: Callable[[str], bool],
    lines: Callable[[str], range | None] = lambda _: None,
) -> tuple[Verdict, str]:
    """The verdict on the style of files, and a remark on those that sqlfluff's own settings ignore.

    Where the project has no settings of sqlfluff, nobody has asked for a style: what its defaults
    say is a notice, one for each rule. What sqlfluff says may quote a file; of one that is
    ``quiet`` it names the rule that is broken, and no more. Of a part of a file ``lines`` says
    where it stands, and what is broken elsewhere is no fault of it. Raises ProofFailed when the
    style check was not started.
    """
    if linting is None:
        raise ProofFailed("the style check was not started", why="nothing was looked at")
    styles = {path: _within(linting.style(root / on_disk(path)), lines(path)) for path in paths}
    folders = {path.rpartition("/")[0] for path in paths}
    if all(has_settings(root / folder, root) for folder in folders):
        findings = [
            finding
            for path, style in styles.items()
            if style.violations or style.warnings
            for finding in _findings(path, style, quiet=quiet(path))
        ]
    else:
        findings = list(_unasked(styles))
    ignored = [f"{path}: {style.unexamined}" for path, style in styles.items() if style.unexamined]
    said = f"{len(paths)} files; not examined: {'; '.join(ignored)}" if ignored else ""
    return Verdict(examined=len(paths), unit="files", findings=tuple(findings)), said


def _within(style: Style, lines: range | None) -> Style:
    if lines is None:
        return style
    return replace(
        style,
        violations=tuple(each for each in style.violations if each.line in lines),
        warnings=tuple(each for each in style.warnings if each.line in lines),
    )


def _findings(path: str, style: Style, *, quiet: bool) -> Iterator[Finding]:
    # sqlfluff fixes nothing in a file that it cannot parse. PostgreSQL can: that is no fault of it.
    unparsed = any(each.code == _UNPARSED for each in style.violations)
    for level, group in ((Level.ERROR, style.violations), (Level.WARNING, style.warnings)):
        for violation in group:
            fixable = violation.fixable and not unparsed
            yield Finding(
                rule=f"sqlfluff {violation.code}",
                level=Level.WARNING if violation.code == _UNPARSED else level,
                object=f"{on_disk(path)}:{violation.line}:{violation.column}",
                detail=violation.name if quiet else violation.description,
                fix=f"sqlfluff fix {_OPTIONS} {on_disk(path)}" if fixable else "",
            )


def _unasked(styles: Mapping[str, Style]) -> Iterator[Finding]:
    """One notice for each rule of sqlfluff's defaults, with its first place."""
    by_code: dict[str, list[tuple[str, Violation]]] = {}
    for path, style in styles.items():
        for violation in (*style.violations, *style.warnings):
            by_code.setdefault(violation.code, []).append((path, violation))
    for code, places in sorted(by_code.items()):
        path, first = places[0]
        count = len(places)
        others = f", and {count - 1} more" if count > 1 else ""
        yield Finding(
            rule=f"sqlfluff {code}",
            level=Level.NOTICE,
            object=f"{on_disk(path)}:{first.line}:{first.column}{others}",
            detail=f"{first.name}, by sqlfluff's defaults; the project has no .sqlfluff that asks"
            " for a style",
        )
