"""Verdicts that an earlier run of this machine has shown, kept by all that they depend on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_housekeeping.checks.json_cache import default_folder, read_entries, write_entries
from pytest_housekeeping.model import Finding, LetStand, Level, Verdict
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.installed_tools import installed_tools
from pytest_housekeeping.server.kept_folders import build_facts
from pytest_housekeeping.sql.text import digest_of_facts

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

        What has another form or is too old is not known.
        """
        try:
            entry = read_entries(self._file).get(self.key, {})
            when = datetime.fromisoformat(entry["at"])
            if not self.recent.holds(when):
                return {}
            found = {step: _verdict(fields) for step, fields in entry["verdicts"].items()}
        except (KeyError, TypeError, ValueError):
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
        write_entries(self._file, {}, {self.key: {"at": at.isoformat(), "verdicts": fields}})


def kept_verdicts(context: RunContext, name: str, facts: Iterable[object]) -> KeptVerdicts:
    """What is known under these facts, in the folder of that name in the user's cache."""
    key = digest_of_facts(list(facts))
    return KeptVerdicts(folder=default_folder(name), key=key, recent=recent(context))


def to_the_minute(moment: datetime) -> str:
    """As a person reads when something was shown."""
    return f"{moment:{_MINUTE}}"


def moment_of(told: str) -> datetime:
    """The minute that was told. Raises ValueError."""
    return datetime.strptime(told, _MINUTE).replace(tzinfo=UTC)


def facts_of_machine(kind: str, version: int) -> list[object]:
    """What every verdict depends on: the tool, what it stands on, and the server's build."""
    return [build_facts(kind, version), [(each.name, each.version) for each in installed_tools()]]


def facts_of_staging(context: RunContext) -> list[object]:
    """What all that staging proves depends on: that, the settings, and what a superuser has done to
    the server."""
    config, plan = context.config, context.plan
    return [
        *facts_of_machine(config.server, config.server_version),
        asdict(replace(config, root=Path())),
        [(path, plan.sources.digest(path)) for path in plan.bootstrap],
    ]


def facts_of_database(context: RunContext) -> list[object]:
    """What a database of staging depends on: that, the roles of its contracts, and every text that
    made its schema and rows."""
    plan = context.plan
    return [
        *facts_of_staging(context),
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


def _verdict(fields: Mapping[str, Any]) -> Verdict:
    return Verdict(
        examined=int(fields["examined"]),
        unit=str(fields["unit"]),
        evidence=tuple(fields["evidence"]),
        coverage=tuple(fields["coverage"]),
        findings=tuple(
            Finding(**(each | {"level": Level(each["level"])})) for each in fields["findings"]
        ),
        exempted=tuple(LetStand(**each) for each in fields["exempted"]),
    )
