"""``--hk-mode=verify``: all checks of production, on a copy of it or in a savepoint rolled back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.fresh_copy import git
from support.production_project import Production
from support.staging_project import Run

LOG = "housekeeping/audit/verify"


@pytest.fixture
def watched(production: Production) -> Production:
    """The first promotion as it stands in production, and the commit that it came from."""
    git(production.root, "reset", "--quiet", "--hard", "HEAD~1")
    return production


def verify(production: Production, *arguments: str) -> Run:
    # What stands last on a command line is what counts.
    return production.promote("--hk-mode=verify", *arguments, confirm=None)


def test_a_sound_production_is_verified_and_left_alone(watched: Production) -> None:
    run = verify(watched, "--hk-json")

    assert (run.code, run.outcome) == (0, "nothing_to_promote"), run.output
    told = run.told
    assert (told["mode"], told["outcome"], told["exit_code"]) == ("verify", run.outcome, 0)
    assert told["target"]["database"] == run.audit["target"]["database"]
    assert not [each for each in told["findings"] if each["level"] == "error"]
    assert "Every check of production passed" in run.output
    assert watched.unchanged
    assert set(run.steps.values()) == {"passed"}
    assert "checks/rls.toml::identity-isolated" in run.steps
    assert "checks/boundaries.toml::desk stays out of the vault" in run.steps
    assert "checks/test_desk.py::test_a_tenant_sees_its_own" in run.steps
    assert not [s for s in run.steps if s.startswith(("promote", "tripwire", "sql/"))]
    # What the schema decides is asked of a copy, which is not kept; what the rows decide is not.
    where = {step["id"]: step["proved_on"] for step in run.audit["steps"]}
    assert where["checks/rls.toml::identity-isolated"] == "twin"
    assert where["checks/boundaries.toml::desk stays out of the vault"] == "twin"
    assert where["checks/test_desk.py::test_a_tenant_sees_its_own"] == "target"
    assert run.audit["snapshot"]["before"] is None
    # There is no server but that of the copy: what roles are promised an earlier run has tried.
    made = (watched.root.parent / "folders").read_text(encoding="utf-8").splitlines()
    assert len({name for name in made if Path(name).name.startswith("hk_staging_")}) == 1


def test_what_is_merged_and_pending_is_no_broken_promise(production: Production) -> None:
    """The checks of today ask for what the pending files make; those of the promotion do not."""
    objects = production.root / "checks/objects.toml"
    asked = objects.read_text(encoding="utf-8") + '\n[tables."desk.not_yet"]\nid = "bigint"\n'
    new_test = "def test_it(hk_connection):\n    hk_connection.execute('TABLE desk.not_yet')\n"
    production.change(
        {
            "checks/objects.toml": asked,
            "checks/test_not_yet.py": new_test,
            "checks/queries/not_yet.sql": "-- None.\nSELECT id FROM desk.not_yet;\n",
        }
    )
    run = verify(production)
    assert (run.code, run.outcome) == (0, "nothing_to_promote"), run.output
    assert production.unchanged
    assert not [step for step in run.steps if "not_yet" in step]
    assert "checks/test_desk.py::test_a_tenant_sees_its_own" in run.steps
    promoted = git(production.root, "log", "-1", "--format=%h", "--abbrev=12", "HEAD~3")
    assert run.message("precheck::history").endswith(
        f"the checks are those of {promoted}, which was promoted last"
    )
    assert "sql/migrations/0002_notes.sql" in run.findings("pending")
    assert "checks/test_not_yet.py" in run.findings("pending")
    # What was promised by then is asked all the same.
    production.execute("ALTER TABLE desk.ticket NO FORCE ROW LEVEL SECURITY")
    broken = verify(production)
    assert (broken.code, broken.steps["checks/rls.toml::rls-not-forced"]) == (1, "failed")


def test_its_evidence_is_a_log_of_its_own(watched: Production) -> None:
    runs = [verify(watched), verify(watched)]

    assert [run.code for run in runs] == [0, 0], runs[1].output
    names = git(watched.root, "ls-tree", "-r", "--name-only", LOG).split()
    audits = [json.loads(git(watched.root, "show", f"{LOG}:{n}")) for n in names if "json" in n]
    assert {audit["run"]["mode"] for audit in audits} == {"verify"}
    assert len(audits) == 2
    assert git(watched.root, "rev-list", "--count", LOG) == "2"
    assert git(watched.root, "status", "--porcelain", "--untracked-files=no") == ""


# What was changed, the step that fails for it, and what it says.
BY_HAND = [
    (
        "ALTER TABLE desk.ticket NO FORCE ROW LEVEL SECURITY",
        "checks/rls.toml::rls-not-forced",
        "ALTER TABLE desk.ticket FORCE ROW LEVEL SECURITY",
    ),
    (
        "GRANT USAGE ON SCHEMA vault TO desk_app; GRANT SELECT ON vault.secret TO desk_app",
        "checks/boundaries.toml::desk stays out of the vault",
        "vault.secret",
    ),
    (
        "CREATE POLICY all_of_it ON desk.ticket TO desk_app USING (true)",
        "checks/rls.toml::policy-always-true",
        "desk.ticket",
    ),
    (
        "ALTER ROLE desk_app BYPASSRLS",
        "checks/rls.toml::role-bypasses-rls",
        "desk_app",
    ),
]


def test_what_was_changed_by_hand_turns_it_red(watched: Production) -> None:
    """All at once, and none hides another."""
    try:
        for defect, _, _ in BY_HAND:
            watched.execute(defect)
        before = watched.state
        run = verify(watched)
        after = watched.state
    finally:
        watched.execute("ALTER ROLE desk_app NOBYPASSRLS")

    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    # That it was changed past the files is told too, and keeps no check from speaking.
    assert run.findings("drift"), run.output
    assert run.findings("role-attributes"), run.output
    assert "skipped" not in run.steps.values(), run.output
    for _, failed, said in BY_HAND:
        assert run.steps[failed] == "failed", run.output
        assert said in run.output
    assert "Production failed a check" in run.output
    assert before.differences(after) == []


def test_without_canaries_nothing_is_left_out_any_more(watched: Production) -> None:
    """The option of earlier versions is taken, does nothing, and says so."""
    watched.change({"checks/test_write.py": _WRITES})

    run = verify(watched, "--hk-no-canary")

    assert (run.code, run.outcome) == (0, "nothing_to_promote"), run.output
    assert "--hk-no-canary does nothing any more" in run.output
    assert run.steps["checks/test_write.py::test_it"] == "passed"
    assert run.steps["checks/rls.toml::identity-isolated"] == "passed"
    assert watched.unchanged


_WRITES = """def test_it(hk_connection):
    hk_connection.execute("INSERT INTO vault.secret VALUES (99, 'x')")
