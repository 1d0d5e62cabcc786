"""A fleet: rehearsed once a group, canaries first, stopped and taken up again, never twice."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from psycopg.conninfo import make_conninfo

from pytest_housekeeping.promotion.commands.audit import audit as prove
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from support.counted_git import CountedGit
from support.fleet_project import FLEET, NAMES, fleet_of, outcomes, run
from support.fresh_copy import git
from support.more_databases import variables
from support.production_project import PASSWORD, PROMOTER, Production, Rehearsal
from support.staging_project import Run

# What one of the databases has besides makes it a group of its own.
APART = "CREATE SCHEMA apart AUTHORIZATION promoter"
CONCURRENTLY = "-- hk: transaction=none\nCREATE INDEX CONCURRENTLY c ON vault.secret (content);\n"
# Of the run of one database: most look for the evidence of staging, and for its own.
MOST_CALLS_OF_GIT = 23


@pytest.fixture
def fleet(rehearsed: Rehearsal, tmp_path: Path) -> Iterator[Production]:
    """Four databases to which nothing was promoted, one of them with something of its own."""
    with fleet_of(rehearsed, tmp_path) as made:
        with made.server.superuser("t4") as connection:
            connection.execute(APART)
        made.change({}, proved=True)
        yield made


def test_a_fleet_is_promoted_in_waves_and_taken_up_again(fleet: Production, tmp_path: Path) -> None:
    planned = _planned(fleet)
    first = _begun(fleet, tmp_path)
    second = _taken_up(fleet, tmp_path)
    _prove_record(fleet, second)
    assert PASSWORD not in planned.output + first.output + second.output
    proof = prove(fleet.root)
    assert proof.proved, proof.lines
    assert "2 records of fleets" in proof.lines[-1]
    _prove_drift_is_left_out(fleet)


def _planned(fleet: Production) -> Run:
    # What is archived is not even asked whether it is there.
    listed = [*NAMES, {"name": "gone", "state": "archived"}]
    beside = {"sql/migrations/0005_beside.sql": CONCURRENTLY}
    fleet.change({"tenants.txt": json.dumps(listed), **beside})
    listed_items = run(fleet, "--collect-only", "-qq")
    assert listed_items.code == 0, listed_items.output
    assert "tenants::canary::t1" in listed_items.output.splitlines()
    planned = run(fleet, mode="plan")
    assert planned.code == 0, planned.output
    assert "collected 6 items" in planned.output
    assert outcomes(planned).keys() == {
        *("groups::group-1", "groups::group-2"),
        *(f"rows::{name}" for name in NAMES),
    }
    assert "group-1: 3 databases: t1, t2, t3" in planned.output
    assert "group-2: a promotion would be refused: the batch is 3 transactions" in planned.output
    assert "group-2: a promotion would be refused: none of " in planned.output
    # A plan is a report, and is not committed.
    shutil.rmtree(fleet.root / "ops/tenants")
    fleet.change(dict.fromkeys(beside), proved=True)
    return planned


def _begun(fleet: Production, tmp_path: Path) -> Run:
    # The canary of the second group may not connect any more: it is away, and the rest goes in.
    lost = "ALTER DATABASE t4 ALLOW_CONNECTIONS false"
    with fleet.server.superuser("postgres") as connection:
        connection.execute(lost.encode())
    reports = tmp_path / "reports"
    places = {"HK_PEAKS": str(tmp_path / "peaks")}
    watched = ("-p", "support.peaks")
    first = run(fleet, "-k", "not t3", f"--hk-reports={reports}", *watched, **places)
    assert first.code == 1, first.output
    # They go on behind the collection for their group.
    processes = [line.split() for line in (tmp_path / "peaks").read_text().splitlines()]
    assert len({parent for kind, _, parent in processes if kind == "run"}) == 1, processes
    assert "collected 7 items / 2 deselected / 5 selected" in first.output
    assert "t4: away" in first.output
    assert outcomes(first)["canary::t1"] == "PASSED", first.output
    assert outcomes(first)["wave-1::t2"] == "PASSED", first.output
    assert "database not promoted: t3" in first.output
    _prove_one_dump_for_both(fleet, first.output)
    _prove_reports(fleet, reports)
    with fleet.server.superuser("postgres") as connection:
        connection.execute(lost.replace("false", "true").encode())
    return first


def _prove_reports(fleet: Production, reports: Path) -> None:
    told = json.loads((reports / "housekeeping.sarif").read_bytes())["runs"][0]["results"]
    assert [each["message"]["text"].split(": ")[:2] for each in told] == [
        ["t4", "away"],
        ["t3", "not begun"],
    ]
    suite = ElementTree.parse(reports / "junit.xml")
    cases = [each for each in suite.iter("testcase") if each.find("properties") is not None]
    (of_t1,) = (each for each in cases if each.get("name") == "t1")
    properties = {each.get("name"): each.get("value") for each in of_t1.iter("property")}
    assert properties["housekeeping.outcome"] == "promoted"
    assert (fleet.root / "ops/tenants/t1/audit" / str(properties["housekeeping.audit"])).is_file()


def _taken_up(fleet: Production, tmp_path: Path) -> Run:
    counted = CountedGit(fleet.root.parent / "counted")
    # In a process of its own: pytest-xdist starts its workers with the path of the first moment.
    words = ("--hk-fleet=tenants", "-v", "-n", "2", f"--basetemp={tmp_path / 'base'}")
    ways = variables(fleet, "TENANTS") | {"PATH": counted.path}
    second = fleet.project.finish(fleet.start(*words, **ways))
    assert second.code == 0, second.output
    assert "[gw1]" in second.output
    # What git has of the evidence is asked once for all, and what is new is given to it at once.
    calls = counted.calls.values()
    assert sum(" hash-object " in call for of_one in calls for call in of_one) == 1
    runs = [of_one for of_one in calls if all("--show-toplevel" not in call for call in of_one)]
    assert max(map(len, runs), default=0) <= MOST_CALLS_OF_GIT, runs
    assert {name for name in outcomes(second) if "::t" in name} == {
        *("rows::t3", "rows::t4"),
        *("canary::t3", "wave-1::t4"),
    } or "wave-2::t4" in outcomes(second)
    # The rows of all are asked first, and the canary goes before the rest. Of what ends together,
    # as a group and the rows behind it may, two workers tell in any order.
    stages = [name.partition("::")[0] for name in outcomes(second) if "groups" not in name]
    assert stages == sorted(stages, key=["rows", "canary", "wave-1", "wave-2"].index), second.output
    for name in NAMES:
        with fleet.server.superuser(name) as connection:
            rows = connection.execute("SELECT path, count(*) FROM housekeeping.history GROUP BY 1")
            assert {count for _, count in rows.fetchall()} == {1}, name
    return second


def _prove_record(fleet: Production, second: Run) -> None:
    record = json.loads(max((fleet.root / "ops/tenants/audit").glob("fleet_*.json")).read_bytes())
    assert record["complete"] is True
    assert record["chain"]["previous"]
    audits = [each for wave in record["waves"] for each in wave["databases"]]
    branch = re.findall(r"committed: \w+ on (\S+),", second.output)[-1]
    for each in audits:
        audit = json.loads(git(fleet.root, "show", f"{branch}:{each['audit']}"))
        assert audit["run"]["target"] == f"tenants/{each['name']}"
        shown = [s for s in audit["steps"] if s["phase"] == "rehearse" and s["shown_at"]]
        assert shown
        assert all("shown for the group on tenants/" in s["message"] for s in shown)


def _prove_drift_is_left_out(fleet: Production) -> None:
    with fleet.server.superuser("t2") as connection:
        connection.execute("ALTER TABLE desk.ticket ADD COLUMN by_hand text")
    told = _status(fleet, "--hk-fleet=tenants")
    assert told.returncode == 1, told.stderr
    left_out = "t2: left out: changed past the files since its last promotion"
    assert left_out in told.stdout
    told = _status(fleet, "--hk-target=tenants/t2")
    assert "  added column desk.ticket.by_hand (type: text)\n" in told.stdout, told.stderr
    assert "adopt-drift --hk-target=tenants/t2 writes the migration" in told.stdout
    last = run(fleet)
    assert last.code == 1, last.output
    assert left_out in last.output


def _status(fleet: Production, option: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest_housekeeping", "status", option],
        cwd=fleet.root,
        env=fleet.environment(**variables(fleet, "TENANTS")),
        capture_output=True,
        text=True,
        check=False,
    )


def _prove_one_dump_for_both(fleet: Production, output: str) -> None:
    """The schema of after was dumped of one and taken for the other, of which it is true; each has
    a page."""
    (branch,) = re.findall(r"committed: \w+ on (\S+),", output)
    kept = []
    for name in ("t1", "t2"):
        place = f"ops/tenants/{name}/audit"
        files = git(fleet.root, "ls-tree", "--name-only", branch, f"{place}/").splitlines()
        (after,) = (each for each in files if "schema_after" in each)
        (page,) = (each for each in files if each.endswith(".html"))
        assert "<h1>Promoted · prod" in git(fleet.root, "show", f"{branch}:{page}")
        kept.append(git(fleet.root, "show", f"{branch}:{after}"))
    assert kept[0] == kept[1]
    with fleet.server.superuser("t2") as connection:
        major = connection.info.server_version // 10000
    port = str(fleet.server.port)
    login = {"host": "127.0.0.1", "port": port, "user": PROMOTER, "password": PASSWORD}
    taken = dump_schema(make_conninfo("", dbname="t2", **login), server_major=major)
    assert kept[1].strip() == taken.decode().strip()


def test_a_canary_that_fails_stops_all(fleet: Production) -> None:
    """One that comes into the list meanwhile is named, and begun no more than the rest."""
    check = """from pathlib import Path

