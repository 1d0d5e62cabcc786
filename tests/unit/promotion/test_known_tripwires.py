"""Tripwires that a run of this machine has seen fire: taken over on just the same server alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_housekeeping.checks.tripwires import has_fired
from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plan.plan import build
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.promotion import kept_verdicts
from pytest_housekeeping.promotion import tripwires_ahead as module
from pytest_housekeeping.promotion.tripwires_ahead import tried_ahead
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.files import write
from support.guarded import RULES

FILES = {
    "sql/bootstrap/roles.sql": "CREATE ROLE app;",
    "sql/migrations/0001_t.sql": "CREATE TABLE t (id int);",
    "checks/objects.toml": '[tables."public.t"]\nid = "integer"\n',
}
NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
SOUND = RULES["rls-not-enabled"]


@dataclass
class Ground:
    """All that a tripwire stands on; nothing can be tried on it."""

    root: Path
    files: dict[str, str]
    config: dict[str, Any]
    rule: Rule = SOUND
    at: datetime = NOW
    kind: str = "embedded"

    def known(self, *, keeps: bool = False) -> bool:
        """Whether the tripwire is taken over; with ``keeps`` it is kept for others first."""
        write(self.root, FILES | self.files)
        config = Config(root=self.root, **self.config)
        plan = build(config, Mode.STAGING, tests=TestNames(), sources=ProjectFiles(self.root))
        run = SimpleNamespace(started_at=self.at)
        context: Any = SimpleNamespace(plan=plan, config=config, run=run)
        if keeps:
            kept = module._kept(context, [self.rule])
            kept.keep({self.rule.id: has_fired("x")}, at=NOW)
        throwaway: Any = SimpleNamespace(kind=self.kind, in_empty_database=nowhere)
        ahead = tried_ahead(context, throwaway, [self.rule])
        try:
            return ahead.verdict(self.rule).shown_at == "2027-01-02 03:04 UTC"
        except ServerError:
            return False
        finally:
            ahead.close()


def nowhere() -> LentConnection:
    raise ServerError("no room", why="the disk is full")


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    monkeypatch.setattr(kept_verdicts, "default_folder", lambda _: tmp_path / "cache")
    return Ground(root=tmp_path / "project", files={}, config={})


def test_what_has_fired_on_the_same_server_is_taken_over_whatever_the_migrations(
    ground: Ground,
) -> None:
    assert ground.known(keeps=True)
    assert replace(ground, files={"sql/migrations/0002_u.sql": "SELECT 1;"}).known()


@pytest.mark.parametrize(
    "changed",
    [
        {"files": {"sql/bootstrap/roles.sql": "CREATE ROLE app NOLOGIN;"}},
        {"config": {"session": {"DateStyle": "ISO, DMY"}}},
        {"rule": replace(SOUND, query=SOUND.query + " ")},
        {"rule": replace(SOUND, tripwire=replace(SOUND.tripwire, sql="SELECT 1"))},
        {"at": NOW + timedelta(days=7)},
        {"at": NOW - timedelta(minutes=1)},
        {"config": {"known_days": 0}},
        {"kind": "given"},
    ],
)
def test_on_any_other_it_is_tried(ground: Ground, changed: dict[str, Any]) -> None:
    assert ground.known(keeps=True)
    assert not replace(ground, **changed).known()


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("installed_tools", lambda: ()),
        ("build_facts", lambda *_: ("another",)),
    ],
)
def test_another_tool_or_build_tries_it(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, part: str, other: Any
) -> None:
    assert ground.known(keeps=True)
    monkeypatch.setattr(kept_verdicts, part, other)
    assert not ground.known()
