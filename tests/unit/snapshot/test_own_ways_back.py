"""A proposal leaves out what rollback files do already, and nothing else."""

from __future__ import annotations

from pytest_housekeeping.snapshot.way_back.inverse import Mark, Proposed
from pytest_housekeeping.snapshot.way_back.own_ways_back import without_those_of
from pytest_housekeeping.snapshot.way_back.proposal import proposal_text, propose

BEFORE = "CREATE TABLE desk.note (\n    id integer\n);\n"
AFTER = """
CREATE TABLE desk.note (
    id integer,
    body text,
    pinned boolean
);
CREATE TABLE desk.tag (
    id integer
);
CREATE VIEW desk.open AS SELECT note.id FROM desk.note;
GRANT SELECT ON TABLE desk.note TO app;
"""


def left(*own: str) -> list[str]:
    return [each.sql for each in without_those_of(propose(BEFORE, AFTER), own)]


def test_what_a_rollback_file_does_is_left_out_however_it_is_written() -> None:
    whole = left()
    assert len(whole) == 5
    assert left("DROP TABLE IF EXISTS desk.tag CASCADE;") == [
        each for each in whole if "desk.tag" not in each
    ]
    both = left("ALTER TABLE ONLY desk.note DROP COLUMN body, DROP IF EXISTS pinned;")
    assert both == [each for each in whole if "COLUMN" not in each]
    one = left("-- the text\nALTER TABLE desk.note DROP body;\ndrop view desk.open;")
    assert one == [each for each in whole if "body" not in each and "VIEW" not in each]


def test_another_object_or_another_part_stays_and_so_does_what_cannot_be_read() -> None:
    whole = left()
    assert left("DROP TABLE desk.tags;", "ALTER TABLE desk.note DROP COLUMN bodies;") == whole
    assert left("DROP TABLE desk.tag; no SQL") == whole
    assert left("", "-- nothing") == whole


def test_what_a_function_was_is_made_again_by_the_file_that_makes_it() -> None:
    text = "CREATE FUNCTION desk.f() RETURNS integer\n    LANGUAGE sql\n    AS $$SELECT {}$$;\n"
    proposed = propose(text.format(1), text.format(2))
    assert proposed
    own = "CREATE OR REPLACE FUNCTION desk.f() RETURNS int LANGUAGE sql AS 'SELECT 1';"
    assert without_those_of(proposed, [own]) == ()


def test_the_head_names_the_migrations_that_have_none() -> None:
    proposed = propose(BEFORE, AFTER)
    some = proposal_text(proposed, run="r1", migrations=["sql/migrations/2_b.sql"], folder="back")
    assert "--   back/2_b.sql" in some
    none = proposal_text(proposed, run="r1", migrations=[], folder="back")
    assert "Each migration has its rollback file" in none


def test_what_is_altered_of_a_table_goes_with_it() -> None:
    parts = "ALTER TABLE ONLY desk.note DROP CONSTRAINT k;"
    proposed = [Proposed(sql=parts, mark=Mark.SAFE, why="")]
    assert without_those_of(proposed, ["DROP TABLE desk.a, desk.note;"]) == ()
    assert without_those_of(proposed, ["DROP TABLE desk.notes;"]) == tuple(proposed)
