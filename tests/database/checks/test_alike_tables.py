"""Tables whose policies read alike are asked about once, and each still has its own answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_housekeeping.checks.rls import judge_rule
from pytest_housekeeping.checks.rls.expressions.context_only import read_context_only
from pytest_housekeeping.checks.rls.expressions.policies import read_policies
from pytest_housekeeping.checks.rls.proofs import looked_up
from pytest_housekeeping.checks.rls.tables import read_tables
from pytest_housekeeping.checks.rules.scope import rls_scope
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.parser import parse
from support.guarded import CONTRACT, RULES, laid_ground


@pytest.fixture
def ground(connection: Connection, superuser: Connection) -> Iterator[Connection]:
    with laid_ground(connection, superuser) as laid:
        laid.execute("DROP TABLE shop.orders, shop.line, shop.archive CASCADE")
        yield laid


def guarded(ground: Connection, table: str, columns: str, policy: str) -> None:
    ground.execute(
        f"CREATE TABLE {table} ({columns});"
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        f"GRANT SELECT, INSERT ON {table} TO shop_app;"
        f"CREATE POLICY own ON {table} USING ({policy})".encode()
    )


def judged(ground: Connection) -> Verdict:
    return judge_rule(ground, CONTRACT, RULES["context-required"])


def accused(verdict: Verdict) -> set[str]:
    return {finding.object for finding in verdict.findings}


@pytest.mark.parametrize("closed", ["shop.first", "shop.last"])
def test_what_the_constraints_of_one_close_is_open_in_the_other(
    ground: Connection, closed: str
) -> None:
    """The planner is told the same of both, and leaves it undecided."""
    for table in ("shop.first", "shop.last"):
        check = "CHECK (tenant <> '')" if table == closed else ""
        own = "tenant = coalesce(current_setting('app.tenant', true), '')"
        guarded(ground, table, f"tenant text NOT NULL {check}", own)
    assert accused(judged(ground)) == {"shop.first", "shop.last"} - {closed}


def test_the_types_of_columns_are_part_of_the_question(ground: Connection) -> None:
    """All of them are printed as shop.shown(v): which one that is, only the column's type says."""
    ground.execute(
        "CREATE FUNCTION shop.shown(integer) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN false;"
        "CREATE FUNCTION shop.shown(text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true"
    )
    for table, columns in {
        "shop.numbers": "v integer",
        "shop.words": "v text",
        "shop.more_numbers": "w text, v integer",
        "shop.more_words": "w integer, v text",
    }.items():
        guarded(ground, table, columns, "shop.shown(v)")
    verdict = judged(ground)
    assert accused(verdict) == {"shop.words", "shop.more_words"}
    assert verdict.examined == 4


def test_the_role_and_what_it_may_enter_are_part_of_the_question(ground: Connection) -> None:
    """A type in a schema that the role cannot enter: what it asks for is no refusal."""
    ground.execute("CREATE SCHEMA inner_room; CREATE DOMAIN inner_room.n AS integer")
    guarded(ground, "shop.plain", "v integer", "v = shop.tenant()")
    guarded(ground, "shop.domain", "v inner_room.n", "v = shop.tenant()")
    assert judged(ground).passed
    ground.execute(
        "ALTER POLICY own ON shop.domain USING (v = shop.tenant() OR (v = 1) IS NOT FALSE)"
    )
    assert accused(judged(ground)) == {"shop.domain"}


def test_a_table_that_its_policy_names_is_asked_about_by_itself(ground: Connection) -> None:
    """Columns are printed with the table's name, in quotes and all, or the row as a whole is."""
    own = "EXISTS (SELECT FROM pg_class AS c WHERE c.relname = {table}.v AND {table}.w)"
    for name in ("one", '"of ""names"""', "two"):
        guarded(ground, f"shop.{name}", "v text, w boolean", own.format(table=name))
    guarded(ground, "shop.whole", "v text, w boolean", "whole.* IS NOT DISTINCT FROM NULL")
    verdict = judged(ground)
    assert accused(verdict) == {"shop.one", 'shop."of ""names"""', "shop.two", "shop.whole"}
    assert not any("could not be planned" in finding.detail for finding in verdict.findings)


