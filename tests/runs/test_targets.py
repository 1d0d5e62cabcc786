"""Two targets in a row: each with its own evidence, and the second takes what the first has had."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.fresh_copy import git
from support.more_databases import beside, variables
from support.production_project import PASSWORD, Production, Rehearsal, merge_audit
from support.staging_project import Run

TARGETS = """[tool.housekeeping]
lint = false
[tool.housekeeping.targets.preprod]
env = "PREPROD_"
confirm = "PREPROD"
[tool.housekeeping.targets.prod]
after = "preprod"
"""
DATABASE = "preproduction"


@pytest.fixture
def first(rehearsed: Rehearsal, tmp_path: Path) -> Iterator[Production]:
    """Nothing is promoted anywhere, and there is a database that comes first."""
    made = rehearsed.fresh(tmp_path, first=True)
    with beside(made, [DATABASE]):
        yield made


def to_preprod(production: Production, *arguments: str, **named: Any) -> Run:
    named = {"confirm": "PREPROD", **variables(production, "PREPROD_", DATABASE), **named}
    return production.promote("--hk-target=preprod", *arguments, **named)


def test_the_second_takes_what_the_first_has_had(first: Production) -> None:
    first.change({"pyproject.toml": TARGETS}, proved=True)
    early = first.promote()
    assert (early.code, early.outcome) == (1, "refused"), early.output
    assert "preprod has had no promotion of just this batch" in early.output
    assert "--hk-mode=prod --hk-target=preprod --hk-confirm=PREPROD" in early.output

    wrong = to_preprod(first, confirm="PROMOTE")
    assert wrong.code == 4, wrong.output
    assert "preprod is changed only on the exact word" in wrong.output
    there = to_preprod(first)
    assert there.code == 0, there.output
    # Another one is that of the wrong word.
    written = (first.root / "ops/preprod/audit").glob("prod_*.json")
    audits = {path: json.loads(path.read_bytes()) for path in written}
    ((path, audit),) = (each for each in audits.items() if each[1]["target"])
    assert audit["run"]["target"] == "preprod"
    assert audit["target"]["database"] == DATABASE
    branch = f"housekeeping/audit/preprod/{path.stem}"
    assert git(first.root, "ls-remote", "--heads", "origin", branch)
    pin = git(first.root, "show", f"{branch}:ops/preprod/target.json")
    assert json.loads(pin)["database"] == DATABASE
    assert PASSWORD not in there.output

    here = first.promote()
    assert (here.code, here.outcome) == (0, "promoted"), here.output
    (after,) = (s for s in here.audit["steps"] if s["id"] == "precheck::after")
    assert after["message"].startswith("promoted to preprod at 20")
    assert audit["run"]["id"] in after["message"]
    (binding,) = (s for s in here.audit["steps"] if s["id"] == "rehearse::binding")
    assert "the same as in preprod" in binding["message"]

    merge_audit(first.root)
    led = to_preprod(first, PREPROD_PGDATABASE="production")
    assert led.code == 1, led.output
    assert "is the database that ops/production.json names, and not preprod" in led.output


def test_what_is_not_the_same_there_is_refused_by_name(first: Production) -> None:
    """Another schema before; other checks; rolled back since; too early; not looked at since."""
    soaked = TARGETS + 'soak = "2h"\n'
    first.change({"pyproject.toml": soaked}, proved=True)
    there = to_preprod(first)
    assert there.code == 0, there.output
    soon = first.promote()
    assert "it stands in preprod for 0 minutes, and has to for 2h" in soon.output, soon.output

    first.execute("CREATE TABLE public.by_hand (id int)")
    first.execute("ALTER TABLE public.by_hand OWNER TO promoter")
    other = first.promote()
    assert other.code == 1
    assert "the schema here is not the one that run" in other.output, other.output
    first.execute("DROP TABLE public.by_hand")

    (test,) = (first.root / "checks").glob("test_*.py")
    more = test.read_text(encoding="utf-8") + "\n\ndef test_another() -> None:\n    assert True\n"
    checks = {"pyproject.toml": TARGETS, f"checks/{test.name}": more}
    first.change(checks, proved=True)
    judged = first.promote()
    assert judged.code == 1
    assert "had other checks: " in judged.output, judged.output
