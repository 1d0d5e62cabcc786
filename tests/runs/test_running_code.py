"""A promotion that would break the code that runs: refused on the copy, by file and line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from support.fresh_copy import git
from support.production_project import UNPROVED, Production, merge_audit

OF_SOMETHING_ELSE = True

BOUNDARIES = """
[apps.desk]
roles = ["desk_app"]
schemas = ["desk"]
code = ["app/**"]

[zones.vault]
schemas = ["vault"]

[[contract]]
name = "desk stays out of the vault"
type = "forbidden"
source = "desk"
target = "vault"
"""
EXEMPT = """
[[exempt]]
rule = "running-broken"
file = "{file}"
symbol = "{symbol}"
object = "subject"
reason = "nobody calls it any more"
"""
EXEMPTIONS = EXEMPT.format(file="app/desk.py", symbol="subjects") + EXEMPT.format(
    file="app/desk.ts", symbol="add"
)
PYTHON = '''"""The desk."""


def subjects(cur):
    cur.execute("SELECT subject FROM desk.ticket WHERE tenant_id = %s", [1])
    cur.execute(f"SELECT {cur.columns} FROM desk.ticket")  # hk: reaches desk.ticket -- any column
'''
SCRIPT = """\
export const add = (db) => db.query("INSERT INTO desk.ticket (tenant_id, subject) VALUES ($1, $2)");
"""
BATCH = """\
ALTER TABLE desk.ticket RENAME COLUMN subject TO title;
ALTER TABLE desk.ticket ADD COLUMN severity integer NOT NULL DEFAULT 1;
ALTER TABLE desk.ticket ALTER COLUMN severity DROP DEFAULT;
"""


OWN = "-- hk: transaction=own\n"
BROKEN = [
    ("running-broken", "error", "app/desk.py:5:25 subject"),
    ("running-broken", "error", "app/desk.ts:1:74 subject"),
]


def findings(run: Any, *, of: str = "rehearse::running") -> list[tuple[str, str, str]]:
    return [
        (each["rule"], each["level"], each["object"])
        for each in run.audit["findings"]
        if each["step"] == of
    ]


def said(run: Any) -> str:
    (step,) = (each for each in run.audit["steps"] if each["id"] == "rehearse::running")
    return str(step["message"])


def _has_to_be_here(here: Production) -> None:
    """A commit that is named is read, and one that is not here ends the run early."""
    here.change({"pyproject.toml": UNPROVED + 'running = ["gone"]\n'})
    lacking = here.promote()
    assert (lacking.code, lacking.outcome) == (1, "refused"), lacking.output
    assert lacking.steps["precheck::code"] == "failed"
    assert "running = 'gone' under [tool.housekeeping]: no commit here" in lacking.output


def test_old_code_on_the_new_schema(production: Production) -> None:
    here = replace(production, before=production.state)
    here.change(
        {
            "pyproject.toml": UNPROVED,
            "checks/boundaries.toml": BOUNDARIES,
            "checks/test_desk.py": None,
            "app/desk.py": PYTHON,
            "app/desk.ts": SCRIPT,
        }
    )
    # The commit of the first promotion has none of this code: it is new, and that is said.
    first = here.promote()
    assert (first.code, first.outcome) == (0, "promoted"), first.output
    assert findings(first) == [("running-unseen", "warning", "desk")], first.output
    merge_audit(here.root)
    git(here.root, "tag", "deployed")

    # What the work tree holds by now is not what runs.
    changed = {"app/desk.py": PYTHON.replace("subject", "title"), "app/desk.ts": None}
    here.change({"sql/migrations/0005_title.sql": BATCH, **changed})
    planned = here.promote(mode="plan", confirm=None)
    assert (planned.code, findings(planned)) == (1, BROKEN), planned.output
    run = here.promote()
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert run.steps["rehearse::result"] == "passed"
    assert run.steps["rehearse::running"] == "failed"
    assert run.steps["promote"] == "skipped"
    assert findings(run) == BROKEN, run.output
    assert "app/desk.py: 1 statement prepared, 1 name looked up, 1 made at run time" in said(run)
    assert "in two steps" in run.output
    assert "Traceback" not in run.output

    _has_to_be_here(here)

    # Both by name, with a reason: it is promoted.
    here.change(
        {
            "pyproject.toml": UNPROVED + 'running = ["deployed"]\n',
            "checks/boundaries.toml": BOUNDARIES + EXEMPTIONS,
        }
    )
    exempt = here.promote()
    assert (exempt.code, exempt.outcome) == (0, "promoted"), exempt.output
    assert findings(exempt) == []
    assert "(deployed): 2 files, 2 statements prepared, 1 name looked up" in said(exempt)
    merge_audit(here.root)

    _met_between_two_transactions(here)


def _met_between_two_transactions(here: Production) -> None:
    """The code meets what the first has left, whatever the second does."""
    here.change(
        {
            "pyproject.toml": UNPROVED + 'running = ["HEAD"]\n',
            "checks/boundaries.toml": BOUNDARIES,
            "sql/migrations/0006_away.sql": OWN + "ALTER TABLE desk.ticket RENAME title TO t;\n",
            "sql/migrations/0007_back.sql": "ALTER TABLE desk.ticket RENAME t TO title;\n",
        }
    )
    between = here.promote("--hk-segments=2")
    assert (between.code, between.outcome) == (1, "refused"), between.output
    assert findings(between) == [("running-broken", "error", "app/desk.py:5:25 title")]
    assert "(HEAD), after transaction 1 of 2" in between.output
    assert "  running   desk in " in between.output
