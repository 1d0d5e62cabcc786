"""Rollback files that only drop: what is told of them is what each round trip of its own tells."""

from __future__ import annotations

import pytest

from pytest_housekeeping.checks.rollbacks import ascent, descent
from pytest_housekeeping.server import StagingDatabase
from support.cycle_ground import BATCH, TRIP, Batch, prove, told, wrong

OLD = (
    "CREATE SCHEMA desk; CREATE TABLE desk.old (n int PRIMARY KEY, subject text);"
    " CREATE SEQUENCE desk.count; CREATE INDEX upon ON desk.old (subject);"
)
A = "CREATE TABLE desk.a (id int PRIMARY KEY DEFAULT 7, line text);"
B = "CREATE TABLE desk.b (id int PRIMARY KEY, a int REFERENCES desk.a);"
C = "CREATE TABLE desk.c (id int, b int REFERENCES desk.b); CREATE INDEX ON desk.old (n, subject);"
D = "CREATE FUNCTION desk.d() RETURNS int LANGUAGE sql RETURN 7; CREATE VIEW desk.v AS SELECT 1;"
SOUND = [
    (A, "DROP TABLE desk.a;"),
    (B, "DROP TABLE desk.b;"),
    (C, "DROP INDEX desk.old_n_subject_idx; DROP TABLE desk.c;"),
    (D, "DROP VIEW desk.v; DROP FUNCTION desk.d();"),
    ("CREATE POLICY p ON desk.old USING (true);", "DROP POLICY p ON desk.old;"),
]
# A pair of files leaves nothing behind, and one of them, or each, does not undo what it has done:
# what is added to the first and to what undoes it, then to the second. ``o{n}`` is of before.
RLS = "ALTER TABLE desk.o{{n}} {} ROW LEVEL SECURITY;"
OWNED = "ALTER SEQUENCE desk.s{{n}} OWNED BY {};"
ENUM = "CREATE TYPE desk.{}{{n}} AS ENUM ('a');"
NOTE = "COMMENT ON TABLE desk.{}{{n}} IS {};"
PLANTED = {
    "it is altered, and altered back": (RLS.format("ENABLE"), "", RLS.format("DISABLE"), ""),
    "a right is granted and revoked": (
        *("GRANT SELECT ON desk.o{n} TO PUBLIC;", ""),
        *("REVOKE SELECT ON desk.o{n} FROM PUBLIC;", ""),
    ),
    "a comment comes and goes": (NOTE.format("o", "'x'"), "", NOTE.format("o", "NULL"), ""),
    "a sequence is owned and not": (OWNED.format("desk.o{n}.n"), "", OWNED.format("NONE"), ""),
    "the neighbour drops it": ("", "DROP TYPE desk.t{n};", ENUM.format("t"), ""),
    "each drops the other's": (
        *(ENUM.format("t"), "DROP TYPE desk.u{n};"),
        *(ENUM.format("u"), "DROP TYPE desk.t{n};"),
    ),
    "what the one before made gets a comment": ("", "", NOTE.format("x", "'x'"), ""),
    "nothing is wrong": (ENUM.format("t"), "DROP TYPE desk.t{n};", "", ""),
}


def test_what_undoes_its_migration_is_proved_in_turn(
    database: StagingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[int] = []
    through = ascent.Ascent.through

    def counting(self: ascent.Ascent, links, before, read):  # type: ignore[no-untyped-def]
        now = through(self, links, before, read)
        shown.append(len(links) if now else 0)
        return now

    monkeypatch.setattr(ascent.Ascent, "through", counting)
    verdicts = prove(database, Batch(below=[OLD], migrations=SOUND))

    assert all(verdict.passed for verdict in verdicts.values()), verdicts
    assert told(verdicts)[-1] == "table desk.a is dropped by the rollback, with 0 rows"
    assert shown == [1, 1, 2, 1]


def test_nothing_is_shown_in_turn_on_another_schema_than_that_of_the_way_down(
    database: StagingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was noted on the way down says nothing of it: each is tried there and back."""
    shown: list[bool] = []
    groups, through = descent.Descents.groups, ascent.Ascent.through

    def meddling(self: descent.Descents, links):  # type: ignore[no-untyped-def]
        self.begin.__self__.connection.execute("CREATE TABLE desk.extra (n int)")  # type: ignore[attr-defined]
        return groups(self, links)

    def counting(self: ascent.Ascent, links, before, read):  # type: ignore[no-untyped-def]
        now = through(self, links, before, read)
        shown.append(now is not None)
        return now

    monkeypatch.setattr(descent.Descents, "groups", meddling)
    monkeypatch.setattr(ascent.Ascent, "through", counting)
    verdicts = prove(database, Batch(below=[OLD], migrations=SOUND[:3]))

    assert shown == [False, False, False]
    assert [verdicts[TRIP.format(n)].passed for n in (1, 2, 3)] == [True, True, True]
    assert wrong(verdicts[BATCH]) == ["table desk.extra"]


def test_what_is_planted_is_told_as_by_round_trips(
    database: StagingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = prove(database, _planted())
    monkeypatch.setattr(descent, "_WORTH", 100)
    alone = prove(database, _planted())

    assert found == alone
    wrong = [
        any(not found[TRIP.format(2 * place + file)].passed for file in (1, 2))
        for place in range(len(PLANTED))
    ]
    assert dict(zip(PLANTED, wrong, strict=True)) == {
        name: name != "nothing is wrong" for name in PLANTED
    }


def _planted() -> Batch:
    """The first of each pair tells of a table of before, so that both are proved together."""
    ground, files = "CREATE SCHEMA desk;", list[tuple[str, str]]()
    for n, (first, first_back, second, second_back) in enumerate(PLANTED.values()):
        ground += f"CREATE TABLE desk.o{n} (n int); CREATE SEQUENCE desk.s{n};"
        files += [
            (
                f"CREATE TABLE desk.x{n} (); CREATE INDEX i{n} ON desk.o{n} (n); {first}",
                f"DROP TABLE desk.x{n}; DROP INDEX desk.i{n}; {first_back}",
            ),
            (f"CREATE TABLE desk.z{n} (); {second}", f"DROP TABLE desk.z{n}; {second_back}"),
        ]
        files[-2:] = [(up.format(n=n), down.format(n=n)) for up, down in files[-2:]]
    return Batch(below=[ground], migrations=files)
