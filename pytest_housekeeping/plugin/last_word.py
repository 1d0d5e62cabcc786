"""``--hk-json``: one object, in one line, and nothing behind it on standard output."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.model import Mode, RunOutcome
from pytest_housekeeping.plugin import machines
from pytest_housekeeping.plugin.redaction import GuardedFile, given_passwords
from pytest_housekeeping.plugin.stash import FINISHED, HEARD

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.finished import Finished

_REFUSED = int(pytest.ExitCode.USAGE_ERROR)


def arrange(config: pytest.Config) -> None:
    """See to it that an object is printed even where pytest does not come to run anything.

    A command line that pytest refuses, and a conftest.py that cannot be imported, end it before any
    hook is called; what is cleaned up is cleaned up then as well, and capturing before this.
    """
    config.add_cleanup(lambda: None if HEARD in config.stash else _give_up(config))


def speak(config: pytest.Config, status: int | None, error: BaseException | None) -> None:
    """Tell what is left when pytest has ended: the place of a refusal, and the object."""
    if error is not None:
        machines.annotate_refusal(config)
    if not config.option.hk_json:
        return
    broken = int(pytest.ExitCode.TESTS_FAILED)  # an exception that nobody has foreseen
    code = int(status or 0)
    if error is not None:
        code = _REFUSED if isinstance(error, pytest.UsageError) else broken
    known = config.stash.get(FINISHED, None)
    refused = str(error) if error is not None else ""
    if known is None:
        _print(config, _without_record(config, refused, code))
        return
    said = (*known.said, refused) if refused and refused not in known.message else known.said
    _print(config, known.model_copy(update={"exit_code": code, "said": said}))


def _give_up(config: pytest.Config) -> None:
    error = sys.exc_info()[1]
    _print(config, _without_record(config, str(error or "pytest ended before it began"), _REFUSED))


def _without_record(config: pytest.Config, message: str, code: int) -> Finished:
    from pytest_housekeeping.evidence.finished import ended_without_record

    # Before a conftest.py is imported, pytest knows no more than it has read in passing.
    read = getattr(config, "known_args_namespace", None)
    given = str(config.option.hk_mode or getattr(read, "hk_mode", None))
    return ended_without_record(
        message,
        mode=Mode(given) if given in [*Mode] else None,
        exit_code=code,
        outcome=RunOutcome.REFUSED if code == _REFUSED else None,
    )


def _print(config: pytest.Config, finished: Finished) -> None:
    """In ASCII, so that no terminal and no locale can spoil it, and no name can end the line."""
    import json

    document = finished.model_dump(mode="json")
    document = Secrets(given_passwords(config)).redact_all(document)
    file = GuardedFile(sys.stdout, Secrets(), colours=False)
    file.obeyed(f"{json.dumps(document)}\n")
    file.flush()
