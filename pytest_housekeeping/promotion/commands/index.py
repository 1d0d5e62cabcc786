"""``python -m pytest_housekeeping audit --html``, ``--json``, ``--population`` and ``--at``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pytest_housekeeping.config import PRODUCTION, Config
from pytest_housekeeping.declarations.settings import SETTINGS, settings_in
from pytest_housekeeping.errors import EvidenceError, MisuseError
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.git.objects import INDEX, fetch_fix
from pytest_housekeeping.evidence.index.fleet_rows import fleet_rows
from pytest_housekeeping.evidence.index.moments import moment, period
from pytest_housekeeping.evidence.index.population import ProvedEvidence, population
from pytest_housekeeping.evidence.index.rows import Row, rows
from pytest_housekeeping.evidence.index.schema_texts import (
    SchemaState,
    as_differences,
    schema_states_of,
    state_at,
)
from pytest_housekeeping.evidence.proof.prove import Proof
from pytest_housekeeping.evidence.report.display import one_line, plural
from pytest_housekeeping.evidence.report.index_page import index_page
from pytest_housekeeping.evidence.report.index_tables import (
    index_json,
    population_csv,
    population_json,
)
from pytest_housekeeping.model import Finding
from pytest_housekeeping.promotion.commands.audit import compared_with_history, proof_of
from pytest_housekeeping.promotion.commands.own_repository import own_repository
from pytest_housekeeping.whole_file import write_whole

_SHOWN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What of the evidence is asked for."""

    html: bool = False
    population: bool = False
    at: str | None = None
    json: bool = False
    since: str | None = None
    until: str | None = None
    target: bool = False
    hk_target: str = PRODUCTION


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """``out`` is for standard output, whole; ``said`` are lines for whoever runs it."""

    out: str = ""
    said: tuple[str, ...] = ()
    good: bool = True


def index(root: Path, asked: Asked) -> Told:
    """What the evidence of this project tells. Writes nothing but, for ``html``, the index.

    Raises MisuseError for what does not go together, and where there is no repository;
    EvidenceError where the evidence cannot be read, and of a moment nobody knows the schema.
    """
    _refuse_unfit(asked)
    with own_repository(root) as repository:
        base, folder = repository.relative(root), root / _folder(root)
        place = repository.relative(folder)
        proof = _of_the_project(proof_of(repository), place)
        if not proof.records:
            raise EvidenceError(
                "no evidence: neither HEAD nor a branch housekeeping/audit/* has an audit of this"
                " project",
                why="of nothing nothing is told",
                fix=fetch_fix(repository),
            )
        evidence = ProvedEvidence(git=repository, proof=proof, root="" if base == "." else base)
        with repository.offline():
            if asked.population:
                return _population(root, repository, evidence, asked)
            if asked.at:
                return _schema_at(evidence, asked.at)
            return _json(evidence, place) if asked.json else _html(root, folder, place, evidence)


def _folder(root: Path) -> str:
    """Where the audits of the project lie: its settings may be of another time, and need not be
    in force here."""
    path = root / SETTINGS
    settings = settings_in(path.read_bytes()) if path.is_file() else None
    named = settings.get("audit") if isinstance(settings, dict) else None
    return named if isinstance(named, str) else Config.audit


def _of_the_project(proof: Proof, folder: str) -> Proof:
    """What belongs to the project whose production has its audits in ``folder``: those of its other
    targets lie beside it, ``ops/NAME/audit``, those of a fleet ``ops/FLEET/NAME/audit``. A
    repository may hold other projects."""
    place = PurePosixPath(folder)

    def is_ours(path: str) -> bool:
        parent = PurePosixPath(path).parent
        beside = place.parent in (parent.parent.parent, parent.parent.parent.parent)
        return parent == place or (parent.name == place.name and beside)

    def is_told(finding: Finding) -> bool:
        found = PurePosixPath(finding.object)
        return "/" not in finding.object or found.is_relative_to(place.parent)

    return replace(
        proof,
        records=tuple(each for each in proof.records if is_ours(each.path)),
        findings=tuple(each for each in proof.findings if is_told(each)),
    )


