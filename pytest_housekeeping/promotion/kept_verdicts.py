"""Verdicts that an earlier run of this machine has shown, kept by all that they depend on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest_housekeeping
from pytest_housekeeping.checks.json_cache import read_entries, write_entries
from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.server.kept_folders import build_facts, is_ours
from pytest_housekeeping.sql.text import digest_of_facts

if TYPE_CHECKING:
    from pytest_housekeeping.promotion.context import RunContext


_MINUTE = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True, kw_only=True)
class Recent:
    """What was shown no longer ago than ``days``, and not in the future either: no verdict is
    handed on for ever, and what only time changes (a policy that reads the clock) is seen again."""

    now: datetime
    days: int

    def holds(self, moment: datetime) -> bool:
        return timedelta() <= self.now - moment < timedelta(days=self.days)


def recent(context: RunContext) -> Recent:
    """As the settings have it, at the beginning of a run."""
    return Recent(now=context.run.started_at, days=context.config.known_days)


@dataclass(frozen=True, kw_only=True)
class KeptVerdicts:
    """What is known of one set of checks; ``key`` is the digest of all that they depend on."""

    folder: Path
    key: str
    recent: Recent

    @property
    def _file(self) -> Path:
        return self.folder / f"{self.key}.json"

    def read(self) -> Mapping[str, Verdict]:
        """The verdicts by step, and in each when it was shown; none where nothing is known.

        What is not as it was written down, could be another's or is too old is not known.
        """
        try:
            if not is_ours(self._file):
                return {}
            entry = read_entries(self._file).get(self.key, {})
            if entry["sha256"] != digest_of_facts([entry["at"], entry["verdicts"]]):
                return {}
            when = datetime.fromisoformat(entry["at"])
            if not self.recent.holds(when):
                return {}
            found = {step: _verdict(fields) for step, fields in entry["verdicts"].items()}
        except (OSError, KeyError, TypeError, ValueError):
            return {}
        shown_at = to_the_minute(when)
        return {
            step: replace(verdict, shown_at=shown_at)
            for step, verdict in found.items()
            if verdict.passed
        }

    def keep(self, verdicts: Mapping[str, Verdict], *, at: datetime) -> None:
        """Keep them, as of a moment, if all have passed: what has failed is tried again."""
        if not all(verdict.passed for verdict in verdicts.values()):
            return
        fields = {step: asdict(verdict) for step, verdict in verdicts.items()}
        moment = at.isoformat()
        entry = {"at": moment, "verdicts": fields, "sha256": digest_of_facts([moment, fields])}
        write_entries(self._file, {}, {self.key: entry})


def to_the_minute(moment: datetime) -> str:
    """As a person reads when something was shown."""
    return f"{moment:{_MINUTE}}"


def moment_of(told: str) -> datetime:
    """The minute that was told. Raises ValueError."""
    return datetime.strptime(told, _MINUTE).replace(tzinfo=UTC)


def facts_of_staging(config: Config, plan: Plan) -> list[object]:
    """What all that staging proves depends on: the tool, the server's build, the settings, and what
    a superuser has done to the server."""
    return [
        this_tool(),
        build_facts(config.server, config.server_version),
        asdict(replace(config, root=Path())),
        [(path, plan.sources.digest(path)) for path in plan.bootstrap],
    ]


def facts_of_database(config: Config, plan: Plan) -> list[object]:
    """What a database of staging depends on: that, the roles of its contracts, and every text that
    made its schema and rows."""
    return [
        *facts_of_staging(config, plan),
        sorted(plan.contracts.roles),
        [asdict(applied) | {"commit": ""} for applied in plan.past],
        *batch_facts(plan),
        [(file.path, file.sha256) for file in plan.seeds],
    ]


def batch_facts(plan: Plan) -> list[object]:
    """What ran in this batch, in its order."""
    return [
        [(each.number, each.transaction) for each in plan.segments],
        [[(file.path, file.sha256) for file in each.files] for each in plan.segments],
    ]


@cache
def this_tool() -> str:
    """Names this very installation: another size or time of a module or a rule is another tool."""
    return digest_of_facts(sorted(_modules(Path(pytest_housekeeping.__file__).parent)))


def _modules(folder: Path) -> Iterator[tuple[str, int, int]]:
    for place, folders, names in os.walk(folder):
        if "__pycache__" in folders:
            folders.remove("__pycache__")
        for path in (os.path.join(place, name) for name in names):  # noqa: PTH118 - of hundreds
            if path.endswith((".py", ".sql")):
                status = os.stat(path)  # noqa: PTH116
                yield os.path.relpath(path, folder), status.st_size, status.st_mtime_ns


def _verdict(fields: Mapping[str, Any]) -> Verdict:
    return Verdict(
        examined=int(fields["examined"]),
        unit=str(fields["unit"]),
        evidence=tuple(fields["evidence"]),
        coverage=tuple(fields["coverage"]),
        findings=tuple(
            Finding(**(each | {"level": Level(each["level"])})) for each in fields["findings"]
        ),
    )