"""


def test_where_no_copy_can_be_made_the_rows_are_looked_at_all_the_same(
    watched: Production,
) -> None:
    watched.execute("CREATE TABLE vault.foreign_land (id bigint)")
    watched.change({"checks/queries/empty.sql": "SELECT id FROM vault.secret WHERE content = ''\n"})
    watched.execute("INSERT INTO vault.secret VALUES (1, '')")
    before = watched.state

    run = verify(watched)

    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert "vault.foreign_land" in run.output
    assert run.steps["backup::snapshot"] == "failed"
    assert run.steps["checks/rls.toml::identity-isolated"] == "skipped"
    assert run.steps["checks/queries/empty.sql::query"] == "failed"
    assert run.steps["checks/test_desk.py::test_a_tenant_sees_its_own"] == "passed"
    assert "Traceback" not in run.output
    assert before.differences(watched.state) == []


def test_a_query_can_not_write(watched: Production) -> None:
    query = "SELECT * FROM (SELECT nextval('desk.seen')) AS s WHERE false OR s IS NOT NULL\n"
    watched.execute("CREATE SEQUENCE desk.seen OWNED BY NONE")
    watched.execute("ALTER SEQUENCE desk.seen OWNER TO promoter")
    watched.change({"checks/queries/writes.sql": query})

    run = verify(watched)

    assert run.code == 1
    assert run.steps["checks/queries/writes.sql::query"] == "failed"
    assert "read-only transaction" in run.output


def test_a_dirty_tree_is_verified_and_not_committed(watched: Production) -> None:
    watched.project.write({"checks/queries/none.sql": "SELECT 1 WHERE false\n"})

    run = verify(watched)

    assert run.audit["source"]["dirty"]
    assert "not committed: uncommitted changes" in run.output
    assert watched.unchanged


def test_a_part_of_it_can_be_asked_for(watched: Production) -> None:
    run = verify(watched, "-k", "rls-not-forced")

    assert run.code == 0, run.output
    assert run.steps["checks/rls.toml::rls-not-forced"] == "passed"
    assert "not committed: only part of the plan was run" in run.output
