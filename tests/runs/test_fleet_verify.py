"""A fleet is looked at: once a group what the schema decides, each database what its rows do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.fleet_project import NAMES, fleet_of, outcomes, run
from support.fresh_copy import git
from support.production_project import PASSWORD, Production, Rehearsal

LOG = "housekeeping/audit/verify"
LIST = """["t1", "t2", "t3", "t4", {"name": "t5", "state": "archived"}]"""
A = "11111111-1111-1111-1111-111111111111"
# Decided by rows, so that it is asked of each database.
QUIET = f"""def test_quiet(hk_role):
    with hk_role("desk_app", **{{"app.tenant_id": "{A}"}}) as connection:
        loud = connection.execute("SELECT id FROM desk.ticket WHERE subject = 'LOUD'").fetchall()
    assert loud == [], "too loud"
"""


def audits(fleet: Production) -> dict[str, dict[str, Any]]:
    """Those of the newest record, by the names of their databases."""
    found = git(fleet.root, "ls-tree", "--name-only", LOG, "ops/tenants/audit/").split()
    record = json.loads(git(fleet.root, "show", f"{LOG}:{max(found)}"))
    return {
        each["name"]: json.loads(git(fleet.root, "show", f"{LOG}:{each['audit']}"))
        for wave in record["waves"]
        for each in wave["databases"]
        if each["audit"]
    }


def closed(fleet: Production, *names: str) -> None:
    with fleet.server.superuser("postgres") as connection:
        for name in names:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())


def test_a_watch_names_what_is_wrong_with_each(rehearsed: Rehearsal, tmp_path: Path) -> None:
    """t2 has a row that no check lets stand, t3 was changed past the files, and t4 is away."""
    with fleet_of(rehearsed, tmp_path) as fleet:
        fleet.change({"checks/test_quiet.py": QUIET}, proved=True)
        # The canaries alone, as one machine has them before others begin with their shares.
        first = run(fleet, "--hk-shard=canary")
        assert first.code == 0, first.output
        assert {name for name in outcomes(first) if not name.startswith(("rows", "groups"))} == {
            "canary::t1"
        }
        assert {f"rows::{name}" for name in NAMES} < outcomes(first).keys()
        assert run(fleet).code == 0
        fleet.change({"tenants.txt": LIST})
        well = run(fleet, mode="verify")
        assert (well.code, set(outcomes(well).values())) == (0, {"PASSED"}), well.output
        with fleet.server.superuser("t2") as connection:
            insert = f"INSERT INTO desk.ticket (tenant_id, subject) VALUES ('{A}', 'LOUD')"
            connection.execute(insert.encode())
        with fleet.server.superuser("t3") as connection:
            connection.execute("ALTER TABLE desk.ticket ADD COLUMN by_hand text")
        closed(fleet, "t4")
        done = run(fleet, mode="verify")
        assert done.code == 1, done.output
        assert outcomes(done) == {
            "verify::t1": "PASSED",
            "verify::t2": "FAILED",
            "verify::t3": "FAILED",
            "verify::t4": "SKIPPED",
        }
        for said in (
            *("too loud", "error: drift: column desk.ticket.by_hand"),
            *("t4: away: ", "archived: t5", "3 databases not verified: "),
        ):
            assert said in done.output
        found = audits(fleet)
        assert found.keys() == {"t1", "t2", "t3"}
        shown = {
            name: {step["message"].partition(":")[0] for step in audit["steps"] if step["shown_at"]}
            for name, audit in found.items()
        }
        # One copy for the group; what has drifted is a group of its own.
        assert shown == {"t1": set(), "t2": {"shown for the group on tenants/t1"}, "t3": set()}
        asked = [step["proved_on"] for step in found["t2"]["steps"] if step["kind"] == "test"]
        assert set(asked) == {"target"}
        assert PASSWORD not in well.output + done.output


def test_a_watch_of_nothing_is_none(rehearsed: Rehearsal, tmp_path: Path) -> None:
    """Nothing passes vacuously: no database that could be reached, and none in a share."""
    with fleet_of(rehearsed, tmp_path) as fleet:
        fleet.change({})
        closed(fleet, *NAMES)
        away = run(fleet, mode="verify")
        assert (away.code, set(outcomes(away).values())) == (1, {"SKIPPED"}), away.output
        assert "4 databases not verified: t1, t2, t3, t4" in away.output
        empty = run(fleet, "--hk-shard=5/5", mode="verify")
        assert empty.code == 4
        assert "--hk-shard=5/5 holds none of 4 databases" in empty.output