def test_red(hk_connection) -> None:
    Path("tenants.txt").write_text("t1\\nt2\\nt3\\nt4\\nborn\\n")
    assert False, "not here"
"""
    fleet.change({"checks/test_red.py": check}, proved=True)
    done = run(fleet)
    assert done.code == 1
    found = outcomes(done)
    assert found["canary::t1"] == "FAILED", done.output
    assert {found[each] for each in found if each.startswith("wave")} == {"SKIPPED"}
    assert "not here" in done.output
    assert "born was added meanwhile, and is next: run it again" in done.output
    for name in NAMES:
        with fleet.server.superuser(name) as connection:
            row = connection.execute("SELECT to_regnamespace('housekeeping')").fetchone()
            assert row == (None,), name
    wrong = run(fleet, "--hk-confirm=ALL")
    assert wrong.code == 4
    assert "tenants is changed only on the exact word" in wrong.output


GATE = 4711
GATED = f"""import os

SEEN, PROCESS = [], os.getpid()

def test_when_it_may(hk_connection):
    assert not SEEN and PROCESS == os.getpid(), "the module is that of another database"
    SEEN.append(hk_connection.info.dbname)
    hk_connection.execute("SET LOCAL lock_timeout = '2min'")
    hk_connection.execute("SELECT pg_advisory_xact_lock_shared({GATE})")
