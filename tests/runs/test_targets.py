"""Two targets in a row: each with its own evidence, and the second takes what the first has had."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.fresh_copy import git
from support.more_databases import beside, variables
from support.production_project import PASSWORD, Production, Rehearsal, merge_audit
from support.staged_project import prove
from support.staging_project import Run

TARGETS = """[tool.housekeeping]
lint = false
[tool.housekeeping.targets.preprod]
env = "PREPROD_"
confirm = "PREPROD"
seeds = true
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


def count(production: Production, database: str) -> int:
    with production.server.superuser(database) as connection:
        (found,) = connection.execute("SELECT count(*) FROM desk.ticket").fetchone() or (-1,)
    return int(found)


def newest(production: Production) -> dict[str, Any]:
    """The audit of the last run on the database that comes first."""
    written = (production.root / "ops/preprod/audit").glob("*.json")
    read = [json.loads(path.read_bytes()) for path in written]
    return max(read, key=lambda audit: str(audit["run"]["started_at"]))


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

    # Its pin is merged, and staging need not run again.
    git(first.root, "clean", "-fdxq", "ops")
    git(first.root, "merge", "--quiet", "--no-edit", branch)
    here = first.promote()
    assert (here.code, here.outcome) == (0, "promoted"), here.output
    (after,) = (s for s in here.audit["steps"] if s["id"] == "precheck::after")
    assert after["message"].startswith("promoted to preprod at 20")
    assert audit["run"]["id"] in after["message"]
    (binding,) = (s for s in here.audit["steps"] if s["id"] == "rehearse::binding")
    assert "the same as in preprod" in binding["message"]

    # The one that is called production gets no rows that were made up.
    assert (count(first, DATABASE), count(first, "production")) == (3, 0)

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


def _asked(first: Production, query: str) -> object:
    with first.server.superuser(DATABASE) as connection:
        (found,) = connection.execute(query.encode()).fetchone() or (None,)
    return found


def _refused_by_rows(first: Production, path: str, text: str) -> None:
    """What the empty copy has taken, the rows that there are refuse."""
    _asked(first, "INSERT INTO vault.secret VALUES (1, 'x') RETURNING 1")
    files = {
        "sql/migrations/0002_later.sql": "CREATE TABLE vault.later (id bigint PRIMARY KEY);\n",
        "sql/rollback/0002_later.sql": "DROP TABLE vault.later;\n",
        path: f"{text}RESET ROLE;\nINSERT INTO vault.secret VALUES (1, 'y');\n",
    }
    first.change(files)
    prove(first.root, target="preprod")
    refused = to_preprod(first)
    assert (refused.code, newest(first)["run"]["outcome"]) == (1, "rolled_back"), refused.output
    assert "duplicate key" in refused.output
    assert count(first, DATABASE) == 3
    assert _asked(first, "SELECT to_regclass('vault.later')") is None


def test_seeds_are_applied_again_when_they_change(first: Production) -> None:
    """Each is on record, and one that fails ends the promotion with nothing half done."""
    (seed,) = (first.root / "sql/seeds").glob("*.sql")
    text, path = seed.read_text(encoding="utf-8"), f"sql/seeds/{seed.name}"
    asked = partial(_asked, first)
    wrong = f"{text}INSERT INTO desk.nowhere VALUES (1);\n"
    first.change({"pyproject.toml": TARGETS, path: wrong}, proved=True)
    failed = to_preprod(first)
    assert failed.code == 1
    assert 'relation "desk.nowhere" does not exist' in failed.output, failed.output
    assert asked("SELECT to_regnamespace('desk')") is None
    first.change({path: text}, proved=True)
    there = to_preprod(first)
    assert there.code == 0, there.output
    assert count(first, DATABASE) == 3
    merge_audit(first.root)

    _refused_by_rows(first, path, text)
    first.change({path: f"{text}-- once more\n"})
    prove(first.root, target="preprod")
    planned = to_preprod(first, mode="plan", confirm=None)
    assert planned.code == 0, planned.output
    assert f"{path}::rehearse" in {step["id"] for step in newest(first)["steps"]}
    again, audit = to_preprod(first), newest(first)
    assert (again.code, audit["run"]["outcome"]) == (0, "promoted"), again.output
    (applied,) = (s for s in audit["steps"] if s["id"] == f"{path}::apply")
    assert (applied["phase"], applied["kind"], applied["outcome"]) == ("seed", "seed", "passed")
    on_record = "SELECT count(*) FROM housekeeping.history WHERE kind = 'seed'"
    assert (count(first, DATABASE), asked(on_record)) == (6, 2)
    merge_audit(first.root)
    nothing = to_preprod(first)
    assert nothing.code == 0, nothing.output
    assert newest(first)["run"]["outcome"] == "nothing_to_promote"

    # Its rows stay, and it is pending again.
    undone = first.undo("0002", "--hk-target=preprod", **variables(first, "PREPROD_", DATABASE))
    assert undone.code == 0, undone.output
    assert (count(first, DATABASE), asked(on_record)) == (6, 2)
    taken_back = (
        f"SELECT count(*) FROM housekeeping.history WHERE (kind, path) = ('rollback', '{path}')"
    )
    assert asked(taken_back) == 1
