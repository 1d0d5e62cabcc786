"""What is known of a run before its first step, and how its files are named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from pytest_housekeeping.config import PRODUCTION
from pytest_housekeeping.model import CodeFile, Mode, Step, Tool


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """Which run this is. ``started_at`` has a time zone; ``actor`` and ``ci_url`` may be unknown.

    ``reverts`` is the id of the run that a rollback undoes, ``emergency`` why one is made in which
    people are not waited for, ``target`` the database of the settings that it is about.
    """

    id: str
    mode: Mode
    started_at: datetime
    tool_version: str
    actor: str = ""
    ci_url: str = ""
    reverts: str = ""
    emergency: str = ""
    target: str = PRODUCTION


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFacts:
    """The commit that is promoted, or the ``reason`` why there is none.

    ``dirty`` are the paths, from the root of the repository, of what was read or ran and is not in
    that commit; git itself has ``rewritten`` some of them when it checked them out, and some were
    known only when they ``ran``; some lie in ``submodules``. ``code`` is what ran as Python or
    steered the run, by paths from the rootdir. ``tools`` are Python, this tool and what it depends
    on. ``url`` is where the repository is looked at on the web, ``change_url`` the pull or merge
    request that was tried.
    """

    commit: str | None = None
    branch: str | None = None
    dirty: tuple[str, ...] = ()
    reason: str = ""
    rewritten: tuple[str, ...] = ()
    by_attribute: bool = False
    ran: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()
    code: tuple[CodeFile, ...] = ()
    tools: tuple[Tool, ...] = ()
    url: str = ""
    change_url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StartFacts:
    """The run, its source and its plan. ``digest`` is the plan's."""

    run: RunFacts
    source: SourceFacts
    digest: str
    steps: tuple[Step, ...]
    segments: int = 1


class RunIdentity(Protocol):
    """What names a run: RunFacts have it, and so does the ``run`` of an audit."""

    @property
    def id(self) -> str: ...
    @property
    def mode(self) -> Mode: ...
    @property
    def started_at(self) -> datetime: ...


def stem(run: RunIdentity) -> str:
    """What the names of a run's files begin with: ``<mode>_<UTC>_<run>``."""
    return f"{run.mode}_{utc_stamp(run.started_at)}_{run.id}"


def utc_stamp(moment: datetime) -> str:
    """A moment in a file's name, to the second: ``20270102T030405Z``."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"
