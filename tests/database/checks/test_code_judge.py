"""From code on disk and a real schema to the verdict on a contract."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_housekeeping.checks.code.reading import read_code
from pytest_housekeeping.checks.code.verdict.breach import owner
from pytest_housekeeping.checks.code.verdict.judge import baseline_instances, judge_code
from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.boundaries import App, Boundaries, Contract, Zone
from pytest_housekeeping.declarations.code_baseline import (
    Baseline,
    Instance,
    parse_baseline,
    write_baseline,
)
from pytest_housekeeping.declarations.contracts import Contracts, code_name
from pytest_housekeeping.declarations.exemptions import CodeExemption
from pytest_housekeeping.model import Finding, Kind, LetStand, Level, Phase, Step, Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.judging import Checks
from pytest_housekeeping.promotion.throwaway import Throwaway
from support.snippet_ground import laid_schema

OUT = Contract(name="out", type="forbidden", source="venture", target="governance")
APART = Contract(name="apart", type="forbidden", source="venture", target="engineering")
WORK = Contract(name="work", type="allowed", source="venture", target="venture")
BOUNDARIES = Boundaries(
    apps=(
        App(name="venture", roles=("venture_app",), schemas=("venture",), code=("app/**",)),
        App(
            name="engineering",
            roles=("governance_officer",),
            schemas=("engineering",),
            code=("other/**",),
        ),
    ),
    zones=(Zone(name="governance", schemas=("governance",), tables=("venture.shop_item",)),),
    contracts=(OUT, APART, WORK),
)
CODE = """\
class Orders:
    def load(self, cur):
        cur.execute("SELECT id FROM venture.orders")
        cur.execute("SELECT entry FROM governance.ledger")
