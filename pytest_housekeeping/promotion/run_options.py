"""What a run was asked to do: the command line, as the use cases understand it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pytest_housekeeping.config import PRODUCTION
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plan.test_discovery import TestNames


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of one run; those that a mode does not know have their default there.

    ``root`` is pytest's rootdir, ``tests`` how pytest finds test functions, ``inifile`` its
    settings, by their path from the root; ``rules`` are those of other packages. With
    ``look_only`` (``--collect-only``) nothing is started or changed. ``plan`` is the digest
    that the promotion is bound to, ``emergency`` the reason why nobody is waited for, ``target``
    the name of the database in the settings.
    """

    root: Path
    mode: Mode
    tests: TestNames
    rules: tuple[Rule, ...] = ()
    inifile: str = ""
    commit: bool = True
    look_only: bool = False
    target: str = PRODUCTION
    staging_url: str | None = field(default=None, repr=False)
    twin_server: str | None = field(default=None, repr=False)
    twin: str | None = field(default=None, repr=False)
    keep: bool = False
    write_baseline: bool = False
    mutate: bool = False
    segments: int | None = None
    accepted_drift: str | None = None
    baseline: str | None = None
    no_canary: bool = False
    in_place: bool = False
    to: str = ""
    promoter: str = ""
    plan: str = ""
    emergency: str = ""

    @property
    def records_only(self) -> bool:
        """Whether files are recorded as applied and not run: ``--hk-baseline``."""
        return self.baseline is not None
