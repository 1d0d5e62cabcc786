"""Boundaries in code as items of a promotion: before anything is committed, with the line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.production_project import TENANT, Production
from support.staging_project import PROJECTS, WITHOUT_RLS, Project, Run

DECLARED = (PROJECTS / "tenants/checks/boundaries.toml").read_text(encoding="utf-8")
BOUNDARIES = DECLARED.replace('schemas = ["desk"]\n', 'schemas = ["desk"]\ncode = ["app/**"]\n', 1)
OUT = "checks/boundaries.toml::code: desk → vault"
WORK = "checks/boundaries.toml::code: desk → desk"
TRIPWIRE = "tripwire::code: desk → vault"
GOOD = """\
def subjects(cursor):
    cursor.execute("SELECT subject FROM desk.ticket")
"""
BAD = """\
def peek(cursor):
    cursor.execute("SELECT content FROM vault.secret")
"""
BASELINE = "checks/baseline.toml"


def project(place: Path, files: Mapping[str, str | bytes | None], **options: bool) -> Project:
    laid = {"checks/boundaries.toml": BOUNDARIES, "app/desk.py": GOOD, **files}
    return Project.make(place, "tenants", {**WITHOUT_RLS, **laid}, **options)


def test_each_contract_is_an_item_that_says_what_it_examined(tmp_path: Path) -> None:
    run = project(tmp_path, {}).run()

    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert [run.steps[step] for step in (OUT, WORK, TRIPWIRE)] == ["passed"] * 3
    assert "1 files of 1 applications, 1 statements" in run.message("precheck::code")
    assert "2 files, statements and references examined" in run.message(OUT)


def test_without_code_there_is_no_such_item(tmp_path: Path) -> None:
    run = Project.make(tmp_path, "tenants").run("--collect-only", "-q")

    assert run.code == 0, run.output
    assert "checks/boundaries.toml::desk stays out of the vault" in run.output
    assert "code" not in run.output


def test_a_forbidden_line_fails_with_its_place(tmp_path: Path) -> None:
    run = project(tmp_path, {"app/peek.py": BAD}).run(GITHUB_ACTIONS="true")

    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert run.steps[OUT] == "failed"
    assert run.findings("code-boundary") == ["app/peek.py:2:41 vault.secret"]
    assert "::error file=app/peek.py,line=2,col=41,title=code-boundary::" in run.output
    # One thing wrong is one thing said: the contract that allows is not concerned.
    assert run.steps[WORK] == "passed"


def test_code_that_the_batch_would_break_fails_once_with_its_line(tmp_path: Path) -> None:
    files = {
        "sql/migrations/0002_drop.sql": "ALTER TABLE desk.ticket DROP COLUMN subject;\n",
        "checks/test_desk.py": None,
        "sql/seeds/tickets.sql": "-- hk: row-security=on\nSET LOCAL ROLE desk_app;\n"
        f"SELECT set_config('app.tenant_id', '{TENANT}', true);\n"
        f"INSERT INTO desk.ticket (tenant_id) VALUES ('{TENANT}');\n",
    }
    run = project(tmp_path, files).run()

    assert run.steps[OUT] == "failed", run.output
    assert run.findings("code-broken") == ["app/desk.py:2:28 subject"]
    assert 'column "subject" does not exist (SQLSTATE 42703)' in run.output
    # Without GitHub there is no annotation.
    assert "::error" not in run.output


@pytest.mark.parametrize(
    ("files", "rule", "said"),
    [
        pytest.param(
            {"checks/boundaries.toml": BOUNDARIES.replace("app/**", "app/*.txt")},
            "code-unseen",
            "nothing of it was examined",
            id="no file that can be read",
        ),
        pytest.param(
            {"app/any.py": "def f(c, t):\n    c.execute(f'SELECT 1 FROM {t}')\n"},
            "code-undecided",
            "what the line reaches is not known",
            id="a name made at run time",
        ),
        pytest.param(
            {"app/broken.py": "def f(:\n"},
            "code-undecided",
            "it does not parse",
            id="a file that does not parse",
        ),
    ],
)
def test_nothing_passes_vacuously(
    tmp_path: Path, files: dict[str, str | bytes | None], rule: str, said: str
) -> None:
    run = project(tmp_path, files).run()

    assert run.code == 1
    if rule == "code-unseen":
        assert run.steps["precheck::code"] == "failed", run.output
        assert "nothing was examined" in run.output
    else:
        assert run.findings(rule), run.output
        assert said in run.output


def test_an_exemption_is_exact_and_fails_when_its_cause_is_gone(tmp_path: Path) -> None:
    exempt = (
        '\n[[exempt]]\nfile = "app/peek.py"\nsymbol = "peek"\nobject = "vault.secret"\n'
        'reason = "the vault moves out in spring"\n'
    )
    of_rule = (
        '\n[[exempt]]\ncontract = "desk stays out of the vault"\nrule = "{rule}"\n'
        'object = "desk.count"\ndetail = "{detail}"\nreason = "the monthly report"\n'
    )
    shown = "desk_app may select from it and see vault.secret, with the rights of its owner"
    built = of_rule.format(
        rule="boundary-dependency", detail="this view of the source needs the table vault.secret"
    )
    files: dict[str, str | bytes | None] = {
        "app/peek.py": BAD,
        "sql/migrations/0002_count.sql": "CREATE VIEW desk.count AS SELECT content FROM"
        " vault.secret;\nGRANT SELECT ON desk.count TO desk_app;\n",
        "checks/boundaries.toml": BOUNDARIES
        + exempt
        + of_rule.format(rule="boundary-view", detail=shown)
        + built,
    }
    shop = project(tmp_path, files)
    let_stand = shop.run()
    shop.write({"app/peek.py": None, "sql/migrations/0002_count.sql": None})
    stale = shop.run()

    assert (let_stand.code, let_stand.steps[OUT]) == (0, "passed"), let_stand.output
    assert (stale.code, stale.steps[OUT]) == (1, "failed")
    assert "matches nothing any more" in stale.output
    exempted = let_stand.audit["compared"]["exempted"]
    assert {(each["rule"], each["object"], each["reason"]) for each in exempted} == {
        ("boundary-dependency", "desk.count", "the monthly report"),
        ("boundary-view", "desk.count", "the monthly report"),
        ("code-boundary", "app/peek.py vault.secret", "the vault moves out in spring"),
    }
    assert "<h3>3 exempt</h3>" in let_stand.page
    assert stale.findings("boundary-exemption") == ["desk.count", "desk.count"]


def test_the_baseline_lets_stand_what_stood_and_only_shrinks(tmp_path: Path) -> None:
    shop = project(tmp_path, {"app/peek.py": BAD}, repository=True)
    written = shop.run("--hk-write-baseline")
    shop.commit("the baseline")
    standing = shop.run()
    # A second symbol is new; the first one is gone: the one fails, so does the other.
    shop.write({"app/more.py": BAD.replace("peek", "more"), "app/peek.py": GOOD})
    changed = shop.run()
    again = shop.run("--hk-write-baseline")
    kept = tomllib.loads((shop.root / BASELINE).read_text(encoding="utf-8"))

    assert written.code == 0, written.output
    assert "checks/baseline.toml was written" in written.output
    assert (standing.code, standing.outcome) == (0, "promoted"), standing.output
    assert changed.code == 1
    assert changed.findings("code-boundary") == ["app/more.py:2:41 vault.secret"]
    assert changed.findings("code-baseline") == ["app/peek.py vault.secret"]
    # What is gone was taken out, and what is new was not let in.
    assert kept.get("instance", []) == []
    assert again.code == 1
    assert again.findings("code-boundary") == ["app/more.py:2:41 vault.secret"]
    assert again.findings("code-baseline") == []


def test_a_baseline_that_cannot_be_read_is_misuse(tmp_path: Path) -> None:
    run = project(tmp_path, {BASELINE: '[[instance]]\ncontract = "desk"\n'}).run()

    assert run.code == 4
    assert "checks/baseline.toml" in run.output
    assert "is not declared" in run.output


def test_production_is_not_changed_by_what_its_code_forbids(production: Production) -> None:
    production.change(
        {
            **WITHOUT_RLS,
            "checks/boundaries.toml": BOUNDARIES,
            "app/peek.py": BAD,
            "pyproject.toml": "[tool.housekeeping]\nlint = false\n"
            "require_staging_evidence = false\n",
        }
    )
    run: Run = production.promote()

    assert (run.code, run.steps[OUT]) == (1, "failed"), run.output
    assert production.unchanged


def test_a_contract_that_can_not_fire_fails_its_tripwire(tmp_path: Path) -> None:
    """The zone has a schema and no relation: no line could ever be seen to cross into it."""
    emptied = {"sql/migrations/0002_empty.sql": "DROP TABLE vault.secret;\n"}
    run = project(tmp_path, emptied).run()

    assert run.code == 1
    assert run.steps[TRIPWIRE] == "failed", run.output
    assert "vault has no relation that a line could name" in run.output
