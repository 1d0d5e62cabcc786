"""One record of what was done with a fleet, committed with the audits of all its databases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pytest_housekeeping import __version__
from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.fleets import member_target
from pytest_housekeeping.errors import EvidenceError, HousekeepingError
from pytest_housekeeping.evidence import BRANCHES, Repository, open_repository
from pytest_housekeeping.evidence.fleet_record import (
    FAILED,
    LEFT,
    PENDING,
    FleetRecord,
    GroupRecord,
    MemberRecord,
    ToldRecord,
    WaveRecord,
    fleet_json,
    read_fleet_record,
)
from pytest_housekeeping.evidence.git.objects import fleet_records
from pytest_housekeeping.evidence.git.shared_branch import continue_from
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.promotion.fleet.left_behind import (
    LeftBehind,
    left_behind,
    left_records,
    settled,
)
from pytest_housekeeping.promotion.fleet.stored import store_evidence
from pytest_housekeeping.promotion.fleet.work import Result, Work
from pytest_housekeeping.promotion.production.of_fleet.handed import HandedBack
from pytest_housekeeping.promotion.recording.evidence_commit import commit_signed, push
from pytest_housekeeping.promotion.run_facts import new_run
from pytest_housekeeping.whole_file import write_whole


@dataclass(frozen=True, kw_only=True)
class Waves:
    """A run on a fleet that has ended: what was done, by item, and what each run has left."""

    config: Config
    work: Work
    mode: Mode
    id: str
    started_at: datetime
    backs: Mapping[str, HandedBack]
    whole: bool


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Where the record is committed, "" for nowhere; what is to be told; whether it has a page, and
    whether the evidence of all databases is committed with it, where that of any is."""

    branch: str
    told: tuple[str, ...]
    page: bool = False
    whole: bool = True


def record_of(waves: Waves) -> FleetRecord:
    """The record, sealed: nothing is written."""
    work, found = waves.work, waves.work.survey
    results, facts = work.results(), new_run(waves.mode)
    with _opened(waves.config) as repository:
        commit = repository.head() if repository is not None else None
        previous = _previous(waves, repository)
    record = FleetRecord(
        fleet=work.fleet.name,
        mode=waves.mode,
        id=waves.id,
        shard=work.shard,
        confirm=work.fleet.confirm,
        started_at=waves.started_at,
        finished_at=max(datetime.now(UTC), waves.started_at),
        tool_version=__version__,
        actor=facts.actor,
        ci_url=facts.ci_url,
        commit=commit,
        complete=waves.whole,
        groups=tuple(_groups(work, results)),
        rows=tuple(_rows(work, results)),
        away=_told({each.database.name: each.away for each in found.away}),
        left_out=_told({each.database.name: each.wrong for each in found.wrong}),
        drifted=_told({each.database.name: each.drift for each in found.seen}),
        archived=tuple(each.name for each in found.archived),
        waves=tuple(
            WaveRecord(
                name=wave.name,
                databases=tuple(
                    _member(waves, name, results.get(work.item(wave.name, name)))
                    for name in wave.databases
                ),
            )
            for wave in work.waves
        ),
    )
    return record.sealed(previous)


def keep(waves: Waves, record: FleetRecord, page: Path | None) -> Kept:
    """Write the record, and commit it with its ``page`` and the evidence of all databases: on a
    branch of its own, or on the log of a watch. A plan is a report, and is committed nowhere.

    Raises EvidenceError where the record cannot be written or committed.
    """
    root = waves.config.root
    place = root / waves.work.fleet.audit / f"{record.stem}.json"
    text = fleet_json(record)
    try:
        write_whole(place, text)
        files = {place: text.encode()} | ({page: page.read_bytes()} if page else {})
    except (HousekeepingError, OSError) as error:
        raise EvidenceError(
            f"the record of the fleet cannot be written: {str(error).splitlines()[0]}",
            why="the audits of its databases lie beside it, and what was done as a whole nowhere",
            fix="make room, and run the fleet again: what is applied is not applied twice",
        ) from None
    and_page = " and .html" if page else ""
    told = [f"record: {place.relative_to(root).as_posix()}{and_page}"]
    with _opened(waves.config) as repository:
        left = list(_left_behind(waves, repository))
        told += [each.told for each in left]
        why_not = _why_not(waves, repository, left)
        if why_not or repository is None:
            return Kept(branch="", told=(*told, f"not committed: {why_not}"), page=bool(page))
        files |= {path: path.read_bytes() for each in left for path in each.files}
        earlier = list(left_records(repository, root, place.parent, waves.mode, left))
        for each in earlier:
            files |= each.files
            told.append(f"the record of an earlier run is added now: {each.record.id}")
        named = {path.relative_to(root).as_posix(): content for path, content in files.items()}
        stored = store_evidence(repository, root, waves.backs)
        told += stored.told
        waves = replace(waves, backs=stored.backs)
        records = [record, *(each.record for each in earlier)]
        branch, more = _committed(waves, repository, records, named)
    return Kept(branch=branch, told=(*told, *more), page=bool(page), whole=not stored.told)


def _left_behind(waves: Waves, repository: Repository | None) -> Iterator[LeftBehind]:
    """What earlier runs have left; those of this one have handed theirs back."""
    if waves.mode is not Mode.PROD:
        return
    root = waves.config.root
    back = {root / path for each in waves.backs.values() for path in each.files}
    seen = [each.database for each in waves.work.survey.seen if not each.away]
    yield from left_behind(waves.config, repository, waves.work.fleet, seen, back)


