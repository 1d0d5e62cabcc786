"""The record of a run for which no plan could be made."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import SourceFacts, StartFacts, stem
from pytest_housekeeping.model import Mode, RunOutcome
from pytest_housekeeping.promotion.run_facts import new_run

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit


def record_refusal(config: Config, mode: Mode, reason: str) -> Audit:
    """The audit of a run for which no plan could be made: it has no steps, only the reason.

    A folder that cannot be written keeps nothing back: the error itself is what the user sees.
    """
    from pytest_housekeeping.evidence.audit import make_audit
    from pytest_housekeeping.evidence.audit_file import write_audit

    run = new_run(mode, target=config.target.name)
    facts = StartFacts(
        run=run,
        source=SourceFacts(),
        digest="",
        steps=(),
        segments=0,
    )
    audit = make_audit(
        facts, outcome=RunOutcome.REFUSED, finished_at=run.started_at, results=(), message=reason
    )
    with suppress(OSError, EvidenceError):
        write_audit(audit, config.root / config.audit, stem(run))
    return audit
