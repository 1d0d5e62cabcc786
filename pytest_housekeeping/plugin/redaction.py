"""Keep secrets out of what pytest itself shows: the reports of items, and the terminal."""

from __future__ import annotations

from typing import Any, TextIO

import pytest

from pytest_housekeeping.evidence import Secrets


def redact_report(report: pytest.TestReport | pytest.CollectReport, secrets: Secrets) -> None:
    """Redact traceback and captured output of a report, before any plugin writes them."""
    if not secrets:
        return
    if isinstance(report.longrepr, tuple):
        path, line, reason = report.longrepr
        report.longrepr = path, line, secrets.redact(reason)
    elif secrets.find(report.longreprtext):
        report.longrepr = secrets.redact(report.longreprtext)
    report.sections = [(name, secrets.redact(text)) for name, text in report.sections]


def redact_terminal(config: pytest.Config, secrets: Secrets) -> None:
    """Redact whatever the terminal reporter writes from now on."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if secrets and reporter is not None:
        writer = reporter._tw
        writer._file = _RedactedFile(writer._file, secrets)


class _RedactedFile:
    """A text file that redacts what is written to it."""

    def __init__(self, file: TextIO, secrets: Secrets) -> None:
        self._file = file
        self._secrets = secrets

    def write(self, text: str) -> int:
        return self._file.write(self._secrets.redact(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
