"""The plan comes from the files on disk: what is in it, in which order, and what it attests."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.contracts import Contracts
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Kind, Mode, Phase, ProvedOn
from pytest_housekeeping.plan.check_steps import check_steps
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.plan.plan import Plan, build
from pytest_housekeeping.plan.problems import (
    header_for_new_value,
    limits_of_their_own,
    own_schema_named,
    problems_of,
    reaching_out,
)
from pytest_housekeeping.plan.test_discovery import TestNames, defined_tests
from pytest_housekeeping.promotion.context import PlannedFiles, RunContext
from pytest_housekeeping.promotion.prechecks.shared import files, locks_needed
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.parse import Statement, parse
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.files import write

FILES = {
    "sql/migrations/0002_b.sql": "CREATE TABLE b (id int);",
    "sql/migrations/0001_a.sql": "CREATE TABLE a (id int);",
    "sql/views/v.sql": "CREATE OR REPLACE VIEW v AS SELECT 1 AS one;",
    "sql/policies/p.sql": "GRANT SELECT ON a TO public;",
    "sql/seeds/s.sql": "INSERT INTO a VALUES (1);",
    "checks/queries/q.sql": "SELECT id FROM a WHERE id < 0",
    "checks/test_it.py": "def test_it(): ...\n",
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    write(tmp_path, FILES)
    return Config(root=tmp_path)


def plan(config: Config, past: tuple[AppliedFile, ...] = ()) -> Plan:
    return build(
        config, Mode.STAGING, tests=TestNames(), sources=ProjectFiles(config.root), past=past
    )


def past(config: Config, path: str, kind: Kind = Kind.MIGRATION, sha256: str = "") -> AppliedFile:
    file = next(each for each in plan(config).files if each.path == path)
    return AppliedFile(path=path, sha256=sha256 or file.sha256, kind=kind, commit="c" * 40)


def test_phases_and_files_in_their_order(config: Config) -> None:
    made = plan(config)
    assert list(dict.fromkeys(step.phase for step in made.steps)) == [
        Phase.PRECHECK,
        Phase.APPLY,
        Phase.SEED,
        Phase.VERIFY,
        Phase.PROMOTE,
        Phase.AFTER,
    ]
    assert [file.path for file in made.files] == [
        "sql/migrations/0001_a.sql",
        "sql/migrations/0002_b.sql",
        "sql/views/v.sql",
        "sql/policies/p.sql",
        "sql/seeds/s.sql",
    ]
    ids = [step.id for step in made.steps]
    assert len(set(ids)) == len(ids)
    assert ids[-3:] == ["promote", "after::schema", "verify::restore"]


CODE = """
[apps.shop]
roles = ["shop_app"]
schemas = ["shop"]
code = ["app/**"]
[[contract]]
name = "works"
type = "allowed"
source = "shop"
target = "shop"
"""


def test_the_number_is_the_order_and_may_leave_a_gap(config: Config) -> None:
    files = [f"sql/migrations/{name}.sql" for name in ("0002_b", "9999_late", "10000_last")]
    write(config.root, dict.fromkeys(files[1:], "SELECT 1;"))
    assert [file.path for file in plan(config).files][1:4] == files


def test_running_code_is_asked_where_code_is_declared_and_something_pending(
    config: Config,
) -> None:
    def asked(*, mode: Mode = Mode.PROD, past: tuple[AppliedFile, ...] = ()) -> bool:
        made = build(config, mode, tests=TestNames(), sources=ProjectFiles(config.root), past=past)
        return any(step.id == "rehearse::running" for step in made.steps)

    assert not asked()
    write(config.root, {"checks/boundaries.toml": CODE})
    assert asked()
    assert not asked(mode=Mode.VERIFY)
    assert not asked(mode=Mode.STAGING)
    files = [each for each in plan(config).files if each.kind is not Kind.SEED]
    applied = tuple(past_of(each) for each in files)
    assert not asked(past=applied)
    write(config.root, {"checks/boundaries.toml": CODE.replace('code = ["app/**"]', "")})
    assert not asked()


def past_of(file: SqlFile) -> AppliedFile:
    return AppliedFile(path=file.path, sha256=file.sha256, kind=file.kind, commit="c" * 40)


def test_a_clone_is_asked_where_there_is_one_and_something_pending(config: Config) -> None:
    def asked(mode: Mode, *, pending: bool = True, has_clone: bool = True) -> list[ProvedOn]:
        sources = ProjectFiles(config.root)
        files = build(config, mode, tests=TestNames(), sources=sources).segments[0].files
        past = [
            AppliedFile(path=each.path, sha256=each.sha256, kind=each.kind, commit="")
            for each in files
        ]
        made = build(
            config,
            mode,
            tests=TestNames(),
            sources=ProjectFiles(config.root),
            past=[] if pending else past,
            has_clone=has_clone,
        )
        return [each.proved_on for each in made.steps if each.id == "rehearse::clone"]

    assert asked(Mode.PLAN) == asked(Mode.PROD) == [ProvedOn.CLONE]
    assert asked(Mode.PLAN, pending=False) == asked(Mode.PLAN, has_clone=False) == []


@pytest.mark.parametrize("mode", [Mode.PROD, Mode.VERIFY])
def test_what_the_schema_decides_is_proved_on_a_copy_and_the_rest_where_the_rows_are(
    tmp_path: Path, mode: Mode
) -> None:
    """No check is lost, none is asked twice, and in place the order is that of staging."""
    contract = 'schemas = ["app"]\nroles = ["app_user"]\ncontext = ["app.tenant"]\n'
    none = "-- hk: transaction=none\nCREATE INDEX CONCURRENTLY i ON a (id);"
    objects = {"checks/rls.toml": contract, "checks/objects.toml": 'schemas = ["app"]\n'}
    write(tmp_path, FILES | objects | {"sql/migrations/0003_i.sql": none})
    config = Config(root=tmp_path, lint=False)
    tests = TestNames()
    made, in_place = (
        build(config, mode, tests=tests, sources=ProjectFiles(tmp_path), in_place=where)
        for where in (False, True)
    )
    phases = list(dict.fromkeys(step.phase for step in made.steps))
    assert phases[:3] == [Phase.PRECHECK, Phase.BACKUP, Phase.REHEARSE]
    assert made.rehearses
    assert not in_place.rehearses
    places = {step.id: step.proved_on for step in made.steps}
    assert places["checks/rls.toml::rls-not-enabled"] is ProvedOn.TWIN
    assert places["checks/queries/q.sql::query"] is ProvedOn.TARGET
    assert places.get("rehearse::rows") is (ProvedOn.TARGET if mode is Mode.PROD else None)
    assert places["backup::proof"] is ProvedOn.NOWHERE
    checks = (Phase.REHEARSE, Phase.VERIFY)
    judged = [s.id for s in made.steps if s.phase in checks and s.kind is not Kind.REHEARSAL]
    assert sorted(judged) == sorted(s.id for s in in_place.steps if s.phase is Phase.VERIFY)
    assert len(set(places)) == len(made.steps)
    promotes = [step.segment for step in made.steps if step.kind is Kind.PROMOTE]
    results = [step.segment for step in made.steps if step.name == "result"]
    assert promotes == results
    rehearsed = [step.path for step in made.steps if step.kind is Kind.REHEARSAL and step.path]
    assert rehearsed == [step.path for step in made.steps if step.phase is Phase.APPLY]


def test_a_plan_rehearses_what_a_promotion_does_and_ends_there(config: Config) -> None:
    made, promotion = (
        build(config, mode, tests=TestNames(), sources=ProjectFiles(config.root))
        for mode in (Mode.PLAN, Mode.PROD)
    )
    rehearsed = [step for step in promotion.steps if step.phase is Phase.REHEARSE]
    assert [step for step in made.steps if step.phase is Phase.REHEARSE] == rehearsed
    assert made.steps[-1] == rehearsed[-1]
    assert {step.phase for step in made.steps} == {Phase.PRECHECK, Phase.BACKUP, Phase.REHEARSE}
    assert (made.digest, made.rehearses) == (promotion.digest, True)


def test_what_there_is_nothing_of_has_no_step(config: Config) -> None:
    names = [step.name for step in plan(config).steps if step.kind is Kind.PRECHECK]
    assert not {"bootstrap", "roles"} & set(names)
    write(config.root, {"sql/bootstrap/r.sql": "SELECT 1;"})
    names = [step.name for step in plan(config).steps if step.kind is Kind.PRECHECK]
    assert "bootstrap" in names


def test_every_folder_has_a_style_check_unless_it_is_switched_off(config: Config) -> None:
    linted = {step.name: step.sha256 for step in plan(config).steps if step.kind is Kind.LINT}
    assert set(linted) == {file.path.rpartition("/")[0] for file in plan(config).files}
    write(config.root, {"sql/seeds/more.sql": "SELECT 1;"})
    again = {step.name: step.sha256 for step in plan(config).steps if step.kind is Kind.LINT}
    assert {name for name in linted if linted[name] != again[name]} == {"sql/seeds"}
    without = plan(replace(config, lint=False)).steps
    assert [step for step in without if step.kind is Kind.LINT] == []


def test_a_versioned_file_is_pending_once_and_a_repeatable_one_when_it_changes(
    config: Config,
) -> None:
    view = past(config, "sql/views/v.sql", Kind.VIEW)
    before = (past(config, "sql/migrations/0001_a.sql", sha256="another"), view)
    made = plan(config, before)
    assert [file.name for file in made.files] == ["0002_b.sql", "p.sql", "s.sql"]
    again = (*before, replace(view, sha256="changed since"))
    assert "v.sql" in [file.name for file in plan(config, again).files]


@pytest.mark.parametrize(
    ("path", "text", "same"),
    [
        ("sql/migrations/0002_b.sql", "CREATE TABLE b (id bigint);", False),
        ("sql/migrations/0003_c.sql", "SELECT 1;", False),
        ("checks/queries/q.sql", "SELECT id FROM a", False),
        ("checks/test_it.py", "def test_it(): assert True\n", False),
        ("checks/objects.toml", 'schemas = ["public"]\n', False),
        ("sql/seeds/s.sql", "INSERT INTO a VALUES (2);", True),
        ("sql/rollback/0002_b.sql", "DROP TABLE b;", True),
        ("notes.txt", "hello", True),
    ],
)
def test_the_digest_is_of_what_production_runs(
    config: Config, path: str, text: str, same: bool
) -> None:
    before = plan(config).digest
    write(config.root, {path: text})
    assert (plan(config).digest == before) is same


def test_a_renamed_migration_is_another_plan(config: Config) -> None:
    before = plan(config).digest
    folder = config.folder("migrations")
    (folder / "0002_b.sql").rename(folder / "0004_b.sql")
    assert plan(config).digest != before


NONE = "-- hk: transaction=none\nVACUUM;"
OWN = "-- hk: transaction=own\nSELECT 1;"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], ["batch"]),
        (["SELECT 1;"], ["batch"]),
        ([NONE], ["none", "batch"]),
        ([OWN], ["own"]),
        ([OWN, OWN], ["own", "own"]),
        (["SELECT 1;", "SELECT 2;", NONE, "SELECT 3;"], ["batch", "none", "batch"]),
        ([NONE, NONE], ["none", "none", "batch"]),
        (["SELECT 1;", OWN, "SELECT 2;", OWN], ["batch", "own", "batch", "own"]),
    ],
)
def test_headers_cut_the_plan(tmp_path: Path, texts: list[str], expected: list[str]) -> None:
    files = {f"sql/migrations/00{n}_x.sql": text for n, text in enumerate(texts, start=10)}
    write(tmp_path, files | {"checks/test_it.py": "def test_it(): ...\n", "sql/x.txt": ""})
    made = plan(Config(root=tmp_path, lint=False))
    assert [segment.transaction for segment in made.segments] == expected
    promotes = [step for step in made.steps if step.kind is Kind.PROMOTE]
    assert [step.segment for step in promotes] == list(range(1, len(expected) + 1))
    assert made.steps[-3] is promotes[-1]
    assert (made.steps[-2].name, made.steps[-1].id) == ("schema", "verify::restore")
    # What was seen behind a COMMIT is required by the next one.
    looks = [step for step in made.steps if step.kind is Kind.AFTER]
    assert [step.segment - 1 for step in looks] == [step.segment for step in promotes]
    assert [made.steps.index(step) - 1 for step in looks] == list(map(made.steps.index, promotes))


def test_the_rules_are_asked_behind_a_file_that_no_transaction_holds(tmp_path: Path) -> None:
    contract = 'schemas = ["app"]\nroles = ["app_user"]\ncontext = ["app.tenant"]\n'
    files = {"sql/migrations/0001_a.sql": "SELECT 1;", "sql/migrations/0002_b.sql": NONE}
    write(tmp_path, files | {"checks/rls.toml": contract})
    made = plan(Config(root=tmp_path, lint=False))
    behind = {step.id for step in made.steps if step.segment == 2}
    assert "checks/rls.toml::rls-not-enabled[2/3]" in behind
    assert "promote[2/3]" in behind


MADE = "CREATE TYPE t AS ENUM ('y');\nCREATE TABLE of_t (t t, note text);"
ADD = "SELECT 1;\nALTER TYPE t ADD VALUE 'x';"
USE = "INSERT INTO of_t (t) VALUES ('x');"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param({"sql/seeds/s.sql": USE}, ["sql/seeds/s.sql"], id="by a seed"),
        pytest.param({"sql/views/v.sql": USE}, ["sql/views/v.sql"], id="by a view"),
        pytest.param(
            {"sql/migrations/0004_a.sql": USE, "sql/policies/p.sql": USE, "sql/seeds/s.sql": USE},
            ["sql/migrations/0004_a.sql", "sql/policies/p.sql", "sql/seeds/s.sql"],
            id="by all of them",
        ),
        pytest.param({"sql/migrations/0001_a.sql": MADE + USE}, [], id="before it is added"),
        pytest.param({"sql/migrations/0004_a.sql": NONE}, [], id="by nobody"),
        pytest.param(
            {"sql/views/v.sql": "INSERT INTO of_t (t, note) VALUES ('y', 'x');"},
            [],
            id="the same word in a text",
        ),
        pytest.param(
            {"sql/migrations/0004_n.sql": NONE, "sql/views/v.sql": USE},
            [],
            id="after the next cut",
        ),
        pytest.param(
            {
                "sql/migrations/0003_add.sql": f"-- hk: transaction=own\n{ADD}",
                "sql/seeds/s.sql": USE,
            },
            [],
            id="committed before the seeds, although no file follows",
        ),
        pytest.param(
            {
                "sql/migrations/0003_add.sql": f"-- hk: transaction=batch\n{ADD}",
                "sql/views/v.sql": USE,
            },
            [],
            id="overridden by the header",
        ),
    ],
)
def test_an_enum_value_that_is_used_too_early(
    config: Config, files: dict[str, str], found: list[str]
) -> None:
    write(config.root, {"sql/migrations/0002_b.sql": MADE, "sql/migrations/0003_add.sql": ADD})
    write(config.root, files)
    problems = problems_of(config, plan(config))
    assert [problem.found.split()[-3] for _, problem in problems] == [f"{path}," for path in found]
    for file, problem in problems:
        assert (file.path, problem.line, problem.column) == ("sql/migrations/0003_add.sql", 2, 1)
        assert problem.fix == "begin this file with: -- hk: transaction=own"


@pytest.mark.parametrize(("version", "number"), [(15, 1), (16, 1), (17, 0), (18, 0)])
def test_the_type_is_as_new_as_the_value(config: Config, version: int, number: int) -> None:
    """15 and 16 refuse it all the same."""
    write(config.root, {"sql/migrations/0002_b.sql": MADE, "sql/migrations/0003_add.sql": ADD})
    write(config.root, {"sql/views/v.sql": USE})
    config = replace(config, server_version=version)
    assert len(problems_of(config, plan(config))) == number


def test_the_type_was_applied_before(config: Config) -> None:
    """What is known of it stands in a file that is not pending any more."""
    write(config.root, {"sql/migrations/0002_b.sql": MADE, "sql/migrations/0003_add.sql": ADD})
    write(config.root, {"sql/views/v.sql": USE})
    config = replace(config, server_version=18)
    applied = tuple(past(config, f"sql/migrations/{name}.sql") for name in ("0001_a", "0002_b"))
    assert len(problems_of(config, plan(config, applied))) == 1


def test_what_the_server_refuses_is_told_with_the_header(config: Config) -> None:
    write(
        config.root, {"sql/migrations/0003_add.sql": ADD, "sql/migrations/0004_do.sql": "SELECT 1"}
    )
    made = plan(config)
    found = 'unsafe use of new value "x" of enum type t (SQLSTATE 55P04)'
    steps = {step.path: step for step in made.steps if step.phase in (Phase.APPLY, Phase.VERIFY)}
    use = header_for_new_value(made, steps["sql/migrations/0004_do.sql"], found)
    assert use == "begin sql/migrations/0003_add.sql with: -- hk: transaction=own"
    same = header_for_new_value(made, steps["sql/migrations/0003_add.sql"], found)
    assert same.startswith("move what uses the value behind sql/migrations/0003_add.sql, and begin")
    assert header_for_new_value(made, made.steps[0], found.replace('"x"', '"z"')).endswith("own")
    assert header_for_new_value(made, made.steps[0], "no such table") == ""


@pytest.mark.parametrize(
    "name", ["migrations/0003_c.sql", "views/w.sql", "policies/w.sql", "seeds/w.sql"]
)
def test_the_tools_own_schema_is_named_by_no_file(config: Config, name: str) -> None:
    write(config.root, {f"sql/{name}": "SELECT 1;\n\nDELETE FROM housekeeping.history;\n"})
    ((file, problem),) = own_schema_named(config, plan(config))
    assert (file.path, problem.line, problem.column) == (f"sql/{name}", 3, 13)
    assert "history_schema" in problem.fix
    elsewhere = replace(config, history_schema="hk")
    assert list(own_schema_named(elsewhere, plan(elsewhere))) == []


def test_what_a_file_does_beyond_the_database_is_told(config: Config) -> None:
    write(config.root, {"sql/seeds/w.sql": "SELECT 1;\n\nCOPY t FROM PROGRAM 'date';\n"})
    ((rule, file, problem),) = reaching_out(config, plan(config))
    assert (rule, file.path) == ("reaches-outside", "sql/seeds/w.sql")
    assert (problem.line, problem.column) == (3, 1)


@pytest.mark.parametrize(
    ("statement", "found", "fix"),
    [
        ("SELECT setval('s', 7)", "setval()", "ALTER SEQUENCE ... RESTART"),
        ("DO $$ BEGIN PERFORM dblink(''); PERFORM pg_catalog.setval('s', 7); END $$", "setval", ""),
        ("SELECT pg_drop_replication_slot('s')", "pg_drop_replication_slot()", "take it out"),
    ],
)
def test_what_no_rollback_takes_back_is_told(
    config: Config, statement: str, found: str, fix: str
) -> None:
    write(config.root, {"sql/seeds/w.sql": statement, "sql/migrations/0003_c.sql": statement})
    told = [each for each in reaching_out(config, plan(config)) if each[0] == "stays-behind"]
    ((_, file, problem),) = told
    assert file.path == "sql/migrations/0003_c.sql"
    assert found in problem.found
    assert fix in problem.fix
    write(config.root, {"sql/migrations/0003_c.sql": "ALTER SEQUENCE s RESTART WITH 7;"})
    assert "stays-behind" not in [rule for rule, *_ in reaching_out(config, plan(config))]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("SET lock_timeout = 0", "lock_timeout = none"),
        ("SET LOCAL lock_timeout TO '10min'", "lock_timeout = 600000 ms"),
        ("RESET statement_timeout", "statement_timeout = none"),
        ("SET statement_timeout = '1 day'", "statement_timeout = none"),
        ("SET lock_timeout = '500ms'", ""),
        ("SET LOCAL lock_timeout = 200", ""),
        ("SELECT 'SET lock_timeout = 0'", ""),
    ],
)
def test_a_limit_that_a_file_lifts_is_told(config: Config, statement: str, found: str) -> None:
    text = f"SELECT 1;\n{statement};\n"
    write(config.root, {"sql/seeds/w.sql": text, "sql/migrations/0003_c.sql": text})
    told = list(limits_of_their_own(config, plan(config)))
    assert [each[2].found for each in told] == ([found] if found else [])
    assert all((file.name, problem.line) == ("0003_c.sql", 2) for _, file, problem in told)


@pytest.mark.parametrize(("recorded", "told"), [(False, ["limit-lifted"]), (True, [])])
def test_what_is_only_recorded_lifts_nothing(
    config: Config, recorded: bool, told: list[str]
) -> None:
    write(config.root, {"sql/migrations/0003_c.sql": "SET statement_timeout = 0;\n"})
    made = plan(config)
    by_path = {file.path: file for file in made.files}
    context = SimpleNamespace(
        options=SimpleNamespace(records_only=recorded),
        config=config,
        plan=made,
        files=PlannedFiles(config=config, sources=made.sources, by_path=by_path),
    )
    verdict, _ = files(cast("RunContext", context))
    assert [each.rule for each in verdict.findings] == told


def test_the_locks_are_those_of_the_largest_segment_and_the_seeds(config: Config) -> None:
    few = locks_needed(plan(config))
    tables = "".join(f"CREATE TABLE t{n} (id int PRIMARY KEY);" for n in range(100))
    write(config.root, {"sql/migrations/0003_many.sql": tables})
    assert locks_needed(plan(config)) >= few + 300
    write(config.root, {"sql/migrations/0004_cut.sql": NONE, "sql/migrations/0005_b.sql": tables})
    assert locks_needed(plan(config)) < 2 * (few + 500)


def test_ways_back_that_stand_beside_their_migrations(config: Config) -> None:
    """Of a tool that has no layout here: to give them numbers of their own would run them."""
    names = ("0007-a.up.sql", "0007-a.down.sql")
    write(config.root, {f"sql/migrations/{name}": "SELECT 1;" for name in names})
    with pytest.raises(MisuseError) as caught:
        plan(config)
    assert "sql/migrations/0007-a.down.sql undoes sql/migrations/0007-a.up.sql" in str(caught.value)
    moved = "git mv sql/migrations/0007-a.down.sql sql/rollback/0007-a.up.sql; or"
    assert moved in str(caught.value)
    assert "next free number" not in str(caught.value)
    (config.root / "sql/rollback").mkdir(exist_ok=True)
    (config.root / "sql/migrations" / names[1]).rename(config.root / "sql/rollback" / names[0])
    assert "sql/migrations/0007-a.up.sql" in plan(config).order


def test_all_that_is_wrong_is_told_at_once(config: Config) -> None:
    write(
        config.root,
        {
            "sql/migrations/0001_twice.sql": "SELECT 1;",
            "sql/migrations/x.sql": "SELECT 1;",
            "sql/views/V.SQL": "SELECT 1;",
            "sql/polices/p.sql": "SELECT 1;",
        },
    )
    with pytest.raises(MisuseError) as caught:
        plan(config)
    for said in ("number 1 is borne by", "x.sql: the name", "V.SQL", "did you mean policies?"):
        assert said in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(config: Config) -> None:
    (config.folder("views") / "gone.sql").symlink_to("nowhere.sql")
    with pytest.raises(MisuseError, match=r"sql/views/gone\.sql cannot be read: No such file"):
        plan(config)


# -- the tests that a file defines -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def test_a(): ...\nasync def test_b(): ...\ndef helper(): ...\n", ["test_a", "test_b"]),
        ("if x:\n    def test_a(): ...\nelse:\n    def test_a(): ...\n", ["test_a"]),
        ("try:\n    x\nexcept OSError:\n    def test_a(): ...\n", ["test_a"]),
        ("try:\n    x\nfinally:\n    def test_a(): ...\n", ["test_a"]),
        ("match x:\n    case 1:\n        def test_a(): ...\n", ["test_a"]),
        ("with x:\n    for y in z:\n        def test_a(): ...\n", ["test_a"]),
        ("def outer():\n    def test_a(): ...\n", []),
        ("class TestA:\n    def test_b(self): ...\n    def other(self): ...\n", ["TestA::test_b"]),
        (
            "class TestA:\n    class TestB:\n        def test_c(self): ...\n",
            ["TestA::TestB::test_c"],
        ),
        ("class Helper:\n    def test_a(self): ...\n", []),
        ("class Old(unittest.TestCase):\n    def test_a(self): ...\n", ["Old::test_a"]),
        ("class Old(TestCase):\n    if x:\n        def test_a(self): ...\n", ["Old::test_a"]),
        ("@pytest.fixture\ndef test_data(): ...\n", []),
        ("@fixture(scope='module')\ndef test_data(): ...\n", []),
        ("@pytest.mark.skip\ndef test_a(): ...\n", ["test_a"]),
        ("", []),
    ],
)
def test_tests_are_found_where_python_may_define_them(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(text, encoding="utf-8")
    assert list(defined_tests(path.read_bytes(), "checks/test_it.py", TestNames())) == expected


def test_names_are_those_that_pytest_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "check_it.py"
    path.write_text("def check_a(): ...\ndef test_b(): ...\ndef it_c(): ...\n", encoding="utf-8")
    names = TestNames(functions=("check", "*_c"))
    assert list(defined_tests(path.read_bytes(), "checks/check_it.py", names)) == [
        "check_a",
        "it_c",
    ]


@pytest.mark.parametrize(
    ("name", "text", "beside", "refused"),
    [
        ("tests_it.py", "def test_a(): ...\n", "", True),
        ("sub/it.py", "class TestA:\n    def test_b(self): ...\n", "", True),
        ("test_it.py", "def test_a(): ...\n", "", False),
        ("conftest.py", "def test_a(): ...\n", "", False),
        ("it.py", "def help(): ...\n", "", False),
        ("it.py", "def test_a(:\n", "", False),
        ("it.py", "class TestA:\n    def test_b(self): ...\n", "from it import TestA\n", False),
    ],
)
def test_a_test_that_pytest_does_not_look_for_is_misuse(
    tmp_path: Path, name: str, text: str, beside: str, refused: bool
) -> None:
    """Unless another file imports it."""
    file = tmp_path / "checks" / name
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    (tmp_path / "checks/test_other.py").write_text(beside + "def test_o(): ...\n", "utf-8")
    with pytest.raises(MisuseError, match="never run") if refused else nullcontext():
        contracts = Contracts(objects=None, rls=None, boundaries=None, rules=())
        check_steps(Config(root=tmp_path), ProjectFiles(tmp_path), contracts, TestNames())


@pytest.mark.parametrize(
    ("names", "refused"),
    [
        (TestNames(), False),
        (TestNames(functions=("test", "check")), False),
        (TestNames(functions=("check",)), True),
        (TestNames(classes=("Check",)), True),
        (TestNames(files=("check_*.py",)), True),
        (TestNames(files=(), functions=(), classes=()), False),
    ],
)
def test_settings_that_leave_out_what_is_a_test_elsewhere_are_misuse(
    tmp_path: Path, names: TestNames, refused: bool
) -> None:
    """On a command line they would be in no commit: -o python_functions=x."""
    (tmp_path / "checks").mkdir()
    text = "def test_a(): ...\nclass TestA:\n    def test_b(self): ...\n"
    (tmp_path / "checks/test_it.py").write_text(text, encoding="utf-8")
    contracts = Contracts(objects=None, rls=None, boundaries=None, rules=())
    with pytest.raises(MisuseError, match="never run") if refused else nullcontext():
        check_steps(Config(root=tmp_path), ProjectFiles(tmp_path), contracts, names)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def test_a(): ...\n\ndef test_a(): ...\n", "3: test_a is defined again, after line 1"),
        ("class TestA: ...\nclass TestA: ...\n", "2: TestA is defined again, after line 1"),
        (
            "class TestA:\n    def test_b(self): ...\n    def test_b(self): ...\n",
            "3: test_b is defined again, after line 2",
        ),
        ("def test_a(:\n", "is no Python file"),
        ("def test_a(): ...\n\0", "is no Python file"),
    ],
)
def test_a_file_whose_tests_nobody_can_know(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MisuseError) as caught:
        list(defined_tests(path.read_bytes(), "checks/test_it.py", TestNames()))
    assert found in str(caught.value)
    assert caught.value.fix


def test_what_is_applied_is_not_parsed_and_what_is_pending_is(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = past(config, "sql/views/v.sql", Kind.VIEW)
    standing = (
        past(config, "sql/migrations/0001_a.sql"),
        # A view that is back at a text which has stood before another one is pending again.
        older,
        replace(older, sha256="0" * 64),
    )
    # The same text in another place is another file.
    write(config.root, {"sql/migrations/0003_a.sql": FILES["sql/migrations/0001_a.sql"]})
    parsed: list[str] = []

    def noted(text: str) -> list[Statement]:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr("pytest_housekeeping.sql.file.parse", noted)
    made = plan(config, past=standing)
    assert [file.path for file in made.files[:3]] == [
        "sql/migrations/0002_b.sql",
        "sql/migrations/0003_a.sql",
        "sql/views/v.sql",
    ]
    assert all(file.statements for file in made.files)
    assert parsed.count(FILES["sql/migrations/0001_a.sql"]) == 1
    assert FILES["sql/views/v.sql"] in parsed
