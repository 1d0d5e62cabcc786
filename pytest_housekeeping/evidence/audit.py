"""The record of a run: made, digested, written, read. Importing this module imports pydantic."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import records
from pytest_housekeeping.evidence.audit_model import SCHEMA_VERSION, Artifact, Audit, Chain
from pytest_housekeeping.evidence.secrets import Secrets
from pytest_housekeeping.model import (
    Finding,
    Level,
    RunOutcome,
    StepResult,
    TargetIdentity,
    Verdict,
)

__all__ = [
    "Artifact",
    "Audit",
    "digest",
    "from_json",
    "json_schema",
    "make_audit",
    "seal",
    "to_json",
    "verify_chain",
    "write",
]


def make_audit(
    facts: records.Facts,
    *,
    outcome: RunOutcome,
    finished_at: datetime,
    results: Sequence[StepResult],
    target: TargetIdentity | None = None,
    message: str = "",
    locks_held_s: float = 0.0,
    before: Artifact | None = None,
    after: Artifact | None = None,
    previous: str | None = None,
    secrets: Secrets | None = None,
) -> Audit:
    """The sealed record of a run. A planned step without a result is recorded as skipped."""
    document = records.opening(facts)
    document["run"] |= {
        "outcome": outcome.value,
        "finished_at": finished_at.astimezone(UTC).isoformat(),
        "duration_s": records.seconds((finished_at - facts.run.started_at).total_seconds()),
        "message": message,
        "locks_held_s": records.seconds(locks_held_s),
    }
    document["target"] = records.where(target) if target else None
    document["steps"] = [records.recorded(result) for result in results]
    document["findings"] = [
        records.found(finding, result.step.id) for result in results for finding in result.findings
    ]
    document["snapshot"] = {
        "before": before.model_dump() if before else None,
        "after": after.model_dump() if after else None,
    }
    document["chain"] = {"previous": previous}
    return seal(document, secrets=secrets)


def seal(
    document: dict[str, Any],
    *,
    secrets: Secrets | None = None,
    gap: str = "no record: the step was never run",
) -> Audit:
    """Complete, redact and validate a document that has all but its digest, and digest it."""
    document = {"schema_version": SCHEMA_VERSION, **document}
    steps = records.with_gaps(document["plan"]["steps"], document["steps"], gap)
    document = _writable({**document, "steps": steps}, secrets or Secrets())
    try:
        audit = Audit.model_validate(document)
    except ValidationError as error:
        raise EvidenceError(
            f"the audit cannot be made: {_first(error)}",
            why="a record with a hole in it is no evidence",
            fix="report this with the journal of the run",
        ) from None
    chain = Chain(previous=audit.chain.previous, digest=digest(audit))
    return audit.model_copy(update={"chain": chain})


def _writable(document: dict[str, Any], secrets: Secrets) -> dict[str, Any]:
    """Without secrets, and without lone surrogates, which are no UTF-8."""
    text = json.dumps(document, ensure_ascii=False)
    if secrets.find(text):
        document = secrets.redact_all(document)
    try:
        text.encode()
    except UnicodeEncodeError:
        clean = json.dumps(document, ensure_ascii=False).encode(errors="replace")
        document = json.loads(clean)
    return document


def digest(audit: Audit) -> str:
    """sha256 over the canonical JSON of all but ``chain.digest``.

    Canonical: UTF-8, keys sorted, no blanks, fields that hold their default left out, so that a
    later version, which knows more fields, computes the same. A default is therefore for ever.
    """
    document = audit.model_dump(mode="json", exclude_defaults=True)
    document.get("chain", {}).pop("digest", None)
    if not document.get("chain"):
        document.pop("chain", None)
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def to_json(audit: Audit) -> str:
    """The file's text: every field, one step or finding a line, so that a diff can be read."""
    document = audit.model_dump(mode="json")
    parts = [f" {json.dumps(key)}: {_lines(value)}" for key, value in document.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(value: Any, indent: str = " ") -> str:
    deeper = indent + " "
    if isinstance(value, list) and value and isinstance(value[0], dict):
        items = [deeper + json.dumps(item, ensure_ascii=False) for item in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    if isinstance(value, dict) and value:
        items = [f"{deeper}{json.dumps(k)}: {_lines(v, deeper)}" for k, v in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    return json.dumps(value, ensure_ascii=False)


def from_json(text: str | bytes, *, name: str = "the audit", intact: bool = False) -> Audit:
    """Read an audit. Raises EvidenceError that names the file and the first thing wrong.

    ``intact``: also when it does not have its digest, which means that it was edited.
    """
    try:
        audit = Audit.model_validate_json(text)
    except ValidationError as error:
        raise EvidenceError(
            f"{name} is no audit of schema version {SCHEMA_VERSION}: {_first(error)}",
            why="evidence that cannot be read proves nothing",
            fix="restore the file from git; one of a newer version needs a newer tool",
        ) from None
    if intact and digest(audit) != audit.chain.digest:
        raise EvidenceError(
            f"{name} was edited: it does not have its digest",
            why="what it says of a promotion may not be what happened",
            fix="restore the file from git; `git log -p` shows who changed it",
        )
    return audit


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]


def write(audit: Audit, folder: Path, name: str, secrets: Secrets | None = None) -> Path:
    """Write ``<name>.json`` whole or not at all. Raises EvidenceError, also for a secret in it."""
    text = to_json(audit)
    if secrets and secrets.find(text):
        raise EvidenceError(
            f"{name}.json would hold a password and was not written",
            why="evidence is committed, and read by many",
            fix="make the audit with the secrets of the run, which redacts it",
        )
    path = folder / f"{name}.json"
    part = folder / f".{name}.json.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise EvidenceError(
            f"{path} cannot be written: {error.strerror}",
            why="a run without a record has proved nothing to anybody",
            fix="make the folder writable; the journal beside it keeps what happened",
        ) from None
    return path


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of the file; docs/audit.schema.json is this."""
    schema = Audit.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def verify_chain(audits: Sequence[Audit]) -> Verdict:
    """That no audit was edited and none that another one builds on is missing.

    Errors: ``audit-edited``, ``audit-missing``. Two audits on one predecessor, or a second
    beginning, come of runs side by side: a warning, ``audit-forked``. No audit is no pass.
    """
    return Verdict(examined=len(audits), findings=tuple(_chain_faults(audits)), unit="audits")


def _chain_faults(audits: Sequence[Audit]) -> Iterator[Finding]:
    known = {audit.chain.digest for audit in audits}
    for audit in audits:
        previous = audit.chain.previous
        if audit.chain.digest != digest(audit):
            yield _fault(audit, "audit-edited", Level.ERROR, "its text does not have its digest")
        if previous is not None and previous not in known:
            yield _fault(
                audit,
                "audit-missing",
                Level.ERROR,
                f"its predecessor {previous} is gone",
            )
    count = Counter(audit.chain.previous for audit in audits)
    for audit in audits:
        if count[audit.chain.previous] > 1:
            yield _fault(
                audit,
                "audit-forked",
                Level.WARNING,
                "another audit has its predecessor",
            )


def _fault(audit: Audit, rule: str, level: Level, detail: str) -> Finding:
    fix = {
        "audit-edited": "restore the file from git; `git log -p` shows who changed it",
        "audit-missing": "restore it from git; fetch the branches housekeeping/audit/*",
        "audit-forked": "none, where two runs overlapped",
    }[rule]
    return Finding(rule=rule, level=level, object=f"run {audit.run.id}", detail=detail, fix=fix)
