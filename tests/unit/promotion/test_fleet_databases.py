"""The list of a fleet's databases: what cannot be used is named, and nothing is guessed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config, Fleet
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.promotion.production.of_fleet import databases
from pytest_housekeeping.promotion.production.of_fleet.databases import (
    FleetDatabase,
    State,
    located,
    read_databases,
)

FLEET = Fleet(name="tenants", env="TENANTS", databases="tenants", audit="ops/tenants/audit")


def listed(root: Path, text: str) -> tuple[FleetDatabase, ...]:
    (root / "tenants").write_text(text, encoding="utf-8")
    return read_databases(Config(root=root), FLEET)


def test_a_name_a_line(tmp_path: Path) -> None:
    found = listed(tmp_path, "# all of them\nzeta\n\nacme  # the first\n")
    assert [(each.name, each.database, each.state) for each in found] == [
        ("acme", "acme", State.LIVE),
        ("zeta", "zeta", State.LIVE),
    ]


def test_json_says_more(tmp_path: Path) -> None:
    text = """["acme", {"name": "zeta", "database": "t_9", "host": "db2", "port": 5433},
               {"name": "old", "state": "archived"}]"""
    acme, old, zeta = listed(tmp_path, text)
    assert (zeta.database, zeta.host, zeta.port) == ("t_9", "db2", 5433)
    assert old.state is State.ARCHIVED
    target = zeta.target(FLEET, "ops/audit")
    assert (target.name, target.audit) == ("tenants/zeta", "ops/tenants/zeta/audit")
    assert (target.database, target.host, target.port) == ("t_9", "db2", 5433)
    assert acme.target(FLEET, "ops/audit").pin == "ops/tenants/acme/target.json"


def test_names_that_differ(tmp_path: Path) -> None:
    text = (
        """[{"name": "a", "names": {"app": "a_app"}}, {"name": "b", "names": {"app": "b_app"}}]"""
    )
    target = listed(tmp_path, text)[0].target(FLEET, "ops/audit")
    assert (target.names, target.neighbours) == ({"app": "a_app"}, ["b_app"])


def test_a_command_lists_them(tmp_path: Path) -> None:
    said = (sys.executable, "-c", "print('acme')")
    fleet = Fleet(name="tenants", env="TENANTS", command=said)
    assert [each.name for each in read_databases(Config(root=tmp_path), fleet)] == ["acme"]
    failing = Fleet(name="tenants", env="T", command=(sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(MisuseError, match="ended with 3"):
        read_databases(Config(root=tmp_path), failing)


def test_what_a_command_says_is_told_without_the_password_of_a_url(tmp_path: Path) -> None:
    (tmp_path / "list.py").write_text("raise SystemExit('postgres://reg:of-one-4@db/r')")
    fleet = Fleet(name="tenants", env="T", command=(sys.executable, "list.py"))
    with pytest.raises(MisuseError, match="ended with 1: postgres://reg:") as caught:
        read_databases(Config(root=tmp_path), fleet)
    assert "reg:***@db/r" in str(caught.value)


@pytest.mark.parametrize(
    "said", ["password=of-one-4", "host=x PGPASSWORD='of-one-4'", '{"password": "of-one-4"}']
)
def test_what_a_command_says_is_told_without_the_password_of_a_key(
    tmp_path: Path, said: str
) -> None:
    (tmp_path / "list.py").write_text(f"raise SystemExit({said!r})")
    fleet = Fleet(name="tenants", env="T", command=(sys.executable, "list.py"))
    with pytest.raises(MisuseError, match=r"\*\*\*") as caught:
        read_databases(Config(root=tmp_path), fleet)
    assert "of-one-4" not in str(caught.value)


def test_a_command_and_what_it_has_started_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a process holds the pipe, also when the command has ended."""
    monkeypatch.setattr(databases, "_PATIENCE_S", 0.5)
    said = "sleep 60 & echo $! >started; echo acme"
    fleet = Fleet(name="tenants", env="T", command=("sh", "-c", said))
    began = time.monotonic()
    with pytest.raises(MisuseError, match=r"the list cannot be had: .* timed out"):
        read_databases(Config(root=tmp_path), fleet)
    assert time.monotonic() - began < 30
    started = int((tmp_path / "started").read_text())
    deadline = time.monotonic() + 30
    while (state := Path(f"/proc/{started}/stat")).exists() and " Z " not in state.read_text():
        assert time.monotonic() < deadline, "what the command has started is still there"
        time.sleep(0.01)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    for text in ("acme\n", '["acme"]'):
        assert [each.name for each in listed(tmp_path, f"\ufeff{text}")] == ["acme"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the list is empty"),
        ("acme\nacme\n", "listed twice: acme and acme"),
        ("acme\nAcme\n", "listed twice: Acme and acme"),
        ("a\naudit\n", "'audit' cannot be its name: ops/tenants/audit is the fleet's own"),
        ("a" * 101, "can name no folder and no branch: at most 100 letters"),
        ('["a", {"name": "b", "database": "a"}]', "listed twice: a and b"),
        ('["a", {"name": "a", "database": "b"}]', "listed twice: a and a"),
        ("../acme\n", "'../acme' can name no folder"),
        ('[{"name": "a", "sate": "live"}]', "a: unknown key 'sate' (did you mean 'state'?)"),
        ('["a", 7]', "entry 2: it is no name, and no object of name, database"),
        ('[{"name": "a", "state": "gone"}]', "a: state = 'gone' is none of live, making, archived"),
        ('[{"name": 7}]', "entry 1: its name is no text but 7: a registry's id is cast"),
        ('{"a": 1}', "the list is JSON, and no array"),
        ('["A b", "a.lock"]', """entry 1: 'A b' can name no folder"""),
        (
            '["A b", "a.lock"]',
            """{"name": "…", "database": "A b"}; entry 2: 'a.lock'""",
        ),
        (
            '[{"name": "zürich", "database": "Zürich AG"}]',
            """give it one: {"name": "…", "database": "Zürich AG"}""",
        ),
        ('["postgres://u:of-one-4@h/d"]', "a connection string is no name"),
        ('[{"name": "a", "password": "of-one-4"}]', "a: unknown key 'password'"),
        ('[{"name": "a", "port": "x"}]', "a: port = 'x' is no port"),
        ('[{"name": "a", "port": 65536}]', "a: port = 65536 is no port"),
        ('[{"name": "a", "port": -1}]', "a: port = -1 is no port"),
        ('[{"name": "a", "port": 1.5}]', "a: port = 1.5 is no port"),
        ('[{"name": "a", "port": true}]', "a: port = True is no port"),
        ('[{"name": "a", "port": [1]}]', "a: port = [1] is no port"),
        ('[{"name": "a", "host": ["h"]}]', "a: host = ['h'] is no text"),
        ('[{"name": "a", "database": 7}]', "a: database = 7 is no text"),
        (
            '[{"name": "a", "database": "d\\u0000x"}]',
            "a: database = 'd\\x00x' holds what nobody can",
        ),
        (
            '[{"name": "a", "database": "postgres://u:of-one-4@h/d"}]',
            "a: a connection string is no database",
        ),
        (
            '[{"name": "a", "host": "h password=of-one-4"}]',
            "a: a connection string is no host",
        ),
        ('["a",]', "the list is no JSON"),
        ('[{"name": "a", "names": {"app": "A-b"}}]', "app = 'A-b' is no plain lower-case identif"),
        ('[{"name": "a", "names": ["b"]}]', "names = ['b'] is no object"),
        ('[{"name": "a", "names": {"x": "b", "y": "b"}}]', "two keys have one name"),
        ('["a", {"name": "b", "names": {"x": "c"}}]', "b: names has ['x'], and that of a nothing"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(MisuseError) as caught:
        listed(tmp_path, text)
    assert words in str(caught.value)
    assert "of-one-4" not in str(caught.value)


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="the list cannot be had"):
        read_databases(Config(root=tmp_path), FLEET)


def test_one_that_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "tenants").write_text("acme\n", encoding="utf-8")
    target = FleetDatabase(name="acne", database="x").target(FLEET, "ops/audit")
    config = Config(root=tmp_path, fleets={"tenants": FLEET}, target=target)
    with pytest.raises(MisuseError, match=r"no database of that name \(did you mean 'acme'"):
        located(config)