"""


def test_two_operators_at_once(fleet: Production, tmp_path: Path) -> None:
    """The second is refused by the name of the first, and begins nothing."""
    patience = FLEET.replace("lint = false", 'lint = false\nlock_wait = "300ms"')
    fleet.change({"pyproject.toml": patience, "checks/test_gate.py": GATED}, proved=True)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path, elsewhere, symlinks=True, ignore=shutil.ignore_patterns("elsewhere"))
    project = replace(fleet.project, root=elsewhere / "project", scratch=elsewhere / "tmp")
    with fleet.server.superuser("t1") as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        first = fleet.start("--hk-fleet=tenants", "-v", **variables(fleet, "TENANTS"))
        while not connection.execute(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        ).fetchone():
            assert first.poll() is None, first.communicate()[0]
            time.sleep(0.02)
        second = run(replace(fleet, project=project))
        connection.execute("SELECT pg_advisory_unlock(%s)", (GATE,))
    won = fleet.project.finish(first)
    assert won.code == 0, won.output
    assert second.code == 1, second.output
    found = outcomes(second)
    assert found["canary::t1"] == "FAILED", second.output
    assert {found[each] for each in found if each.startswith("wave")} == {"SKIPPED"}
    holder = r"another promotion of this database holds it: promoter .*process \d+, since 20\d\d-"
    assert re.search(holder, second.output), second.output
    for name in NAMES:
        with fleet.server.superuser(name) as connection:
            rows = connection.execute("SELECT path, count(*) FROM housekeeping.history GROUP BY 1")
            assert {count for _, count in rows.fetchall()} == {1}, name


def test_a_fleet_comes_after_a_target(fleet: Production) -> None:
    """It takes what was promoted there, told once a group; without, nothing is begun."""
    after = 'after = "preprod"\n[tool.housekeeping.targets.preprod]\n'
    fleet.change({"pyproject.toml": FLEET + after, "tenants.txt": "t1\nt2\n"}, proved=True)
    early = run(fleet)
    assert early.code == 1, early.output
    found = outcomes(early)
    assert found.pop("groups::group-1") == "FAILED", early.output
    assert {*found.values()} == {"SKIPPED"}, early.output
    assert "preprod has had no promotion of just this batch" in early.output
    assert "--hk-mode=prod --hk-target=preprod --hk-confirm=PROMOTE" in early.output
    planned = run(fleet, mode="plan")
    assert planned.code == 0, planned.output
    assert "group-1: a promotion would be refused: preprod has had no" in planned.output

    there = fleet.promote("--hk-target=preprod", **variables(fleet, "PREPROD", "production"))
    assert there.code == 0, there.output
    done = run(fleet)
    assert done.code == 0, done.output
    record = json.loads(max((fleet.root / "ops/tenants/audit").glob("fleet_*.json")).read_bytes())
    branch = re.findall(r"committed: \w+ on (\S+),", done.output)[-1]
    for each in (each for wave in record["waves"] for each in wave["databases"]):
        audit = json.loads(git(fleet.root, "show", f"{branch}:{each['audit']}"))
        (found,) = (s for s in audit["steps"] if s["id"] == "precheck::after")
        assert "promoted to preprod at 20" in found["message"]


IN_EACH = """DO $$
DECLARE own name;
BEGIN
  FOR own IN SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname LIKE '%\\_own' LOOP
    EXECUTE pg_catalog.format('ALTER TABLE %I.note ALTER COLUMN body SET NOT NULL', own);
    EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %I', own, replace(own, '_own', '_app'));
    EXECUTE pg_catalog.format('GRANT SELECT ON %I.note TO %I', own, replace(own, '_own', '_app'));
  END LOOP;
