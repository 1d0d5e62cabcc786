"""Applications' own tests on the promoted staging database, and what the server refused them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.server.given_roles import lend_password, take_password_back
from pytest_housekeeping.server.staging_database import Cluster
from support.postgres_service import postgres_service
from support.production_project import Production
from support.staging_project import PROJECTS, WITHOUT_RLS, Project

DECLARED = (PROJECTS / "tenants/checks/boundaries.toml").read_text(encoding="utf-8")
BOUNDARIES = DECLARED.replace('schemas = ["desk"]\n', 'schemas = ["desk"]\ntests = ["app"]\n', 1)
RUNNING = "checks/boundaries.toml::running: desk → vault"
TEST = "app/test_desk_app.py::test_it"
A = "11111111-1111-1111-1111-111111111111"


def application(*body: str) -> str:
    """A test of the application's, which does this on its own connection."""
    lines = "".join(f"        {line}\n" for line in body)
    return (
        "import psycopg\n\n\ndef test_it(hk_app_url):\n"
        "    with psycopg.connect(hk_app_url('desk'), autocommit=True) as connection:\n"
        f"        connection.execute(\"SELECT set_config('app.tenant_id', '{A}', false)\")\n"
        f"{lines}"
    )


SOUND = application('assert connection.execute("SELECT count(*) FROM desk.ticket").fetchone()[0]')
SWALLOWS = application(
    "try:",
    '    connection.execute("SELECT content FROM vault.secret")',
    "except psycopg.errors.InsufficientPrivilege:",
    "    pass",
)


def project(
    place: Path, test: str, files: Mapping[str, str | bytes | None] | None = None, **options: bool
) -> Project:
    laid = {"checks/boundaries.toml": BOUNDARIES, "app/test_desk_app.py": test, **(files or {})}
    return Project.make(place, "tenants", {**WITHOUT_RLS, **laid}, **options)


def test_an_application_logs_in_and_works_on_what_was_promoted(tmp_path: Path) -> None:
    run = project(tmp_path, SOUND).run()

    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert (run.steps[TEST], run.steps[RUNNING]) == ("passed", "passed")
    assert list(run.steps)[-3:] == [TEST, RUNNING, "verify::restore"]
    assert "statements of the application's tests examined" in run.message(RUNNING)


def test_a_refusal_that_the_application_swallowed_is_a_finding(tmp_path: Path) -> None:
    run = project(tmp_path, SWALLOWS).run()

    assert run.code == 1
    assert (run.steps[TEST], run.steps[RUNNING]) == ("passed", "failed"), run.output
    assert run.findings("running-boundary") == ["desk stays out of the vault"]
    assert "permission denied for schema vault (42501)" in run.output
    assert "by SELECT content FROM vault.secret" in run.output


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT content FROM vault.secret WHERE id = %s",
        "COPY vault.secret TO STDOUT",
    ],
)
def test_whatever_the_protocol(tmp_path: Path, statement: str) -> None:
    parameters = ", (1,)" if "%s" in statement else ""
    call = f'    list(connection.cursor().copy("{statement}").__enter__())'
    if parameters:
        call = f'    connection.execute("{statement}"{parameters}, prepare=True)'
    body = ("try:", call, "except psycopg.Error:", "    pass")
    run = project(tmp_path, application(*body)).run()

    assert run.steps[RUNNING] == "failed", run.output


def test_a_policy_that_refuses_what_is_its_own_is_no_crossing(tmp_path: Path) -> None:
    other = "22222222-2222-2222-2222-222222222222"
    insert = f"INSERT INTO desk.ticket (tenant_id, subject) VALUES ('{other}', 'x')"
    body = (
        "try:",
        f'    connection.execute("{insert}")',
        "except psycopg.errors.InsufficientPrivilege:",
        "    pass",
    )
    run = project(tmp_path, application(*body)).run()

    assert run.steps[RUNNING] == "passed", run.output


def test_an_application_that_does_nothing_was_refused_nothing(tmp_path: Path) -> None:
    run = project(tmp_path, "def test_it():\n    pass\n").run()

    assert (run.code, run.steps[RUNNING]) == (1, "failed"), run.output
    assert "nothing was examined" in run.message(RUNNING)