def _why_not(waves: Waves, repository: Repository | None, left: Sequence[LeftBehind]) -> str:
    if repository is None:
        return "there is no repository"
    if waves.mode is Mode.PLAN:
        return "a plan is a report, and no evidence"
    made = left or any(back.files for back in waves.backs.values())
    if repository.head() is None or not made:
        return "no run of a database has left evidence that attests a commit"
    return ""


def _committed(
    waves: Waves,
    repository: Repository,
    records: Sequence[FleetRecord],
    files: Mapping[str, bytes],
) -> tuple[str, list[str]]:
    """The branch, and what is to be told; the first of the ``records`` is that of this run."""
    root, config, record = waves.config.root, waves.config, records[0]
    commit = repository.head() or ""
    logged = rules_of(waves.mode).logged
    branch = f"{BRANCHES}/{waves.mode if logged else f'{waves.work.fleet.name}/{record.stem}'}"
    attests = None if logged else commit
    if logged:
        continue_from(repository, branch)
    back = {path: oid for each in waves.backs.values() for path, oid in each.files.items()}
    pins = {path: data for each in waves.backs.values() for path, data in each.contents.items()}
    named = {repository.relative(root / path): data for path, data in {**pins, **files}.items()}
    stored = {repository.relative(root / path): oid for path, oid in back.items()}
    message, sign = _message(waves, repository, commit, records), bool(config.evidence_signers)
    made, unsigned = commit_signed(
        repository, branch, named, message, attests, sign=sign, stored=stored
    )
    settled(root, [*files, *back])
    told = [f"committed: {made[:12]} on {branch}, which attests {commit[:12]}"]
    told += [f"NOT SIGNED: {unsigned}"] if unsigned else []
    return branch, told if logged else [*told, *push(repository, branch)]


def _message(
    waves: Waves, repository: Repository, commit: str, records: Sequence[FleetRecord]
) -> str:
    """A line for each audit and each record, as every commit of evidence has it, and where they
    are."""
    done = {name: back for name, back in waves.backs.items() if back.files}
    lines = []
    for name, back in done.items():
        folder = repository.relative(waves.config.root / _folder(waves, name))
        lines.append(f"Run {back.run}, plan {back.plan[:12]}, audit {back.digest}, in {folder}")
    folder = repository.relative(waves.config.root / waves.work.fleet.audit)
    lines += [f"Record {r.id} of a fleet, digest {r.chain.digest}, in {folder}" for r in records]
    head = f"{waves.mode} of fleet {waves.work.fleet.name}: {len(done)} databases on {commit[:12]}"
    return "\n".join([head, "", *lines, ""])


def _groups(work: Work, results: Mapping[str, Result]) -> Iterator[GroupRecord]:
    for group in work.survey.groups:
        result = results.get(work.item("groups", group.name))
        yield GroupRecord(
            name=group.name,
            databases=group.names,
            applied=len(group.members[0].applied),
            pending=group.pending,
            fingerprint=group.members[0].schema,
            how=result.how if result else "",
            detail=result.detail if result else "",
        )


def _rows(work: Work, results: Mapping[str, Result]) -> Iterator[ToldRecord]:
    for each in work.survey.seen:
        result = results.get(work.item("rows", each.database.name))
        if result is not None and result.how == FAILED:
            yield ToldRecord(name=each.database.name, detail=result.detail)


def _told(found: Mapping[str, str]) -> tuple[ToldRecord, ...]:
    return tuple(ToldRecord(name=name, detail=said) for name, said in found.items() if said)


def _member(waves: Waves, name: str, result: Result | None) -> MemberRecord:
    back = waves.backs.get(name)
    left = PENDING if waves.mode is Mode.PLAN else LEFT
    return MemberRecord(
        name=name,
        how=result.how if result else left,
        detail=result.detail if result else "",
        seconds=result.seconds if result else 0.0,
        outcome=back.outcome if back else "",
        run=back.run if back else "",
        audit=f"{_folder(waves, name)}/{back.audit}" if back else "",
        digest=back.digest if back else "",
    )


def _folder(waves: Waves, name: str) -> str:
    """Where the evidence of a database lies, from the root of the project."""
    return member_target(waves.work.fleet, name, waves.config.audit).audit


def _previous(waves: Waves, repository: Repository | None) -> str | None:
    """The digest of the newest record of this fleet in this mode that is committed; where there is
    no repository, that lies here."""
    folder = waves.config.root / waves.work.fleet.audit
    if repository is None:
        lying = sorted(folder.glob("fleet_*.json"), reverse=True)
        records: Iterable[bytes] = (path.read_bytes() for path in lying)
    else:
        if rules_of(waves.mode).logged:
            # The log of a watch, which is never checked out.
            continue_from(repository, f"{BRANCHES}/{waves.mode}")
        records = fleet_records(repository, repository.relative(folder))
    for text in records:
        found = read_fleet_record(text)
        if found is not None and found.mode is waves.mode:
            return found.chain.digest
    return None


def _opened(config: Config) -> AbstractContextManager[Repository | None]:
    return open_repository(config.root) or nullcontext()
