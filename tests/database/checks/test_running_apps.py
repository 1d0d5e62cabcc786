"""Applications that run, on the schema that a batch makes: languages, mappers, roles, coverage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pytest_housekeeping.declarations.exemptions import CodeExemption
from pytest_housekeeping.model import Level, Verdict
from pytest_housekeeping.server import StagingDatabase
from support.running_ground import Ground, running_ground

DROP_NAME = "ALTER TABLE shop.customer DROP COLUMN name CASCADE"
REQUIRED = "ALTER TABLE shop.customer ADD COLUMN country text NOT NULL"
FILES = {
    "app/report.sql": "SELECT id\nFROM shop.customer\nWHERE name = 'x';\n",
    "app/orders.py": '"""Orders."""\n\n\nclass Orders:\n    def names(self, session):\n'
    '        return session.execute(text("SELECT name FROM shop.customer WHERE id = :id"))\n',
    "app/models.py": "from sqlalchemy import *\n\nclass Customer(Base):\n"
    '    __tablename__ = "customer"\n    __table_args__ = {"schema": "shop"}\n'
    "    id = Column(Integer)\n    email = Column(Text)\n    name = Column(Text)\n",
    "app/orders.ts": "export const names = (db, id) =>\n"
    "  db.query(`SELECT name FROM shop.customer WHERE id = ${id}`);\n",
    "app/model.ts": 'const customer = pgSchema("shop").table("customer", {\n'
    '  id: integer("id"), email: text("email"), name: text("name") });\n',
    "app/schema.prisma": "model Customer {\n  id Int\n  email String\n  name String\n"
    '  @@map("customer")\n  @@schema("shop")\n}\n',
    "app/rpc.ts": 'await client.schema("shop").rpc("price", { amount: 1 });\n',
}


@pytest.fixture
def ground(database: StagingDatabase, tmp_path: Path) -> Iterator[Ground]:
    with running_ground(database, tmp_path) as found:
        yield found


def told(verdict: Verdict) -> list[tuple[str, str, str]]:
    return [(each.rule, str(each.level), each.object) for each in verdict.findings]


def test_every_language_tells_its_own_line(ground: Ground) -> None:
    assert told(ground.verdict(FILES, DROP_NAME)) == [
        ("running-broken", "error", "app/model.ts:1:41 column name of shop.customer"),
        ("running-broken", "error", "app/models.py:4:21 column name of shop.customer"),
        ("running-broken", "error", "app/orders.py:6:45 name"),
        ("running-broken", "error", "app/orders.ts:2:20 name"),
        ("running-broken", "error", "app/report.sql:3:7 name"),
        ("running-broken", "error", "app/schema.prisma:6:13 column name of shop.customer"),
    ]


def test_a_mapped_class_writes_all_that_it_knows_and_no_more(ground: Ground) -> None:
    mapped = {name: FILES[name] for name in ("app/model.ts", "app/models.py", "app/schema.prisma")}
    rule = ("running-required", "error")
    assert told(ground.verdict(mapped, REQUIRED)) == [
        (*rule, "app/model.ts:1:41 shop.customer.country"),
        (*rule, "app/models.py:4:21 shop.customer.country"),
        (*rule, "app/schema.prisma:6:13 shop.customer.country"),
    ]
    # A class that it inherits from may have the column; who only reads is not told.
    before = "ALTER TABLE shop.customer ALTER note SET NOT NULL"
    assert {level for _, level, _ in told(ground.verdict(mapped, before))} == {"warning"}
    # What it has left out all along, it leaves out.
    lacking = {"app/models.py": FILES["app/models.py"].replace("email = Column(Text)", "x = 1")}
    assert told(ground.verdict(lacking, "ALTER TABLE shop.customer ADD COLUMN c text")) == []
    reader = replace(ground, roles=("shop_reader",))
    assert told(reader.verdict(mapped, REQUIRED)) == []
    # What it reads has another type.
    wider = told(
        ground.verdict(
            mapped, "DROP VIEW shop.customer_name; ALTER TABLE shop.customer ALTER id TYPE bigint"
        )
    )
    assert [each[:2] for each in wider] == [("running-row", "warning")] * 3


def test_a_function_that_is_called_by_its_name_alone(ground: Ground) -> None:
    code = {"app/rpc.ts": FILES["app/rpc.ts"]}
    found = told(ground.verdict(code, "DROP FUNCTION shop.price(integer)"))
    assert [each[:2] for each in found] == [("running-broken", "error")]
    assert found[0][2].endswith("function shop.price")


def test_of_a_statement_with_a_hole_the_names_are_looked_up(ground: Ground) -> None:
    code = {
        "app/a.py": 'def f(cur, columns):\n    cur.execute(f"SELECT {columns} FROM shop.orders")\n'
    }
    verdict = ground.verdict(code, "ALTER TABLE shop.orders RENAME TO sale")
    in_code = [each for each in told(verdict) if each[2].startswith("app/")]
    assert in_code == [("running-broken", "error", "app/a.py:2:17 relation shop.orders")]
    assert "app/a.py: 0 statements prepared, 0 names looked up, 1 made at run time" in "".join(
        verdict.coverage
    )


def test_who_may_tells_the_level(ground: Ground) -> None:
    both = replace(ground, roles=("shop_reader", "shop_app"))
    statement = "SELECT id FROM shop.customer"
    revoked = "REVOKE SELECT ON shop.customer FROM {}"
    (one,) = both.findings(statement, revoked.format("shop_reader"))
    assert (one.rule, one.level) == ("running-broken", Level.WARNING)
    assert "for shop_reader" in one.detail
    (all_,) = both.findings(statement, revoked.format("shop_reader, shop_app"))
    assert all_.level is Level.ERROR
    # The reader never could; that the writer can no longer is what counts.
    (write,) = both.findings(
        "DELETE FROM shop.archive", "REVOKE DELETE ON shop.archive FROM shop_app"
    )
    assert write.level is Level.ERROR
    (gone,) = ground.findings(statement, "DROP OWNED BY shop_app; DROP ROLE shop_app")
    assert (gone.level, 'role "shop_app" does not exist' in gone.detail) == (Level.ERROR, True)


def test_a_role_that_the_batch_makes_or_a_name_that_one_role_sees(ground: Ground) -> None:
    new = replace(ground, roles=("shop_app", "shop_new"))
    code = {
        "app/a.py": 'connect("dbname=x", options="-c search_path=nowhere")\n'
        'cur.execute("TRUNCATE orders")\ncur.execute("SELECT 1")\n'
    }
    ground.connection.execute("ALTER ROLE shop_app SET search_path = shop")
    made = told(new.verdict(code, "CREATE ROLE shop_new"))
    assert made == []
    # The other role has never found it: that it does not now keeps nothing alive.
    both = replace(ground, roles=("shop_reader", "shop_app"))
    moved = told(both.verdict(code, "ALTER TABLE shop.orders RENAME TO sale"))
    assert ("running-broken", "error", "app/a.py:2:13 relation orders") in moved


def test_bare_names_go_by_the_search_path_of_the_role(ground: Ground) -> None:
    ground.connection.execute("ALTER ROLE shop_app SET search_path = shop")
    found = ground.findings("SELECT name FROM customer", DROP_NAME)
    assert [each.rule for each in found] == ["running-broken"]
    moved = ground.findings(
        "SELECT name FROM customer", "ALTER ROLE shop_app SET search_path = public"
    )
    assert [each.rule for each in moved] == ["running-broken"]
    assert 'relation "customer" does not exist' in moved[0].detail


@pytest.mark.parametrize(
    "chosen",
    [
        'connect("dbname=x", options="-c search_path=shop")\n',
        'cur.execute("SET search_path TO shop, public")\n',
        'engine = create_engine("postgresql://u@h/x?options=-csearch_path%3Dshop")\n',
    ],
)
def test_bare_names_go_by_a_path_that_the_code_chooses(ground: Ground, chosen: str) -> None:
    code = {"app/a.py": f'{chosen}cur.execute("SELECT name FROM customer")\n'}
    found = told(ground.verdict(code, DROP_NAME))
    assert found == [("running-broken", "error", "app/a.py:2:21 name")]
    assert told(ground.verdict(code, "ALTER TABLE shop.customer ADD COLUMN x text")) == []


def test_types_that_the_driver_would_tell_decide(ground: Ground) -> None:
    overload = (
        "CREATE FUNCTION shop.price(amount text) RETURNS integer LANGUAGE sql AS 'SELECT 1';"
        " CREATE FUNCTION shop.price(amount date) RETURNS integer LANGUAGE sql AS 'SELECT 1'"
    )
    found = ground.findings("SELECT shop.price(%s)", overload)
    assert {each.level for each in found} <= {Level.WARNING}, found


def test_what_was_refused_before_is_told_and_not_judged(ground: Ground) -> None:
    code = {"app/a.py": 'cur.execute("SELECT nothing FROM shop.orders")\n'}
    verdict = ground.verdict(code, "ALTER TABLE shop.orders RENAME TO sale")
    assert [each.rule for each in verdict.findings if each.object.startswith("app/")] == []
    assert (
        "app/a.py: 0 statements prepared, 0 names looked up, 1 refused before already"
        ' (line 1: column "nothing" does not exist)' in verdict.coverage
    )


def test_beside_a_temporary_table_of_its_own_the_names_are_looked_up(ground: Ground) -> None:
    code = {
        "app/a.py": 'cur.execute("CREATE TEMP TABLE mine (id integer)")\n'
        'cur.execute("INSERT INTO mine SELECT id FROM shop.orders")\n'
        'cur.execute("SELECT nothing FROM shop.orders")\n'
    }
    verdict = ground.verdict(code, "ALTER TABLE shop.orders RENAME TO sale")
    found = [each for each in told(verdict) if each[2].startswith("app/")]
    assert found == [("running-broken", "error", "app/a.py:2:13 relation shop.orders")]


def test_an_application_without_a_statement_is_told_by_name(ground: Ground) -> None:
    verdict = ground.verdict({"app/a.py": "x = 1\n"}, "SELECT 1")
    (finding,) = verdict.findings
    assert (finding.rule, finding.level, finding.object) == (
        "running-unseen",
        Level.WARNING,
        "shop",
    )
    assert verdict.passed
    assert "no statement of it was found in aaaaaaaaaaaa" in finding.detail
    assert not ground.verdict({}, "SELECT 1").passed
    refused = {"app/a.py": 'cur.execute("SELECT nothing FROM shop.orders")\n'}
    (finding,) = ground.verdict(refused, "SELECT 1").findings
    assert "0 names looked up, 1 refused before already" in finding.detail


EXEMPT = CodeExemption(
    rule="running-broken",
    file="app/orders.py",
    symbol="Orders.names",
    object="name",
    reason="switched off",
    until=date(2026, 6, 1),
)


@pytest.mark.parametrize(
    ("exemption", "expected"),
    [
        (EXEMPT, []),
        (
            replace(EXEMPT, until=date(2026, 5, 31)),
            [("running-broken", "error"), ("running-exemption", "warning")],
        ),
        (
            replace(EXEMPT, rule="running-row"),
            [("running-broken", "error"), ("running-exemption", "warning")],
        ),
        (
            replace(EXEMPT, symbol="Orders.others"),
            [("running-broken", "error"), ("running-exemption", "warning")],
        ),
    ],
)
def test_an_exemption_is_about_one_thing(
    ground: Ground, exemption: CodeExemption, expected: list[tuple[str, str]]
) -> None:
    code = {"app/orders.py": FILES["app/orders.py"]}
    verdict = replace(ground, exemptions=(exemption,)).verdict(code, DROP_NAME)
    assert [each[:2] for each in told(verdict)] == expected
    assert verdict.passed is not any(level == "error" for _, level in expected)


def test_the_fix_has_what_an_exemption_is_made_of(ground: Ground) -> None:
    (finding,) = ground.verdict({"app/orders.py": FILES["app/orders.py"]}, DROP_NAME).findings
    for key in ("rule", "file", "symbol", "object"):
        assert f"{key} {getattr(EXEMPT, key)}" in finding.fix
