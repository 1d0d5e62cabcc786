"""Tests of snapshot/compare/difference.py and declared_moves.py: what differs, and what may."""

from __future__ import annotations

import json
from time import process_time

import pytest

from pytest_housekeeping.snapshot.compare.changed_lines import before_and_after
from pytest_housekeeping.snapshot.compare.declared_moves import split_declared
from pytest_housekeeping.snapshot.compare.difference import diff, in_common, listed
from pytest_housekeeping.snapshot.coverage import KINDS, VERSION, Around, beyond, since
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject
from pytest_housekeeping.snapshot.fingerprint_record import from_json, to_json
from pytest_housekeeping.snapshot.problems import SnapshotError


def _read(
    *objects: tuple[str, str] | tuple[str, str, str], version: int = VERSION, major: int = 16
) -> Fingerprint:
    """A fingerprint of objects by name, text and, where it matters, what they go with."""
    entries = (
        SchemaObject(name=name, text=text, parent="".join(parent))
        for name, text, *parent in objects
    )
    return Fingerprint(
        entries=tuple(sorted(entries, key=lambda each: each.name)),
        server_major=major,
        version=version,
    )


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("type: text\nnot null", "type: text", "not null → null"),
        ("type: text", "type: text\nnot null", "null → not null"),
        ("type: bigint\ndefault: 0", "type: integer", "type: bigint → integer; default: 0 → none"),
        ("NOSUPERUSER\nLOGIN", "SUPERUSER\nLOGIN", "NOSUPERUSER → SUPERUSER"),
        ("row security: enabled", "", "row security: enabled → none"),
        (
            "grant SELECT to app by owner",
            "grant INSERT to app by owner",
            "revoked SELECT from app by owner; granted INSERT to app by owner",
        ),
        ("by a, NO ADMIN, SET", "by a, ADMIN, SET", "by a, NO ADMIN, SET → by a, ADMIN, SET"),
        ("a, b", "b, a", "a, b → b, a"),
        ("for: ALL\nrestrictive", "for: SELECT", "for: ALL → SELECT; restrictive → permissive"),
        (
            "definition: CREATE FUNCTION f()\n BEGIN\n  RETURN 1;\n END",
            "definition: CREATE FUNCTION f()\n BEGIN\n  RETURN 2;\n END",
            "- before, + after\n-   RETURN 1;\n+   RETURN 2;",
        ),
    ],
)
def test_a_change_is_told_before_and_after(before: str, after: str, told: str) -> None:
    (found,) = diff(_read(("column a.b.c", before)), _read(("column a.b.c", after)))
    assert found.told == told
    assert str(found) == f"column a.b.c: {told}"


def test_of_many_lines_the_first_are_told_and_the_others_counted() -> None:
    """As of a digest of PostgreSQL's own functions, with the name of each."""
    before = "\n".join(f"written: f{number}" for number in range(100))
    told = before_and_after(before, "sum: 1")
    assert told.startswith("written: f0 → none; written: f1 → none; ")
    assert told.endswith("; and 89 more lines")


def test_what_came_or_went_is_told_with_what_it_is_and_many_are_counted() -> None:
    one = _read(("role evil", "SUPERUSER\nLOGIN"))
    (found,) = diff(_read(), one)
    assert str(found) == "added role evil (SUPERUSER; LOGIN)"
    many = _read(*((f"role r{number:02}", "LOGIN") for number in range(12)))
    assert listed(diff(many, _read())).endswith("removed role r09 (LOGIN); and 2 more")
    long = _read(("view a.b", "definition: SELECT " + "x, " * 100))
    assert len(str(diff(_read(), long)[0])) < 200


def test_what_a_new_schema_holds_is_told_where_it_is_asked_for() -> None:
    before = _read()
    after = _read(
        ("schema sales", "owner: a"),
        ("table sales.orders", "owner: a", "schema sales"),
        ("column sales.orders.id", "type: bigint", "table sales.orders"),
    )
    assert [each.name for each in diff(before, after)] == ["schema sales"]
    for old, new in ((before, after), (after, before)):
        told = [each.name for each in diff(old, new, through_schemas=True)]
        assert told == ["schema sales", "table sales.orders"]


