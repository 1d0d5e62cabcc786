"""The proof of all committed evidence, offline: every audit, every file, the chain, the history."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pytest_housekeeping.evidence.git.committed import (
    Committed,
    FileVersion,
    contents,
    read_committed,
)
from pytest_housekeeping.evidence.git.evidence_log import EvidenceLog
from pytest_housekeeping.evidence.git.objects import (
    FETCH,
    PUSH,
    GitCommands,
    fetch_fix,
    has_origin,
    objects,
)
from pytest_housekeeping.evidence.proof.chain import chain_findings
from pytest_housekeeping.evidence.proof.files import EvidenceFiles
from pytest_housekeeping.evidence.proof.fleet_files import FleetFile, read_fleet_files
from pytest_housekeeping.evidence.proof.fleets import fleet_findings
from pytest_housekeeping.evidence.proof.reviews import review_findings
from pytest_housekeeping.evidence.proof.signatures import signature_findings
from pytest_housekeeping.evidence.records import Record, read_record
from pytest_housekeeping.evidence.thinned import THINNED, Thinned, read_lines
from pytest_housekeeping.model import Finding, Level

SHALLOW = "evidence-shallow"
_PUSHED = re.compile(rf" && {PUSH} \S+$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What was examined, and every finding; an error is a fault.

    ``present`` are the files that a branch holds, and ``run …`` for each audit; ``records`` are the
    audits, by name, ``fleets`` how many records of fleets there are, and ``signed`` who has signed
    an audit of staging, by its path.
    """

    audits: int
    artifacts: int
    branches: int
    present: frozenset[str]
    findings: tuple[Finding, ...]
    records: tuple[Record, ...] = field(default=(), repr=False, compare=False)
    signed: Mapping[str, str] = field(default_factory=dict)
    fleets: int = 0

    @property
    def faults(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.level is Level.ERROR)


def prove_evidence(
    git: GitCommands,
    folder: str | None = None,
    *,
    signatures: bool = False,
    log: EvidenceLog | None = None,
) -> Proof:
    """Prove all that HEAD and the branches with evidence hold, of whatever project.

    With the ``folder`` of a project's audits, from the root of the repository, its evidence alone.
    With ``signatures`` those of staging's commits as well, each by a process of its own.
    ``log`` is what the commits tell of this folder, where it was read before.
    Nothing is written, and no network is asked, but by git itself for what a partial clone lacks:
    see ``Repository.offline``. Of no audit nothing was proved: look at ``audits``.
    """
    committed = read_committed(git, folder, log)
    records, fleets, sha256 = _read(git, committed)
    files = EvidenceFiles(committed, records, sha256, fleets)
    thinned = thinned_in(git, committed)
    chain = chain_findings(records, committed.told, frozenset(each.digest for each in thinned))
    findings = [*files.findings(), *chain, *_cut_off(committed)]
    findings += fleet_findings(fleets, records, committed.recorded)
    findings += review_findings(git, records)
    signed: dict[str, str] = {}
    findings += signature_findings(git, records, signed) if signatures else ()
    return Proof(
        audits=len({record.path for record in records}),
        artifacts=files.artifacts,
        branches=len(committed.branches),
        present=frozenset(
            {each.path for each in committed.versions} | {f"run {each.run}" for each in records}
        ),
        findings=tuple(_fetchable(git, _once(findings))),
        records=tuple(records),
        signed=signed,
        fleets=len({each.path for each in fleets}),
    )


def thinned_in(git: GitCommands, committed: Committed) -> tuple[Thinned, ...]:
    """The audits of staging of which a line is left."""
    oids = {each.oid for each in committed.versions if each.name == THINNED}
    return tuple(line for _, data in objects(git, sorted(oids)) for line in read_lines(data))


def records_of(git: GitCommands) -> list[Record]:
    """Every audit of the clone, as its file says."""
    return _read(git, read_committed(git))[0]


def _read(
    git: GitCommands, committed: Committed
) -> tuple[list[Record], tuple[FleetFile, ...], dict[str, str]]:
    """Every audit, and every record of a fleet, by name; and the sha256 of each object of the
    evidence."""
    audits: dict[str, list[FileVersion]] = defaultdict(list)
    for version in committed.audits:
        audits[version.oid].append(version)
    records: list[Record] = []
    sha256: dict[str, str] = {}
    of_fleets: dict[FileVersion, bytes | None] = dict.fromkeys(committed.fleets)
    fleets: dict[str, list[FileVersion]] = defaultdict(list)
    for version in committed.fleets:
        fleets[version.oid].append(version)
    for oid, data in contents(git, committed):
        of_fleets |= dict.fromkeys(fleets.get(oid, ()), data)
        records += [read_record(version, data) for version in audits.pop(oid, ())]
        sha256[oid] = hashlib.sha256(data).hexdigest()
    records += [read_record(each, None) for versions in audits.values() for each in versions]
    records.sort(key=lambda record: (record.version.name, record.path))
    return records, read_fleet_files(of_fleets), sha256


def _once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """One error a file, the first, and none of a run whose file has one: what follows from it is
    no further fault."""
    faulty: set[str] = set()
    for finding in findings:
        if finding.level is Level.ERROR:
            if finding.object in faulty:
                continue
            faulty |= {finding.object, *_runs_in(finding.object)}
        yield finding


def _runs_in(path: str) -> Iterator[str]:
    """The run that a file is named after, as findings call it: whatever follows an underscore."""
    _, *rest = path.rpartition("/")[2].partition(".")[0].split("_")
    yield from ("run " + "_".join(rest[at:]) for at in range(len(rest)))


def _fetchable(git: GitCommands, findings: Iterable[Finding]) -> Iterator[Finding]:
    """A repair that fetches says so where there is no remote; there one that pushes does not."""
    found = list(findings)
    if not found:
        return
    fetch, pushes = fetch_fix(git), has_origin(git)
    for finding in found:
        fix = finding.fix.replace(FETCH, fetch)
        yield replace(finding, fix=fix if pushes else _PUSHED.sub("", fix))


def _cut_off(committed: Committed) -> Iterator[Finding]:
    if committed.shallow:
        yield Finding(
            rule=SHALLOW,
            level=Level.ERROR,
            object="HEAD",
            detail="this clone is shallow: what was deleted or changed before its first commit,"
            " and audits that older commits tell of, cannot be seen",
            fix="git fetch --unshallow origin",
        )
