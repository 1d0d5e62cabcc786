"""The schema-only backup: taken before anything is applied, proved by restoring it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.prechecks import Judgement
from pytest_housekeeping.snapshot import dump_roles, dump_schema, prove_backup, unified_diff

if TYPE_CHECKING:
    from pytest_housekeeping.production.surroundings import Production

LONGEST_DIFF = 200_000


@dataclass(kw_only=True)
class Backup:
    """What was written: the schema before and after, and the roles that a dump leaves out."""

    before: Path | None = None
    roles: Path | None = None
    after: Path | None = None
    diff: str = ""
    contents: dict[Path, bytes] = field(default_factory=dict, repr=False)

    def sha256(self, path: Path) -> str:
        return hashlib.sha256(self.contents[path]).hexdigest()


def _snapshot(around: Production) -> Judgement:
    """pg_dump of the whole schema, and the roles beside it, into the audit folder."""
    fingerprint = around.fingerprint()
    schema = dump_schema(around.address.conninfo())
    roles = dump_roles(around.migrator())
    around.backup.before = _write(around, "prod_schema_before", schema)
    around.backup.roles = _write(around, "prod_roles_before", roles)
    said = f"{around.backup.before.name}, {len(schema):,} bytes"
    return Verdict(examined=max(1, len(fingerprint.objects)), unit="objects"), said


def _proof(around: Production) -> Judgement:
    """The backup restores to the very schema that it was taken from."""
    saved = around.backup
    if saved.before is None or saved.roles is None:
        raise ProofFailed("there is no backup to prove", why="nothing was written")
    fingerprint = around.fingerprint()
    prove_backup(
        saved.contents[saved.before],
        saved.contents[saved.roles],
        fingerprint,
        server_major=around.migrator().info.server_version // 10000,
    )
    said = f"restored, fingerprint {fingerprint.digest[:12]} as in production"
    return Verdict(examined=max(1, len(fingerprint.objects)), unit="objects"), said


def take_after(around: Production) -> None:
    """After the commit: the schema as it is now, and the difference. Raises HousekeepingError."""
    saved = around.backup
    if saved.before is None:
        return
    schema = dump_schema(around.address.conninfo())
    saved.after = _write(around, "prod_schema_after", schema)
    saved.diff = unified_diff(
        saved.contents[saved.before], schema, saved.before.name, saved.after.name
    )[:LONGEST_DIFF]


def _write(around: Production, name: str, content: bytes) -> Path:
    folder = around.config.root / around.config.audit
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}_{around.started_at:%Y%m%dT%H%M%SZ}.sql"
    path.write_bytes(content)
    around.backup.contents[path] = content
    return path


STEPS: dict[str, Callable[[Production], Judgement]] = {"snapshot": _snapshot, "proof": _proof}
