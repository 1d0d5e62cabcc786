"""The files beside an audit, as the audit names them: each with its sha256."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.sql.text import digest

if TYPE_CHECKING:
    from pytest_housekeeping.config import Config
    from pytest_housekeeping.evidence.model.audit import Artifact, Audit
    from pytest_housekeeping.promotion.target import KeptFile


def artifact_of(kept: KeptFile | None) -> Artifact | None:
    """A file that the target has kept, as an audit names it."""
    from pytest_housekeeping.evidence.model.audit import Artifact

    return Artifact(path=kept.path, sha256=kept.sha256) if kept else None


def naming(audit: Audit, config: Config, files: Mapping[Path, bytes]) -> Audit:
    """The audit with the sha256 of each file, but of the pin, which later promotions may change."""
    from pytest_housekeeping.evidence.audit import with_artifacts
    from pytest_housekeeping.evidence.model.audit import Artifact

    snapshots = {each.path for each in (audit.snapshot.before, audit.snapshot.after) if each}
    named = {path.relative_to(config.root).as_posix(): data for path, data in files.items()}
    return with_artifacts(
        audit,
        [
            Artifact(path=path, sha256=digest(data))
            for path, data in sorted(named.items())
            if path not in snapshots and path != config.target.pin
        ],
    )