def _refuse_unfit(asked: Asked) -> None:
    unfit = ""
    if (asked.since or asked.until) and not asked.population:
        unfit = "--from and --to are of --population"
    if asked.json and (asked.html or asked.at):
        unfit = "--json is of the index itself, or of --population"
    if asked.target and not asked.population:
        unfit = "--target compares what is proved, or a population"
    if unfit:
        raise MisuseError(
            unfit,
            why="what is asked for cannot be told",
            fix="python -m pytest_housekeeping audit --help",
        )


def _population(root: Path, repository: Repository, evidence: ProvedEvidence, asked: Asked) -> Told:
    asked_for = period(asked.since, asked.until)
    found = population(evidence, asked_for)
    if asked.target:
        against, _ = compared_with_history(root, repository, asked.hk_target)
        more = [f"{each.object}: {each.detail} [{each.rule}]" for each in against]
        found = replace(found, faults=(*found.faults, *more))
    text = population_json(found) if asked.json else population_csv(found.changes)
    outside = sum(not each.run for each in found.changes)
    said = f"{plural(len(found.changes), 'row')}, {outside} of them outside of any run: "
    said += "complete" if found.complete else "NOT SHOWN TO BE COMPLETE"
    return Told(out=text, said=(said, *_shown(found.faults)), good=found.complete)


def _shown(faults: Sequence[str]) -> list[str]:
    lines = [f"  {one_line(each)}" for each in faults[:_SHOWN]]
    if len(faults) > _SHOWN:
        lines.append(f"  and {len(faults) - _SHOWN} more")
    if faults:
        lines.append("  fix: python -m pytest_housekeeping audit says how each is repaired")
    return lines


def _schema_at(evidence: ProvedEvidence, asked: str) -> Told:
    when = moment(asked, "--at", end=True)
    states = list(schema_states_of(evidence.git, evidence.proof.records))
    found = state_at(states, when)
    if not found:
        first = f"the first that is known is of {states[0].at}" if states else "none is kept here"
        raise EvidenceError(
            f"what the schema was at {when} is not known: {first}",
            why="no run that kept a dump had looked at it by then",
            fix="ask for a later moment, or fetch all evidence",
        )
    if len(found) > 1:
        names = ", ".join(sorted(found))
        return Told(
            out="".join(f"-- {name}\n\n{state.text}\n" for name, state in sorted(found.items())),
            said=(f"of {len(found)} databases: {names}", *map(_of, found.values())),
        )
    (state,) = found.values()
    return Told(out=state.text, said=(_of(state),))


def _of(state: SchemaState) -> str:
    verb = "found" if state.found else "left"
    return f"{state.target}: as run {state.run} {verb} it at {state.at}, kept as {state.path}"


def _json(evidence: ProvedEvidence, folder: str) -> Told:
    faults = [f"{each.object}: {each.detail} [{each.rule}]" for each in evidence.proof.faults]
    return Told(
        out=index_json(_rows(evidence, folder), faults), said=tuple(_shown(faults)), good=not faults
    )


def _rows(evidence: ProvedEvidence, folder: str) -> list[Row]:
    """Of the runs, and of those on whole fleets."""
    beside = PurePosixPath(folder).parent.as_posix()
    found = [*rows(evidence), *fleet_rows(evidence.git, beside)]
    return sorted(found, key=lambda row: (row.began, row.ended, row.run), reverse=True)


def _html(root: Path, folder: Path, place: str, evidence: ProvedEvidence) -> Told:
    states = as_differences(list(schema_states_of(evidence.git, evidence.proof.records)))
    table = _rows(evidence, place)
    faults = [f"{each.object}: {each.detail} [{each.rule}]" for each in evidence.proof.faults]
    folder.mkdir(parents=True, exist_ok=True)
    here = frozenset(each.name for each in folder.iterdir())
    page = index_page(table, states, faults, here=here, project=root.name)
    path = folder / INDEX
    write_whole(path, page)
    said = f"written: {path.relative_to(root).as_posix()}, {plural(len(table), 'row')}"
    return Told(said=(said, *_shown(faults)), good=not faults)
