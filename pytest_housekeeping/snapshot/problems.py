"""What can go wrong with a snapshot."""

from __future__ import annotations

from pytest_housekeeping.errors import HousekeepingError


class SnapshotError(HousekeepingError):
    """The schema could not be read, or a recorded fingerprint is not usable."""


class BackupFailed(SnapshotError):
    """``pg_dump`` could not write the schema."""


class BackupNotProved(SnapshotError):
    """The backup, restored, is not the schema that it was taken from."""


class RestoreRefused(BackupNotProved):
    """PostgreSQL refused a statement of the backup: it is the backup that does not restore, and
    not the machine."""
