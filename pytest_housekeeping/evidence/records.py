"""What the proof of the evidence keeps of each audit: read, and compared with its own digest."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence.audit_file import from_json, to_json
from pytest_housekeeping.evidence.audit_model import Artifact, Audit
from pytest_housekeeping.evidence.chain import digest
from pytest_housekeeping.evidence.committed import FileVersion
from pytest_housekeeping.evidence.own_plan import own_plan_faults
from pytest_housekeeping.evidence.run_facts import stem

NOT_HERE = "its content is not in this clone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """An audit that stands under a path. ``fault`` says why it is not what its run wrote.

    ``misfits`` are what in it contradicts its own plan. ``run`` is as the name of the file says;
    ``artifacts`` are by their paths from the rootdir.
    Of a file that cannot be read nothing else is known.
    """

    version: FileVersion
    run: str
    mode: str
    previous: str | None = None
    digest: str = ""
    finished_at: str = ""
    artifacts: tuple[Artifact, ...] = ()
    fault: str = ""
    misfits: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return self.version.path


def read_record(version: FileVersion, data: bytes | None) -> Record:
    """Read the audit of a file; ``data`` is None where this clone does not have its content."""
    mode, _, rest = version.name.removesuffix(".json").partition("_")
    run = rest.partition("_")[2]
    if data is None:
        return Record(version=version, run=run, mode=mode, fault=NOT_HERE)
    try:
        audit = from_json(data, name="it")
    except EvidenceError as error:
        return Record(version=version, run=run, mode=mode, fault=error.found)
    snapshot = audit.snapshot
    return Record(
        version=version,
        run=run,
        mode=mode,
        previous=audit.chain.previous,
        digest=audit.chain.digest,
        finished_at=f"{audit.run.finished_at:%Y-%m-%dT%H:%M:%S}",
        artifacts=tuple(each for each in (snapshot.before, snapshot.after) if each)
        + audit.artifacts,
        fault=_fault(version, audit, data),
        misfits=tuple(each.detail for each in own_plan_faults(audit)),
    )


def _fault(version: FileVersion, audit: Audit, data: bytes) -> str:
    """What does not fit: the digest, the name of the file, or the very bytes."""
    if digest(audit) != audit.chain.digest:
        return "it does not have its digest"
    if f"{stem(audit.run)}.json" != version.name:
        return f"it is the audit of run {audit.run.id}, which is named {stem(audit.run)}.json"
    # The digest is of what the text means: blanks, doubled keys and the like are seen here.
    if to_json(audit, as_read=True).encode() != data:
        return "it is not written as a run writes it: blanks, or a key that stands there twice"
    return ""
