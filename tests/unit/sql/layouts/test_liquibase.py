"""Liquibase's files in SQL: changesets, their ways back, conditions, and changelogs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.postgres.tool_history.checksums import checksum_of
from pytest_housekeeping.sql.changesets import without_ignored
from pytest_housekeeping.sql.file import from_text
from pytest_housekeeping.sql.layouts.layout import Entry
from pytest_housekeeping.sql.layouts.new import new_migration
from pytest_housekeeping.sql.layouts.undone import migration_key, undone_by
from pytest_housekeeping.sql.path_names import on_disk, whole_of
from pytest_housekeeping.sql.text import origin
from support.layout_ground import ReadLayout, read_layout

HEAD = "--liquibase formatted sql\n"
AT = "db/changes"
ITEMS = f"""{HEAD}
--changeset ada:schema
CREATE SCHEMA shop;
--rollback DROP SCHEMA shop;

--changeset "Ada L":"item table" splitStatements:true endDelimiter:;
--comment: the first table
-- a comment of its own
CREATE TABLE shop.item (
    id bigint PRIMARY KEY,  -- the key
    name text NOT NULL
);
CREATE TABLE shop.note (id bigint PRIMARY KEY);
--rollback DROP TABLE shop.note;
--rollback DROP TABLE shop.item;

--changeset ada:touch splitStatements:false
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- nothing; yet
    RETURN NEW;
END $$;
CREATE TRIGGER touched BEFORE UPDATE ON shop.item FOR EACH ROW EXECUTE FUNCTION shop.touch();
/* liquibase rollback
DROP TRIGGER touched ON shop.item;
DROP FUNCTION shop.touch();
*/

