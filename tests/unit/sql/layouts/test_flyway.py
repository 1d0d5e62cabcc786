"""Flyway's files: its order, what is repeatable, what goes back, what it is told beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.model import Kind
from support.layout_ground import numbered, read_layout

AT = "src/main/resources/db/migration"


def test_versions_are_compared_part_by_part(tmp_path: Path) -> None:
    names = ("V1__a.sql", "V1_10__b.sql", "V1_9__c.sql", "V1.9.1__d.sql", "V20240131120000__e.sql")
    found = read_layout(tmp_path, numbered(*(f"{AT}/{name}" for name in names)))
    assert (found.config.layout, found.config.migrations) == ("flyway", AT)
    assert [path[:5] for path in found.paths()] == ["V1__a", "V1_9_", "V1.9.", "V1_10", "V2024"]
    assert found.file("V1_10__b.sql").version == "1_10"


def test_nested_folders_are_one_location(tmp_path: Path) -> None:
    found = read_layout(tmp_path, numbered(f"{AT}/two/V2__b.sql", f"{AT}/one/V1__a.sql"))
    assert found.config.migrations == AT
    assert found.paths() == ["one/V1__a.sql", "two/V2__b.sql"]


def test_repeatable_files_come_behind_by_their_descriptions(tmp_path: Path) -> None:
    files = numbered(f"{AT}/V1__a.sql", f"{AT}/R__b view.sql", f"{AT}/R__a.sql")
    found = read_layout(tmp_path, {**files, "sql/views/z.sql": "SELECT 1;"})
    assert found.paths(Kind.VIEW) == ["R__a.sql", "R__b view.sql", "sql/views/z.sql"]


def test_what_runs_behind_each_promotion_comes_last(tmp_path: Path) -> None:
    names = ("afterMigrateApplied__1_drops.sql", "afterMigrate.sql", "R__b.sql", "V1__a.sql")
    found = read_layout(tmp_path, numbered(*(f"{AT}/{name}" for name in names)))
    assert found.errors == ""
    assert found.paths(Kind.VIEW) == ["R__b.sql", *sorted(names[:2])]
    assert [found.file(name).every for name in names] == [True, True, False, False]


def test_what_is_refused_for_one_reason_is_told_once(tmp_path: Path) -> None:
    names = ("beforeMigrate.sql", "afterEachMigrate__x.sql", "dev/V1__a.sql", "prod/V1__a.sql")
    more = ("dev/V2__b.sql", "prod/V2__b.sql")
    found = read_layout(tmp_path, numbered(*(f"{AT}/{name}" for name in (*names, *more))))
    assert f"{AT}/afterEachMigrate__x.sql, {AT}/beforeMigrate.sql are callbacks" in found.errors
    assert found.errors.count("nobody can say") == 1
    assert found.errors.count("is borne by") == 2
    assert 'locations = ["filesystem:FOLDER", …]' in found.errors


def test_an_undo_file_is_the_way_back(tmp_path: Path) -> None:
    found = read_layout(tmp_path, numbered(f"{AT}/V1_1__a.sql", f"{AT}/U1_1__a.sql"))
    assert found.file("U1_1__a.sql").undoes == found.file("V1_1__a.sql").path
    assert found.file("V1_1__a.sql").rollback == found.file("U1_1__a.sql").path


def test_an_undo_file_goes_by_the_version_alone(tmp_path: Path) -> None:
    found = read_layout(tmp_path, numbered(f"{AT}/x/V1_1__a.sql", f"{AT}/U1.1__b.sql"))
    assert found.file("U1.1__b.sql").undoes == found.file("V1_1__a.sql").path
    assert found.file("V1_1__a.sql").rollback == found.file("U1.1__b.sql").path


def test_one_version_twice_is_refused(tmp_path: Path) -> None:
    found = read_layout(tmp_path, numbered(f"{AT}/V1_0__a.sql", f"{AT}/V1__b.sql"))
    assert "version 1 is borne by" in found.errors
    assert "V1_0__a.sql" in found.errors


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("beforeMigrate.sql", "is a callback of Flyway"),
        ("beforeEachMigrate__x.sql", "is a callback of Flyway"),
        ("V2__code.java", "is a migration of Flyway in no SQL"),
    ],
)
def test_what_is_no_migration_in_sql_is_refused_by_name(
    tmp_path: Path, name: str, said: str
) -> None:
    found = read_layout(tmp_path, numbered(f"{AT}/V1__a.sql", f"{AT}/{name}"))
    assert f"{AT}/{name} {said}" in found.errors


def test_a_name_that_flyway_does_not_read_is_told_as_left_out(tmp_path: Path) -> None:
    found = read_layout(tmp_path, numbered(f"{AT}/V1__a.sql", f"{AT}/notes.sql"))
    assert found.errors == ""
    assert found.found.passed_over == {f"{AT}/notes.sql": "Flyway does not read a name like this"}


def test_placeholders_get_their_values_wherever_they_stand(tmp_path: Path) -> None:
    text = "-- for ${Team}\nCREATE TABLE ${schema}.t (a text DEFAULT '${schema}');\n"
    found = read_layout(
        tmp_path,
        {f"{AT}/V1__a.sql": text},
        settings='placeholders = { SCHEMA = "shop", team = "us" }',
    )
    assert found.problems("V1__a.sql") == []
    assert found.text("V1__a.sql") == "-- for us\nCREATE TABLE shop.t (a text DEFAULT 'shop');\n"


def test_a_placeholder_without_a_value_is_refused_by_line(tmp_path: Path) -> None:
    found = read_layout(tmp_path, {f"{AT}/V1__a.sql": "SELECT 1;\nSELECT '${x}';"})
    assert found.problems("V1__a.sql") == [(2, "the placeholder ${x} has no value")]


def test_a_script_configuration_counts(tmp_path: Path) -> None:
    index = "CREATE INDEX CONCURRENTLY i ON t (a);"
    files = {
        f"{AT}/V1__a.sql": "ALTER TYPE e ADD VALUE 'x';",
        f"{AT}/V1__a.sql.conf": "executeInTransaction=false\n",
        f"{AT}/V2__b.sql": index,
        f"{AT}/V3__c.sql": "SELECT '${x}';",
        f"{AT}/V3__c.sql.conf": "# as it stands\nplaceholderReplacement=false\n",
        f"{AT}/V4__d.sql": "SELECT 1;",
        f"{AT}/V4__d.sql.conf": "shouldExecute=${x}==1\n",
    }
    found = read_layout(tmp_path, files)
    # Flyway itself finds out that an index is built in no transaction.
    assert [found.file(f"V{n}__{c}.sql").transaction for n, c in ((1, "a"), (2, "b"))] == [
        "own",
        "none",
    ]
    assert found.problems("V3__c.sql") == []
    assert "V4__d.sql.conf says shouldExecute" in found.errors


def test_a_baseline_migration_stands_for_those_that_are_gone(tmp_path: Path) -> None:
    found = read_layout(tmp_path / "a", numbered(f"{AT}/B3__all.sql", f"{AT}/V4__d.sql"))
    assert found.paths() == ["B3__all.sql", "V4__d.sql"]
    found = read_layout(tmp_path / "b", numbered(f"{AT}/B3__all.sql", f"{AT}/V3__c.sql"))
    assert found.paths() == ["V3__c.sql"]
    assert list(found.found.passed_over) == [f"{AT}/B3__all.sql"]


CONF = """\
# What Flyway is told.
flyway.url=jdbc:postgresql://db/shop
flyway.locations=filesystem:db/one,classpath:two
flyway.sqlMigrationPrefix=MIG
flyway.sqlMigrationSeparator=-
flyway.placeholders.schema=shop
flyway.placeholderPrefix=<<
flyway.placeholderSuffix=>>
flyway.defaultSchema=audit
flyway.table=changes
"""
TOML = """\
[flyway]
locations = ["filesystem:db/one", "classpath:two"]
sqlMigrationPrefix = "MIG"
sqlMigrationSeparator = "-"
placeholderPrefix = "<<"
placeholderSuffix = ">>"
defaultSchema = "audit"
table = "changes"
[flyway.placeholders]
schema = "shop"
[environments.production]
url = "jdbc:postgresql://db/shop"
"""


@pytest.mark.parametrize(("name", "said"), [("flyway.conf", CONF), ("conf/flyway.toml", TOML)])
def test_what_flyway_is_told_counts_here(tmp_path: Path, name: str, said: str) -> None:
    files = {
        name: said,
        "db/one/MIG2-b.sql": "SELECT '<<schema>>', '${schema}';",
        "src/main/resources/two/MIG1-a.sql": "SELECT 1;",
        "db/elsewhere/MIG3-c.sql": "SELECT 1;",
        "db/one/R-v.sql": "SELECT 1;",
    }
    found = read_layout(tmp_path, files)
    assert (found.config.layout, found.config.tool_history) == ("flyway", "audit.changes")
    assert found.errors == ""
    assert [path.rpartition("/")[2] for path in found.paths()] == ["MIG1-a.sql", "MIG2-b.sql"]
    assert [path.rpartition("/")[2] for path in found.paths(Kind.VIEW)] == ["R-v.sql"]
    assert found.text("MIG2-b.sql") == "SELECT 'shop', '${schema}';"


def test_a_setting_of_ours_goes_before_flyways(tmp_path: Path) -> None:
    files = {
        "flyway.conf": "flyway.placeholders.schema=theirs\nflyway.locations=db/a,db/b\n",
        "db/a/V1__a.sql": "SELECT '${schema}';",
        "db/b/V2__b.sql": "SELECT 1;",
    }
    settings = 'migrations = "db/a"\nplaceholders = { schema = "ours" }\ntool_history = "x"'
    found = read_layout(tmp_path, files, settings=settings)
    assert found.paths() == ["V1__a.sql"]
    assert found.text("V1__a.sql") == "SELECT 'ours';"
    assert found.config.tool_history == "x"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("initSql=SET ROLE x", "flyway.conf says initsql, statements that run on every connection"),
        ("encoding=ISO-8859-1", "flyway.conf says encoding = ISO-8859-1"),
        ("sqlMigrationSuffixes=.sql,.ddl", "flyway.conf says sqlMigrationSuffixes = .sql,.ddl"),
        ("locations=filesystem:db/migration,s3:bucket", "names the location s3:bucket"),
        ("locations=filesystem:db/migration,db/*", "names the location db/*"),
    ],
)
def test_what_flyway_is_told_and_nobody_does_here_is_refused(
    tmp_path: Path, line: str, said: str
) -> None:
    files = {"flyway.conf": f"flyway.{line}\n", "db/migration/V1__a.sql": "SELECT 1;"}
    found = read_layout(tmp_path, files)
    assert said in found.errors


def test_an_undo_file_of_another_name_is_refused(tmp_path: Path) -> None:
    conf = "flyway.sqlMigrationPrefix=M\nflyway.locations=db\n"
    found = read_layout(tmp_path, {"flyway.conf": conf, **numbered("db/M1__a.sql", "db/U1__a.sql")})
    assert "db/U1__a.sql undoes, and the files here do not begin with V and U" in found.errors


def test_a_callback_of_what_is_not_done_here_is_left_out(tmp_path: Path) -> None:
    found = read_layout(tmp_path, numbered(f"{AT}/V1__a.sql", f"{AT}/afterClean.sql"))
    assert found.errors == ""
    assert found.found.passed_over == {
        f"{AT}/afterClean.sql": "it runs at clean, which is not done here"
    }


def test_a_mixed_file_runs_in_parts_where_flyway_is_told_so(tmp_path: Path) -> None:
    text = "CREATE TABLE t (a int);\nCREATE INDEX CONCURRENTLY i ON t (a);\n"
    files = {f"{AT}/V1__a.sql": text, f"{AT}/V2__b.sql": "SELECT 1;"}
    assert read_layout(tmp_path / "a", files).problems("V1__a.sql") != []
    found = read_layout(tmp_path / "b", {"flyway.conf": "flyway.mixed=true\n", **files})
    assert found.problems("V1__a.sql") == []
    assert [len(found.file(name).parts) for name in ("V1__a.sql", "V2__b.sql")] == [2, 0]
