"""The verdict on one contract as far as code goes: read, resolve, weigh against what is exempt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from pytest_housekeeping.checks.code.readers.extract import Extraction, read_files
from pytest_housekeeping.checks.code.reading import read_code
from pytest_housekeeping.checks.code.verdict.app_code import (
    AppCode,
    describe_code,
    files_of,
    half_read,
    resolve_code,
    unread_code,
)
from pytest_housekeeping.checks.code.verdict.breach import Breach
from pytest_housekeeping.checks.code.verdict.breaches import breaches
from pytest_housekeeping.checks.code.verdict.broken import broken_code
from pytest_housekeeping.checks.code.verdict.exemptions import (
    Standing,
    exemptions_for,
    standing,
    unclaimed_exemptions,
)
from pytest_housekeeping.checks.code.verdict.import_finder import package_names
from pytest_housekeeping.checks.code.verdict.imports import Crossing, crossings
from pytest_housekeeping.declarations.boundaries import FORBIDDEN, App, Boundaries, Contract
from pytest_housekeeping.declarations.code_baseline import Baseline, Instance
from pytest_housekeeping.declarations.exemptions import CodeExemption
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection


def judge_code(
    connection: Connection,
    boundaries: Boundaries,
    contract: Contract,
    root: Path,
    *,
    today: date,
    code: Mapping[str, Extraction] | None = None,
    resolved: AppCode | None = None,
    exemptions: Sequence[CodeExemption] = (),
    baseline: Baseline | None = None,
    broken: bool = True,
    cache_folder: Path | None = None,
) -> Verdict:
    """Whether the code of the contract's source keeps to it, on the uncommitted schema.

    Examined are files, statements and references; no file at all is a failure. ``code`` and
    ``resolved`` spare reading and resolving again. ``broken``: also say which code the schema would
    break. Raises RuleBroken when the server could not be asked.
    """
    app = boundaries.source(contract)
    known = code if code is not None else read_code(root, boundaries, cache_folder=cache_folder)
    extraction = known.get(app.name, Extraction())
    if unread := unread_code(app, extraction):
        said = describe_code(extraction, ())
        return Verdict(examined=0, findings=unread, unit="statements and references", coverage=said)
    app_code = resolved or resolve_code(connection, app, extraction)
    found = _breaches(boundaries, contract, root, known, app_code, cache_folder)
    if broken:
        found += broken_code(root, app_code.references, app_code.resolutions)
    stands = _standing(found, boundaries, contract, known, exemptions, baseline, today)
    return Verdict(
        examined=len(app_code.references) + len(extraction.files),
        findings=(*stands.findings, *(half_read(app, extraction) if broken else ())),
        unit="files, statements and references",
        coverage=describe_code(extraction, app_code.references),
        exempted=stands.exempted,
    )


def baseline_instances(
    connection: Connection,
    boundaries: Boundaries,
    root: Path,
    *,
    code: Mapping[str, Extraction],
    exemptions: Sequence[CodeExemption] = (),
    cache_folder: Path | None = None,
) -> tuple[Instance, ...]:
    """All that stands against the contracts now, for ``--hk-write-baseline``."""
    exempt = {(each.file, each.symbol, each.object) for each in exemptions if not each.rule}
    found: list[Instance] = []
    for contract in boundaries.contracts:
        app = boundaries.source(contract)
        if contract.type == FORBIDDEN and app.name in code:
            app_code = resolve_code(connection, app, code[app.name])
            found += [
                breach.instance(contract.name)
                for breach in _breaches(boundaries, contract, root, code, app_code, cache_folder)
                if (breach.file, breach.symbol, breach.object) not in exempt
            ]
    return tuple(found)


def _standing(
    found: Sequence[Breach],
    boundaries: Boundaries,
    contract: Contract,
    code: Mapping[str, Extraction],
    exemptions: Sequence[CodeExemption],
    baseline: Baseline | None,
    today: date,
) -> Standing:
    """What exemptions and baseline leave of the breaches, and exemptions without a cause."""
    files = {name: files_of(extraction) for name, extraction in code.items()}
    own = files[contract.source]
    stands = standing(
        found,
        contract,
        exemptions=exemptions_for(contract, boundaries, exemptions, own),
        baseline=baseline or Baseline(),
        today=today,
    )
    if contract != next(iter(boundaries.on_code), None):
        return stands
    # Said once, with the first contract that is judged by code.
    unclaimed = unclaimed_exemptions(exemptions, boundaries, files)
    return replace(stands, findings=(*stands.findings, *unclaimed))


def _breaches(
    boundaries: Boundaries,
    contract: Contract,
    root: Path,
    code: Mapping[str, Extraction],
    app_code: AppCode,
    cache_folder: Path | None,
) -> tuple[Breach, ...]:
    found, resolutions = app_code.extraction.found, app_code.resolutions
    imports = _crossings(boundaries, contract, root, code, cache_folder)
    return breaches(boundaries, contract, found, resolutions, imports)


def _crossings(
    boundaries: Boundaries,
    contract: Contract,
    root: Path,
    code: Mapping[str, Extraction],
    cache_folder: Path | None,
) -> tuple[Crossing, ...]:
    """Imports of the target's code, where the target is an application with code."""
    target = boundaries.target(contract)
    if not isinstance(target, App) or target.name not in code:
        return ()
    folders = {re.split(r"[*?\[]", pattern)[0].rstrip("/") for pattern in target.code}
    return crossings(
        root,
        code[contract.source].files,
        code[target.name].files,
        read=lambda paths: read_files(paths, root=root, cache_folder=cache_folder),
        packages=package_names(root, sorted(folders)),
    )
