"""The verdict on one contract as far as code goes: read, resolve, weigh."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pytest_housekeeping.checks.code.facts import CodeReference, ReferenceKind
from pytest_housekeeping.checks.code.readers.extract import Extraction, extract, read_files
from pytest_housekeeping.checks.code.readers.files import decode
from pytest_housekeeping.checks.code.resolve.resolution import Resolution, Resolutions
from pytest_housekeeping.checks.code.resolve.resolve import resolve
from pytest_housekeeping.checks.code.verdict import exemptions as weighing
from pytest_housekeeping.checks.code.verdict import findings as verdicts
from pytest_housekeeping.checks.code.verdict.imports import Crossing, crossings, package_names
from pytest_housekeeping.declarations.boundaries import FORBIDDEN, App, Boundaries, Contract
from pytest_housekeeping.declarations.code_baseline import Baseline, Instance
from pytest_housekeeping.declarations.exemptions import CodeExemption
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection

UNIT = "statements and references"


@dataclass(frozen=True, kw_only=True)
class AppCode:
    """The code of one application, read and resolved: the ground of all its contracts."""

    app: App
    extraction: Extraction
    resolutions: tuple[Resolutions, ...]

    @property
    def references(self) -> tuple[CodeReference, ...]:
        return tuple(e for e in self.extraction.found if isinstance(e, CodeReference))


def read_code(
    root: Path, boundaries: Boundaries, *, cache_folder: Path | None = None
) -> dict[str, Extraction]:
    """What the code of every application names. Needs no database: do it before BEGIN."""
    return {
        app.name: extract(root, app.code, cache_folder=cache_folder)
        for app in boundaries.apps
        if app.code
    }


def resolve_code(connection: Connection, app: App, extraction: Extraction) -> AppCode:
    """Let the server resolve it for each role of the application. In an open transaction."""
    references = [each for each in extraction.found if isinstance(each, CodeReference)]
    resolutions = tuple(resolve(connection, references, role) for role in app.roles)
    return AppCode(app=app, extraction=extraction, resolutions=resolutions)


def judge_code(
    connection: Connection,
    boundaries: Boundaries,
    contract: Contract,
    root: Path,
    *,
    code: Mapping[str, Extraction] | None = None,
    resolved: AppCode | None = None,
    exemptions: Sequence[CodeExemption] = (),
    baseline: Baseline | None = None,
    today: date | None = None,
    broken: bool = True,
    cache_folder: Path | None = None,
) -> Verdict:
    """Whether the code of the contract's source keeps to it, on the uncommitted schema.

    Examined are statements and references; no file at all is a failure. ``code`` and ``resolved``
    spare reading and resolving again. ``broken``: also say which code the schema would break.
    Raises RuleBroken when the server could not be asked.
    """
    app = boundaries.source(contract)
    known = code if code is not None else read_code(root, boundaries, cache_folder=cache_folder)
    extraction = known.get(app.name, Extraction())
    if gaps := _gaps(app, extraction):
        return Verdict(
            examined=0, findings=gaps, unit=UNIT, evidence=tuple(_said(extraction, 0, 0))
        )
    ground = resolved or resolve_code(connection, app, extraction)
    found = _breaches(boundaries, contract, root, known, ground, cache_folder)
    findings = weighing.weigh(
        found,
        contract,
        exemptions=weighing.about(exemptions, boundaries, contract, _files(extraction)),
        baseline=baseline or Baseline(),
        today=today or datetime.now(UTC).date(),
    )
    if contract == next((c for c in boundaries.contracts if c.type == FORBIDDEN), None):
        files = {name: _files(each) for name, each in known.items()}
        findings += weighing.unclaimed(exemptions, boundaries, files)
    if broken:
        places = refused_places(root, ground.references, ground.resolutions)
        refused = verdicts.broken(extraction.found, ground.resolutions, places)
        findings += tuple(breach.finding for breach in refused)
    statements = sum(each.kind is ReferenceKind.STATEMENT for each in ground.references)
    named = len(ground.references) - statements
    examined = len(ground.references) + len(extraction.readings)
    return Verdict(
        examined=examined,
        findings=findings,
        unit="files, statements and references",
        evidence=tuple(_said(extraction, statements, named)),
    )


def instances(
    connection: Connection,
    boundaries: Boundaries,
    root: Path,
    *,
    code: Mapping[str, Extraction],
    exemptions: Sequence[CodeExemption] = (),
    cache_folder: Path | None = None,
) -> tuple[Instance, ...]:
    """All that stands against the contracts now, for ``--hk-write-baseline``."""
    exempt = {(each.file, each.symbol, each.object) for each in exemptions}
    found: list[Instance] = []
    for contract in boundaries.contracts:
        app = boundaries.source(contract)
        if contract.type == FORBIDDEN and app.name in code:
            ground = resolve_code(connection, app, code[app.name])
            breaches = _breaches(boundaries, contract, root, code, ground, cache_folder)
            found += [
                breach.instance(contract.name)
                for breach in breaches
                if (breach.file, breach.symbol, breach.object) not in exempt
            ]
    return tuple(found)


def _breaches(
    boundaries: Boundaries,
    contract: Contract,
    root: Path,
    code: Mapping[str, Extraction],
    ground: AppCode,
    cache_folder: Path | None,
) -> tuple[verdicts.Breach, ...]:
    return verdicts.breaches(
        boundaries,
        contract,
        ground.extraction.found,
        ground.resolutions,
        _crossings(boundaries, contract, root, code, cache_folder),
    )


def _crossings(
    boundaries: Boundaries,
    contract: Contract,
    root: Path,
    code: Mapping[str, Extraction],
    cache_folder: Path | None,
) -> tuple[Crossing, ...]:
    target = boundaries.target(contract)
    if not isinstance(target, App) or target.name not in code:
        return ()
    folders = {re.split(r"[*?\[]", pattern)[0].rstrip("/") for pattern in target.code}
    return crossings(
        root,
        code[contract.source].readings,
        code[target.name].readings,
        read=lambda paths: read_files(paths, root=root, cache_folder=cache_folder),
        packages=package_names(root, sorted(folders)),
    )


def _gaps(app: App, extraction: Extraction) -> tuple[Finding, ...]:
    """Globs that match nothing, and code in which there is no file to read."""
    where = f"[apps.{app.name}] of checks/boundaries.toml"
    findings = [
        _gap(pattern, f"the pattern of {where} matches no file") for pattern in extraction.unmatched
    ]
    if not app.code:
        findings.append(_gap(app.name, f"{where} names no code"))
    elif not extraction.readings and not extraction.undecided and not findings:
        findings.append(_gap(app.name, f"{where} matches no file in a language that is read"))
    return tuple(findings)


def _gap(name: str, detail: str) -> Finding:
    return Finding(
        rule="code-unseen",
        level=Level.ERROR,
        object=name,
        detail=f"{detail}: nothing of it was examined",
        fix="correct the pattern; paths are relative to the folder of pyproject.toml",
    )


def _files(extraction: Extraction) -> tuple[str, ...]:
    return (*extraction.readings, *(each.file for each in extraction.undecided))


def _said(extraction: Extraction, statements: int, named: int) -> list[str]:
    lines = [
        f"{len(extraction.readings)} files, {statements} statements, {named} references",
    ]
    if extraction.passed:
        lines.append(f"{len(extraction.passed)} passed over")
        lines += [f"  {each.file}: {each.reason}" for each in extraction.passed[:20]]
    if extraction.others:
        lines.append(f"{extraction.others} files in languages that are not read")
    return lines


def refused_places(
    root: Path, references: Sequence[CodeReference], resolutions: Sequence[Resolutions]
) -> dict[CodeReference, tuple[int, int]]:
    """The line of the very word that the server stopped at."""
    places: dict[CodeReference, tuple[int, int]] = {}
    for reference in references:
        refusal = _refusal(reference, resolutions)
        if refusal is not None and refusal.rejected is not None and refusal.rejected.word:
            place = _find(root, reference, refusal.rejected.word, refusal.rejected.occurrence)
            if place is not None:
                places[reference] = place
    return places


def _refusal(reference: CodeReference, resolutions: Sequence[Resolutions]) -> Resolution | None:
    return next((r[reference] for r in resolutions if reference in r), None)


def _find(
    root: Path, reference: CodeReference, word: str, occurrence: int
) -> tuple[int, int] | None:
    suffix = Path(reference.file).suffix.lower()
    try:
        lines = decode((root / reference.file).read_bytes(), suffix).split("\n")
    except (OSError, ValueError):
        return None
    end = reference.line + reference.text.count("\n") + 20
    left = occurrence
    for number in range(reference.line, min(end, len(lines)) + 1):
        start = reference.column - 1 if number == reference.line else 0
        for match in re.finditer(re.escape(word), lines[number - 1][start:]):
            if left == 0:
                return number, start + match.start() + 1
            left -= 1
    return None