END $$;
"""


def test_names_that_differ_by_tenant_are_one_group(fleet: Production) -> None:
    """Each has a schema and a role of its own; one may read its neighbour's. What was told of one
    is asked, and told, of the others by theirs."""
    listed = [
        {"name": name, "names": {"app": f"{name}_app", "own": f"{name}_own"}} for name in NAMES
    ]
    files = {"tenants.txt": json.dumps(listed), "sql/migrations/0099_in_each.sql": IN_EACH}
    fleet.change(files, proved=True)
    for name in NAMES:
        with fleet.server.superuser(name) as connection:
            connection.execute(f"CREATE SCHEMA {name}_own AUTHORIZATION promoter".encode())
            connection.execute("SET ROLE promoter")
            made = f"CREATE TABLE {name}_own.note (id int PRIMARY KEY, body text)"
            connection.execute(made.encode())
            body = "NULL" if name == "t2" else "'a text'"
            connection.execute(f"INSERT INTO {name}_own.note VALUES (1, {body})".encode())
    with fleet.server.superuser("postgres") as connection:
        for name in NAMES:
            connection.execute(f"CREATE ROLE {name}_app".encode())
    granted = "ALTER DEFAULT PRIVILEGES FOR ROLE promoter GRANT USAGE ON TYPES TO {}_app"
    try:
        for name in NAMES:
            with fleet.server.superuser(name) as connection:
                connection.execute(granted.format(name).encode())
        with fleet.server.superuser("t3") as connection:
            connection.execute(granted.format("t2").encode())
        planned = run(fleet, mode="plan")
        assert "group-1: 2 databases: t1, t2" in planned.output, planned.output
        assert planned.output.count(": 1 database: ") == 2
        asked = outcomes(planned)
        assert {name for name in asked if asked[name] == "FAILED"} == {"rows::t2"}, planned.output
        assert re.search(r"t2_own\.note.*body", planned.output), planned.output
        with fleet.server.superuser("t2") as connection:
            connection.execute("UPDATE t2_own.note SET body = 'now it has one'")
        done = run(fleet)
        assert done.code == 0, done.output
        branch = re.findall(r"committed: \w+ on (\S+),", done.output)[-1]
        (path,) = (fleet.root / "ops/tenants/t2/audit").glob("prod_*.json")
        told = git(fleet.root, "show", f"{branch}:ops/tenants/t2/audit/{path.name}")
        batch = json.dumps(json.loads(told)["batch"])
        assert "t2_own.note" in batch
        assert "t2_app" in batch
        assert not re.search(r"t[134]_(own|app)", batch), batch
    finally:
        with fleet.server.superuser("postgres") as connection:
            for name in NAMES:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
            for name in NAMES:
                connection.execute(f"DROP ROLE {name}_app".encode())


MEDDLES = """import psycopg

