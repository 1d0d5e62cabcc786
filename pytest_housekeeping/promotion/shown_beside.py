"""What a report shows beside an audit: the SQL, the difference of the schemas, the rules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.declarations.pages import rule_pages
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.evidence.compared_findings import rules_of
from pytest_housekeeping.evidence.report.beside import Beside
from pytest_housekeeping.sql.password_literals import UNSHOWN, without_passwords

if TYPE_CHECKING:
    from pytest_housekeeping.evidence import Secrets
    from pytest_housekeeping.evidence.audit_model import Audit
    from pytest_housekeeping.promotion.context import RunContext
    from pytest_housekeeping.promotion.target import KeptFiles


def shown_beside(
    context: RunContext,
    kept: KeptFiles,
    audit: Audit | None,
    secrets: Secrets,
    logs: Mapping[str, str],
) -> Beside:
    """Without the secrets of the run, and without any password that a text holds."""
    redacted = secrets.redact
    texts = {}
    for step in context.plan.steps:
        try:
            file = context.files.of(step)
            text = context.files.text(file)
            shown = without_passwords(text, text)
            texts[file.sha256] = UNSHOWN if shown is None else redacted(shown)
        except (KeyError, HousekeepingError):
            # What is no file, or no text: its digest is told, and where it can be looked at.
            continue
    difference = next((each for path, each in kept.files.items() if path.suffix == ".diff"), b"")
    return Beside(
        texts=texts,
        difference=redacted(difference.decode(errors="replace")),
        logs={step: redacted(log) for step, log in logs.items()},
        rules=rule_pages(rules_of(audit) if audit else ()),
    )


def finish_page(page: Path) -> None:
    """The page, once pytest-html has written it."""
    from pytest_housekeeping.evidence.report.html import finished

    text = page.read_text(encoding="utf-8", errors="surrogateescape")
    page.write_text(finished(text), encoding="utf-8", errors="surrogateescape")
