"""Round trips that are known: of the same tool, server, settings, texts and schemas alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_housekeeping.checks.json_cache import write_entries
from pytest_housekeeping.checks.rollbacks.round_trip_input import AppliedRepeatable, RoundTripInput
from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Finding, Kind, LetStand, Level, Mode, Verdict
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.plan.plan import Plan, build
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.promotion import kept_verdicts
from pytest_housekeeping.promotion.kept_verdicts import KeptVerdicts, Recent
from pytest_housekeeping.promotion.staging.known_round_trips import (
    known_repeatables,
    known_round_trips,
)
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.files import write
from support.schemas import schema

NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = SimpleNamespace(started_at=NOW)
RECENT = Recent(now=NOW, days=7)
LOST = Finding(rule="rollback-destroys", level=Level.NOTICE, object="column t.a", detail="3 rows")
PASSED = Verdict(
    examined=7,
    findings=(LOST,),
    evidence=("undone and applied again",),
    exempted=(LetStand(rule="r", object="o", reason="why"),),
)
FAILED = replace(PASSED, findings=(replace(LOST, level=Level.ERROR),))
FILES = {
    "sql/bootstrap/roles.sql": "CREATE ROLE r;",
    "sql/migrations/0001_t.sql": "CREATE TABLE t (id int);",
    "sql/migrations/0002_u.sql": "CREATE TABLE u (id int);",
    "sql/rollback/0002_u.sql": "DROP TABLE u;",
    "sql/views/v.sql": "CREATE VIEW v AS SELECT id FROM t;",
    "sql/seeds/s.sql": "INSERT INTO u VALUES (1);",
    "checks/queries/q.sql": "SELECT id FROM t",
}


def key(root: Path, files: dict[str, str] | None = None, **changed: Any) -> str:
    write(root, FILES | (files or {}))
    config = Config(root=root, **changed.pop("config", {}))
    plan = built(config, changed.pop("past", ()))
    given = RoundTripInput(
        links=plan.rollbacks.links,
        repeatables=[
            AppliedRepeatable(file=file, text=(root / file.path).read_text(encoding="utf-8"))
            for file in plan.repeatables
        ],
        read_text=lambda _: "",
        schema_before_batch=changed.get("before", schema("before")),
        excluded_schemas=(),
        around=Around.NOTHING,
        schema_before_migration=changed.get("ends", {}),
    )
    context: Any = SimpleNamespace(config=config, plan=plan, run=RUN)
    return known_round_trips(context, given, changed.get("schema", schema("after"))).key


def built(config: Config, past: tuple[AppliedFile, ...]) -> Plan:
    sources = ProjectFiles(config.root)
    return build(config, Mode.STAGING, tests=TestNames(), sources=sources, past=past)


def applied(sha256: str) -> AppliedFile:
    path = "sql/migrations/0001_t.sql"
    return AppliedFile(path=path, sha256=sha256, kind=Kind.MIGRATION, commit="c" * 40)


def key_again(root: Path, text: str = "x", after: str = "after", **changed: str) -> str:
    key(root, changed)
    config, texts = Config(root=root), [("sql/views/v.sql", text)]
    context: Any = SimpleNamespace(config=config, plan=built(config, ()), run=RUN)
    return known_repeatables(context, texts, schema(after)).key


def test_what_is_applied_again_is_known_by_its_text_its_schema_and_what_made_that(
    tmp_path: Path,
) -> None:
    before = key_again(tmp_path)
    assert before not in (key_again(tmp_path, text="y"), key_again(tmp_path, after="another"))
    assert before not in (key_again(tmp_path, **{"sql/seeds/s.sql": "SELECT 1;"}), key(tmp_path))


@pytest.mark.parametrize("path", [path for path in FILES if path.startswith("sql/")])
def test_another_text_is_another_round_trip(tmp_path: Path, path: str) -> None:
    before = key(tmp_path / "a")
    assert key(tmp_path / "b") == before
    assert key(tmp_path / "b", {path: FILES[path] + " "}) != before


@pytest.mark.parametrize(
    "changed",
    [
        {"config": {"server_version": 18}},
        {"config": {"session": {"work_mem": "1MB"}}},
        {"config": {"migrator": "somebody"}},
        {"past": (applied("1" * 64),)},
        {"before": schema("another")},
        {"before": None},
        {"schema": schema("another")},
        {"ends": {"sql/migrations/0001_t.sql": schema("another")}},
    ],
)
def test_other_settings_another_past_or_schema(tmp_path: Path, changed: dict[str, Any]) -> None:
    assert key(tmp_path, **changed) != key(tmp_path)


def test_another_tool_or_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(tmp_path)
    monkeypatch.setattr(kept_verdicts, "installed_tools", lambda: ())
    another = key(tmp_path)
    monkeypatch.setattr(kept_verdicts, "build_facts", lambda *_: ("another",))
    assert len({before, another, key(tmp_path)}) == 3


def test_what_has_passed_is_known_and_says_when(tmp_path: Path) -> None:
    known = KeptVerdicts(folder=tmp_path, key="k", recent=RECENT)
    assert known.read() == {}
    known.keep({"a::round-trip": PASSED}, at=NOW)
    (verdict,) = KeptVerdicts(folder=tmp_path, key="k", recent=RECENT).read().values()
    assert verdict == replace(PASSED, shown_at="2027-01-02 03:04 UTC")
    assert KeptVerdicts(folder=tmp_path, key="l", recent=RECENT).read() == {}


@pytest.mark.parametrize("failed", [FAILED, replace(PASSED, examined=0)])
def test_what_has_failed_is_tried_again(tmp_path: Path, failed: Verdict) -> None:
    known = KeptVerdicts(folder=tmp_path, key="k", recent=RECENT)
    known.keep({"a::round-trip": PASSED, "b::round-trip": failed}, at=NOW)
    assert known.read() == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("now", "days", "known"),
    [
        (NOW + timedelta(days=7, seconds=-1), 7, True),
        (NOW + timedelta(days=7), 7, False),
        (NOW - timedelta(seconds=1), 7, False),
        (NOW, 1, True),
        (NOW, 0, False),
    ],
)
def test_what_was_shown_too_long_ago_or_is_yet_to_be_is_not_known(
    tmp_path: Path, now: datetime, days: int, known: bool
) -> None:
    KeptVerdicts(folder=tmp_path, key="k", recent=RECENT).keep({"a": PASSED}, at=NOW)
    later = KeptVerdicts(folder=tmp_path, key="k", recent=Recent(now=now, days=days))
    assert bool(later.read()) is known


@pytest.mark.parametrize("stored", [[], {}, {"at": "x"}, {"at": f"{NOW}", "verdicts": {"s": 1}}])
def test_what_has_another_form_is_not_known(tmp_path: Path, stored: object) -> None:
    write_entries(tmp_path / "k.json", {}, {"k": stored})
    assert KeptVerdicts(folder=tmp_path, key="k", recent=RECENT).read() == {}
