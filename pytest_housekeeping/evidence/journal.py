"""The journal of a running run, line by line, so that a run that is killed leaves a record too."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import fields
from pytest_housekeeping.evidence.run_facts import StartFacts, stem
from pytest_housekeeping.evidence.secrets import Secrets
from pytest_housekeeping.model import LockConflict, RunOutcome, StepResult, TargetIdentity
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.postgres.batch_facts import BatchFacts

SUFFIX = ".journal.jsonl"
_AS_JSON = json.JSONEncoder(ensure_ascii=False).encode


class Journal:
    """An append-only file of one event a line, locked (flock) for as long as its run lives.

    Each event has reached the kernel when its method returns; outside of staging, those about
    a commit have reached the disk. Every method raises EvidenceError when the line could not be
    written: before COMMIT that is a reason to stop, after it changes nothing about the database.
    """

    def __init__(self, path: Path, descriptor: int, *, durable: bool, secrets: Secrets) -> None:
        self.path = path
        self._descriptor = descriptor
        self._durable = durable
        self._secrets = secrets

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def connected(self, target: TargetIdentity) -> None:
        """Which server and database the run works on."""
        self._write("connected", target=fields.target_fields(target))

    def began(self, step_id: str) -> None:
        """A step begins: if it is the last thing written, the run was killed during it."""
        self._write("began", step=step_id)

    def ended(self, *results: StepResult) -> None:
        """How steps have ended, with what they have found."""
        self._write_all("ended", [_ended(result) for result in results])

    def measured(self, facts: BatchFacts) -> None:
        """What the batch of a segment does, as the copy has shown it."""
        changes, batch = fields.change_fields(facts), fields.batch_fields(facts)
        self._write("measured", changes=changes, batch=batch)

    def conflicted(self, conflict: LockConflict) -> None:
        """The batch met somebody else's lock."""
        self._write("conflicted", conflict=fields.conflict_fields(conflict))

    def committing(self, segment: int, xid: str | None) -> None:
        """To be called before COMMIT is sent; ``xid`` is None for a file outside of a transaction.

        With the xid the server can be asked later what became of the COMMIT:
        https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
        """
        self._write("committing", sync=self._durable, segment=segment, xid=xid)

    def committed(self, segment: int) -> None:
        """COMMIT was answered, or ``pg_xact_status`` says so."""
        self._write("committed", sync=self._durable, segment=segment)

    def rolled_back(self, segment: int) -> None:
        """COMMIT was refused, or ``pg_xact_status`` says that it did not happen."""
        self._write("rolled_back", sync=self._durable, segment=segment)

    def finished(self, outcome: RunOutcome, message: str = "") -> None:
        """Nothing runs any more: what is left is to write the audit and to publish it."""
        self._write("finished", sync=self._durable, outcome=outcome.value, message=message)

    def close(self) -> None:
        """Let go of the file. From now on it counts as left behind by a dead run."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def remove(self) -> None:
        """The audit is written: the journal has done its work."""
        self.path.unlink(missing_ok=True)
        self.close()

    def _write(self, event: str, *, sync: bool = False, **facts: Any) -> None:
        self._write_all(event, [facts], sync=sync)

    def _write_all(
        self, event: str, lines: Iterable[dict[str, Any]], *, sync: bool = False
    ) -> None:
        beginning = {"event": event, "at": datetime.now(UTC).isoformat()}
        data = b"".join(self._line({**beginning, **facts}) for facts in lines)
        try:
            written = os.write(self._descriptor, data)
            if written < len(data):
                # A line that was cut short by a full disk must not swallow the next one.
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
                raise _unwritable(self.path, "no space left")
            if sync:
                os.fsync(self._descriptor)
        except OSError as error:
            raise _unwritable(self.path, error.strerror or "") from None

    def _line(self, line: dict[str, Any]) -> bytes:
        text = _AS_JSON(line)
        if self._secrets.find(text):
            text = _AS_JSON(self._secrets.redact_all(line))
        return text.encode(errors="replace") + b"\n"


def _ended(result: StepResult) -> dict[str, Any]:
    findings = [fields.finding_fields(finding, result.step.id) for finding in result.findings]
    return {"step": fields.step_fields(result), "findings": findings}


def start_journal(folder: Path, facts: StartFacts, *, secrets: Secrets | None = None) -> Journal:
    """Begin the journal of a run. It appears under its name only when it is locked and readable.

    Raises EvidenceError when the folder cannot be written.
    """
    path = folder / f"{stem(facts.run)}{SUFFIX}"
    hidden = folder / f".{path.name}.part"
    durable = not rules_of(facts.run.mode).throwaway
    descriptor = -1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(hidden, flags, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        journal = Journal(path, descriptor, durable=durable, secrets=secrets or Secrets())
        journal._write("started", sync=durable, **fields.start_fields(facts))
        hidden.rename(path)
        if durable:
            _sync_folder(folder)
    except (OSError, EvidenceError) as error:
        if descriptor >= 0:
            os.close(descriptor)
            hidden.unlink(missing_ok=True)
        if isinstance(error, EvidenceError):
            raise
        raise _unwritable(path, error.strerror or str(error)) from None
    return journal


def _sync_folder(folder: Path) -> None:
    """The new name itself reaches the disk only with its folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, reason: str) -> EvidenceError:
    return EvidenceError(
        f"the journal {path} cannot be written: {reason}",
        why="a run that is killed would leave no record of what it had done",
        fix="make room on the disk, or the folder writable, and run again; a file system without"
        " locks, as a network's may be, does not do: clone to a disk of this machine",
    )
