"""A plugin for whole runs: a small schema is proved as a large one is, and who judged what is said.

``-p support.as_if_large``: proofs go on in two sessions of the copy, and of a result only what the
batch concerns is restored.
"""

from __future__ import annotations

import pytest

from pytest_housekeeping.promotion import second_session
from pytest_housekeeping.snapshot.copies import changed_part

_JUDGED: list[str] = []
_next = second_session.SecondSession._next


def _noted(self: second_session.SecondSession) -> object:
    taken = _next(self)
    _JUDGED.extend([taken[0].id] if taken else [])
    return taken


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    patched = pytest.MonkeyPatch()
    patched.setattr(second_session, "WORTH_A_THREAD", 0)
    patched.setattr(second_session.SecondSession, "_next", _noted)
    patched.setattr(changed_part, "_SHARE", 0)
    # The second promotion of the tests makes a type, which nothing meets that does not name it.
    patched.setattr(changed_part, "_MAY_CHANGE", changed_part._MAY_CHANGE | {"TYPE"})
    config.add_cleanup(patched.undo)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"judged by the second session: {', '.join(sorted(_JUDGED))}")