--changeset ada:oracle dbms:oracle
CREATE TABLE dual2 (a number);
"""


def one(tmp_path: Path, text: str, mark: str = "--changeset ada:1") -> ReadLayout:
    return read_layout(tmp_path, {f"{AT}/1.sql": f"{HEAD}{mark}\n{text}"})


def test_each_changeset_is_a_step_with_its_way_back(tmp_path: Path) -> None:
    found = read_layout(tmp_path, {f"{AT}/001-items.sql": ITEMS})
    assert (found.config.layout, found.config.migrations) == ("liquibase", AT)
    names = ["ada:schema", "Ada%20L:item%20table", "ada:touch"]
    assert found.paths() == [f"001-items.sql#{name}" for name in names]
    assert found.paths(Kind.ROLLBACK) == [f"001-items.sql#{name}#down" for name in names]
    assert found.found.passed_over == {f"{AT}/001-items.sql#ada:oracle": "it is for oracle"}
    assert found.errors == ""
    assert all(found.problems(name) == [] for name in (*names, "touch#down"))
    back = found.text("item%20table#down")
    assert back.split() == ["DROP", "TABLE", "shop.note;", "DROP", "TABLE", "shop.item;"]
    assert found.text("touch#down").strip().startswith("DROP TRIGGER")


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    wrong = ITEMS.replace("DROP FUNCTION", "DROP FUNC").replace("CREATE TRIGGER", "CREATE TRIGER")
    found = read_layout(tmp_path, {f"{AT}/001-items.sql": wrong})
    for name, said, line in (("touch", "TRIGER", 24), ("touch#down", "DROP FUNC ", 27)):
        text = found.text(name)
        at = [(each.line, each.found) for each in found.file(name).problems]
        assert origin(text, "", at[0][0])[1] == line, said


def test_what_is_written_behind_leaves_a_changeset_as_it_was(tmp_path: Path) -> None:
    text = ITEMS.partition("\n--changeset ada:oracle")[0]
    before = read_layout(tmp_path / "a", {f"{AT}/1.sql": text})
    more = f"{HEAD}-- of the shop\n{text.removeprefix(HEAD)}\n\n--changeset bob:2\nSELECT 1;\n"
    after = read_layout(tmp_path / "b", {f"{AT}/1.sql": more})
    names = ("ada:schema", "item%20table", "ada:touch")
    assert [before.file(n).sha256 for n in names] == [after.file(n).sha256 for n in names]
    assert len({before.file(n).sha256 for n in names}) == len(names)
    assert before.file("touch#down").sha256 == before.file("ada:touch").sha256


def test_the_path_alone_says_what_is_undone() -> None:
    path = "db/rollback/V1__a.sql#ada:1"
    assert undone_by(f"{path}#down") == undone_by(path) == path
    assert migration_key(path) != migration_key("db/rollback/V1__a.sql#ada:2")
    assert whole_of(f"{path}#1of3") == path
    assert {on_disk(f"{path}{part}") for part in ("", "#down", "#1of3")} == {
        "db/rollback/V1__a.sql"
    }


# As Liquibase 4.28 has written them of these files.
SUMS = {
    "ada:schema": "9:15e9223d80faf43cdd3d19c518a34409",
    "item%20table": "9:52ca716d077da3611f84efbb40fc0992",
    "ada:touch": "9:73fa3f758584f56f01ac40942cd0ca7f",
}


def test_a_checksum_is_the_one_that_liquibase_writes(tmp_path: Path) -> None:
    found = read_layout(tmp_path, {f"{AT}/001-items.sql": ITEMS})
    for name, wanted in SUMS.items():
        entry = Entry(path=found.file(name).path, kind=Kind.MIGRATION)
        assert checksum_of(found.config, found.sources, entry) == wanted
    any_of = one(tmp_path / "b", "--validCheckSum: ANY\nSELECT 1;")
    entry = Entry(path=any_of.file("ada:1").path, kind=Kind.MIGRATION)
    assert checksum_of(any_of.config, any_of.sources, entry) == ""


def test_bodies_are_sent_without_comments_unless_a_mark_says_otherwise(tmp_path: Path) -> None:
    body = "DO $f$ BEGIN\n/* two\nlines */ PERFORM '-- no'; -- why\nEND $f$;\nSELEC 1; -- stays"
    found = one(tmp_path / "a", body)
    text = found.text("ada:1")
    assert [word in text for word in ("lines", "why", "'-- no'", "-- stays")] == [0, 0, 1, 1]
    assert origin(text, "", found.file("ada:1").problems[0].line)[1] == 7
    kept = one(tmp_path / "b", body, "--changeset ada:1 stripComments:false")
    assert "lines" in kept.text("ada:1")


def test_what_runs_on_change_is_repeated_and_what_says_so_runs_outside(tmp_path: Path) -> None:
    view = "--changeset ada:v runOnChange:true\nCREATE OR REPLACE VIEW v AS SELECT 1 AS a;"
    index = "\n--changeset ada:i runInTransaction:false\nCREATE INDEX CONCURRENTLY i ON t (a);"
    found = read_layout(tmp_path, {f"{AT}/1.sql": HEAD + view + index})
    assert found.paths(Kind.VIEW) == ["1.sql#ada:v"]
    # As a rollback brings it back.
    assert from_text("1.sql#ada:v", Kind.VIEW, found.text("ada:v"), "").problems == ()
    assert found.file("ada:i").transaction == "none"


def test_headers_stand_below_the_mark_and_line_ends_are_no_part_of_a_body(tmp_path: Path) -> None:
    text = "-- hk: placeholders=none\r\nDO $$ BEGIN\r\nPERFORM '${a}';\r\nEND $$;\r\n"
    found = read_layout(tmp_path, {f"{AT}/1.sql": f"\ufeff{HEAD}--changeset ada:1\n{text}"})
    assert (found.errors, found.problems("ada:1")) == ("", [])
    assert "\r" not in found.text("ada:1")


def test_a_condition_that_halts_is_asked_and_another_one_refused(tmp_path: Path) -> None:
    asked = "--precondition-sql-check expectedResult:0 SELECT count(*) FROM t\nSELECT 1;"
    found = one(tmp_path / "a", f"--preconditions onFail:HALT\n{asked}")
    assert found.problems("ada:1") == []
    assert "(SELECT count(*) FROM t)::pg_catalog.text NOT IN ('0')" in found.text("ada:1")
    found = one(tmp_path / "b", f"--preconditions onFail:MARK_RAN\n{asked}")
    [(_, said)] = found.problems("ada:1")
    assert said.endswith("decides whether the changeset runs")
    found = one(tmp_path / "c", "--precondition-table-exists table:t\nSELECT 1;")
    assert "is not read here" in found.problems("ada:1")[0][1]


@pytest.mark.parametrize(
    ("mark", "text", "said"),
    [
        ("context:dev", "", "context:dev stands behind the mark"),
        ('labels:"a, b"', "", "labels:a, b stands behind the mark"),
        ("runAlways:true", "", "runAlways:true stands behind the mark"),
        ("failOnError:false", "", "failOnError:false stands behind the mark"),
        ("runWith:psql", "", "runWith:psql stands behind the mark"),
        ("endDelimiter:go", "", "endDelimiter:go is not read here"),
        ("", "--property name:a value:b\n", "is one of Liquibase's, and not read here"),
        ("", "SELECT '${a}';\n", "the placeholder ${a} has no value"),
    ],
)
def test_what_nothing_here_does_is_refused_by_its_line(
    tmp_path: Path, mark: str, text: str, said: str
) -> None:
    found = one(tmp_path, f"{text}SELECT 1;", f"--changeset ada:1 {mark}")
    [problem] = found.file("ada:1").problems
    assert said in problem.found
    assert problem.unreadable


def test_another_end_of_statements_is_read_where_it_ends_a_line(tmp_path: Path) -> None:
    found = one(tmp_path, "SELECT 1\n/\nSELECT 4 / 2;\n/\n", "--changeset ada:1 endDelimiter:/")
    assert found.problems("ada:1") == []
    assert found.file("ada:1").statements == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1;", "does not begin with --liquibase formatted sql"),
        (f"{HEAD}CREATE TABLE t ();\n--changeset a:1\nSELECT 1;", "statements stand above"),
        (f"{HEAD}--changeset a: 1\nSELECT 1;", "1.sql:2: --changeset a: 1 names no changeset"),
        (f"{HEAD}--changeset a:1\nSELECT 1;\n--changeset a:1\nSELECT 1;", "2 changesets a:1"),
    ],
)
def test_a_file_that_liquibase_reads_otherwise_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    found = read_layout(
        tmp_path, {f"{AT}/1.sql": text}, settings=f'layout = "liquibase"\nmigrations = "{AT}"'
    )
    assert said in found.errors


def test_ignored_lines_hold_nothing(tmp_path: Path) -> None:
    text = "--ignoreLines:start\n--changeset a:2\nDROP TABLE t;\n--ignoreLines:end\nSELECT 1;\n"
    found = one(tmp_path, f"{text}--ignoreLines:1\nDROP TABLE u;\nSELECT 2;")
    assert found.paths() == ["1.sql#ada:1"]
    assert "DROP" not in found.text("ada:1")
    assert found.file("ada:1").statements == 2


YAML = """databaseChangeLog:
  - include:
      file: db/changes/b.sql
  - includeAll:
      path: more/
      relativeToChangelogFile: true
