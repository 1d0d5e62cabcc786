"""The schema-only backup: taken before anything is applied, proved by restoring it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence.secrets import Secrets
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.promotion.context import KeptFile
from pytest_housekeeping.promotion.prechecks import Judgement
from pytest_housekeeping.snapshot.dump import dump_schema, unified_diff
from pytest_housekeeping.snapshot.proof import prove_backup
from pytest_housekeeping.snapshot.roles import dump_roles

if TYPE_CHECKING:
    from pytest_housekeeping.promotion.production.target import Production


@dataclass(kw_only=True)
class Backup:
    """What was written: the schema before, and the roles that a dump leaves out."""

    schema: bytes = b""
    roles: bytes = b""
    diff: str = ""
    files: dict[Path, bytes] = field(default_factory=dict, repr=False)


def _snapshot(around: Production) -> Judgement:
    """pg_dump of the whole schema, and the roles beside it, into the audit folder."""
    fingerprint = around.fingerprint()
    saved = around.backup
    saved.schema = dump_schema(around.address.conninfo(), server_major=around.major)
    saved.roles = dump_roles(around.migrator())
    around.before = _keep(around, "prod_schema_before", saved.schema)
    _keep(around, "prod_roles_before", saved.roles)
    said = f"{around.before.path}, {len(saved.schema):,} bytes"
    return Verdict(examined=max(1, len(fingerprint.entries)), unit="objects"), said


def _proof(around: Production) -> Judgement:
    """The backup restores to the very schema that it was taken from."""
    fingerprint = around.fingerprint()
    proof = prove_backup(
        around.backup.schema,
        around.backup.roles,
        fingerprint,
        server_major=around.major,
        bench=around.bench,
    )
    said = f"restored on {proof.server_major}, with the fingerprint of production"
    limits = [f"limit of the proof: {limit}" for limit in proof.limits]
    return Verdict(examined=max(1, proof.objects), unit="objects"), "; ".join([said, *limits])


def take_after(around: Production) -> None:
    """After the commit: the schema as it is now, and the difference. Raises HousekeepingError."""
    saved = around.backup
    schema = dump_schema(around.address.conninfo(), server_major=around.major)
    around.after = _keep(around, "prod_schema_after", schema)
    before = around.before.path if around.before else "before"
    saved.diff = unified_diff(saved.schema, schema, before, around.after.path)
    _keep(around, "prod_schema_diff", saved.diff.encode(), ending="diff")


def _keep(around: Production, name: str, content: bytes, *, ending: str = "sql") -> KeptFile:
    if Secrets(around.secrets).find(content.decode(errors="replace")):
        raise EvidenceError(
            f"{name}: the schema holds the password of this run, in a function's body, say",
            why="the snapshot goes into git, and whoever reads the repository would have it",
            fix="take it out of the schema and change the password",
        )
    relative = f"{around.config.audit}/{name}_{around.started_at:%Y%m%dT%H%M%SZ}.{ending}"
    path = around.config.root / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    around.backup.files[path] = content
    return KeptFile(path=relative, sha256=hashlib.sha256(content).hexdigest())


STEPS: dict[str, Callable[[Production], Judgement]] = {"snapshot": _snapshot, "proof": _proof}
