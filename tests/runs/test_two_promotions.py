"""What others do to a database meanwhile: another promotion, of which one wins and the other says
who holds it, and an application that makes the schema of a tenant."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.production_project import PLAIN, UNPROVED, Production, Rehearsal
from support.staging_project import Project, Run

OF_SOMETHING_ELSE = True

ROUNDS = 20 if os.environ.get("HK_FAULTS") else 1
SETTINGS = '[tool.housekeeping]\nlint = false\nlock_wait = "300ms"\n'
# The first one stays in its transaction until the test lets it go on.
GATE = 4711
GATED = f"""
def test_when_it_may(hk_connection):
    hk_connection.execute("SET LOCAL lock_timeout = '1min'")
    hk_connection.execute("SELECT pg_advisory_xact_lock_shared({GATE})")
"""
KEY = int.from_bytes(b"hkprmote")


def test_one_wins_and_one_says_who_holds_the_lock(rehearsed: Rehearsal, tmp_path: Path) -> None:
    """The first one is in its transaction, with all its locks, when the second one comes."""
    files = {"pyproject.toml": SETTINGS, "checks/test_gate.py": GATED}
    first, second = _two(rehearsed, tmp_path, files)
    with first.server.superuser() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        winner = first.start()
        _wait_for_a_waiter(connection)
        loser = second.promote()
        connection.execute("SELECT pg_advisory_unlock(%s)", (GATE,))
    won = first.project.finish(winner)
    assert (won.code, won.outcome) == (0, "promoted"), won.output
    assert (loser.code, loser.outcome) == (1, "refused"), loser.output
    holder = r"another promotion of this database holds it: promoter .*process \d+, since 20\d\d-"
    assert re.search(holder, loser.output), loser.output
    _all_of_it_once(first)


OVERTAKEN = """
import pathlib, time
from pytest_housekeeping.promotion.production.promoted import promotion_table

last_fingerprint = promotion_table.last_fingerprint


def overtaken(*arguments):
    pathlib.Path("{place}/here").touch()
    while not pathlib.Path("{place}/go").exists():
        time.sleep(0.02)
    return last_fingerprint(*arguments)


promotion_table.last_fingerprint = overtaken
"""


def test_a_promotion_that_goes_in_meanwhile_is_no_drift(
    rehearsed: Rehearsal, tmp_path: Path
) -> None:
    """Between the reading of the schema and that of what the last promotion left."""
    first, second = _two(rehearsed, tmp_path, {})
    place = second.root.parent
    (place / "run_watch.py").write_text(OVERTAKEN.format(place=place), encoding="utf-8")
    path = f"{place}{os.pathsep}{second.environment()['PYTHONPATH']}"
    slow = second.start("-p", "run_watch", PYTHONPATH=path)
    while not (place / "here").exists():
        assert slow.poll() is None, slow.communicate()[0]
        time.sleep(0.02)
    assert first.promote().outcome == "promoted"
    (place / "go").touch()
    run = second.project.finish(slow)
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert "another promotion went in after this plan was made" in run.output
    assert "--hk-accept-drift" not in run.output
    _all_of_it_once(first)


def _wait_for_a_waiter(connection: psycopg.Connection[Any]) -> None:
    deadline = time.monotonic() + 120
    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while not connection.execute(waiting).fetchone():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_promotion_of_another_database_is_not_named(production: Production) -> None:
    production.change({"pyproject.toml": SETTINGS})
    server = production.server
    with server.superuser("postgres") as there, server.superuser() as here:
        for connection in (there, here):
            connection.execute("SELECT pg_advisory_lock(%s)", (KEY,))
        run = production.promote()
        assert run.code == 1, run.output
        assert f"process {here.info.backend_pid}, since" in run.output, run.output
    assert production.unchanged


@pytest.mark.parametrize("number", range(ROUNDS))
def test_never_both_and_never_half(rehearsed: Rehearsal, tmp_path: Path, number: int) -> None:
    """However they meet: at the lock, behind it, or one after the other."""
    first, second = _two(rehearsed, tmp_path, {})
    runs = _both(first, second, delay_s=number % 10 * 0.1)
    outcomes = sorted(run.outcome for run in runs)
    assert outcomes.count("promoted") == 1, "\n\n".join(run.output for run in runs)
    (other,) = (outcome for outcome in outcomes if outcome != "promoted")
    assert other in ("refused", "rolled_back", "nothing_to_promote")
    _all_of_it_once(first)
    again = second.promote()
    assert (again.code, again.outcome) == (0, "nothing_to_promote"), again.output


def _two(rehearsed: Rehearsal, place: Path, files: dict[str, str]) -> tuple[Production, Production]:
    """Two clones of one project, as two people have them, before one database."""
    place = place / "first"
    place.mkdir()
    first = rehearsed.fresh(place, stem=PLAIN)
    if files:
        first.change(files, proved=True)
    other = place.parent / "second"
    shutil.copytree(place, other, symlinks=True)
    project = Project(root=other / "project", scratch=other / "tmp")
    audits = "".join(f"{path}\n" for path in project.audits())
    (other / "seen").write_text(audits, encoding="utf-8")
    return first, Production(server=first.server, project=project, before=first.before)


def _both(first: Production, second: Production, delay_s: float = 0.0) -> list[Run]:
    """Both at once, each in an interpreter of its own; the second begins a moment later."""
    started = [first.start()]
    time.sleep(delay_s)
    started.append(second.start())
    runs = [
        each.project.finish(process) for each, process in zip((first, second), started, strict=True)
    ]
    assert first.project.leftovers() == second.project.leftovers() == []
    return runs


def _all_of_it_once(production: Production) -> None:
    state = production.state
    paths = [row[0] for row in state.history]
    assert len(paths) == len(set(paths)) == 7
    assert [row[:2] for row in state.promotions] == [(1, 1), (1, 1)]


TENANTS = {
    "pyproject.toml": f"{UNPROVED}\n[tool.housekeeping.may_move]\n"
    '"schemas like tenant_template" = "the application makes one for each tenant"\n',
    "sql/migrations/0005_template.sql": "CREATE SCHEMA tenant_template;\n"
    "CREATE TABLE tenant_template.bill (id bigint PRIMARY KEY);\n",
    "sql/migrations/0006_note.sql": "ALTER TABLE tenant_template.bill ADD COLUMN note text;\n",
    "checks/test_meanwhile.py": """
import os

import psycopg


def test_meanwhile():
    names = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER"}
    given = {key: os.environ[f"{name}_PROD"] for key, name in names.items()}
    with psycopg.connect(**given, password=os.environ["PGPASSWORD_PROD"]) as other:
        other.execute("CREATE SCHEMA tenant_late")
        other.execute("CREATE TABLE tenant_late.bill (id bigint PRIMARY KEY)")
""",
}


def test_a_tenant_that_is_made_while_the_batch_is_open(production: Production) -> None:
    """It is as tenants were before the batch, and not as the batch leaves them."""
    production.change(TENANTS)
    run = production.promote()
    production.execute("DROP SCHEMA tenant_late CASCADE")
    assert production.unchanged
    assert "tenant_late" in run.output, run.output
    assert run.outcome == "rolled_back"
    assert run.steps["promote"] == "failed"
