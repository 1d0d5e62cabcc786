"""Ctrl-C and what is like it: a run is ended in order, and its record is written before it goes."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

# A terminal that is closed and a runner that is cancelled end a run as Ctrl-C does.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SAID = (
    b"\nthe run is over, and its record is being written; once more, and that is left to the"
    b" next run\n"
)


class Interruption:
    """Each of the signals raises KeyboardInterrupt, until the run is ``finishing``.

    From then on the first one is only answered: what became of the database is being asked and
    written down, which takes a moment. The second one ends the process at once, by its default
    action; the journal stays, and the next run makes an audit of it.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._finishing = False
        self._answered = False

    def install(self) -> None:
        """Take the signals over, but for one that somebody else handles or ignores (nohup)."""
        if threading.current_thread() is not threading.main_thread():
            return  # Python lets the main thread alone set handlers
        for number in _SIGNALS:
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                self._before[number] = signal.signal(number, self._handle)

    def finishing(self) -> None:
        """The run has ended, whatever the reason."""
        self._finishing = True

    def remove(self) -> None:
        """The signals do again what they did before."""
        while self._before:
            signal.signal(*self._before.popitem())

    def _handle(self, number: int, _: FrameType | None) -> None:
        if not self._finishing:
            raise KeyboardInterrupt
        if self._answered:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._answered = True
        with suppress(OSError):  # nobody may read it any more
            os.write(2, _SAID)
