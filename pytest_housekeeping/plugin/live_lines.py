"""Whole lines for the terminal while pytest captures what tests print, from any thread."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO

import pytest

from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.plugin.redaction import GuardedFile


class LiveLines:
    """The terminal past pytest's capturing; to be made while nothing is captured.

    While a test runs, pytest leads the descriptor of the terminal into a file: what a thread wrote
    to the terminal reporter then would become the output of that test. So the descriptor is
    doubled. Lines hold no secret, no colour and nothing that a terminal or a CI would obey; one
    that pytest has begun is ended first. Where pytest shows nothing (``-p no:terminal``), neither
    does this.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._own = _doubled(sys.stdout)
        self._file: GuardedFile | None = None
        self._shown = config.pluginmanager.hasplugin("terminal")
        self.keep_out(Secrets())

    def keep_out(self, secrets: Secrets) -> None:
        """From now on, no line holds one of these."""
        if self._shown:
            self._file = GuardedFile(self._own or sys.stdout, secrets, colours=False)

    def write(self, lines: Sequence[str]) -> None:
        """Each of them on a line of its own, at once."""
        if self._file is None:
            return
        # There is none yet while the run is being put together.
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        begun = "\n" if reporter is not None and reporter._tw.width_of_current_line else ""
        self._file.write(begun + "".join(f"{line}\n" for line in lines))
        self._file.flush()
        if begun:
            # What pytest writes next begins at the left, and says again which file it speaks of.
            reporter._tw._current_line = ""
            reporter.currentfspath = None

    def close(self) -> None:
        """Lines are lost from now on."""
        own, self._own, self._file = self._own, None, None
        with suppress(OSError):
            if own is not None:
                own.close()


def _doubled(file: TextIO) -> TextIO | None:
    """The file by a descriptor of its own; None for one that has none, which nobody redirects."""
    try:
        descriptor = os.dup(file.fileno())
    except (OSError, io.UnsupportedOperation):
        return None
    return os.fdopen(descriptor, "w", encoding=file.encoding, errors="backslashreplace")
