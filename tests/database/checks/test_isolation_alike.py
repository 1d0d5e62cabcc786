"""Of empty tables of one form the first is tried, and each is judged as if it stood alone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress

import psycopg
import pytest

from pytest_housekeeping.checks.rls import judge_rule
from pytest_housekeeping.checks.rls.proofs import isolation
from pytest_housekeeping.checks.rls.proofs.isolation_pairs import Unproved
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection
from support.guarded import CONTRACT, RULES, laid_ground

RULE = RULES["identity-isolated"]
NAMES = ("first", "second", "third", "fourth", "fifth")
OWN = "tenant = (SELECT shop.tenant())"
# Each may be what one of the tables alone has.
COLUMNS = ("kind text NOT NULL", "kind text", "kind varchar(9) NOT NULL", "kind shop.word NOT NULL")
CONSTRAINTS = (
    "CHECK (kind = 'open')",
    "UNIQUE (kind)",
    "UNIQUE (tenant, kind)",
    "CHECK (tenant <> 3)",
    "FOREIGN KEY (kind) REFERENCES beside.kinds",
    "FOREIGN KEY (tenant) REFERENCES beside.tenants",
    "EXCLUDE (kind WITH =)",
    "up integer NOT NULL REFERENCES shop.first",
)
POLICIES = (
    f"USING ({OWN})",
    f"USING ({OWN}) WITH CHECK (tenant > 0)",
    f"USING ({OWN} OR kind = 'open')",
    "USING (tenant = shop.tenant() AND kind <> 'shut')",
    "USING (tenant = current_setting('app.tenant', true)::integer)",
    "USING (tenant <> shop.tenant())",
    "USING (kind IN (SELECT k.kind FROM beside.kinds AS k) AND tenant = shop.tenant())",
    "USING (shop.known(kind) AND tenant = shop.tenant())",
    "USING (tenant = shop.tenant() OR tableoid = 'shop.third'::regclass)",
)
MORE = (
    "CREATE POLICY more ON shop.{name} FOR DELETE USING (kind <> 'kept')",
    "CREATE POLICY more ON shop.{name} FOR SELECT USING (kind = 'open')",
    "CREATE POLICY more ON shop.{name} AS RESTRICTIVE FOR INSERT WITH CHECK (kind <> 'kept')",
    "CREATE POLICY more ON shop.{name} FOR UPDATE USING (true) WITH CHECK (shop.known(kind))",
    "REVOKE DELETE ON shop.{name} FROM shop_app",
    "REVOKE UPDATE ON shop.{name} FROM shop_app; GRANT UPDATE (kind) ON shop.{name} TO shop_app",
    "REVOKE ALL ON shop.{name} FROM shop_app; GRANT INSERT ON shop.{name} TO shop_app",
    "ALTER TABLE shop.{name} ALTER kind SET DEFAULT 'open'",
    "ALTER TABLE shop.{name} NO FORCE ROW LEVEL SECURITY",
    """ALTER TABLE shop.{name} NO FORCE ROW LEVEL SECURITY;
    INSERT INTO shop.{name} VALUES (1, 1, 'open'), (2, 2, 'open');
    ALTER TABLE shop.{name} FORCE ROW LEVEL SECURITY""",
    """CREATE TRIGGER follows BEFORE INSERT ON shop.{name}
    FOR EACH ROW EXECUTE FUNCTION shop.follows()""",
    """CREATE TRIGGER opens BEFORE INSERT OR UPDATE ON shop.{name}
    FOR EACH ROW EXECUTE FUNCTION shop.opens()""",
)
GROUND = """
DROP TABLE shop.orders, shop.line, shop.archive CASCADE;
CREATE SCHEMA beside; GRANT USAGE ON SCHEMA beside TO shop_app;
CREATE DOMAIN shop.word AS text CHECK (VALUE <> 'x');
CREATE TABLE beside.kinds (kind text PRIMARY KEY CHECK (kind = 'open'));
CREATE TABLE beside.tenants (tenant integer PRIMARY KEY);
GRANT SELECT ON beside.kinds TO shop_app;
CREATE FUNCTION shop.known(text) RETURNS boolean LANGUAGE plpgsql STABLE AS
$$ BEGIN RETURN EXISTS (SELECT FROM beside.kinds AS k WHERE k.kind = $1); END $$;
CREATE FUNCTION shop.opens() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.kind := 'open'; RETURN NEW; END $$;
CREATE FUNCTION shop.follows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.tenant := coalesce(
(SELECT f.tenant FROM shop.first AS f WHERE f.id = (pg_catalog.to_jsonb(NEW) ->> 'up')::integer),
NEW.tenant); RETURN NEW; END $$;
"""


@pytest.fixture
def ground(connection: Connection, superuser: Connection) -> Iterator[Connection]:
    with laid_ground(connection, superuser) as laid:
        laid.execute(GROUND.encode())
        yield laid


def laid(ground: Connection, name: str, *columns: str) -> None:
    ground.execute(
        f"CREATE TABLE shop.{name} (id integer PRIMARY KEY, tenant integer NOT NULL,"
        f" {', '.join(filter(None, columns))});"
        f"ALTER TABLE shop.{name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON shop.{name} TO shop_app".encode()
    )


def guarded(ground: Connection, name: str, policy: str, *more: str) -> None:
    statements = (f"CREATE POLICY own ON shop.{name} {policy}", *more)
    ground.execute(";".join(statements).format(name=name).encode())


def judged(ground: Connection, *only: str) -> Verdict:
    return judge_rule(ground, CONTRACT, RULE, only=frozenset(only))


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables for which rows were made up, in their turn."""
    found: list[str] = []
    make_up = isolation._IsolationProof.try_made_up_rows

    def seen(self: object, asked: Sequence[Unproved], *, data_too: bool) -> list[Unproved]:
        found.extend(each.table.name for each in asked)
        return make_up(self, asked, data_too=data_too)  # type: ignore[arg-type]

    monkeypatch.setattr(isolation._IsolationProof, "try_made_up_rows", seen)
    return found


