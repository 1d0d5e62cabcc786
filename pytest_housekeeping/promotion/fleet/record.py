"""One record of what was done with a fleet, committed with the audits of all its databases."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_housekeeping import __version__
from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.fleets import member_target
from pytest_housekeeping.errors import EvidenceError, HousekeepingError
from pytest_housekeeping.evidence import BRANCHES, Repository, open_repository, utc_stamp
from pytest_housekeeping.evidence.shared_branch import continue_from
from pytest_housekeeping.evidence.signing import SigningFailed, why_unsigned
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.promotion.evidence_commit import REMOTE
from pytest_housekeeping.promotion.fleet.left_behind import LeftBehind, left_behind, settled
from pytest_housekeeping.promotion.fleet.work import Result, Work
from pytest_housekeeping.promotion.production.handed import HandedBack
from pytest_housekeeping.promotion.run_facts import new_run

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Waves:
    """A promotion of a fleet, or a look at it, that has ended: what was done, by item, and what
    each run has left."""

    config: Config
    work: Work
    mode: Mode
    started_at: datetime
    backs: Mapping[str, HandedBack]
    whole: bool


def keep(waves: Waves) -> list[str]:
    """Write the record, and commit it with the evidence of all databases, on a branch of its own,
    or on the log of a watch.

    What is to be told. Raises EvidenceError where the record cannot be written or committed.
    """
    folder = waves.config.root / waves.work.fleet.audit
    stem = f"fleet_{utc_stamp(waves.started_at)}_{new_run(waves.mode).id}"
    repository = open_repository(waves.config.root)
    document = _document(waves, _previous(folder), repository)
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    place = folder / f"{stem}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EvidenceError(
            f"the record of the fleet cannot be written: {error}",
            why="the audits of its databases lie beside it, and what was done as a whole nowhere",
            fix="make room, and run the fleet again: what is applied is not applied twice",
        ) from None
    told = [f"record: {place.relative_to(waves.config.root).as_posix()}"]
    if repository is None:
        return [*told, "not committed: there is no repository"]
    with repository:
        named = {place.relative_to(waves.config.root).as_posix(): text.encode()}
        for left in _left_behind(waves):
            told.append(left.told)
            for path in left.files:
                named[path.relative_to(waves.config.root).as_posix()] = path.read_bytes()
        return [*told, *_committed(waves, repository, stem, named)]


def _left_behind(waves: Waves) -> Iterator[LeftBehind]:
    """What earlier runs have left; those of this one have handed theirs back."""
    if waves.mode is not Mode.PROD:
        return
    root = waves.config.root
    back = {root / path for each in waves.backs.values() for path in each.files}
    seen = [each.database for each in waves.work.survey.seen if not each.away]
    for left in left_behind(waves.config, waves.work.fleet, seen):
        if not back.issuperset(left.files):
            yield left


def _committed(
    waves: Waves, repository: Repository, stem: str, files: Mapping[str, bytes]
) -> list[str]:
    root, config = waves.config.root, waves.config
    back = {path: oid for each in waves.backs.values() for path, oid in each.files.items()}
    commit = repository.head()
    if commit is None or not (back or len(files) > 1):
        return ["not committed: no run of a database has left evidence that attests a commit"]
    logged = rules_of(waves.mode).logged
    branch = f"{BRANCHES}/{waves.mode if logged else f'{waves.work.fleet.name}/{stem}'}"
    attests = None if logged else commit
    if logged:
        continue_from(repository, branch)
    named = {repository.relative(root / path): content for path, content in files.items()}
    stored = {repository.relative(root / path): oid for path, oid in back.items()}
    unsigned = why_unsigned(repository) if config.evidence_signers else ""
    sign = bool(config.evidence_signers) and not unsigned
    message = _message(waves, repository, commit)
    try:
        made = repository.commit_evidence(branch, named, message, attests, sign=sign, stored=stored)
    except SigningFailed as error:
        unsigned = error.found
        made = repository.commit_evidence(branch, named, message, attests, stored=stored)
    settled(root, [*files, *back])
    told = [f"committed: {made[:12]} on {branch}, which attests {commit[:12]}"]
    told += [f"NOT SIGNED: {unsigned}"] if unsigned else []
    if logged:
        return told
    if not repository.has_remote(REMOTE):
        return [*told, f"not pushed: there is no remote {REMOTE!r}"]
    try:
        repository.push(REMOTE, branch)
    except HousekeepingError as error:
        fix = f"  the branch is there; push it: git push {REMOTE} {branch}"
        return [*told, f"NOT PUSHED: {error.found}", fix]
    return [*told, f"pushed: {branch} to {REMOTE}"]


def _message(waves: Waves, repository: Repository, commit: str) -> str:
    """A line for each audit, as every commit of evidence has it, and where that is."""
    done = {name: back for name, back in waves.backs.items() if back.files}
    lines = []
    for name, back in done.items():
        folder = repository.relative(waves.config.root / _folder(waves, name))
        lines.append(f"Run {back.run}, plan {back.plan[:12]}, audit {back.digest}, in {folder}")
    head = f"{waves.mode} of fleet {waves.work.fleet.name}: {len(done)} databases on {commit[:12]}"
    return "\n".join([head, "", *lines, ""])


def _document(waves: Waves, previous: str | None, repository: Repository | None) -> dict[str, Any]:
    work, now = waves.work, datetime.now(UTC)
    results = work.results()
    facts = new_run(waves.mode)
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "fleet": work.fleet.name,
        "mode": waves.mode.value,
        "started_at": waves.started_at.isoformat(),
        "finished_at": now.isoformat(),
        "tool_version": __version__,
        "actor": facts.actor,
        "ci_url": facts.ci_url,
        "commit": repository.head() if repository is not None else None,
        "complete": waves.whole,
        "counts": dict(sorted(Counter(each.how for each in results.values()).items())),
        "groups": [
            {
                "name": group.name,
                "databases": list(group.names),
                "pending": list(group.pending),
                "schema": group.members[0].schema,
            }
            for group in work.survey.groups
        ],
        "away": [{"name": each.database.name, "detail": each.away} for each in work.survey.away],
        "left_out": [
            {"name": each.database.name, "detail": each.wrong} for each in work.survey.wrong
        ],
        "drifted": [
            {"name": each.database.name, "detail": each.drift}
            for each in work.survey.seen
            if each.drift
        ],
        "archived": [each.name for each in work.survey.archived],
        "waves": [
            {
                "name": wave.name,
                "databases": [
                    _entry(waves, name, results.get(f"{work.fleet.name}::{wave.name}::{name}"))
                    for name in wave.databases
                ],
            }
            for wave in work.waves
        ],
        "chain": {"previous": previous},
    }
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    document["chain"]["digest"] = hashlib.sha256(text.encode()).hexdigest()
    return document


def _entry(waves: Waves, name: str, result: Result | None) -> dict[str, Any]:
    back = waves.backs.get(name)
    place = _folder(waves, name)
    return {
        "name": name,
        "how": result.how if result else "not begun",
        "detail": result.detail if result else "",
        "outcome": back.outcome if back else "",
        "run": back.run if back else "",
        "audit": f"{place}/{back.audit}" if back else "",
        "digest": back.digest if back else "",
    }


def _folder(waves: Waves, name: str) -> str:
    """Where the evidence of a database lies, from the root of the project."""
    return member_target(waves.work.fleet, name, waves.config.audit).audit


def _previous(folder: Path) -> str | None:
    """The digest of the newest record of this fleet that lies here."""
    for path in sorted(folder.glob("fleet_*.json"), reverse=True):
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["chain"]["digest"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None