def test_no_part_of_a_body_is_told_of_what_came_or_went() -> None:
    """A secret that is cut in two is found by nothing that looks for it."""
    body = "owner: me\ndefinition: CREATE FUNCTION f()\n AS $$ SELECT 'geheim' $$"
    (found,) = diff(_read(), _read(("function a.f()", body)))
    assert str(found) == "added function a.f() (owner: me; definition: CREATE FUNCTION f())"
    (found,) = diff(_read(("index a.i", f"definition: {'geheim' * 40}\ninvalid")), _read())
    assert str(found) == "removed index a.i"


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        ("a, b", "a, b, c", False),
        ("a, b, c", "a, c", False),
        ("a, b", "z, b", False),
        ("a, b", "b, a", True),
        ('a, "x, y", b', 'a, b, "x, y"', True),
    ],
)
def test_the_order_of_columns_counts_where_columns_changed_places(
    before: str, after: str, seen: bool
) -> None:
    name = "order of columns in table a.b"
    assert bool(diff(_read((name, before)), _read((name, after)))) is seen


def test_a_record_of_an_earlier_version_is_compared_in_what_it_read() -> None:
    now = _read(
        ("table a.b", "owner: me"),
        ("role app", "SUPERUSER"),
        ("digest of system functions", "sum: 1"),
        ("order of columns in table a.b", "c, d"),
        ("dependence of function a.f()", "on extension x"),
    )
    earlier = _read(("table a.b", "owner: me"), version=1)
    recorded = from_json(to_json(earlier))
    assert recorded.version == 1
    before, after, said = in_common(recorded, now)
    assert before.digest == after.digest == earlier.digest
    assert said.startswith("what an earlier version did not read: order of columns, ")
    assert "role, " in said
    changed = _read(("table a.b", "owner: you"), ("role app", "LOGIN"))
    assert listed(diff(*in_common(recorded, changed)[:2])) == "table a.b: owner: me → you"
    assert in_common(now, now)[2] == ""


def test_a_record_of_the_version_before_lacks_the_labels_alone() -> None:
    label = ("shared label anon on role app", "MASKED")
    now, recorded = _read(("role app", "LOGIN"), label), _read(("role app", "NOLOGIN"), version=2)
    before, after, said = in_common(recorded, now)
    assert said == "what an earlier version did not read: shared label"
    assert listed(diff(before, after)) == "role app: NOLOGIN → LOGIN"


def test_a_record_of_a_newer_version_asks_for_that_version_and_not_for_another_record() -> None:
    known = json.loads(to_json(_read())) | {"format": VERSION + 1}
    with pytest.raises(SnapshotError, match=f"format {VERSION + 1}.*up to {VERSION}") as told:
        from_json(json.dumps(known))
    assert "a newer one has written it" in told.value.found
    assert "install the version" in told.value.fix


def test_what_is_written_beside_a_digest_survives_and_does_not_count() -> None:
    name, text = "digest of system functions", "sum: 1"
    touched = Fingerprint(
        entries=(SchemaObject(name=name, parent="", text=text, parts="written: f(), 1a"),),
        server_major=16,
    )
    assert touched.digest == _read((name, text)).digest
    assert diff(_read((name, text)), touched) == ()
    assert from_json(to_json(touched)).entries[0].parts == "written: f(), 1a"
    (found,) = diff(_read((name, "sum: 2")), touched)
    assert found.told == "sum: 2 → 1; written: none → f(), 1a"


def test_another_major_version_has_other_objects_of_its_own() -> None:
    older = _read(("system language c", "owner: a"), ("table a.b", "x"), major=16)
    newer = _read(("system language c", "owner: b"), ("table a.b", "x"), major=17)
    before, after, said = in_common(older, newer)
    assert diff(before, after) == ()
    assert said == "PostgreSQL's own objects, of 16 and 17"


