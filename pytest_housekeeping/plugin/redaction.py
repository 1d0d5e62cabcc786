"""Keep secrets and commands out of what pytest itself shows: reports of items, the terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import pytest

from pytest_housekeeping.declarations.connection_url import passwords_in
from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.evidence.report.display import visible
from pytest_housekeeping.evidence.secrets import secrets_of_environment
from pytest_housekeeping.plugin.refusals import as_run_here

_PASSWORD = re.compile(r"(^|_)PGPASSWORD(_|$)")


def given_passwords(config: pytest.Config) -> Iterator[str]:
    """Those of the environment and the command line, before anything was read or connected to."""
    # Of every target: PGPASSWORD_PROD, PREPROD_PGPASSWORD.
    yield from (value for name, value in os.environ.items() if _PASSWORD.search(name))
    for name in ("hk_twin_server", "hk_twin"):
        for url in (getattr(config.option, name), os.environ.get(name.upper())):
            yield from passwords_in(url)
    yield from secrets_of_environment()


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
    if isinstance(report, pytest.TestReport):
        properties = report.user_properties
        properties[:] = [(secrets.redact(n), secrets.redact_all(value)) for n, value in properties]
        if hasattr(report, "wasxfail"):
            report.wasxfail = secrets.redact(report.wasxfail)


def redact_call(call: pytest.CallInfo[None], secrets: Secrets) -> None:
    """Take an exception that tells a secret out of the sight of plugins that read it themselves."""
    raised = call.excinfo
    if raised is not None and secrets and secrets.find(said := raised.exconly()):
        told = pytest.fail.Exception(secrets.redact(said)).with_traceback(raised.tb)
        call.excinfo = pytest.ExceptionInfo.from_exception(told)


def guard_terminal(config: pytest.Config, secrets: Secrets) -> None:
    """Let the terminal reporter write no secret, and nothing that a terminal or a CI would obey.

    What a row or an assertion holds comes from the database and from tests: a control character
    would be obeyed by the terminal, and a line that begins with ``::`` by GitHub's runner
    (https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions).
    """
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        writer = reporter._tw
        # Where another run has collected, its guard knows that run's secrets.
        file = writer._file.guarded if isinstance(writer._file, GuardedFile) else writer._file
        told = partial(as_run_here, config=config)
        writer._file = GuardedFile(file, secrets, colours=bool(writer.hasmarkup), told=told)
        # pytest flushes at the very end, and ends with 1 where nobody reads what was still held.
        config.add_cleanup(writer._file.flush)
    if secrets:
        _guard_what_is_not_captured(config, secrets)
        _guard_trace(config, secrets)
        config.add_cleanup(lambda: _scrub_files(config, secrets))


def _guard_what_is_not_captured(config: pytest.Config, secrets: Secrets) -> None:
    """What a test prints with -s, and what --capture=tee-sys shows at once."""
    if config.option.capture == "no":
        for name in ("stdout", "stderr"):
            real = getattr(sys, name)
            setattr(sys, name, GuardedFile(real, secrets, colours=True))
            config.add_cleanup(partial(setattr, sys, name, real))
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    for each in (getattr(capturing, "out", None), getattr(capturing, "err", None)):
        file: Any = getattr(each, "tmpfile", None)
        if hasattr(file, "_other"):
            file._other = GuardedFile(file._other, secrets, colours=True)


def _guard_trace(config: pytest.Config, secrets: Secrets) -> None:
    """What --debug writes: every argument of every hook."""
    if getattr(config.option, "debug", None):
        root: Any = config.trace.root
        write = root._writer
        root.setwriter(lambda text: write(secrets.redact(text)))


def _scrub_files(config: pytest.Config, secrets: Secrets) -> None:
    """What pytest has written by itself: JUnit's XML, which has the names of items and properties
    of the whole run, the log, and which items there were, and failed, for the next run."""
    named = (getattr(config.option, "xmlpath", None), getattr(config.option, "log_file", None))
    kept = getattr(getattr(config, "cache", None), "_cachedir", None)
    found = kept.glob("v/cache/*") if kept is not None else ()
    for path in (*(Path(name) for name in named if name), *found):
        with suppress(OSError):
            secrets.scrub(path)


def write_commands(config: pytest.Config, lines: Iterable[str]) -> None:
    """Write lines that the runner is meant to obey, past the guard."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    file: Any = getattr(reporter, "_tw", None) and reporter._tw._file
    for line in lines if file is not None else ():
        getattr(file, "obeyed", file.write)(f"{line}\n")


class GuardedFile:
    """A text file in which secrets are redacted and nothing can be taken for a command.

    ``told`` says how a text is told here. With ``colours`` the sequences that colour a text are let
    through, and the carriage return. Where nobody reads any more (the terminal is closed, the pipe
    broken, the disk full), what is written is dropped: the run, and what is true of it, does not
    depend on its audience.
    """

    def __init__(
        self,
        file: TextIO,
        secrets: Secrets,
        *,
        colours: bool,
        told: Callable[[str], str] = str,
    ) -> None:
        self.guarded = file
        self._told = told
        self._secrets = secrets
        self._harmless = _COLOURS if colours else _NOTHING
        self._line_is_blank = True

    def write(self, text: str) -> int:
        return self._put(self._without_commands(self._seen(self._secrets.redact(self._told(text)))))

    def obeyed(self, text: str) -> int:
        """Write a line that a CI is meant to obey; it holds no secret either."""
        return self._put(self._secrets.redact(text))

    def flush(self) -> None:
        try:
            self.guarded.flush()
        except OSError:
            self._go_on_unread()

    def _put(self, text: str) -> int:
        try:
            return self.guarded.write(text)
        except OSError:
            self._go_on_unread()
            return len(text)

    def _go_on_unread(self) -> None:
        """What is in the buffer goes nowhere, or Python would try again when it ends.

        https://docs.python.org/3/library/signal.html#note-on-sigpipe
        """
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, self.guarded.fileno())
        finally:
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.guarded, name)

    def _seen(self, text: str) -> str:
        """Control characters written out, but for what pytest itself colours with."""
        if text.isascii() and text.isprintable():
            return text
        pieces, at = [], 0
        for found in self._harmless.finditer(text):
            pieces += [visible(text[at : found.start()]), found[0]]
            at = found.end()
        return "".join([*pieces, visible(text[at:])])

    def _without_commands(self, text: str) -> str:
        """No line begins with ``::``, and none holds ``##[``, the older form."""
        lines = text.replace("##[", "## [").split("\n")
        for number, line in enumerate(lines):
            blank_before = self._line_is_blank if number == 0 else True
            if blank_before and line.lstrip().startswith("::"):
                lines[number] = line.replace("::", ": :", 1)
            self._line_is_blank = blank_before and not line.strip()
        return "\n".join(lines)


_COLOURS = re.compile(r"\x1b\[[0-9;]*m|\r(?!\n)")
_NOTHING = re.compile(r"(?!)")