def test_a_role_that_is_let_in_makes_the_record_worthless(tmp_path: Path) -> None:
    """The contract's items by privilege fail as well; here the planted query is what tells."""
    opened = {
        "sql/policies/vault.sql": "GRANT USAGE ON SCHEMA vault TO desk_app;\n"
        "GRANT SELECT ON vault.secret TO desk_app;\n",
        "checks/boundaries.toml": BOUNDARIES.replace('"forbidden"', '"allowed"', 1),
    }
    run = project(tmp_path, SOUND, opened).run()
    assert RUNNING not in run.steps

    shut_by_nobody = {**opened, "checks/boundaries.toml": BOUNDARIES}
    (tmp_path / "other").mkdir()
    run = project(tmp_path / "other", SOUND, shut_by_nobody).run()
    assert run.steps[RUNNING] == "skipped"
    assert run.code == 1


def test_a_path_without_a_test_is_misuse(tmp_path: Path) -> None:
    run = project(tmp_path, "x = 1\n").run()

    assert run.code == 4
    assert "no test in 'app'" in run.output


def test_before_the_commit_there_is_nothing_to_log_in_to(tmp_path: Path) -> None:
    own = "\n\ndef test_own(hk_database):\n    pass\n"
    early = {"checks/test_early.py": SOUND + own}
    run = project(tmp_path, SOUND, early).run()

    assert run.code == 1
    assert "nothing is promoted yet" in run.output
    assert run.steps["checks/test_early.py::test_own"] == "failed"
    assert "a database of its own for a test, with --hk-mode=staging" in run.output


def test_an_application_that_is_not_declared(tmp_path: Path) -> None:
    run = project(tmp_path, SOUND.replace("'desk'", "'desks'")).run()

    assert run.steps[TEST] == "failed"
    assert "declares no such application" in run.output


def test_production_takes_no_plan_whose_application_was_refused(production: Production) -> None:
    application = {"checks/boundaries.toml": BOUNDARIES, "app/test_desk_app.py": SWALLOWS}
    production.change({**WITHOUT_RLS, **application})
    staged = production.stage()
    run = production.promote()

    assert (staged.code, staged.outcome) == (1, "promoted")
    assert (run.code, run.steps["precheck::evidence"]) == (1, "failed"), run.output
    assert not [step for step in run.steps if "running" in step or step.startswith("app/")]
    assert production.unchanged


def test_a_password_is_lent_and_taken_back() -> None:
    with postgres_service("the-secret-0f-it") as port:
        cluster = Cluster(
            host="127.0.0.1",
            port=port,
            superuser="postgres",
            maintenance="postgres",
            password="the-secret-0f-it",
        )
        conninfo = cluster.conninfo("postgres")
        with psycopg.connect(conninfo, autocommit=True) as superuser:
            superuser.execute("CREATE ROLE somebody LOGIN; CREATE ROLE other LOGIN PASSWORD 'own'")
            password, lent = lend_password(superuser, cluster, "somebody")
            psycopg.connect(
                cluster.conninfo("postgres", user="somebody", password=password)
            ).close()
            take_password_back(conninfo, "somebody")
            left = superuser.execute(
                "SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL ORDER BY 1"
            ).fetchall()
            with pytest.raises(Exception, match="has a password of its own"):
                lend_password(superuser, cluster, "other")
    assert lent
    assert left == [("other",), ("postgres",)]


OWN = """\
import uuid

import psycopg

def test_it(hk_database, hk_transaction, hk_role, hk_app_url):
    with hk_database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM vault.secret").fetchone() == (0,)
    with hk_role("desk_app", **{"app.tenant_id": str(uuid.UUID(int=1))}) as connection:
        connection.execute("INSERT INTO desk.ticket (tenant_id, subject) VALUES"
            f" ('{uuid.UUID(int=1)}', 'lamp')")
    with psycopg.connect(hk_app_url("desk")) as connection:
        assert connection.execute("SELECT count(*) FROM desk.ticket").fetchone() == (0,)
"""
BY_DAY = """\
CREATE TABLE vault.of_this_run (id int);
DO $$ BEGIN
EXECUTE format('ALTER TABLE vault.of_this_run RENAME id TO %I', gen_random_uuid());
END $$;
"""


def test_a_database_of_its_own_has_the_schema_that_was_proved(tmp_path: Path) -> None:
    run = project(tmp_path, OWN).run()

    assert (run.code, run.steps[TEST]) == (0, "passed"), run.output


def test_one_that_would_have_another_schema_is_refused(tmp_path: Path) -> None:
    run = project(tmp_path, OWN, {"sql/migrations/0009_by_day.sql": BY_DAY}).run()

    assert (run.code, run.steps[TEST]) == (1, "failed"), run.output
    assert "the databases of the tests are not what was proved: " in run.output
    assert "vault.of_this_run" in run.output