def test_no_kind_is_the_beginning_of_another_s_name() -> None:
    kinds = since(1)
    assert set(beyond(Around.NOTHING)) == {kind for each in KINDS.values() for kind in each}
    assert beyond(Around.ALL) == ()
    assert not [
        (one, other)
        for one in kinds
        for other in kinds
        if one != other and f"{other} ".startswith(f"{one} ")
    ]


_PARTITION = "owner: a\ninherits: app.events\nbound: FOR VALUES IN (1)"


@pytest.mark.parametrize(
    ("declared", "before", "after", "left"),
    [
        ("extension vector", [("extension vector", "version: 1")], [("extension vector", "2")], 0),
        (
            "extension vector",
            [("members of extension vector", "function a 1", "extension vector")],
            [("members of extension vector", "function a 2", "extension vector")],
            0,
        ),
        ("extension vector", [("extension vector", "version: 1")], [], 0),
        ("extension vector", [("extension citext", "version: 1")], [("extension citext", "2")], 1),
        ("limits of role app", [], [("limits of role app", "connection limit: 3")], 0),
        ("limits of role app", [], [("role app", "SUPERUSER")], 1),
        ("partitions of app.events", [], [("table app.events_7", _PARTITION)], 0),
        (
            "partitions of app.events",
            [("table app.events_7", _PARTITION), ("index app.i", "x", "table app.events_7")],
            [],
            0,
        ),
        ("partitions of app.other", [], [("table app.events_7", _PARTITION)], 1),
        ("partitions of app.events", [], [("table app.x", "owner: a\ninherits: app.events")], 1),
        (
            "partitions of app.events",
            [("table app.events_7", _PARTITION)],
            [("table app.events_7", f"{_PARTITION}\nrow security: enabled")],
            1,
        ),
        (
            "logins in app",
            [],
            [
                ("role v_1", "NOSUPERUSER\nLOGIN"),
                ("membership of v_1 in app", "by a", "role v_1"),
                ("settings of role v_1", "role=app", "role v_1"),
            ],
            0,
        ),
        (
            "logins in app",
            [],
            [("role v_1", "SUPERUSER"), ("membership of v_1 in app", "by a", "role v_1")],
            1,
        ),
        (
            "logins in app",
            [],
            [
                ("role v_1", "NOSUPERUSER"),
                ("membership of v_1 in app", "by a", "role v_1"),
                ("membership of v_1 in owner", "by a", "role v_1"),
            ],
            1,
        ),
        (
            "logins in app",
            [],
            [("role v_1", "NOSUPERUSER"), ("policy p on a.b", "to: v_1", "role v_1")],
            1,
        ),
    ],
)
def test_what_is_declared_may_move_and_nothing_else(
    declared: str,
    before: list[tuple[str, str]],
    after: list[tuple[str, str]],
    left: int,
) -> None:
    moves = split_declared(_read(*before), _read(*after), {declared: "the provider does"})
    assert len(moves.others) == left
    assert len(moves.declared) == 1 - left
    assert bool(moves.told) is not bool(left)
    assert not moves.declared or moves.told.endswith("(the provider does)")
    assert len(split_declared(_read(*before), _read(*after), {}).others) == 1


def test_partitions_of_partitions_may_move_with_them() -> None:
    deep = _read(
        ("table app.events_7", _PARTITION),
        ("table app.events_7_a", _PARTITION.replace("app.events", "app.events_7")),
    )
    only = _read(("table app.events_7", _PARTITION))
    moves = split_declared(only, deep, {"partitions of app.events": "pg_partman makes them"})
    assert moves.others == ()
    assert len(moves.declared) == 1


_Objects = list[tuple[str, str] | tuple[str, str, str]]
_VAULT: _Objects = [
    ("role vault", "NOSUPERUSER\nCREATEROLE"),
    ("membership of vault in app", "by a, ADMIN, NO INHERIT, NO SET", "role vault"),
]
_LOGIN: _Objects = [
    ('role "v-1"', "NOSUPERUSER\nLOGIN"),
    ('membership of "v-1" in app', "by vault, NO ADMIN, INHERIT, SET", 'role "v-1"'),
]


