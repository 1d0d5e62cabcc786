"""Where incident reports are written, and for which runs."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.report.incident import incident_report
from pytest_housekeeping.model import Mode, RunOutcome

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.audit_model import Audit
    from pytest_housekeeping.evidence.secrets import Secrets
    from pytest_housekeeping.promotion.context import Surroundings

# Of a promotion: its own gates, a loss on the way, an answer that did not come.
_INCIDENTS = (RunOutcome.ROLLED_BACK, RunOutcome.PROMOTED_IN_PART, RunOutcome.UNKNOWN)


def write_incident(around: Surroundings, audit: Audit, secrets: Secrets) -> dict[Path, bytes]:
    """The report and, where rollback files are missing, the proposal beside it, written and named.

    Every rollback has a report; a promotion has one where the settings ask for it and it did not
    go through. Raises OSError when the folder cannot be written.
    """
    if not _is_incident(around, audit):
        return {}
    folder = around.config.root / incident_folder(around.config.audit)
    name = f"{around.started_at:%Y%m%dT%H%M%SZ}_{around.run_id}"
    files: dict[Path, bytes] = {}
    proposal = around.proposal()
    if proposal:
        path = folder / f"{name}_proposal.sql"
        files[path] = secrets.redact(proposal).encode()
    report = incident_report(
        audit,
        reverted=around.reverted_audits,
        changes=around.schema_changes,
        proposal=f"{name}_proposal.sql" if proposal else "",
    )
    files[folder / f"{name}.md"] = secrets.redact(report).encode()
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        path.write_bytes(content)
    return files


def incident_folder(audit_folder: str) -> str:
    """``ops/incidents``, beside ``ops/audit``."""
    return (PurePosixPath(audit_folder).parent / "incidents").as_posix()


def _is_incident(around: Surroundings, audit: Audit) -> bool:
    if around.plan.mode is Mode.ROLLBACK:
        return True
    asked = around.plan.mode is Mode.PROD and around.config.incident_on_failure
    return asked and audit.run.outcome in _INCIDENTS
