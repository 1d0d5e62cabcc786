"""What production has applied already, as the committed evidence of its promotions says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_housekeeping.model import Kind, Mode, Outcome, RunOutcome
from pytest_housekeeping.plan import Past
from pytest_housekeeping.repository import Repository

_FILES = (Kind.MIGRATION, Kind.VIEW, Kind.POLICY)
_CHANGED = (RunOutcome.PROMOTED, RunOutcome.PROMOTED_IN_PART)


def promoted_before(repository: Repository, folder: Path) -> Sequence[Past]:
    """The files of every promotion on record, in the order in which production applied them.

    Raises EvidenceError when an audit among them cannot be read or was altered: staging must not
    start from a history that nobody can trust.
    """
    found = list(repository.evidence(Mode.PROD, repository.relative(folder)))
    if not found:
        return ()
    from pytest_housekeeping.audit import from_json

    audits = [from_json(data, name=path, intact=True) for path, data in found]
    audits.sort(key=lambda audit: audit.run.finished_at)
    past: list[Past] = []
    segment = 0
    for audit in audits:
        if audit.run.outcome not in _CHANGED or audit.source.commit is None:
            continue
        committed = {
            step.segment
            for step in audit.steps
            if step.kind is Kind.PROMOTE and step.outcome is Outcome.PASSED
        }
        digests = {step.id: step for step in audit.plan.steps}
        for number in sorted(committed):
            segment += 1
            past += [
                Past(
                    path=digests[step.id].path,
                    sha256=digests[step.id].sha256,
                    kind=step.kind,
                    commit=audit.source.commit,
                    segment=segment,
                )
                for step in audit.steps
                if step.kind in _FILES and step.segment == number and step.outcome is Outcome.PASSED
            ]
    return tuple(past)