@pytest.mark.parametrize(
    ("member", "text", "left"),
    [
        ("vault", "by a, ADMIN, NO INHERIT, NO SET", []),
        ("reader", "by a, ADMIN, NO INHERIT, NO SET", ['membership of reader in "v-1"']),
        ("reader", "by vault, NO ADMIN, INHERIT, SET", ['membership of reader in "v-1"']),
    ],
)
def test_the_maker_of_a_login_is_a_member_of_it_and_nobody_else_may_become_one(
    member: str, text: str, left: list[str]
) -> None:
    """Another would be a member of the group by way of it."""
    known: _Objects = [*_VAULT, ("role reader", "LOGIN")]
    membership = (f'membership of {member} in "v-1"', text, f"role {member}")
    before, after = _read(*known), _read(*known, *_LOGIN, membership)
    for one, other in ((before, after), (after, before)):
        moves = split_declared(one, other, {"logins in app": "the vault"})
        assert [each.name for each in moves.others] == left
        assert len(moves.declared) == 2 - len(left)


_OTHER = ("role other_team", "NOSUPERUSER\nLOGIN")


@pytest.mark.parametrize(
    ("around", "seen"),
    [
        ([], False),
        ([("settings of role other_team", "work_mem=4MB", "role other_team")], False),
        ([("membership of vault in other_team", "by a, ADMIN, SET", "role vault")], False),
        (
            [
                ("role other_boss", "LOGIN"),
                ("membership of other_team in other_boss", "by a", "role other_team"),
            ],
            False,
        ),
        ([("membership of other_team in app", "by a", "role other_team")], True),
        ([("membership of other_team in pg_read_all_data", "by a", "role other_team")], True),
        (
            [
                ("role other_boss", "CREATEDB"),
                ("membership of other_team in other_boss", "by a", "role other_team"),
            ],
            True,
        ),
        (
            [
                ("role other_boss", "LOGIN"),
                ("membership of other_team in other_boss", "by a", "role other_team"),
                ("schema app", "grant USAGE to other_boss by a"),
            ],
            True,
        ),
        ([("table a.b", "owner: other_team")], True),
        ([("policy p on a.b", "using: (CURRENT_USER = 'Other_Team'::name)")], True),
        ([("user mapping for other_team server s", "its options are not told")], True),
        ([("database", "owner: a\nset work_mem=4MB for other_team")], True),
        ([("table a.other_teams", "owner: a")], False),
    ],
)
def test_a_role_for_another_database_is_none_of_this_one(
    around: list[tuple[str, str]], seen: bool
) -> None:
    known = [("role app", "LOGIN"), ("role vault", "CREATEROLE")]
    extra = [each for each in around if not each[0].startswith(("role ", "membership", "settings"))]
    before, after = _read(*known, *extra), _read(*known, _OTHER, *around)
    for one, other in ((before, after), (after, before)):
        names = [each.name for each in split_declared(one, other, {}).others]
        assert ("role other_team" in names) is seen
        assert seen or names == []


@pytest.mark.parametrize("power", ["SUPERUSER", "BYPASSRLS", "CREATEROLE", "REPLICATION"])
def test_a_role_with_powers_is_seen_wherever_it_is_for(power: str) -> None:
    (found,) = split_declared(_read(), _read(("role other_team", f"LOGIN\n{power}")), {}).others
    assert found.name == "role other_team"


def test_many_logins_among_many_objects_are_told_apart_at_once() -> None:
    many: list[tuple[str, str]] = [(f"table a.t{number}", "owner: a") for number in range(20_000)]
    roles = [(f"role v_{number}", "LOGIN") for number in range(400)]
    members = [(f"membership of v_{n} in app", "by a", f"role v_{n}") for n in range(400)]
    before, after = _read(*many), _read(*many, *roles, *members)
    start = process_time()
    moves = split_declared(before, after, {"logins in app": "the vault"})
    assert process_time() - start < 0.5
    assert (len(moves.declared), moves.others) == (400, ())
