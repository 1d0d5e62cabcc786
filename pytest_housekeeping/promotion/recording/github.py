"""What a run tells GitHub Actions: the page of the workflow run, and outputs for later steps.

https://docs.github.com/en/actions/reference/workflows-and-actions/variables
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.config import fleet_of
from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import stem
from pytest_housekeeping.evidence.report.beside import NOTHING_BESIDE, Beside
from pytest_housekeeping.model import Level
from pytest_housekeeping.promotion.recording.evidence_commit import branch_of

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit


_SUMMARY, _OUTPUT = "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"


def tell_github(
    audit: Audit, folder: str, beside: Callable[[], Beside] = lambda: NOTHING_BESIDE
) -> None:
    """The step summary and the outputs, where a workflow runs; ``folder`` is that of the evidence.

    Raises EvidenceError.
    """
    if not any(map(os.environ.get, (_SUMMARY, _OUTPUT))):
        return
    from pytest_housekeeping.evidence.report import tally
    from pytest_housekeeping.evidence.report.github import step_summary
    from pytest_housekeeping.evidence.report.html import title

    levels = Counter(finding.level for finding in audit.findings)
    outputs = {
        "run": audit.run.id,
        "outcome": audit.run.outcome.value,
        "branch": branch_of(audit),
        "title": " ".join(title(audit).split()),
        "audit": f"{folder}/{stem(audit.run)}.json",
        "fleet": fleet_of(audit.run.target),
        "failed": len(tally.failures(audit)),
        "errors": levels[Level.ERROR],
        "warnings": levels[Level.WARNING],
        "new": sum(not finding.since for finding in audit.findings),
    }
    write_for_github(step_summary(audit, beside()), outputs)


def write_for_github(summary: str, outputs: Mapping[str, object]) -> None:
    """Raises EvidenceError."""
    for variable, text in (
        (_SUMMARY, summary),
        (_OUTPUT, "".join(f"{name}={value}\n" for name, value in outputs.items())),
    ):
        path = os.environ.get(variable)
        if path:
            try:
                with Path(path).open("a", encoding="utf-8") as file:
                    file.write(text)
            except OSError as error:
                raise EvidenceError(
                    f"the file of {variable} cannot be written: {error.strerror}",
                    why="the page of the workflow run would say nothing of the outcome",
                    fix="make room on the runner's disk, or the file writable, and run again",
                ) from None
