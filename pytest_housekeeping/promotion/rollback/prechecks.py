"""What has to be true before a promotion is undone: files, proofs, and a backup to go back to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.plan.rollback_files import DESTROYS
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.repository.rollback_proofs import disbelieved
from pytest_housekeeping.promotion.rollback.target import RollbackTarget


def rollback_prechecks(
    context: RunContext, target: RollbackTarget, production: Mapping[str, Callable[[], Judgement]]
) -> Mapping[str, Callable[[], Judgement]]:
    """Those of production, with the two that a rollback has of its own."""
    return {
        **production,
        "promotion": lambda: _promotion(target),
        "evidence": lambda: _evidence(context, target),
    }


def _promotion(target: RollbackTarget) -> Judgement:
    """Each migration has a file that undoes it, and the backup of before is whole and restores."""
    findings = tuple(
        Finding(
            rule="rollback-missing",
            level=Level.ERROR,
            object=path,
            detail=f"has no {missing or 'way back'}, and nothing is undone by guessing",
            fix="review and complete the proposal beside the incident report, commit it under this"
            " name, prove it in staging, and run again",
        )
        for path, missing in target.work.missing_files
    )
    said = target.restore_backup()
    verdict = Verdict(examined=len(target.reverted.rows), unit="files", findings=findings)
    return verdict, f"undoes {', '.join(target.reverted.runs)}; {said}"


def _evidence(context: RunContext, target: RollbackTarget) -> Judgement:
    """A committed staging audit has seen each rollback file undo its migration, on data."""
    unproved = [file for file in target.work.rollbacks if file.path not in target.proofs]
    required = context.config.require_staging_evidence
    reasons = disbelieved(
        context.repository,
        context.config,
        context.plan.sources,
        unproved,
        target.connection.identity(),
    )
    findings = [
        Finding(
            rule="rollback-unproved",
            level=Level.ERROR if required else Level.WARNING,
            object=file.path,
            detail="; ".join(
                [
                    "no committed staging audit has seen it undo its migration as it is now",
                    *reasons[file.path],
                ]
            ),
            fix=f"run pytest --hk-mode=staging{context.config.target.option} on this commit",
        )
        for file in unproved
    ]
    findings += [
        Finding(rule=DESTROYS, level=Level.NOTICE, object=name, detail=f"is destroyed{about}")
        for name, about in target.destroyed()
    ]
    audits = sorted({name for name, _ in target.proofs.values()})
    verdict = Verdict(
        examined=max(1, len(target.work.rollbacks)), unit="files", findings=tuple(findings)
    )
    return verdict, f"proved by {', '.join(audits)}" if audits else "nothing was tried in staging"
