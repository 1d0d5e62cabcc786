"""The copy of production that a batch meets first: what only rows decide, its end, its rights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from pytest_housekeeping.snapshot.dumps.dump import dump_schema, without_restriction
from support.production_project import UNPROVED, Production, Rehearsal
from support.staging_project import Run

# A copy has no row, so it gets no table.
FROM_ROWS = """DO $$
BEGIN
    IF EXISTS (SELECT FROM vault.secret) THEN
        CREATE TABLE vault.kept (id bigint);
    END IF;
END
$$;
"""


def test_objects_made_from_rows_are_refused_by_name_and_go_in_in_place(
    production: Production,
) -> None:
    production.execute("INSERT INTO vault.secret VALUES (1, 'content')")
    here = replace(production, before=production.state)
    here.change({"pyproject.toml": UNPROVED, "sql/migrations/0005_from_rows.sql": FROM_ROWS})
    run = here.promote()
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert here.before.differences(here.state) == []
    assert run.steps["rehearse::result"] == "passed"
    assert run.steps["promote"] == "failed"
    for said in (
        "the batch has made something else of production than of its copy",
        "table vault.kept\n",
        "on the copy: left as it was\n",
        "in production: made: ",
        "or prove inside production's own transaction: --hk-in-place",
    ):
        assert said in run.output, run.output
    assert "Traceback" not in run.output

    run = here.promote("--hk-in-place")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert "in place: the locks of the batch are held while every check runs" in run.output
    assert {step["phase"] for step in run.audit["steps"]}.isdisjoint({"rehearse"})
    here.execute("SELECT id FROM vault.kept")


# -- what production's role needs, and no more -----------------------------------------------------

LEAST = """
ALTER DATABASE production OWNER TO postgres;
REVOKE ALL ON DATABASE production FROM PUBLIC;
GRANT CONNECT, CREATE ON DATABASE production TO promoter;
REVOKE desk_app FROM promoter;
"""


def test_a_role_that_is_a_member_of_no_application_promotes(
    rehearsed: Rehearsal, tmp_path: Path
) -> None:
    """Only a test that acts as one, or proving in place, asks for a membership."""
    production = rehearsed.fresh(tmp_path, first=True)
    production.change({"pyproject.toml": UNPROVED, "checks/test_desk.py": None})
    production.execute(LEAST)
    try:
        lacking = production.promote("--hk-in-place")
        run = production.promote()
        watched = production.promote(mode="verify", confirm=None)
    finally:
        production.execute("GRANT desk_app TO promoter")
    assert (lacking.code, lacking.outcome) == (1, "refused"), lacking.output
    assert "GRANT desk_app TO promoter" in lacking.output
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.steps["checks/rls.toml::identity-isolated"] == "passed"
    assert (watched.code, watched.outcome) == (0, "nothing_to_promote"), watched.output


def test_a_file_that_names_the_database_finds_it_on_the_copy(production: Production) -> None:
    text = (
        "GRANT TEMPORARY ON DATABASE production TO desk_app;\n"
        "ALTER DATABASE production SET statement_timeout = '7min';\n"
        "COMMENT ON DATABASE production IS 'promoted';\n"
    )
    production.change({"pyproject.toml": UNPROVED, "sql/migrations/0005_database.sql": text})
    run = production.promote("-p", "support.as_if_large")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.steps["sql/migrations/0005_database.sql::rehearse"] == "passed"
    assert "judged by the second session: checks/" in run.output
    # The copy was dumped, and production is dumped as it was.
    assert run.audit["snapshot"]["after_of"] == "twin"
    kept = (production.root / run.audit["snapshot"]["after"]["path"]).read_bytes()
    with production.server.superuser() as connection:
        secret = f"password={production.server.secret}"
        now = dump_schema(make_conninfo(f"{connection.info.dsn} {secret}"), server_major=16)
    assert without_restriction(kept) == without_restriction(now)
    assert "statement_timeout" in run.message("rehearse::result")
    found = {(each["kind"], each["object"]): each for each in run.audit["changes"]}
    assert found["database", ""]["change"] == "changed"
    assert "comment: 'promoted'" in found["database", ""]["after"]
    assert "  ~ database" in run.output
    (batch,) = run.audit["batch"]
    assert batch["coverage"]["measured"] == sum(
        step["statements"] for step in run.audit["steps"] if step["phase"] == "apply"
    )


# -- its end ---------------------------------------------------------------------------------------

KILLS = """
import os
import signal
from pathlib import Path


def pytest_runtest_logstart(nodeid, location):
    if nodeid != {step!r}:
        return
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == str(os.getpid()) and b"postgres\\0-D" in command:
            os.kill(int(entry.name), signal.SIGKILL)
            print("killed", entry.name)
"""


@pytest.mark.parametrize(
    "step",
    [
        "sql/migrations/0003_urgency.sql::rehearse",
        "checks/rls.toml::identity-isolated",
    ],
)
def test_a_copy_that_is_killed_in_the_middle(production: Production, step: str) -> None:
    production.change({"pyproject.toml": UNPROVED, "conftest.py": KILLS.format(step=step)})
    run: Run = production.promote("-s")
    assert "killed" in run.output, run.output
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert production.unchanged
    # What ran ahead has its answer; the next one has none, and nothing behind it is tried.
    steps = list(run.steps)
    behind = [run.steps[each] for each in steps[steps.index(step) :]]
    assert next(each for each in behind if each != "passed") == "failed", run.output
    assert {run.steps["sql/migrations/0002_notes.sql::apply"], run.steps["promote"]} == {"skipped"}
    assert "Traceback" not in run.output, run.output
    assert "INTERNALERROR" not in run.output, run.output
