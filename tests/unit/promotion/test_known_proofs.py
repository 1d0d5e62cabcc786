"""Proofs that a plan takes over: of just the same ground, and what has failed is proved again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Finding, Kind, Level, Mode, Phase, Verdict
from pytest_housekeeping.plan.plan import build
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.promotion import kept_verdicts
from pytest_housekeeping.promotion.known_restores import KnownRestores
from pytest_housekeeping.promotion.production.backup import known_proofs
from pytest_housekeeping.promotion.production.backup.known_proofs import KnownProofs
from pytest_housekeeping.snapshot.compare.batches import SchemaChange
from pytest_housekeeping.snapshot.copies.proof import BackupProof
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.files import write
from support.schemas import schema

FILES = {
    "sql/migrations/0001_t.sql": "CREATE TABLE t (id int);",
    "checks/objects.toml": '[tables."public.t"]\nid = "integer"\n',
    "checks/rls.toml": 'schemas = ["public"]\nroles = ["app"]\ncontext = ["app.tenant"]\n',
}
PASSED = Verdict(examined=3, unit="tables", evidence=("seen",))
WRONG = Finding(rule="r", level=Level.ERROR, object="t", detail="no")
NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
# Another ground is each of these, and for what the checks ask each of those.
OTHERS: list[dict[str, Any]] = [
    {"files": {"sql/migrations/0001_t.sql": "CREATE TABLE t (id int); "}},
    {"files": {"sql/migrations/0002_u.sql": "SELECT 1;"}},
    {"config": {"session": {"DateStyle": "ISO, DMY"}}},
    {"config": {"require_rls_contract": True}},
    {"at": NOW + timedelta(days=7)},
    {"at": NOW - timedelta(minutes=1)},
    {"config": {"known_days": 0}},
    {"user": "another"},
    {"dump": "another"},
    {"before": "another"},
    {"restored": "another"},
    {"after": "another"},
    {"major": 18},
]
ASKED: list[dict[str, Any]] = [
    {"files": {"checks/rls.toml": FILES["checks/rls.toml"] + "\n"}},
    {"files": {"checks/objects.toml": FILES["checks/objects.toml"] + "\n"}},
]


@dataclass
class Ground:
    """All that a plan stands on, as far as its proofs are about it."""

    root: Path
    files: dict[str, str]
    config: dict[str, Any]
    at: datetime = NOW
    user: str = "promoter"
    dump: str = "dump"
    before: str = "before"
    restored: str = "restored"
    after: str = "after"
    given: bool = False
    major: int = 16

    def proofs(self) -> KnownProofs:
        write(self.root, FILES | self.files)
        config = Config(root=self.root, **self.config)
        plan = build(config, Mode.PLAN, tests=TestNames(), sources=ProjectFiles(self.root))
        context: Any = SimpleNamespace(
            plan=plan,
            config=config,
            today=self.at.date(),
            run=SimpleNamespace(started_at=self.at),
            is_last=lambda segment: segment == plan.segments[-1].number,
        )
        server = SimpleNamespace(kind="embedded", major=self.major, given=self.given)
        backup: Any = SimpleNamespace(restore_server=server, digests=(self.dump,))
        identity = SimpleNamespace(user=self.user)
        target = SimpleNamespace(
            connection=SimpleNamespace(identity=lambda: identity),
            twin=SimpleNamespace(schema=schema(self.restored)),
        )
        change = SchemaChange(before=schema(self.before), after=schema(self.after))
        rehearsal: Any = SimpleNamespace(target=target, role=self.user, changes={1: change})
        return KnownProofs(context=context, backup=backup, rehearsal=rehearsal)


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    monkeypatch.setattr(kept_verdicts, "default_folder", lambda _: tmp_path / "cache")
    (pg_dump := tmp_path / "pg_dump").touch()
    monkeypatch.setattr(known_proofs, "find_pg_dump", lambda _: pg_dump)
    return Ground(root=tmp_path / "project", files={}, config={})


def planned(ground: Ground, verdict: Verdict = PASSED, *, steps: int | None = None) -> set[str]:
    """One plan: the steps that it had to prove itself."""
    proofs, proved = ground.proofs(), set[str]()
    judged = [
        each
        for each in proofs.context.plan.steps
        if each.phase is Phase.REHEARSE and each.kind is not Kind.REHEARSAL
    ]
    assert len(judged) > 5
    for step in judged[:steps]:

        def prove(name: str = step.id) -> Verdict:
            proved.add(name)
            return verdict

        found = proofs.checks.of(step, prove)
        assert replace(found, shown_at="") == verdict
        assert found.shown_at == ("" if step.id in proved else "2027-01-02 03:04 UTC")
    return proved


def test_the_same_ground_is_proved_once(ground: Ground) -> None:
    assert planned(ground)
    assert planned(ground) == set()


@pytest.mark.parametrize("changed", [*OTHERS, *ASKED])
def test_on_any_other_ground_all_of_it_is_proved(ground: Ground, changed: dict[str, Any]) -> None:
    first = planned(ground)
    assert planned(replace(ground, **changed)) >= first


def test_another_tool_proves_all_of_it(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    first = planned(ground)
    monkeypatch.setattr(kept_verdicts, "installed_tools", lambda: ())
    assert planned(ground) == first


def test_what_has_failed_what_is_not_whole_and_what_was_elsewhere_is_kept_nowhere(
    ground: Ground,
) -> None:
    failed = replace(PASSED, findings=(WRONG,))
    for each in (failed, replace(PASSED, examined=0)):
        assert planned(ground, each) == planned(ground, each)
    assert planned(ground, steps=4)
    assert len(planned(ground)) > 4
    given = replace(ground, given=True)
    assert planned(given) == planned(given)


@pytest.mark.parametrize("changed", OTHERS)
def test_a_result_is_dumped_and_restored_once(ground: Ground, changed: dict[str, Any]) -> None:
    proof = BackupProof(objects=9, server_major=16, limits=("a limit",))

    def restores(at: Ground) -> KnownRestores:
        known = at.proofs().restores()
        assert known is not None
        return known

    assert restores(ground).read() is None
    assert restores(ground).keep(proof) is proof
    assert restores(ground).read() == replace(proof, shown_at="2027-01-02 03:04 UTC")
    assert restores(replace(ground, **changed)).read() is None
    assert replace(ground, given=True).proofs().restores() is None


def test_another_pg_dump_dumps_the_result(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    known = ground.proofs().restores()
    assert known is not None
    known.keep(BackupProof(objects=9, server_major=16))
    (other := ground.root / "pg_dump").touch()
    monkeypatch.setattr(known_proofs, "find_pg_dump", lambda _: other)
    dumped = ground.proofs().restores()
    assert dumped is not None
    assert dumped.read() is None
