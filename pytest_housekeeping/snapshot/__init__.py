"""The schema at one moment: its fingerprint, its dump, and the proof that the dump restores."""

from __future__ import annotations

from pytest_housekeeping.snapshot.difference import Change, Difference, diff
from pytest_housekeeping.snapshot.dump import dump_schema, unified_diff
from pytest_housekeeping.snapshot.fingerprint import (
    Entry,
    Fingerprint,
    from_json,
    read_fingerprint,
    to_json,
)
from pytest_housekeeping.snapshot.problems import BackupFailed, BackupNotProved, SnapshotError
from pytest_housekeeping.snapshot.programs import find_pg_dump, pg_dump_version
from pytest_housekeeping.snapshot.proof import Proof, prove_backup
from pytest_housekeeping.snapshot.restore_server import Bench, open_bench
from pytest_housekeeping.snapshot.roles import dump_roles

__all__ = [
    "BackupFailed",
    "BackupNotProved",
    "Bench",
    "Change",
    "Difference",
    "Entry",
    "Fingerprint",
    "Proof",
    "SnapshotError",
    "diff",
    "dump_roles",
    "dump_schema",
    "find_pg_dump",
    "from_json",
    "open_bench",
    "pg_dump_version",
    "prove_backup",
    "read_fingerprint",
    "to_json",
    "unified_diff",
]
