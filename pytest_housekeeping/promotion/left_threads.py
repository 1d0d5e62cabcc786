"""Threads that a test under ``checks/`` has left running: they outlive the proof."""

from __future__ import annotations

import threading
import time

from pytest_housekeeping.errors import ProofFailed

# How long a thread of a test may take to end by itself.
THREAD_PATIENCE_S = 1.0


def refuse_threads_since(before: frozenset[threading.Thread]) -> None:
    """Raises ProofFailed for a thread that was not there before, and does not end by itself."""
    deadline = time.monotonic() + THREAD_PATIENCE_S
    left = [each for each in threading.enumerate() if each not in before]
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    names = ", ".join(repr(thread.name) for thread in left if thread.is_alive())
    if names:
        raise ProofFailed(
            f"a test has left a thread running: {names}",
            why="it could still use the promotion's connection, also after everything was proved",
            fix="end it in the test, or in the fixture that starts it",
        )