"""
TODAY = date(2026, 6, 1)
EXEMPT = CodeExemption(
    file="app/orders.py", symbol="Orders.load", object="governance.ledger", reason="until March"
)


@pytest.fixture
def ground(connection: Connection, superuser: Connection) -> Iterator[Connection]:
    with laid_schema(connection, superuser) as laid:
        yield laid


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "app/orders.py").write_text(CODE)
    (tmp_path / "other/flags.py").write_text("on = True\n")
    return tmp_path


def judge(connection: Connection, root: Path, contract: Contract = OUT, **more: Any) -> Verdict:
    return judge_code(
        connection,
        more.pop("boundaries", BOUNDARIES),
        contract,
        root,
        cache_folder=root / "cache",
        today=TODAY,
        **more,
    )


def only(verdict: Verdict) -> Finding:
    (finding,) = verdict.findings
    assert finding.fix
    assert not verdict.passed
    return finding


def test_a_forbidden_line_is_a_finding(ground: Connection, root: Path) -> None:
    verdict = judge(ground, root)
    finding = only(verdict)
    assert finding.rule == "code-boundary"
    assert finding.object == "app/orders.py:4:40 governance.ledger"
    assert "'out' forbids" in finding.detail
    assert verdict.examined == 3
    assert verdict.coverage == ("1 files, 2 statements, 0 references",)


def test_what_is_allowed_passes(ground: Connection, root: Path) -> None:
    assert judge(ground, root, WORK).passed
    assert judge(ground, root, APART).passed


def test_a_table_of_a_zone_is_the_zones_whatever_its_schema(ground: Connection, root: Path) -> None:
    (root / "app/orders.py").write_text('cur.execute("SELECT id FROM shop_item")')
    assert only(judge(ground, root)).object == "app/orders.py:1:29 venture.shop_item"
    part = owner(BOUNDARIES, "venture", "orders")
    assert part is not None
    assert part.name == "venture"


def test_a_view_leads_to_what_it_reads(ground: Connection, root: Path) -> None:
    ground.execute("CREATE VIEW venture.seen AS SELECT entry FROM governance.ledger")
    (root / "app/orders.py").write_text('cur.execute("SELECT entry FROM seen")')
    finding = only(judge(ground, root))
    assert finding.object == "app/orders.py:1:32 governance.ledger"
    assert "through venture.seen" in finding.detail


def test_an_import_of_the_other_application(ground: Connection, root: Path) -> None:
    (root / "app/orders.py").write_text("import os\nfrom other import flags\n")
    assert only(judge(ground, root, APART)).object == "app/orders.py:2:1 other/flags.py"


def test_the_role_of_another_application(ground: Connection, root: Path) -> None:
    (root / "app/orders.py").write_text('cur.execute("SET ROLE governance_officer")')
    assert "governance_officer" in only(judge(ground, root, APART)).object
    assert only(judge(ground, root)).object.endswith(" governance")
    (root / "app/orders.py").write_text('cur.execute("SET ROLE venture_app")')
    assert judge(ground, root).passed


def test_undecided_is_a_finding_of_every_forbidden_contract(ground: Connection, root: Path) -> None:
    (root / "app/orders.py").write_text("def f(cur, q):\n    cur.execute(q)\n")
    for contract in (OUT, APART):
        finding = only(judge(ground, root, contract))
        assert finding.rule == "code-undecided"
        assert finding.object == "app/orders.py:2:17"
        assert "hk: reaches" in finding.fix
    assert judge(ground, root, WORK).passed


def test_code_that_the_schema_would_break(ground: Connection, root: Path) -> None:
    (root / "app/orders.py").write_text('cur.execute("""SELECT id\n  , total FROM orders""")')
    assert judge(ground, root).passed
    ground.execute("ALTER TABLE venture.orders DROP COLUMN total")
    finding = only(judge(ground, root))
    assert finding.rule == "code-broken"
    assert finding.object == "app/orders.py:2:5 total"
    assert 'column "total" does not exist' in finding.detail
    assert judge(ground, root, broken=False).passed


@pytest.mark.parametrize("code", [("nowhere/**",), ("app/**", "ap/**"), (), ("docs/**",)])
def test_code_that_nobody_sees_is_a_failure(
    ground: Connection, root: Path, code: tuple[str, ...]
) -> None:
    (root / "docs").mkdir()
    (root / "docs/a.md").write_text("x")
    app = App(name="venture", roles=("venture_app",), schemas=("venture",), code=code)
    boundaries = Boundaries(
        apps=(app, BOUNDARIES.apps[1]), zones=BOUNDARIES.zones, contracts=BOUNDARIES.contracts
    )
    verdict = judge(ground, root, boundaries=boundaries)
    assert verdict.examined == 0
    assert {finding.rule for finding in verdict.findings} == {"code-unseen"}
    assert not verdict.passed


def test_what_is_passed_over_is_said(ground: Connection, root: Path) -> None:
    (root / "app/bundle.js").write_bytes(b"x;" * 600_000)
    (root / "app/notes.md").write_text("x")
    assert judge(ground, root).coverage[1:] == (
        "1 passed over",
        "  app/bundle.js: generated, 1.2 MB",
        "1 files not read: 1 .md",
    )


def test_what_is_only_searched_is_said(ground: Connection, root: Path) -> None:
    for name in ("a.go", "b.go", "c.go", "d.go"):
        (root / "app" / name).write_text("package app\n")
    (root / "app/orders.py").write_text("import aiosql\n")
    (root / "app/x.yaml").write_text("a: 1\n")
    verdict = judge(ground, root)
    assert verdict.passed
    said = [(each.rule, each.level, each.object) for each in verdict.findings]
    assert said == [
        ("code-unread", Level.WARNING, "venture: .go"),
        ("code-unread", Level.WARNING, "venture: aiosql"),
    ]
    assert "app/a.go, app/b.go, app/c.go and 1 more" in verdict.findings[0].detail
    assert verdict.coverage[1:] == ("of these only searched for names: 4 .go, 1 .yaml",)
    # Once for each application.
    assert judge(ground, root, APART, broken=False).findings == ()
    # What no parser reads is no code that was examined.
    (root / "app/orders.py").unlink()
    assert only(judge(ground, root)).rule == "code-unseen"
    (root / "app/a.go").write_text('db.Query("DELETE FROM governance.ledger")')
    (root / "app/orders.py").write_text("")
    found = judge(ground, root).findings
    assert [each.object for each in found if each.rule == "code-boundary"] == [
        "app/a.go:1:23 governance.ledger"
    ]


def test_an_exemption_lets_one_thing_stand(ground: Connection, root: Path) -> None:
    verdict = judge(ground, root, exemptions=(EXEMPT,))
    assert verdict.passed
    let = LetStand(
        rule="code-boundary", object="app/orders.py governance.ledger", reason="until March"
    )
    assert verdict.exempted == (let,)
    (root / "app/orders.py").write_text(
        CODE + '        cur.execute("DELETE FROM governance.policy")'
    )
    found = only(judge(ground, root, exemptions=(EXEMPT,)))
    assert found.object.endswith(" governance.policy")


def test_the_finding_says_how_it_is_exempted(ground: Connection, root: Path) -> None:
    key = "file app/orders.py, symbol Orders.load, object governance.ledger, and the reason"
    assert only(judge(ground, root)).fix.endswith(f"[[exempt]] in checks/boundaries.toml, {key}")


def test_of_what_is_not_known_an_exemption_lets_one_line_stand(
    ground: Connection, root: Path
) -> None:
    lines = ["def run(cur, one, other):", "    cur.execute(one)", "    cur.execute(other)", ""]
    (root / "app/orders.py").write_text("\n".join(["import psycopg", *lines]))
    exempt = CodeExemption(file="app/orders.py", symbol="run", object="undecided", reason="x")
    verdict = judge(ground, root, exemptions=(exempt,))
    assert only(verdict).object == "app/orders.py:4:17"
    assert [each.object for each in verdict.exempted] == ["app/orders.py"]


def test_a_statement_for_another_database_is_exempted_by_its_rule(
    ground: Connection, root: Path
) -> None:
    (root / "app/orders.py").write_text(
        "def load(warehouse_cur):\n    warehouse_cur.execute('SELECT 1 FROM facts')\n"
        "    warehouse_cur.execute('SELECT 1 FROM dimensions')\n"
    )
    exempt = CodeExemption(
        rule="code-broken",
        file="app/orders.py",
        symbol="load",
        object="facts",
        reason="the warehouse has it",
    )
    verdict = judge(ground, root, exemptions=(exempt,))
    assert only(verdict).rule == "code-broken"
    assert "rule code-broken, file app/orders.py, symbol load, object dimen" in only(verdict).fix
    assert [each.rule for each in verdict.exempted] == ["code-broken"]
    # It is about what the schema refuses, and lets no boundary be crossed; nor the other way round.
    crosses = CodeExemption(**{**_fields(EXEMPT), "rule": "code-broken"})
    (root / "app/orders.py").write_text(CODE)
    rules = [each.rule for each in judge(ground, root, exemptions=(crosses,)).findings]
    assert rules == ["code-boundary", "code-exemption"]
    # Only the application's first contract tells it.
    assert judge(ground, root, APART, broken=False, exemptions=(exempt,)).passed


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("symbol", "Orders.save"),
        ("object", "governance.policy"),
        ("object", "undecided"),
        ("file", "app/other.py"),
        ("object", "venture.orders"),
    ],
)
def test_an_exemption_without_cause_fails(
    ground: Connection, root: Path, field: str, value: str
) -> None:
    given: dict[str, Any] = {
        "file": EXEMPT.file,
        "symbol": EXEMPT.symbol,
        "object": EXEMPT.object,
        field: value,
    }
    verdict = judge(ground, root, exemptions=(CodeExemption(**given, reason="x"),))
    assert {"code-boundary", "code-exemption"} == {each.rule for each in verdict.findings}
    assert "matches nothing any more" in verdict.findings[-1].detail


def test_an_exemption_ends(ground: Connection, root: Path) -> None:
    last = CodeExemption(**_fields(EXEMPT), until=TODAY)
    assert judge(ground, root, exemptions=(last,)).passed
    over = CodeExemption(**_fields(EXEMPT), until=date(2026, 5, 31))
    rules = [each.rule for each in judge(ground, root, exemptions=(over,)).findings]
    assert rules == ["code-boundary", "code-exemption"]


def test_a_run_judges_by_its_own_day(ground: Connection, root: Path) -> None:
    """A rollback by that on which the schema was promoted that it goes back to."""
    contracts = Contracts(
        objects=None,
        rls=None,
        boundaries=BOUNDARIES,
        rules=(),
        code_exemptions=(CodeExemption(**_fields(EXEMPT), until=TODAY),),
    )
    name = code_name(OUT)
    step = Step(id=name, phase=Phase.VERIFY, kind=Kind.BOUNDARY, name=name)
    for day, passes in ((TODAY, True), (TODAY + timedelta(days=1), False)):
        context = SimpleNamespace(
            plan=SimpleNamespace(contracts=contracts),
            config=SimpleNamespace(root=root),
            options=SimpleNamespace(write_baseline=False),
            today=day,
        )
        checks = Checks(cast("RunContext", context), Throwaway(None, Config(root=root)))
        assert checks.judge_alone(ground, step).passed is passes


def test_the_baseline_only_shrinks(ground: Connection, root: Path) -> None:
    code = read_code(root, BOUNDARIES, cache_folder=root / "cache")
    stood = baseline_instances(ground, BOUNDARIES, root, code=code, cache_folder=root / "cache")
    names = {contract.name for contract in BOUNDARIES.contracts}
    baseline = parse_baseline(write_baseline(stood), contracts=names)
    assert baseline == Baseline(
        [
            Instance(
                contract="out",
                rule="code-boundary",
                file="app/orders.py",
                symbol="Orders.load",
                object="governance.ledger",
            )
        ]
    )
    assert judge(ground, root, baseline=baseline).passed
    (root / "app/orders.py").write_text("# moved\n" + CODE)
    assert judge(ground, root, baseline=baseline).passed
    (root / "app/orders.py").write_text(CODE + CODE.splitlines()[3])
    assert only(judge(ground, root, baseline=baseline)).object.startswith("app/orders.py:5:")
    (root / "app/orders.py").write_text("\n".join(CODE.splitlines()[:3]))
    finding = only(judge(ground, root, baseline=baseline))
    assert finding.rule == "code-baseline"
    assert "no longer does" in finding.detail


def _fields(exemption: CodeExemption) -> dict[str, Any]:
    return {name: getattr(exemption, name) for name in ("file", "symbol", "object", "reason")}