def test_it_meddles(hk_connection) -> None:
    if hk_connection.info.dbname == "t1":
        with psycopg.connect({conninfo!r}, autocommit=True) as other:
            other.execute("CREATE TABLE public.by_hand (id int)")
            other.execute("ALTER TABLE public.by_hand OWNER TO promoter")
"""


def test_a_database_that_leaves_its_group_is_refused(fleet: Production) -> None:
    """Between the look at all and its own turn: what was shown of the group is not shown of it."""
    with fleet.server.superuser("t2") as connection:
        info = connection.info
        conninfo = make_conninfo(
            "",
            host=info.host,
            port=info.port,
            user=info.user,
            dbname="t2",
            password=fleet.server.secret,
        )
    check = MEDDLES.format(conninfo=conninfo)
    fleet.change({"checks/test_meddles.py": check, "tenants.txt": "t1\nt2\nt3\n"}, proved=True)
    done = run(fleet)
    assert done.code == 1
    found = outcomes(done)
    assert found["canary::t1"] == "PASSED", done.output
    assert found["wave-1::t2"] == "FAILED", done.output
    assert "the schema is not the one of tenants/t1" in done.output
    # None may fail, and so nothing more is begun.
    assert found["wave-2::t3"] == "SKIPPED"
    with fleet.server.superuser("t2") as connection:
        assert connection.execute("SELECT to_regnamespace('desk')").fetchone() == (None,)


def test_one_restored_from_a_backup_is_refused_by_what_it_has_lost(fleet: Production) -> None:
    """It would get again what is on record of it; the others go in."""
    fleet.change({"tenants.txt": "t1\nt2\n"}, proved=True)
    with fleet.server.superuser("postgres") as connection:
        connection.execute("CREATE DATABASE kept TEMPLATE t2 OWNER promoter")
    assert run(fleet).code == 0
    with fleet.server.superuser("postgres") as connection:
        connection.execute("DROP DATABASE t2 WITH (FORCE)")
        connection.execute("ALTER DATABASE kept RENAME TO t2")
    done = run(fleet)
    assert done.code == 1, done.output
    assert outcomes(done)["groups::group-2"] == "FAILED"
    assert "group-2: 1 database: t2" in done.output
    assert re.search(r"history-missing .*says that it applied .* has no such row", done.output)
    assert "1 of 2 databases not promoted" in done.output
    with fleet.server.superuser("t2") as connection:
        assert connection.execute("SELECT to_regnamespace('housekeeping')").fetchone() == (None,)


def test_each_database_is_a_target_of_its_own(fleet: Production) -> None:
    """One is rolled back and watched alone, and the fleet takes it up again."""
    settings = FLEET.replace("lint = false", "lint = false\nrequire_staging_evidence = false")
    fleet.change({"tenants.txt": "t1\nt2\n", "pyproject.toml": settings})
    assert run(fleet).code == 0
    more = {
        "sql/migrations/0100_more.sql": "CREATE TYPE desk.more AS ENUM ('a');\n",
        "sql/rollback/0100_more.sql": "DROP TYPE desk.more;\n",
    }
    fleet.change(more)
    # What was changed in both by hand is accepted once, and as just this.
    for name in ("t1", "t2"):
        with fleet.server.superuser(name) as connection:
            connection.execute("ALTER TABLE desk.ticket ADD COLUMN by_hand text")
    drifted = run(fleet)
    (accepted,) = {*re.findall(r"have just this: (--hk-accept-drift=\w+)", drifted.output)}
    assert drifted.code == 1, drifted.output
    assert run(fleet, f"{accepted[:-6]}000000").code == 1
    assert run(fleet, accepted).code == 0
    last = max((fleet.root / "ops/tenants/t1/audit").glob("prod_2*.json"))
    id_, ways = json.loads(last.read_bytes())["run"]["id"], variables(fleet, "TENANTS")
    undone = fleet.undo(id_, "--hk-target=tenants/t1", **ways)
    assert undone.code == 0, undone.output
    watched = fleet.promote("--hk-target=tenants/t1", mode="verify", confirm=None, **ways)
    assert watched.code == 0, watched.output
    there = {}
    for name in ("t1", "t2"):
        with fleet.server.superuser(name) as connection:
            there[name] = connection.execute("SELECT to_regtype('desk.more')::text").fetchone()
    assert there == {"t1": (None,), "t2": ("desk.more",)}
    again = run(fleet)
    assert again.code == 0, again.output
    assert {name for name in outcomes(again) if name.startswith("canary")} == {"canary::t1"}
    assert prove(fleet.root).proved
