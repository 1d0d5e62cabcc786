"""Which rollback files staging has seen undo their migration, as its committed evidence says."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from pytest_housekeeping.config import Config
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.plain_audit import plain_audit
from pytest_housekeeping.evidence.signatures import PROGRAM
from pytest_housekeeping.model import Outcome, TargetIdentity
from pytest_housekeeping.plan.rollback_files import DESTROYS, ROUND_TRIP
from pytest_housekeeping.promotion.repository.signers import signers_of
from pytest_housekeeping.promotion.repository.staging_evidence import (
    EvidenceTerms,
    evidence_faults,
    read_staging_audit,
)
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.project_files import ProjectFiles


def proved_rollbacks(
    repository: Repository | None,
    config: Config,
    sources: ProjectFiles,
    files: Iterable[SqlFile],
    production: TargetIdentity | None = None,
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The rollback files that a committed staging audit has seen undo their migration, as they
    are now: by path, the audit's name and what the rollback destroyed there. The newest counts.

    An audit that cannot be what a staging run has left proves nothing. Raises EvidenceError for
    one that would prove something and was edited, and, for ``production``, where there are signers
    and nothing to prove a signature with; staging proves the files again then.
    """
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    wanted = {(_step(file), file.sha256): file for file in files}
    terms = _terms(repository, config, sources, production) if wanted else None
    if terms is None:
        return found
    for name, data in reversed(terms.audits):
        if not wanted:
            break
        seen = _seen(data)
        proved = [each for each in wanted if each in seen]
        if not proved:
            continue
        audit = read_staging_audit(name, data)
        if any(evidence_faults(terms, name, data, audit)):
            continue
        for each in proved:
            file = wanted.pop(each)
            destroyed = tuple(
                finding.object
                for finding in audit.findings
                if finding.step == each[0] and finding.rule == DESTROYS
            )
            found[file.path] = (name, destroyed)
    return found


def disbelieved(
    repository: Repository | None,
    config: Config,
    sources: ProjectFiles,
    files: Sequence[SqlFile],
    production: TargetIdentity,
) -> Mapping[str, Sequence[str]]:
    """By the path of each rollback file the audits that say that staging has seen it, the newest
    first, and why each is not believed."""
    told: dict[str, list[str]] = {file.path: [] for file in files}
    wanted = {(_step(file), file.sha256): file.path for file in files}
    terms = _terms(repository, config, sources, production) if wanted else None
    if terms is None:
        return told
    for name, data in reversed(terms.audits):
        seen = wanted.keys() & _seen(data)
        if seen:
            faults = evidence_faults(terms, name, data, read_staging_audit(name, data))
            for fault in islice(faults, 1):
                for each in seen:
                    told[wanted[each]].append(f"{name}: {fault}")
    return told


def _terms(
    repository: Repository | None,
    config: Config,
    sources: ProjectFiles,
    production: TargetIdentity | None,
) -> EvidenceTerms | None:
    signers = signers_of(config, sources)
    cannot_tell = signers is not None and production is None and shutil.which(PROGRAM) is None
    if repository is None or cannot_tell:
        return None
    return EvidenceTerms(
        repository=repository,
        config=config,
        signers=signers,
        commit=repository.head(),
        production=frozenset({production.system_identifier} if production else ()),
    )


def _seen(data: bytes) -> set[tuple[str, str]]:
    """The round trips that have passed, as an audit says: each step, and the text that it was of.

    Steps that are no round trips are among them.
    """
    known = plain_audit(data)
    try:
        steps = {each["id"]: each["sha256"] for each in known["plan"]["steps"]} if known else {}
        ended = {each["id"]: each["outcome"] for each in known["steps"]} if known else {}
        return {each for each in steps.items() if ended.get(each[0]) == Outcome.PASSED}
    except (KeyError, TypeError):
        return set()


def _step(file: SqlFile) -> str:
    return f"{file.path}::{ROUND_TRIP}"
