"""The schema at one moment: its fingerprint, its dump, and the proof that the dump restores."""

from __future__ import annotations

from pytest_housekeeping.snapshot.compare.difference import Change, Difference, diff
from pytest_housekeeping.snapshot.copies.proof import BackupProof, prove_backup
from pytest_housekeeping.snapshot.copies.server import RestoreServer, start_restore_server
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.dumps.difference import dump_difference
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.dumps.programs import find_pg_dump, pg_dump_version
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject, read_fingerprint
from pytest_housekeeping.snapshot.fingerprint_record import from_json, to_json
from pytest_housekeeping.snapshot.problems import BackupFailed, BackupNotProved, SnapshotError

__all__ = [
    "Around",
    "BackupFailed",
    "BackupNotProved",
    "BackupProof",
    "Change",
    "Difference",
    "Fingerprint",
    "RestoreServer",
    "SchemaObject",
    "SnapshotError",
    "diff",
    "dump_difference",
    "dump_roles",
    "dump_schema",
    "find_pg_dump",
    "from_json",
    "pg_dump_version",
    "prove_backup",
    "read_fingerprint",
    "start_restore_server",
    "to_json",
]