def test_the_first_of_a_form_is_tried_and_stands_for_the_others(
    ground: Connection, tried: list[str]
) -> None:
    for name in NAMES[:4]:
        laid(ground, name, COLUMNS[0])
        guarded(ground, name, POLICIES[0])
    laid(ground, "fifth", COLUMNS[0], CONSTRAINTS[0])
    guarded(ground, "fifth", POLICIES[0])
    verdict = judged(ground)
    assert verdict.passed
    assert verdict.examined == 5
    assert tried == ["fifth", "first"]
    as_first = "shop_app: as on shop.first, whose policies decide all of it alike"
    assert [line for line in verdict.evidence if line.startswith("shop.second:")] == [
        f"shop.second: {as_first}"
    ]


def test_where_the_first_is_open_each_is_tried(ground: Connection, tried: list[str]) -> None:
    for name in NAMES[:3]:
        laid(ground, name, COLUMNS[0])
        guarded(ground, name, POLICIES[1])
    assert {each.object for each in judged(ground).findings} == {
        "shop.first",
        "shop.second",
        "shop.third",
    }
    assert sorted(tried) == ["first", "second", "third"]


@pytest.mark.parametrize("seed", range(3))
def test_each_is_judged_as_if_it_stood_alone(ground: Connection, seed: int) -> None:
    draw = random.Random(seed)
    columns, policy = draw.choice(COLUMNS), draw.choice(POLICIES)
    form = [columns, "", policy, draw.choice(("", *MORE))]
    forms = {name: list(form) for name in NAMES}
    for other in forms.values():
        if draw.random() < 0.5:
            place = draw.randrange(4)
            other[place] = draw.choice((COLUMNS, CONSTRAINTS, POLICIES, MORE)[place])
    for name, (columns, constraint, _, _) in forms.items():
        laid(ground, name, columns, constraint)
    for name, (_, _, policy, more) in forms.items():
        # Rows that a constraint does not take are left out, and what stands with them.
        with suppress(psycopg.Error), ground.transaction():
            guarded(ground, name, policy, more)
    together = judged(ground).findings
    for name in NAMES:
        alone = judged(ground, f"shop.{name}").findings
        assert [each for each in together if each.object == f"shop.{name}"] == list(alone), name
