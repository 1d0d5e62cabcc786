"""The code of an application, resolved by the server inside the transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pytest_housekeeping.checks.code.facts import CodeReference, ReferenceKind
from pytest_housekeeping.checks.code.readers.extract import Extraction
from pytest_housekeeping.checks.code.readers.languages import PROGRAMS, SUFFIXES, is_searched
from pytest_housekeeping.checks.code.resolve.references import resolve
from pytest_housekeeping.checks.code.resolve.resolution import Resolutions
from pytest_housekeeping.declarations.boundaries import App
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.postgres.connection import Connection

_MOST_SKIPPED = 20
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class AppCode:
    """The code of one application, resolved for each of its roles: what its contracts judge."""

    app: App
    extraction: Extraction
    resolutions: tuple[Resolutions, ...]

    @property
    def references(self) -> tuple[CodeReference, ...]:
        return references_of(self.extraction)


def resolve_code(connection: Connection, app: App, extraction: Extraction) -> AppCode:
    """Let the server resolve it for each role of the application. In an open transaction."""
    references = references_of(extraction)
    resolutions = tuple(resolve(connection, references, role) for role in app.roles)
    return AppCode(app=app, extraction=extraction, resolutions=resolutions)


def references_of(extraction: Extraction) -> tuple[CodeReference, ...]:
    """The references in it, without the undecided places."""
    return tuple(each for each in extraction.found if isinstance(each, CodeReference))


def files_of(extraction: Extraction) -> tuple[str, ...]:
    """Every file of an application that was read, or should have been."""
    return (*extraction.files, *(each.file for each in extraction.undecided))


def unread_code(app: App, extraction: Extraction) -> tuple[Finding, ...]:
    """Globs that match nothing, and code in which there is no file to read."""
    where = f"[apps.{app.name}] of checks/boundaries.toml"
    findings = [
        _unread(pattern, f"the pattern of {where} matches no file")
        for pattern in extraction.unmatched
    ]
    if not app.code:
        findings.append(_unread(app.name, f"{where} names no code"))
    elif not _is_read(extraction) and not extraction.undecided and not findings:
        findings.append(_unread(app.name, f"{where} matches no file in a language that is read"))
    return tuple(findings)


def describe_code(extraction: Extraction, references: Sequence[CodeReference]) -> tuple[str, ...]:
    """How many files, statements and references were examined, and what was passed over."""
    statements = sum(each.kind is ReferenceKind.STATEMENT for each in references)
    named = len(references) - statements
    files = len(extraction.files)
    lines = [f"{files} files, {statements} statements, {named} references"]
    searched = [file for file in extraction.files if is_searched(suffix_of(file))]
    if searched:
        lines.append(f"of these only searched for names: {_by_suffix(searched)}")
    if extraction.skipped:
        lines.append(f"{len(extraction.skipped)} passed over")
        lines += [f"  {each.file}: {each.reason}" for each in extraction.skipped[:_MOST_SKIPPED]]
    if extraction.others:
        lines.append(f"{len(extraction.others)} files not read: {_by_suffix(extraction.others)}")
    return tuple(lines)


def half_read(app: App, extraction: Extraction) -> tuple[Finding, ...]:
    """Languages that are only searched, and mappers whose tables are not read: what they reach
    may be more than what is told. One finding each, whatever the number of files."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for file, facts in extraction.files.items():
        if (suffix := suffix_of(file)) in PROGRAMS:
            kinds.setdefault((suffix, "only searched for qualified names"), []).append(file)
        for each in facts.unread:
            place = f"{each.file}:{each.line}"
            kinds.setdefault((each.reason, "a library whose tables are not read"), []).append(place)
    return tuple(
        Finding(
            rule="code-unread",
            level=Level.WARNING,
            object=f"{app.name}: {name}",
            detail=f"{said}, so that more may be reached than is told: {', '.join(places[:_SHOWN])}"
            + f" and {len(places) - _SHOWN} more" * (len(places) > _SHOWN),
            fix="let staging run the application's own tests (tests of [apps.…]), or take the files"
            " out of code; at an import: hk: reaches venture.orders -- reason",
        )
        for (name, said), places in sorted(kinds.items())
    )


def suffix_of(file: str) -> str:
    return PurePosixPath(file).suffix.lower()


def _is_read(extraction: Extraction) -> bool:
    return any(suffix_of(file) in SUFFIXES for file in extraction.files)


def _by_suffix(files: Iterable[str]) -> str:
    counted = Counter(suffix_of(file) or "no suffix" for file in files)
    return ", ".join(f"{number} {suffix}" for suffix, number in counted.most_common())


def _unread(name: str, detail: str) -> Finding:
    return Finding(
        rule="code-unseen",
        level=Level.ERROR,
        object=name,
        detail=f"{detail}: nothing of it was examined",
        fix="correct the pattern; paths are relative to the folder of pyproject.toml",
    )
