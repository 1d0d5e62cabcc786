"""Views and policies applied a second time: refused, changing something, or as if nothing was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pytest_housekeeping.checks.repeatables import prove_repeatables
from pytest_housekeeping.model import Kind, Verdict
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.catalog.statements import Scope
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.reading_again.schema_reader import SchemaReader
from pytest_housekeeping.sql import file as sqlfile
from pytest_housekeeping.sql.text import digest
from support.cycle_ground import begun

GROUND = (
    "CREATE SCHEMA desk; CREATE TABLE desk.ticket (id int PRIMARY KEY, subject text NOT NULL);"
    " ALTER TABLE desk.ticket ENABLE ROW LEVEL SECURITY;"
)
OPEN = "CREATE OR REPLACE VIEW desk.open AS SELECT id FROM desk.ticket;"
DROPPED = "DROP VIEW IF EXISTS desk.open; CREATE VIEW desk.open AS SELECT id FROM desk.ticket;"
CASCADE = DROPPED.replace(" desk.open;", " desk.open CASCADE;", 1)
UPON = "CREATE OR REPLACE VIEW desk.upon AS SELECT id FROM desk.open;"
POLICY = "CREATE POLICY mine ON desk.ticket USING (id > 0);"
SOUND = f"DROP POLICY IF EXISTS mine ON desk.ticket; {POLICY}"
GRANT = "GRANT SELECT ON desk.open TO pg_monitor;"


def prove(place: StagingDatabase, files: Mapping[str, str]) -> Mapping[str, Verdict]:
    """Apply the files, whose names begin with their kind, and each of them again."""
    texts = {}
    known = []
    for name, text in files.items():
        kind = Kind.VIEW if name.startswith("view") else Kind.POLICY
        file = sqlfile.from_text(name, kind, text, digest(f"{name} {text}".encode()))
        file = replace(file, every="every" in name)
        texts[file.sha256] = text
        known.append(file)
    reader = SchemaReader(scope=Scope(excluded=(), around=Around.ALL))
    with begun(place) as transaction:
        transaction.connection.execute(GROUND.encode())
        for file in known:
            transaction.apply(file, texts[file.sha256])
        transaction.seal()
        before = reader.read(transaction.connection)
        verdicts = prove_repeatables(
            transaction, known, lambda file: texts[file.sha256], reader.read
        )
        assert reader.read(transaction.connection) == before
    return verdicts


SOUND_FILES = {
    "replaced": {"view_a": OPEN, "view_b": UPON, "policy": SOUND + GRANT},
    "dropped with all that belongs to it": {
        "view": "DROP VIEW IF EXISTS desk.upon; " + DROPPED + UPON + GRANT,
        "policy": SOUND,
    },
    "together and in their order, behind every batch": {
        "view": OPEN.replace("open", "other"),
        "view_every_1": "DROP VIEW IF EXISTS desk.upon, desk.open;",
        "view_every_2": OPEN.replace(" OR REPLACE", ""),
        "view_every_3": UPON.replace(" OR REPLACE", ""),
    },
    "only if it is not there": {
        "policy": "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_policy WHERE polname = 'mine')"
        f" THEN {POLICY} END IF; END $$;"
    },
    "a function and its trigger": {
        "view": "CREATE OR REPLACE FUNCTION desk.f() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NEW; END'; CREATE OR REPLACE TRIGGER t BEFORE INSERT ON desk.ticket"
        " FOR EACH ROW EXECUTE FUNCTION desk.f();"
    },
}


@pytest.mark.parametrize("name", SOUND_FILES)
def test_what_leaves_everything_as_it_is_is_silent(database: StagingDatabase, name: str) -> None:
    verdicts = prove(database, SOUND_FILES[name])
    assert list(verdicts) == list(SOUND_FILES[name])
    assert all(each.passed and each.findings == () for each in verdicts.values())


FAULTS = {
    "a policy that is there": ({"policy": POLICY}, "policy", "repeatable-fails", "already exists"),
    "a view that others stand upon": (
        {"view_a": DROPPED, "view_b": UPON},
        "view_a",
        "repeatable-fails",
        "cannot drop view desk.open",
    ),
    "a view that takes others along": (
        {"view_a": CASCADE, "view_b": UPON},
        "view_a",
        "repeatable-changes",
        "view desk.upon",
    ),
    "a view that loses what another file has granted": (
        {"view_a": DROPPED, "policy": GRANT},
        "view_a",
        "repeatable-changes",
        "pg_monitor",
    ),
    "two files that undo each other": (
        {"view_a": OPEN + SOUND, "policy": "DROP POLICY mine ON desk.ticket;"},
        "policy",
        "repeatable-fails",
        "does not exist",
    ),
    "a file that brings back what a later one has taken": (
        {"view_a": SOUND, "view_b": "DROP POLICY IF EXISTS mine ON desk.ticket;"},
        "view_a",
        "repeatable-changes",
        "policy mine",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_applied_again_is_told(database: StagingDatabase, name: str) -> None:
    files, wrong, rule, said = FAULTS[name]
    verdicts = prove(database, files)
    assert verdicts[wrong].passed is (rule == "repeatable-changes")
    told = [each for each in verdicts[wrong].findings if each.rule == rule]
    assert any(said in each.detail for each in told), verdicts
    assert all(each.object == wrong and each.fix for each in told)
    # The others are not blamed for it.
    others = {path: each.findings for path, each in verdicts.items() if path != wrong}
    assert not any(others.values()) or name == "two files that undo each other", others
