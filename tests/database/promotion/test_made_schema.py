"""What `init` finds out where it applies the files: the search_path that they count on."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import MisuseError, SqlFailed
from pytest_housekeeping.promotion.init.chosen_settings import with_search_path, with_superuser
from pytest_housekeeping.promotion.init.made_schema import made_schema
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.files import write

FIRST = 'CREATE ROLE hk_desk_app; CREATE SCHEMA "Desk"; CREATE TABLE "Desk".ticket (id int);'
FILES = {
    "db/1_first.up.sql": FIRST,
    "db/2_second.up.sql": "ALTER TABLE ticket ADD COLUMN note text;",
}


def test_files_that_count_on_another_search_path_get_it(tmp_path: Path) -> None:
    """Their role has it, or a connection on which an earlier file had set it."""
    write(tmp_path, FILES)
    config = Config(root=tmp_path, migrations="db", layout="golang-migrate", baseline="2")
    with made_schema(config, ProjectFiles(tmp_path)) as made:
        assert made.needed.search_path == '"Desk", public'
        assert made.schemas == ("Desk", "public")
    chosen = replace(config, session={"search_path": "public"})
    with (
        pytest.raises(SqlFailed, match="does not exist"),
        made_schema(chosen, ProjectFiles(tmp_path)),
    ):
        pass
    write(tmp_path, {"db/3_third.up.sql": "DROP TABLE invoice;"})
    with (
        pytest.raises(SqlFailed, match='"invoice" does not exist'),
        made_schema(config, ProjectFiles(tmp_path)),
    ):
        pass


@pytest.mark.parametrize(
    "text",
    ["[tool.housekeeping]\n", '[tool.housekeeping.session] # ours\nDateStyle = "ISO"\n\n[other]\n'],
)
def test_it_is_written_beside_other_settings_of_the_session(text: str) -> None:
    written = tomllib.loads(with_search_path(text, '"Desk", public'))["tool"]["housekeeping"]
    assert written["session"]["search_path"] == '"Desk", public'
    assert len(written["session"]) == (2 if "DateStyle" in text else 1)


def test_a_schema_is_found_in_files_that_run_as_one_batch(tmp_path: Path) -> None:
    files = {
        "db/1_first.sql": FIRST.replace("desk_app", "batch_app")
        + 'CREATE COLLATION "Desk".plain FROM "C"; CREATE TYPE "Desk".state AS ENUM ();',
        "db/2_second.sql": "CREATE TABLE note (a text COLLATE plain, b state);",
    }
    write(tmp_path, files)
    config = Config(root=tmp_path, migrations="db")
    with made_schema(config, ProjectFiles(tmp_path)) as made:
        assert made.needed.search_path == '"Desk", public'


def test_a_schema_that_a_file_has_in_its_path_and_no_file_makes_is_needed(tmp_path: Path) -> None:
    files = {
        "db/1_first.sql": "SET search_path = 'shop';\nCREATE TABLE a ();",
        "db/2_second.sql": "SET search_path TO dump, public;\nCREATE TABLE b (id int);",
        "db/3_third.sql": "SET search_path = dump;\nCREATE INDEX i ON b (id);",
    }
    write(tmp_path, files)
    config = Config(root=tmp_path, migrations="db")
    with made_schema(config, ProjectFiles(tmp_path)) as made:
        assert made.needed.schemas == ("shop", "dump")


def test_what_a_superuser_alone_may_do_was_done_by_one(tmp_path: Path) -> None:
    triggers = "ALTER TABLE ticket DISABLE TRIGGER ALL;ALTER TABLE ticket ENABLE TRIGGER ALL;"
    files = {
        "db/1_first.up.sql": "CREATE TABLE a (id int PRIMARY KEY);"
        "CREATE TABLE ticket (id int REFERENCES a);",
        "db/2_second.up.sql": f"CREATE TABLE b (); {triggers}",
        # Nothing of it is shown, for its password is a word.
        "db/3_third.up.sql": "CREATE ROLE hk_beyond LOGIN PASSWORD 'never' BYPASSRLS;",
    }
    write(tmp_path, files)
    config = Config(root=tmp_path, migrations="db", layout="golang-migrate", baseline="3")
    beyond = ("db/2_second.up.sql", "db/3_third.up.sql")
    with made_schema(config, ProjectFiles(tmp_path)) as made:
        assert made.needed.superuser == beyond
    said = replace(config, as_superuser=dict.fromkeys(beyond, "it was so"))
    with made_schema(said, ProjectFiles(tmp_path)) as made:
        assert made.needed.superuser == ()
    # Of a batch nothing runs so.
    batch = replace(config, baseline="1")
    with (
        pytest.raises(SqlFailed, match="is a system trigger") as refused,
        made_schema(batch, ProjectFiles(tmp_path)),
    ):
        pass
    assert "of a new one, write what it makes into a file under sql/bootstrap/" in refused.value.fix


@pytest.mark.parametrize("there", ["", '[tool.housekeeping.as_superuser]\n"a" = "it is so"\n'])
def test_what_a_superuser_has_run_is_written_down(there: str) -> None:
    text = with_superuser(f"[tool.housekeeping]\n{there}", ("db/b.sql", "c"))
    written = tomllib.loads(text)["tool"]["housekeeping"]["as_superuser"]
    assert list(written) == ["db/b.sql", "c", *(["a"] if there else [])]


COUNTS = "db/2_rows.up.sql"
HISTORY = {
    "db/1_first.up.sql": "CREATE TABLE ticket (id int);"
    " ALTER TABLE ticket ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
    " CREATE POLICY mine ON ticket USING (id = 1);"
    " UPDATE ticket SET id = 1;",
    COUNTS: "DO $$ BEGIN UPDATE ticket SET id = 2;"
    " IF NOT FOUND THEN RAISE 'no row'; END IF; END $$;",
}


def test_history_runs_as_its_tool_ran_it_but_for_what_counts_on_rows(tmp_path: Path) -> None:
    """Under the policies of its role; a file that fails without rows says how it is left out."""
    write(tmp_path, HISTORY)
    config = Config(root=tmp_path, migrations="db", layout="golang-migrate", baseline="2")
    with (
        pytest.raises(SqlFailed, match="no row") as refused,
        made_schema(config, ProjectFiles(tmp_path)),
    ):
        pass
    assert f'under [tool.housekeeping.rows_only]: "{COUNTS}" = "REASON"' in refused.value.fix
    left_out = replace(config, rows_only={COUNTS: "it counts rows"})
    with made_schema(left_out, ProjectFiles(tmp_path)) as made:
        assert made.files == 2
    # What nobody can read is named with the same way on, and the way leads on.
    write(tmp_path, {COUNTS: "\\copy ticket from 'rows.csv'\n"})
    with (
        pytest.raises(MisuseError, match=r"psql command \\copy") as unread,
        made_schema(config, ProjectFiles(tmp_path)),
    ):
        pass
    assert "[tool.housekeeping.rows_only]" in unread.value.fix + str(unread.value)
    with made_schema(left_out, ProjectFiles(tmp_path)) as made:
        assert made.files == 2


def test_what_history_leaves_open_is_told_by_cause(tmp_path: Path) -> None:
    write(tmp_path, {f"db/V{n}__a.sql": f"CREATE TABLE ${{x}}{n} ();" for n in range(1, 6)})
    config = Config(root=tmp_path, migrations="db", layout="flyway", baseline="5")
    with pytest.raises(MisuseError) as refused, made_schema(config, ProjectFiles(tmp_path)):
        pass
    told = str(refused.value)
    assert told.startswith("db/V1__a.sql:1:14, db/V2__a.sql:1:14, db/V3__a.sql:1:14 and 2 more: ")
    assert told.count("has no value") == 1
    assert "syntax error" not in told


def test_a_file_of_history_without_a_statement_is_one(tmp_path: Path) -> None:
    """Django's sqlmigrate makes such files, in the form of no tool that has a layout here."""
    files = {"db/1_a.sql": "-- Alter field\n-- (no-op)\n", "db/2_b.sql": "CREATE TABLE b ();"}
    write(tmp_path, files)
    config = Config(root=tmp_path, migrations="db", baseline="2")
    with made_schema(config, ProjectFiles(tmp_path)) as made:
        assert (made.files, made.schemas) == (2, ("public",))


