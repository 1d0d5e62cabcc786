"""golang-migrate, sqlx, Supabase, Prisma, Diesel, Atlas, Drizzle: names and what lies beside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.plan.given_past import given_past
from pytest_housekeeping.sql.layouts.drizzle import recorded_of
from pytest_housekeeping.sql.layouts.in_code import without_sql
from pytest_housekeeping.sql.layouts.layout import Ground
from pytest_housekeeping.sql.layouts.read import listing
from pytest_housekeeping.sql.layouts.undone import migration_key, undone_by
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.files import write
from support.layout_ground import numbered, read_layout

CARGO = {"Cargo.toml": '[dependencies]\nsqlx = "0.8"\n'}


def test_golang_migrate_goes_by_number_and_pairs_by_name(tmp_path: Path) -> None:
    names = ("1_a.up.sql", "10_c.up.sql", "2_b-x.y.up.sql", "1_a.down.sql")
    found = read_layout(tmp_path, numbered(*(f"db/migrations/{name}" for name in names)))
    assert found.config.layout == "golang-migrate"
    assert found.paths() == ["1_a.up.sql", "2_b-x.y.up.sql", "10_c.up.sql"]
    assert found.file("1_a.down.sql").undoes == "db/migrations/1_a.up.sql"


def test_a_way_back_goes_by_the_number_alone(tmp_path: Path) -> None:
    found = read_layout(tmp_path, numbered("m/01_a.up.sql", "m/01_b.down.sql"))
    assert found.file("01_b.down.sql").undoes == "m/01_a.up.sql"
    assert found.file("01_a.up.sql").rollback == "m/01_b.down.sql"
    assert migration_key("m/01_b.down.sql") == migration_key("m/01_a.up.sql")
    assert migration_key("m/U1_1__b.sql") == migration_key("m/V1_1__a.sql")
    assert migration_key("m/01_a.up.sql") != migration_key("m/02_a.up.sql")


@pytest.mark.parametrize(
    ("back", "migration"),
    [
        ("db/1_a.sql#down", "db/1_a.sql"),
        ("sql/rollback/0001_a.sql", "sql/migrations/0001_a.sql"),
        ("db/revert/x/a@v1.sql", "db/deploy/x/a@v1.sql"),
        ("m/2024-01-01-000000_a/down.sql", "m/2024-01-01-000000_a/up.sql"),
        (
            "m/00000000000000_diesel_initial_setup/down.sql",
            "m/00000000000000_diesel_initial_setup/up.sql",
        ),
        ("m/20240101000000_a/down.sql", "m/20240101000000_a/migration.sql"),
        ("sql/views/a.sql", "sql/views/a.sql"),
    ],
)
def test_an_audit_has_the_path_alone_to_tell_what_was_undone(back: str, migration: str) -> None:
    assert undone_by(back) == migration


def test_sqlx_has_both_forms_and_is_known_by_its_cargo(tmp_path: Path) -> None:
    names = ("20240102_b.sql", "20240101_a.up.sql", "20240101_a.down.sql", "readme.sql")
    files = CARGO | numbered(*(f"migrations/{name}" for name in names))
    found = read_layout(tmp_path, files)
    assert found.config.layout == "sqlx"
    assert found.paths() == ["20240101_a.up.sql", "20240102_b.sql"]
    assert found.paths(Kind.ROLLBACK) == ["20240101_a.down.sql"]
    assert list(found.found.passed_over) == ["migrations/readme.sql"]


def test_the_mark_of_sqlx_counts_at_the_beginning_alone(tmp_path: Path) -> None:
    add = "ALTER TYPE e ADD VALUE 'x';"
    texts = {"1_a.sql": f"-- no-transaction\n{add}", "2_b.sql": f"-- x\n-- no-transaction\n{add}"}
    found = read_layout(tmp_path, CARGO | {f"migrations/{k}": v for k, v in texts.items()})
    assert [found.file(name).transaction for name in texts] == ["own", "batch"]
    assert [found.problems(name) for name in texts] == [[], []]


def test_supabase_has_its_seeds_where_its_settings_say(tmp_path: Path) -> None:
    files = numbered(
        "supabase/migrations/20240101000000_a.sql", "supabase/seed.sql", "supabase/seeds/b.sql"
    )
    found = read_layout(tmp_path / "a", files)
    assert (found.config.layout, found.config.migrations) == ("supabase", "supabase/migrations")
    assert found.paths(Kind.SEED) == ["supabase/seed.sql"]
    said = {"supabase/config.toml": '[db.seed]\nsql_paths = ["./seeds/*.sql"]\n'}
    found = read_layout(tmp_path / "b", files | said)
    assert found.paths(Kind.SEED) == ["supabase/seeds/b.sql"]


def test_prisma_goes_by_folder_and_is_for_postgresql(tmp_path: Path) -> None:
    lock = {"prisma/migrations/migration_lock.toml": 'provider = "postgresql"\n'}
    files = numbered(
        "prisma/migrations/20240102000000_b/migration.sql",
        "prisma/migrations/20240101000000_a/migration.sql",
        "prisma/migrations/20240101000000_a/down.sql",
    )
    found = read_layout(tmp_path / "a", lock | files)
    assert found.config.layout == "prisma"
    assert [path[:8] for path in found.paths()] == ["20240101", "20240102"]
    assert found.file("down.sql").undoes == found.file("_a/migration.sql").path
    found = read_layout(
        tmp_path / "b", files | {"prisma/migrations/migration_lock.toml": 'provider = "mysql"'}
    )
    assert "says that these migrations are for mysql" in found.errors
    found = read_layout(tmp_path / "c", lock | {"prisma/migrations/20240101000000_a/x.txt": ""})
    assert "20240101000000_a holds no migration.sql" in found.errors


def test_diesel_leaves_dashes_out_of_versions(tmp_path: Path) -> None:
    files = numbered(
        "migrations/2024-01-02-000000_b/up.sql",
        "migrations/00000000000000_diesel_initial_setup/up.sql",
        "migrations/00000000000000_diesel_initial_setup/down.sql",
    )
    meta = {"migrations/2024-01-02-000000_b/metadata.toml": "run_in_transaction = false\n"}
    found = read_layout(tmp_path, files | meta)
    assert found.config.layout == "diesel"
    assert [found.file(path).version for path in found.paths()] == [
        "00000000000000",
        "20240102000000",
    ]
    assert found.file("_b/up.sql").transaction == "own"
    assert found.file("down.sql").undoes == found.file("setup/up.sql").path


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("a/V1__a.sql", "b/1_a.up.sql"), "flyway in a (a/V1__a.sql), golang-migrate in b"),
        (("a/V1__a.sql", "a/1_a.up.sql"), "flyway in a (a/V1__a.sql), golang-migrate in a"),
        (("a/1_a.up.sql", "b/1_a.up.sql"), "in more than one folder here: golang-migrate in a"),
    ],
)
def test_more_than_one_tool_is_refused_by_name(
    tmp_path: Path, files: tuple[str, ...], said: str
) -> None:
    with pytest.raises(MisuseError, match=r"more than one (tool|folder)") as caught:
        read_layout(tmp_path, numbered(*files))
    assert said in str(caught.value)


def test_of_folders_called_after_databases_the_one_of_postgresql_counts(tmp_path: Path) -> None:
    files = numbered(
        *(f"migrations/{name}/1_a.up.sql" for name in ("mysql", "postgres", "sqlite3"))
    )
    assert read_layout(tmp_path, files).config.migrations == "migrations/postgres"


def test_a_folder_called_after_another_database_leaves_the_others(tmp_path: Path) -> None:
    files = numbered(
        "db/migrations/V1__a.sql", "clickhouse/a/1_a.up.sql", "clickhouse/b/1_a.up.sql"
    )
    assert read_layout(tmp_path, files).config.migrations == "db/migrations"


def test_folders_that_are_all_called_after_other_databases_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="in more than one folder here"):
        read_layout(tmp_path, numbered("sqlite/1_a.up.sql", "mysql/1_a.up.sql"))


def test_flyways_folders_of_one_history_are_read_by_the_folder_above(tmp_path: Path) -> None:
    files = numbered("src/db/first/V1__a.sql", "src/db/then/V2__b.sql")
    with pytest.raises(MisuseError, match='migrations = "src/db", the folder above'):
        read_layout(tmp_path, files)
    found = read_layout(tmp_path, files, settings='layout = "flyway"\nmigrations = "src/db"')
    assert [found.file(path).version for path in found.paths()] == ["1", "2"]


def test_the_settings_say_which_of_several_counts(tmp_path: Path) -> None:
    files = numbered("a/V1__a.sql", "b/1_a.up.sql")
    found = read_layout(tmp_path, files, settings='layout = "golang-migrate"')
    assert found.config.migrations == "b"
    found = read_layout(tmp_path, files, settings='migrations = "a"')
    assert found.config.layout == "flyway"


def test_marks_of_another_tool_in_the_folder_are_refused(tmp_path: Path) -> None:
    files = numbered("a/V1__a.sql", "a/1_a.up.sql")
    with pytest.raises(MisuseError, match=r"a/1_a\.up\.sql is one of golang-migrate"):
        read_layout(tmp_path, files, settings='layout = "flyway"\nmigrations = "a"')


def test_folders_of_tests_and_dependencies_are_passed_by(tmp_path: Path) -> None:
    files = numbered("db/V1__a.sql", "node_modules/x/1_a.up.sql", "tests/1_a.up.sql")
    assert read_layout(tmp_path, files).config.layout == "flyway"


@pytest.mark.parametrize("folder", ["migrations", "db/sql"])
def test_one_folder_of_plain_numbered_files_is_the_projects_own(
    tmp_path: Path, folder: str
) -> None:
    found = read_layout(tmp_path, numbered(f"{folder}/01-first.sql", f"{folder}/2.a.b.sql"))
    assert (found.config.layout, found.config.migrations) == ("", folder)
    assert found.paths() == ["01-first.sql", "2.a.b.sql"]


def test_nothing_on_the_disk_is_changed(tmp_path: Path) -> None:
    files = numbered("a/V1__a.sql", "a/R__b.sql", text="BEGIN;\r\nSELECT 1;\r\nCOMMIT;\r\n")
    read_layout(tmp_path, files)
    assert {name: (tmp_path / name).read_bytes().decode() for name in files} == files


def test_atlas_is_known_by_its_sum_and_goes_by_name(tmp_path: Path) -> None:
    names = ("20240102_b.sql", "20240101.sql", "20240103_c.sql")
    files = {"m/atlas.sum": "h1:x\n"} | numbered(*(f"m/{name}" for name in names))
    found = read_layout(tmp_path / "a", files)
    assert (found.config.layout, found.config.migrations) == ("atlas", "m")
    assert found.paths() == sorted(names)
    assert found.file("20240101.sql").version == "20240101"
    # It keeps its sum beside the files of other tools as well.
    for theirs in ("1_a.up.sql", "V1__a.sql"):
        beside = {"m/atlas.sum": "h1:x\n"} | numbered(f"m/{theirs}")
        assert read_layout(tmp_path / theirs, beside).config.layout in ("golang-migrate", "flyway")


def test_what_the_head_of_a_file_of_atlas_says_counts_for_all_of_it(tmp_path: Path) -> None:
    index = "CREATE INDEX CONCURRENTLY i ON t (id);\n"
    texts = {
        "1_a.sql": f"-- atlas:txmode none\n\n{index}{index}",
        "2_b.sql": f"-- atlas:txmode none\n{index}{index}",
        "3_c.sql": f"-- atlas:nolint DS103\n{index}",
    }
    found = read_layout(tmp_path, {"m/atlas.sum": ""} | {f"m/{k}": v for k, v in texts.items()})
    assert [len(found.file(name).parts) for name in texts] == [2, 0, 0]
    assert [len(found.problems(name)) for name in texts] == [0, 2, 0]
    assert "with an empty line below it" in found.file("2_b.sql").problems[0].fix


def test_a_file_of_several_parts_has_its_way_back_in_it(tmp_path: Path) -> None:
    text = (
        "-- atlas:txtar\n\n-- checks.sql --\nSELECT 1;\n-- migration.sql --\nDROP TABLE t;\n"
        "-- down.sql --\nCREATE TABLE t ();\n"
    )
    found = read_layout(tmp_path, {"m/atlas.sum": "", "m/1_a.sql": text})
    assert found.text("1_a.sql").split() == ["DROP", "TABLE", "t;"]
    assert found.text("1_a.sql#down").split() == ["CREATE", "TABLE", "t", "();"]
    assert found.text("1_a.sql").splitlines().index("DROP TABLE t;") == 5
    assert found.told("1_a.sql") == [(3, "what checks.sql asks is not asked")]
    assert found.told("1_a.sql#down") == []


def test_a_checkpoint_is_read_where_nothing_is_before_it(tmp_path: Path) -> None:
    point = {"m/atlas.sum": "", "m/2_all.sql": "-- atlas:checkpoint\n\nSELECT 1;"}
    assert read_layout(tmp_path / "a", point).paths() == ["2_all.sql"]
    found = read_layout(tmp_path / "b", point | numbered("m/1_a.sql"))
    assert found.paths() == ["1_a.sql"]
    assert list(found.found.passed_over) == ["m/2_all.sql"]


def journal(*tags: str, dialect: str = "postgresql") -> dict[str, str]:
    entries = [{"idx": n, "when": 1000 + n, "tag": tag} for n, tag in enumerate(tags)]
    return {"d/meta/_journal.json": json.dumps({"dialect": dialect, "entries": entries})}


def test_two_files_of_drizzle_that_bear_one_number_go_by_their_names(tmp_path: Path) -> None:
    names = ("0000_a", "0001_c", "0001_b", "0002_d")
    files = numbered(*(f"d/{name}.sql" for name in names))
    found = read_layout(tmp_path, files | journal(*names), settings='baseline = "0001_b"')
    assert found.paths() == [f"{name}.sql" for name in names]
    versions = [entry.version for entry in listing(found.config, found.sources).entries]
    assert versions == ["0000", "0001_c", "0001_b", "0002"]
    history = [each.path for each in given_past(found.config, found.sources)]
    assert history == [f"d/{name}.sql" for name in names[:3]]


def test_drizzle_goes_by_its_journal(tmp_path: Path) -> None:
    names = ("d/0000_b.sql", "d/0001_a.sql", "d/0002_c.sql")
    found = read_layout(tmp_path, numbered(*names) | journal("0000_b", "0001_a"))
    assert (found.config.layout, found.config.migrations) == ("drizzle", "d")
    assert found.paths() == ["0000_b.sql", "0001_a.sql"]
    assert list(found.found.passed_over) == ["d/0002_c.sql"]
    ground = Ground(config=found.config, files=found.sources)
    assert recorded_of(ground) == {"d/0000_b.sql": "1000", "d/0001_a.sql": "1001"}


def test_pop_keeps_the_files_of_several_databases_in_one_folder(tmp_path: Path) -> None:
    names = ["1_a.up.sql", "2_b.mysql.up.sql", "2_b.postgres.up.sql", "2_b.postgres.down.sql"]
    names += ["2_b.sqlite.down.sql", "3_c.autocommit.up.sql", "3_c.postgres.autocommit.up.sql"]
    index = numbered(*(f"m/{name}" for name in names), text="CREATE INDEX CONCURRENTLY i ON t (a);")
    found = read_layout(tmp_path, index)
    assert found.errors == ""
    ours = ["1_a.up.sql", "2_b.postgres.up.sql", "3_c.postgres.autocommit.up.sql"]
    assert found.paths() == ours
    assert found.file("2_b.postgres.down.sql").undoes == "m/2_b.postgres.up.sql"
    told = found.found.passed_over
    assert told["m/2_b.mysql.up.sql"] == "it is for mysql"
    assert told["m/3_c.autocommit.up.sql"].startswith("m/3_c.postgres.autocommit.up.sql is for")
    entries = listing(found.config, found.sources).of(Kind.MIGRATION)
    assert [entry.outside for entry in entries] == [False, False, True]


def test_many_versions_that_are_borne_twice_are_told_in_short(tmp_path: Path) -> None:
    twice = numbered(*(f"m/{n}_{name}.up.sql" for n in range(30) for name in "ab"))
    told = read_layout(tmp_path, twice).errors
    assert told.count("is borne by") == 12
    assert "and 18 more" in told


def test_drizzle_keeps_a_folder_a_migration_since_its_first_version(tmp_path: Path) -> None:
    folders = ("20240102000000_b", "20240101000000_a")
    files = numbered(*(f"d/{name}/migration.sql" for name in folders))
    files |= dict.fromkeys(
        (f"d/{name}/snapshot.json" for name in folders), '{"dialect": "postgres"}'
    )
    found = read_layout(tmp_path / "a", files)
    assert (found.config.layout, found.config.migrations) == ("drizzle", "d")
    assert found.paths() == [f"{name}/migration.sql" for name in sorted(folders)]
    ground = Ground(config=found.config, files=found.sources)
    assert recorded_of(ground) == {f"d/{name}/migration.sql": name for name in folders}
    files[f"d/{folders[1]}/snapshot.json"] = '{"dialect": "sqlite"}'
    assert "are for sqlite" in read_layout(tmp_path / "b", files).errors


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (journal("0000_a", dialect="sqlite"), "are for sqlite"),
        (journal("0000_a", "0001_b"), "names d/0001_b.sql, and there is no such file"),
        ({"d/meta/_journal.json": "<<<<<<< HEAD"}, "cannot be read"),
    ],
)
def test_a_journal_that_does_not_fit_is_refused(
    tmp_path: Path, said: dict[str, str], told: str
) -> None:
    assert told in read_layout(tmp_path, numbered("d/0000_a.sql") | said).errors


def test_names_without_a_number_are_told(tmp_path: Path) -> None:
    write(tmp_path, {"a/one.sql": "", "schema/migration-1-0000.sql": "", "schema/x.sql": ""})
    assert "in schema/ (migration-1-0000.sql) begin with no" in without_sql(ProjectFiles(tmp_path))


@pytest.mark.parametrize(
    ("path", "tool"),
    [
        ("db/migrate/20240101000000_a.rb", "Rails"),
        ("apps/shop/priv/repo/migrations/20240101000000_a.exs", "Ecto"),
        ("alembic.ini", "Alembic"),
        ("shop/migrations/0001_initial.py", "Django"),
        ("database/migrations/2024_01_01_000000_a.php", "Laravel"),
        ("Shop/Migrations/20240101000000_A.cs", "Entity Framework"),
        ("src/main/resources/db/changelog/db.changelog-master.xml", "Liquibase"),
        ("src/migrations/1704067200000-A.ts", "Knex, TypeORM, Sequelize or Kysely"),
        ("a/CHANGELOG.md", ""),
        ("tests/migrations/0001_initial.py", ""),
    ],
)
def test_migrations_in_code_are_told_by_their_tool(tmp_path: Path, path: str, tool: str) -> None:
    write(tmp_path, {path: ""})
    told = without_sql(ProjectFiles(tmp_path))
    assert told.startswith(f", and {path} is of {tool}, " if tool else ", and no other tool's")
