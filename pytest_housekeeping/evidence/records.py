"""What the proof of the evidence keeps of each audit: read, and compared with its own digest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence.audit_file import digest_of, from_json, to_json
from pytest_housekeeping.evidence.git.committed import FileVersion
from pytest_housekeeping.evidence.git.objects import AUDIT_NAME
from pytest_housekeeping.evidence.model.audit import Artifact, Audit
from pytest_housekeeping.evidence.own_plan import own_plan_faults
from pytest_housekeeping.evidence.run_entry import RunEntry, entry_of
from pytest_housekeeping.evidence.run_facts import stem
from pytest_housekeeping.model import Kind, Outcome

NOT_HERE = "its content is not in this clone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """An audit that stands under a path. ``fault`` says why it is not what its run wrote.

    ``misfits`` are what in it contradicts its own plan. ``run`` is as the name of the file says;
    ``artifacts`` are by their paths from the rootdir; ``commit`` is the one that it attests,
    ``emergency`` why it was made in one, if it has or may have changed a database, and
    ``proved_by`` are the paths of staging's audits that it says its plan was proved by.
    ``entry`` is what an index tells of it. Of a file that cannot be read nothing else is known.
    """

    version: FileVersion
    run: str
    mode: str
    previous: str | None = None
    digest: str = ""
    finished_at: str = ""
    commit: str = ""
    actor: str = ""
    emergency: str = ""
    proved_by: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    fault: str = ""
    misfits: tuple[str, ...] = ()
    entry: RunEntry | None = None

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
    snapshot, proved_by = audit.snapshot, tuple(_proved_by(audit))
    return Record(
        version=version,
        run=run,
        mode=mode,
        previous=audit.chain.previous,
        digest=audit.chain.digest,
        finished_at=f"{audit.run.finished_at:%Y-%m-%dT%H:%M:%S}",
        commit=audit.source.commit or "",
        actor=audit.run.actor,
        emergency=audit.run.emergency if audit.opens_review else "",
        proved_by=proved_by,
        artifacts=tuple(each for each in (snapshot.before, snapshot.after) if each)
        + audit.artifacts,
        fault=_fault(version, audit, data),
        misfits=tuple(each.detail for each in own_plan_faults(audit)),
        entry=entry_of(audit, proved_by),
    )


def _proved_by(audit: Audit) -> Iterator[str]:
    """The audits in what the prechecks of a promotion or a rollback say when they have passed."""
    for step in audit.steps:
        if step.kind is Kind.PRECHECK and step.outcome is Outcome.PASSED:
            start, _, said = step.message.partition("proved by ")
            paths = said.split(", ") if not start else []
            yield from (path for path in paths if AUDIT_NAME.fullmatch(path.rpartition("/")[2]))


def _fault(version: FileVersion, audit: Audit, data: bytes) -> str:
    """What does not fit: the digest, the name of the file, or the very bytes."""
    if digest_of(data) != audit.chain.digest:
        return "it does not have its digest"
    if f"{stem(audit.run)}.json" != version.name:
        return f"it is the audit of run {audit.run.id}, which is named {stem(audit.run)}.json"
    # The digest is of what the text means: blanks, doubled keys and the like are seen here.
    if to_json(audit, as_read=True).encode() != data:
        return "it is not written as a run writes it: blanks, or a key that stands there twice"
    return ""
