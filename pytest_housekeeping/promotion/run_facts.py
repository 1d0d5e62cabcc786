"""Which run this is: its id and beginning, who asked for it, and where that can be looked up."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime
from secrets import token_hex

from pytest_housekeeping import __version__
from pytest_housekeeping.config import PRODUCTION
from pytest_housekeeping.evidence import RunFacts
from pytest_housekeeping.model import Mode


def new_run(
    mode: Mode, *, target: str = PRODUCTION, reverts: str = "", emergency: str = ""
) -> RunFacts:
    """A run that begins now on a ``target``; ``reverts`` is the run that it undoes, "" for none,
    ``emergency`` why nobody is waited for."""
    return RunFacts(
        id=token_hex(4),
        mode=mode,
        started_at=datetime.now(UTC),
        tool_version=__version__,
        actor=_actor(),
        ci_url=ci_url(),
        reverts=reverts,
        emergency=emergency,
        target=target,
    )


def _actor() -> str:
    """Of a run that is started again GITHUB_ACTOR is who had started it at first."""
    for name in ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN"):
        if said := os.environ.get(name):
            return said
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def ci_url() -> str:
    server, repository = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    run = os.environ.get("GITHUB_RUN_ID")
    if server and repository and run:
        return f"{server}/{repository}/actions/runs/{run}"
    # https://docs.gitlab.com/ci/variables/predefined_variables/
    return os.environ.get("CI_JOB_URL", "")
