"""Where incident reports are written, and for which runs."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence import utc_stamp
from pytest_housekeeping.model import RunOutcome
from pytest_housekeeping.plan.modes import ALWAYS, ON_FAILURE
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.target import Target
from pytest_housekeeping.whole_file import put_whole

if TYPE_CHECKING:
    from pytest_housekeeping.evidence import Secrets
    from pytest_housekeeping.evidence.model.audit import Audit

# Of a promotion, where the settings ask for it: its own gates, a loss on the way, no answer.
_INCIDENTS = (RunOutcome.ROLLED_BACK, RunOutcome.PROMOTED_IN_PART, RunOutcome.UNKNOWN)


def write_incident(
    context: RunContext, target: Target, audit: Audit, secrets: Secrets
) -> dict[Path, bytes]:
    """Write the report and, where rollback files are missing, the proposed ones beside it.

    Every rollback has a report, and every promotion that committed what was not proved; any other
    that did not go through has one where the settings ask for it. Returns the redacted content of
    each file. Raises OSError when the folder cannot be written.
    """
    if not _is_incident(context, audit):
        return {}
    from pytest_housekeeping.evidence.git.committed import incidents_of
    from pytest_housekeeping.evidence.report.incident import incident_report

    folder = context.config.root / incidents_of(context.config.audit)
    name = f"{utc_stamp(audit.run.started_at)}_{audit.run.id}"
    files: dict[Path, bytes] = {}
    proposal = target.proposal(audit.run.outcome)
    if proposal:
        path = folder / f"{name}_proposal.sql"
        files[path] = secrets.redact(proposal).encode()
    report = incident_report(
        audit,
        reverted=context.reverted_audits,
        changes=target.schema_changes,
        proposal=f"{name}_proposal.sql" if proposal else "",
        audit_folder=PurePosixPath(context.config.audit).name,
    )
    files[folder / f"{name}.md"] = secrets.redact(report).encode()
    for path, content in files.items():
        put_whole(path, content)
    return files


def _is_incident(context: RunContext, audit: Audit) -> bool:
    asked = context.rules.incident
    if asked == ON_FAILURE:
        if audit.run.outcome is RunOutcome.PROMOTED_UNPROVED:
            return True
        return context.config.incident_on_failure and audit.run.outcome in _INCIDENTS
    return asked == ALWAYS
