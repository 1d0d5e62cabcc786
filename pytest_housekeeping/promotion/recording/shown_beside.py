"""What a report shows beside an audit: the SQL, the difference of the schemas, the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.declarations.pages import rule_pages
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.evidence.compared_findings import rules_of
from pytest_housekeeping.evidence.report.beside import Beside
from pytest_housekeeping.sql.password_literals import UNSHOWN, without_passwords
from pytest_housekeeping.whole_file import put_whole

if TYPE_CHECKING:
    from pytest_housekeeping.evidence import Secrets
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.promotion.context import RunContext
    from pytest_housekeeping.promotion.target import KeptFiles
    from pytest_housekeeping.sql.file import SqlFile


def shown_beside(
    context: RunContext,
    kept: KeptFiles,
    audit: Audit | None,
    secrets: Secrets,
    logs: Mapping[str, str],
) -> Beside:
    """Without the secrets of the run, and without any password that a text holds."""
    redacted = secrets.redact
    difference = next((each for path, each in kept.files.items() if path.suffix == ".diff"), b"")
    return Beside(
        texts=_Texts(context, redacted),
        difference=redacted(difference.decode(errors="replace")),
        logs={step: redacted(log) for step, log in logs.items()},
        rules=rule_pages(rules_of(audit) if audit else ()),
    )


class _Texts(Mapping[str, str]):
    """The texts of the files that are applied, by sha256, each made when it is asked for: a page
    shows some of them, and the plan holds the bytes of all."""

    def __init__(self, context: RunContext, redacted: Callable[[str], str]) -> None:
        self._context, self._redacted = context, redacted
        self._files: dict[str, SqlFile] = {}
        for step in context.plan.steps:
            with suppress(KeyError):
                file = context.files.of(step)
                self._files[file.sha256] = file

    def __getitem__(self, sha256: str) -> str:
        try:
            text = self._context.files.text(self._files[sha256])
        except HousekeepingError:
            # What is no text: its digest is told, and where it can be looked at.
            raise KeyError(sha256) from None
        shown = without_passwords(text, text)
        return UNSHOWN if shown is None else self._redacted(shown)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def finish_page(page: Path) -> None:
    """The page, once pytest-html has written it. Raises OSError, and it is as it was."""
    from pytest_housekeeping.evidence.report.html import finished

    text = page.read_text(encoding="utf-8", errors="surrogateescape")
    put_whole(page, finished(text).encode(errors="surrogateescape"))