LACKING = {
    "db/1_first.sql": "CREATE TABLE a (id int REFERENCES desk.old);",
    "db/2_second.sql": "CREATE TABLE b (s desk.state DEFAULT code(3));"
    " ALTER TABLE desk.old ADD COLUMN note text;"
    " CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION touch();",
}
DUMPED = r"""SET ROLE hk_migrator;
\restrict abc
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TYPE desk.state AS ENUM ('new');
CREATE FUNCTION public.code(int) RETURNS desk.state LANGUAGE sql AS 'SELECT NULL::desk.state';
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TABLE desk.old (id integer NOT NULL);
ALTER TABLE ONLY desk.old ADD CONSTRAINT old_pkey PRIMARY KEY (id);
\unrestrict abc
"""


def test_what_no_file_makes_is_named_with_where_to_make_it(tmp_path: Path) -> None:
    """And what is told works, with the dump of it: what stands there is as the migrator's own."""
    write(tmp_path, LACKING)
    config = Config(root=tmp_path, migrations="db")
    with (
        pytest.raises(SqlFailed, match=r'^db/1_first.sql:1:1: relation "desk.old"') as refused,
        made_schema(config, ProjectFiles(tmp_path)),
    ):
        pass
    place = "sql/bootstrap/there_already.sql"
    for told in (place, "SET ROLE hk_migrator;", "pg_dump", "--table=desk.old DATABASE"):
        assert told in refused.value.fix
    # What runs behind it begins from the same session.
    write(tmp_path, {place: DUMPED, "sql/bootstrap/z.sql": "CREATE TABLE after_it ();"})
    with made_schema(config, ProjectFiles(tmp_path)) as made:
        assert made.needed.schemas == ("desk",)
        # The files make nothing but a column in it.
        assert made.schemas == ("public",)
    write(tmp_path, {"db/3_third.sql": "CREATE TABLE desk.new ();"})
    with made_schema(config, ProjectFiles(tmp_path)) as made:
        assert made.schemas == ("desk", "public")


def test_a_name_in_two_schemas_asks_for_the_path(tmp_path: Path) -> None:
    files = {
        "db/1_first.up.sql": "CREATE SCHEMA a; CREATE SCHEMA b;"
        " CREATE TABLE a.ticket (); CREATE TABLE b.ticket ();",
        "db/2_second.up.sql": "ALTER TABLE ticket ADD COLUMN note text;",
    }
    write(tmp_path, files)
    config = Config(root=tmp_path, migrations="db", layout="golang-migrate", baseline="2")
    with (
        pytest.raises(SqlFailed, match="does not exist") as refused,
        made_schema(config, ProjectFiles(tmp_path)),
    ):
        pass
    assert refused.value.why == "more than one schema has ticket: a, b"
    assert "[tool.housekeeping.session]" in refused.value.fix
    chosen = replace(config, session={"search_path": "b"})
    with made_schema(chosen, ProjectFiles(tmp_path)) as made:
        assert made.schemas == ("a", "b", "public")