"""
XML = """<databaseChangeLog xmlns="http://www.liquibase.org/xml/ns/dbchangelog">
  <include file="changes/b.sql" relativeToChangelogFile="true"/>
  <includeAll path="db/more"/>
</databaseChangeLog>"""


@pytest.mark.parametrize(("name", "text"), [("m.yaml", YAML), ("m.xml", XML)])
def test_a_changelog_gives_the_order(tmp_path: Path, name: str, text: str) -> None:
    files = {
        f"db/{path}.sql": f"{HEAD}--changeset a:1\nSELECT 1;"
        for path in ("changes/a", "changes/b", "more/c", "more/below/d")
    }
    found = read_layout(
        tmp_path, files | {f"db/{name}": text}, settings='layout = "liquibase"\nmigrations = "db"'
    )
    assert found.paths() == [f"{n}.sql#a:1" for n in ("changes/b", "more/below/d", "more/c")]
    assert found.found.passed_over == {"db/changes/a.sql": f"db/{name} does not include it"}


@pytest.mark.parametrize(
    ("changelogs", "said"),
    [
        ({"db/m.yaml": YAML}, "includes db/more/c.sql, which does not lie in db/changes/"),
        ({"db/m.xml": XML.replace("/>\n</", "/>\n<changeSet/></")}, "db/m.xml has changeSet"),
        ({"db/m.yaml": f"{YAML}      context: dev\n"}, "says context of what it includes"),
        ({"db/m.yaml": "databaseChangeLog: [\n"}, "db/m.yaml cannot be read"),
    ],
)
def test_a_changelog_that_says_more_is_refused(
    tmp_path: Path, changelogs: dict[str, str], said: str
) -> None:
    files = {f"db/{p}.sql": f"{HEAD}--changeset a:1\nSELECT 1;" for p in ("changes/b", "more/c")}
    found = read_layout(
        tmp_path, files | changelogs, settings='layout = "liquibase"\nmigrations = "db/changes"'
    )
    assert said in found.errors


def test_of_two_changelogs_the_one_counts_that_the_settings_of_liquibase_name(
    tmp_path: Path,
) -> None:
    text = f"{HEAD}--changeset a:1\nSELECT 1;"
    files = {f"db/changes/{name}.sql": text for name in "abc"}
    files["db/all.json"] = files["db/same.json"] = (
        '{"databaseChangeLog": [{"includeAll": {"path": "changes"}}]}'
    )
    found = read_layout(tmp_path / "a", files)
    assert found.paths() == ["a.sql#a:1", "b.sql#a:1", "c.sql#a:1"]
    files["db/one.json"] = '{"databaseChangeLog": [{"include": {"file": "changes/b.sql"}}]}'
    found = read_layout(tmp_path / "b", files)
    assert "several changelogs lead into the folder: db/all.json, db/one.json" in found.errors
    named = {"liquibase.properties": "url=x\nchangeLogFile: ./db/one.json\n"}
    found = read_layout(tmp_path / "c", files | named)
    assert found.paths() == ["b.sql#a:1"]


def test_a_new_changeset_has_a_file_behind_all(tmp_path: Path) -> None:
    found = read_layout(tmp_path / "a", {f"{AT}/001-items.sql": ITEMS})
    made = new_migration(found.config, found.sources, "more", up="-- more", down="-- back")
    assert made == {
        f"{AT}/002_more.sql": f"{HEAD}\n--changeset ada:more\n-- more\n--rollback -- back\n"
    }
    named = {
        f"{AT}/001-items.sql": ITEMS,
        "db/m.yaml": YAML.split("  - includeAll")[0].replace("b.sql", "001-items.sql"),
    }
    found = read_layout(tmp_path / "b", named)
    with pytest.raises(MisuseError, match="name it in the changelog"):
        new_migration(found.config, found.sources, "more", up="-- more")


def test_lines_that_two_marks_pass_over_stay_in_their_places() -> None:
    text = b"--ignoreLines:2\n--ignoreLines:3\na\nb\nc\nd\n"

    assert without_ignored(text) == b" " * 15 + b"\n" + b" " * 15 + b"\n \n \n \nd\n"