def test_of_tables_that_are_read_at_once_each_is_answered(ground: Connection) -> None:
    """One is refused, one raises an error, one shows a row, and the others show none."""
    ground.execute(
        "CREATE FUNCTION shop.raised(integer) RETURNS boolean LANGUAGE plpgsql STABLE AS"
        " $$ BEGIN RAISE EXCEPTION 'no tenant'; END $$;"
        "CREATE FUNCTION shop.hidden(integer) RETURNS boolean LANGUAGE plpgsql STABLE AS"
        " $$ BEGIN RETURN $1 = 987654; END $$"
    )
    policies = {
        "a": "shop.hidden(v)",
        "b": "shop.raised(v)",
        "c": "v = 1",
        "d": "shop.hidden(v)",
        "e": "shop.hidden(v)",
    }
    for name, policy in policies.items():
        guarded(ground, f"shop.{name}", "v integer", policy)
        value = 987654 if name == "e" else 1
        ground.execute(
            f"ALTER TABLE shop.{name} NO FORCE ROW LEVEL SECURITY;"
            f"INSERT INTO shop.{name} VALUES ({value});"
            f"ALTER TABLE shop.{name} FORCE ROW LEVEL SECURITY".encode()
        )
    ground.execute("REVOKE ALL ON shop.d FROM shop_app")
    verdict = judged(ground)
    assert accused(verdict) == {"shop.c", "shop.e"}
    assert all("reads rows" in finding.detail for finding in verdict.findings)
    evidence = {line.split(":")[0]: line for line in verdict.evidence}
    assert "absent: P0001, '': P0001" in evidence["shop.b"]
    assert "absent: no row" in evidence["shop.a"]
    assert "no privilege, 42501" in evidence["shop.d"]


def test_policies_that_read_alike_are_read_of_their_own_table(ground: Connection) -> None:
    guarded(ground, "shop.a1", "v integer", "v = shop.tenant()")
    guarded(ground, "shop.b1", "v integer", "v = shop.tenant()")
    guarded(ground, 'shop."v"', "v integer", "v = shop.tenant()")
    guarded(
        ground,
        "shop.c1",
        "v integer",
        "v IN (SELECT b1.v FROM shop.b1 WHERE b1.v = shop.tenant())",
    )
    named = "EXISTS (SELECT FROM pg_class AS c WHERE c.relname = {} AND {} = shop.tenant())"
    guarded(ground, "shop.d1", "v integer", named.format("'a'", "v"))
    guarded(ground, 'shop."e""1"', "v integer", named.format("'a'", "v"))
    functions = read_context_only(ground).functions
    tables = read_tables(ground, rls_scope(CONTRACT))
    read = {table.name: read_policies(table, functions) for table in tables}
    compared = {
        name: {each.table for each in reading.comparisons} for name, reading in read.items()
    }
    assert compared == {
        "a1": {"a1"},
        "b1": {"b1"},
        "v": {"v"},
        "c1": {"b1"},
        "d1": {"d1"},
        'e"1': {'e"1'},
    }
    assert {reading.columns for reading in read.values()} == {("v",)}
    (link,) = read["c1"].links
    assert {link.one[0][1], link.other[0][1]} == {"b1", "c1"}


def test_of_tables_that_are_copied_at_once_each_is_answered(ground: Connection) -> None:
    """One raises an error, one gives a row away, and the others give none."""
    ground.execute(
        "CREATE FUNCTION shop.known() RETURNS integer LANGUAGE plpgsql STABLE AS $$ BEGIN"
        " IF shop.tenant() IS NULL THEN RAISE EXCEPTION 'no tenant'; END IF;"
        " RETURN shop.tenant(); END $$"
    )
    own = "v = (SELECT shop.tenant())"

    def copied() -> dict[str, str]:
        verdict = judge_rule(ground, CONTRACT, RULES["identity-isolated"])
        given = {f.object: f.detail for f in verdict.findings if "copies rows out" in f.detail}
        shown = [line.partition(":") for line in verdict.evidence if "COPY while" in line]
        return given | {table: rest.rpartition(": ")[2] for table, _, rest in shown}

    for name, policy in {"a": own, "c": f"{own} OR shop.tenant() IS NULL", "d": own}.items():
        guarded(ground, f"shop.{name}", "v integer", policy)
    gives = "shop_app copies rows out while the context is ''"
    assert copied() == {"shop.a": "no row", "shop.c": gives, "shop.d": "no row"}
    guarded(ground, "shop.b", "v integer", "v = (SELECT shop.known())")
    assert copied() == {
        "shop.a": "no row",
        "shop.b": "P0001",
        "shop.c": gives,
        "shop.d": "no row",
    }


def test_a_policy_that_tables_share_is_read_once_and_told_of_each(
    ground: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.execute(
        "CREATE TABLE shop.members (name text);"
        "CREATE FUNCTION shop.member(text) RETURNS boolean LANGUAGE sql STABLE"
        " SET search_path = shop AS 'SELECT EXISTS (SELECT FROM members WHERE name = $1)'"
    )
    tables = [f"shop.alike_{n}" for n in range(6)]
    for table in tables:
        guarded(ground, table, "tenant text NOT NULL", "shop.member(tenant)")
    read: list[str] = []

    def counted(text: str) -> tuple[Any, ...]:
        read.append(text)
        return parse(text)

    monkeypatch.setattr(looked_up, "parse", counted)
    verdict = judge_rule(ground, CONTRACT, RULES["policy-name-looked-up"])
    assert accused(verdict) == {f"own ON {table}" for table in tables}
    assert len(read) == len(set(read))
