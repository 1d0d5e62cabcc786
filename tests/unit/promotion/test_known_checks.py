"""Checks that staging takes over: of just the same ground, and what is of no schema never."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Finding, Kind, Level, Mode, Verdict
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.plan.plan import build
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.promotion import kept_verdicts
from pytest_housekeeping.promotion.staging.start import known_checks
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.files import write
from support.guarded import RULES

FILES = {
    "sql/bootstrap/roles.sql": "CREATE ROLE app;",
    "sql/migrations/0001_t.sql": "CREATE TABLE t (id int);",
    "sql/migrations/0002_u.sql": "CREATE TABLE u (id int);",
    "sql/seeds/s.sql": "INSERT INTO u VALUES (1);",
    "checks/queries/q.sql": "SELECT id FROM t",
    "a/code.py": "",
    "a_tests/test_it.py": "def test_it(): pass",
    "checks/objects.toml": '[tables."public.t"]\nid = "integer"\n',
    "checks/rls.toml": 'schemas = ["public"]\nroles = ["app"]\ncontext = ["app.tenant"]\n',
    "checks/boundaries.toml": """\
[apps.a]
roles = ["app"]
schemas = ["public"]
code = ["a"]
tests = ["a_tests"]
[zones.b]
schemas = ["b"]
[[contract]]
name = "a stays out of b"
type = "forbidden"
source = "a"
target = "b"
""",
}
# What is run or read each time: it is decided by more than the schema.
EACH_TIME = {
    "checks/queries/q.sql::query",
    "checks/boundaries.toml::code: a → b",
    "checks/boundaries.toml::running: a → b",
}
DECIDING = [path for path in FILES if path.startswith("sql/") or path.endswith(".toml")]
PASSED = Verdict(examined=3, unit="tables", evidence=("seen",))
WRONG = Finding(rule="r", level=Level.ERROR, object="t", detail="no")
NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
JUDGED = (Kind.OBJECT, Kind.QUERY, Kind.RLS, Kind.BOUNDARY)
OWN: Rule = replace(RULES["rls-not-enabled"], id="one-more")


@dataclass
class Ground:
    """All that the checks of a staging run stand on."""

    root: Path
    files: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    past: tuple[AppliedFile, ...] = ()
    rules: tuple[Rule, ...] = (OWN,)
    at: datetime = NOW
    schema: str = "desk"
    kind: str = "embedded"

    def run(self, verdict: Verdict = PASSED, *, steps: int | None = None) -> set[str]:
        """One run: the steps that it had to prove itself."""
        write(self.root, FILES | self.files)
        config = Config(root=self.root, **self.config)
        plan = build(
            config,
            Mode.STAGING,
            tests=TestNames(),
            sources=ProjectFiles(self.root),
            past=self.past,
            rules=self.rules,
        )
        entry = SchemaObject(name=self.schema, parent="", text="")
        schema = Fingerprint(entries=(entry,), server_major=16)
        context: Any = SimpleNamespace(
            plan=plan,
            config=config,
            today=self.at.date(),
            run=SimpleNamespace(started_at=self.at),
            is_last=lambda segment: segment == plan.segments[-1].number,
        )
        target: Any = SimpleNamespace(schema_read=lambda: schema if self.schema else None)
        throwaway: Any = SimpleNamespace(kind=self.kind)
        known, proved = known_checks(context, target, throwaway), set[str]()
        for step in [each for each in plan.steps if each.kind in JUDGED][:steps]:

            def prove(name: str = step.id) -> Verdict:
                proved.add(name)
                return verdict

            found = known.of(step, prove)
            assert replace(found, shown_at="") == verdict
            assert found.shown_at == ("" if step.id in proved else "2027-01-02 03:04 UTC")
        return proved


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    monkeypatch.setattr(kept_verdicts, "default_folder", lambda _: tmp_path / "cache")
    return Ground(root=tmp_path / "project")


def test_the_same_schema_is_judged_once_and_what_more_than_it_decides_each_time(
    ground: Ground,
) -> None:
    first = ground.run()
    assert len(first) > len(EACH_TIME) + 5
    assert ground.run() == EACH_TIME


@pytest.mark.parametrize(
    "changed",
    [
        *({"files": {path: FILES[path] + "\n"}} for path in DECIDING),
        {"files": {"sql/migrations/0003_v.sql": "SELECT 1;"}},
        {"config": {"session": {"DateStyle": "ISO, DMY"}}},
        {"config": {"require_rls_contract": True}},
        {"config": {"server_version": 18}},
        {"past": (AppliedFile(path="x.sql", sha256="1" * 64, kind=Kind.MIGRATION, commit="c"),)},
        {"rules": (replace(OWN, query=OWN.query + " "),)},
        {"at": NOW + timedelta(days=7)},
        {"at": NOW - timedelta(minutes=1)},
        {"config": {"known_days": 0}},
        {"schema": "another"},
        {"schema": ""},
        {"kind": "given"},
    ],
    ids=lambda changed: str(changed)[:60],
)
def test_on_any_other_ground_all_of_it_is_judged(ground: Ground, changed: dict[str, Any]) -> None:
    first = ground.run()
    assert replace(ground, **changed).run() >= first


def test_an_exemption_that_has_ended_has_all_of_it_judged(ground: Ground) -> None:
    exempt = (
        FILES["checks/rls.toml"]
        + """
[[exempt]]
rule = "one-more"
object = "public.t"
reason = "for now"
until = 2027-01-03
"""
    )
    ground = replace(ground, files={"checks/rls.toml": exempt})
    first = ground.run()
    assert replace(ground, at=NOW + timedelta(days=1)).run() == EACH_TIME
    assert replace(ground, at=NOW + timedelta(days=2)).run() == first


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("installed_tools", lambda: ()),
        ("build_facts", lambda *_: ("another",)),
    ],
)
def test_another_tool_or_build_judges_all_of_it(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, part: str, other: Any
) -> None:
    first = ground.run()
    monkeypatch.setattr(kept_verdicts, part, other)
    assert ground.run() == first


def test_what_has_failed_what_is_not_whole_and_what_was_given_is_kept_nowhere(
    ground: Ground,
) -> None:
    for each in (replace(PASSED, findings=(WRONG,)), replace(PASSED, examined=0)):
        assert ground.run(each) == ground.run(each)
    assert ground.run(steps=4)
    assert len(ground.run()) > len(EACH_TIME)
    given = replace(ground, kind="given")
    assert given.run() == given.run()
