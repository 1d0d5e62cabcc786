"""Two sessions restore what has to do with one table each; all else has the dump's order."""

from __future__ import annotations

import pytest

from pytest_housekeeping.snapshot.copies import lanes as restore_lanes
from pytest_housekeeping.snapshot.copies.lanes import stretches


def entry(kind: str, name: str, text: str) -> bytes:
    return f"--\n-- Name: {name}; Type: {kind}; Schema: s; Owner: -\n--\n\n{text};\n".encode()


TABLES = [entry("TABLE", f"t{n}", f"CREATE TABLE s.t{n} (id int)") for n in range(4)]
INDEX = entry("INDEX", "i", "CREATE INDEX i ON s.t1 USING btree (id)")


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore_lanes, "WORTH_TWO", 4)


def lanes(*objects: bytes) -> list[tuple[tuple[int, ...], ...]]:
    return [each.lanes for each in stretches(objects)]


def test_a_table_and_what_is_its_own_are_one_lane_in_their_order() -> None:
    assert lanes(*TABLES, INDEX) == [((0, 2), (1, 3, 4))]


@pytest.mark.parametrize(
    "other",
    [
        entry("FK CONSTRAINT", "t1 f", "ALTER TABLE s.t1 ADD FOREIGN KEY (id) REFERENCES s.t2"),
        entry("TABLE", "t4", "CREATE TABLE s.t4 () INHERITS (s.t1)"),
        entry("POLICY", "t1 p", "CREATE POLICY p ON s.t1 USING (id IN (SELECT id FROM s.t2))"),
        entry("TRIGGER", "t1 t", "CREATE TRIGGER t AFTER INSERT ON s.t1 EXECUTE FUNCTION s.f()"),
        entry("FUNCTION", "f()", "CREATE FUNCTION s.f() RETURNS int AS 'SELECT 1 FROM s.t1'"),
        entry("COMMENT", "t1", "COMMENT ON TABLE s.t1 IS 'one'")
        + b"SET default_tablespace = fast;\n",
        b"--\n-- Data for Name: t1; Type: TABLE DATA; Schema: s; Owner: -\n--\n\nCOPY s.t1;\n",
        b"what was cut otherwise",
    ],
)
def test_whatever_is_not_of_one_table_waits_for_both(other: bytes) -> None:
    assert lanes(*TABLES, other, *TABLES) == [
        ((0, 2), (1, 3)),
        ((4,),),
        ((5, 7), (6, 8)),
    ]


def test_few_are_restored_in_one_session() -> None:
    assert lanes(*TABLES[:3]) == [((0, 1, 2),)]
    assert lanes(*TABLES[:3], b"other", *TABLES) == [((0, 1, 2, 3),), ((4, 6), (5, 7))]
    one = [INDEX] * 9
    assert lanes(TABLES[1], *one) == [(tuple(range(10)),)]
    assert lanes() == []
