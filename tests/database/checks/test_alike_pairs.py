"""Of tables on which policies decide alike one is tried; whatever else decides, each one is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pytest_housekeeping.checks.rls import judge_rule
from pytest_housekeeping.declarations.rls import PublicRows
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection
from support.guarded import CONTRACT, RULES, laid_ground

TABLE = """
CREATE TABLE shop.{name} (
    id integer PRIMARY KEY, tenant integer NOT NULL, kind text NOT NULL, note text
);
ALTER TABLE shop.{name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON shop.{name} TO shop_app;
CREATE POLICY own ON shop.{name} USING (tenant = (SELECT shop.tenant()));
"""
# A policy that lets a row pass of which nobody could guess the value.
OPENING = """
CREATE FUNCTION shop.opened(text) RETURNS boolean LANGUAGE plpgsql STABLE AS
$$ BEGIN RETURN pg_catalog.md5($1) = 'c8dae1c50e092f3d877192fc555b1dcf'; END $$;
CREATE POLICY more ON shop.first FOR SELECT USING (shop.opened(note));
CREATE POLICY more ON shop.second FOR SELECT USING (shop.opened(note));
"""
ALIKE = "as on shop.first, whose policies decide all of it alike"
# What opens the second table, and leaves the first as it is; the policies are the same texts.
OPENED = {
    "a policy beside": "CREATE POLICY more ON shop.second FOR SELECT USING (true)",
    "who owns it": """
        ALTER TABLE shop.first NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE shop.second NO FORCE ROW LEVEL SECURITY;
        GRANT CREATE ON SCHEMA shop TO shop_app;
        ALTER TABLE shop.second OWNER TO shop_app""",
    "a policy that hands on": "ALTER POLICY own ON shop.second WITH CHECK (tenant > 0)",
    "row-level security that is off": "ALTER TABLE shop.second DISABLE ROW LEVEL SECURITY",
    "a row that everybody sees": OPENING
    + """
        ALTER TABLE shop.second NO FORCE ROW LEVEL SECURITY;
        INSERT INTO shop.second VALUES (901, 77, 'x', 'sesame');
        ALTER TABLE shop.second FORCE ROW LEVEL SECURITY""",
    "a value that only its rows have": OPENING
    + """
        ALTER TABLE shop.second ADD CHECK (note = 'sesame')""",
    "a function for another type": """
        CREATE FUNCTION shop.shown(text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN false;
        CREATE FUNCTION shop.shown(varchar) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
        ALTER TABLE shop.second ALTER kind TYPE varchar;
        CREATE POLICY more ON shop.first FOR SELECT USING (shop.shown(kind));
        CREATE POLICY more ON shop.second FOR SELECT USING (shop.shown(kind))""",
    "the table that a row is in": """
        ALTER TABLE shop.first NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE shop.second NO FORCE ROW LEVEL SECURITY;
        INSERT INTO shop.first VALUES (1, 1, 'x'), (2, 2, 'x');
        INSERT INTO shop.second VALUES (1, 1, 'x'), (2, 2, 'x');
        ALTER TABLE shop.first FORCE ROW LEVEL SECURITY;
        ALTER TABLE shop.second FORCE ROW LEVEL SECURITY;
        CREATE FUNCTION shop.here(oid) RETURNS boolean LANGUAGE sql STABLE
        RETURN $1 = 'shop.second'::regclass;
        CREATE POLICY more ON shop.first FOR SELECT USING (shop.here(tableoid));
        CREATE POLICY more ON shop.second FOR SELECT USING (shop.here(tableoid))""",
    "a column that fills itself": """
        ALTER TABLE shop.first NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE shop.second NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE shop.first DROP kind, ADD kind text GENERATED ALWAYS AS ('x') STORED;
        ALTER TABLE shop.second DROP kind, ADD kind text
        GENERATED ALWAYS AS (CASE note WHEN 'sesame' THEN 'open' ELSE 'x' END) STORED;
        INSERT INTO shop.first (id, tenant, note) VALUES (1, 1, 'a'), (2, 2, 'a');
        INSERT INTO shop.second (id, tenant, note) VALUES (1, 1, 'a'), (2, 2, 'a');
        ALTER TABLE shop.first FORCE ROW LEVEL SECURITY, ALTER note SET DEFAULT 'sesame';
        ALTER TABLE shop.second FORCE ROW LEVEL SECURITY, ALTER note SET DEFAULT 'sesame';
        CREATE POLICY more ON shop.first FOR INSERT WITH CHECK (kind = 'open');
        CREATE POLICY more ON shop.second FOR INSERT WITH CHECK (kind = 'open')""",
    "a privilege": """
        REVOKE DELETE ON shop.first FROM shop_app;
        CREATE POLICY more ON shop.first FOR DELETE USING (true);
        CREATE POLICY more ON shop.second FOR DELETE USING (true)""",
    "a column that may be set": """
        REVOKE UPDATE ON shop.first FROM shop_app; GRANT UPDATE (note) ON shop.first TO shop_app;
        CREATE POLICY more ON shop.first FOR UPDATE USING (tenant = (SELECT shop.tenant()))
        WITH CHECK (true);
        CREATE POLICY more ON shop.second FOR UPDATE USING (tenant = (SELECT shop.tenant()))
        WITH CHECK (true)""",
    "a refusal that is no policy's": """
        CREATE SEQUENCE shop.seq; ALTER TABLE shop.first ALTER note SET DEFAULT nextval('shop.seq');
        CREATE POLICY more ON shop.first FOR INSERT WITH CHECK (tenant > 0);
        CREATE POLICY more ON shop.second FOR INSERT WITH CHECK (tenant > 0)""",
    "a trigger": OPENING
    + """
        DROP POLICY more ON shop.first; DROP POLICY more ON shop.second;
        CREATE POLICY more ON shop.first FOR UPDATE USING (true) WITH CHECK (shop.opened(note));
        CREATE POLICY more ON shop.second FOR UPDATE USING (true) WITH CHECK (shop.opened(note));
        CREATE FUNCTION shop.opens() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.note := 'sesame'; RETURN NEW; END $$;
        CREATE TRIGGER opens BEFORE UPDATE ON shop.second
        FOR EACH ROW EXECUTE FUNCTION shop.opens()""",
    "another trigger": """
        CREATE POLICY more ON shop.first FOR UPDATE USING (true)
        WITH CHECK (md5(note) = 'c8dae1c50e092f3d877192fc555b1dcf');
        CREATE POLICY more ON shop.second FOR UPDATE USING (true)
        WITH CHECK (md5(note) = 'c8dae1c50e092f3d877192fc555b1dcf');
        CREATE FUNCTION shop.opens() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.note := TG_ARGV[0]; RETURN NEW; END $$;
        CREATE TRIGGER opens BEFORE UPDATE ON shop.first
        FOR EACH ROW EXECUTE FUNCTION shop.opens('barley');
        CREATE TRIGGER opens BEFORE UPDATE ON shop.second
        FOR EACH ROW EXECUTE FUNCTION shop.opens('sesame')""",
    "a function that looks whether one of them has rows": """
        ALTER TABLE shop.first NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE shop.second NO FORCE ROW LEVEL SECURITY;
        CREATE FUNCTION shop.there() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS
        'SELECT EXISTS (SELECT FROM shop.second)';
        CREATE POLICY more ON shop.first FOR SELECT USING (shop.there());
        CREATE POLICY more ON shop.second FOR SELECT USING (shop.there())""",
}

# Whoever reads a row of another may put it in the place of his own, by its key.
READ_BY_ALL = """
CREATE POLICY seen ON shop.first FOR SELECT USING (true);
CREATE POLICY seen ON shop.second FOR SELECT USING (true);
CREATE POLICY more ON shop.first FOR UPDATE USING (true)
WITH CHECK (tenant = (SELECT shop.tenant()));
CREATE POLICY more ON shop.second FOR UPDATE USING (true)
WITH CHECK (tenant = (SELECT shop.tenant()));
REVOKE UPDATE ON shop.second FROM shop_app; GRANT UPDATE (tenant) ON shop.second TO shop_app;
"""
PUBLIC = replace(
    CONTRACT,
    public=tuple(
        PublicRows(table=f"shop.{name}", reason="it is for all") for name in ("first", "second")
    ),
)
OF_KIND = """
REVOKE UPDATE ON shop.first FROM shop_app; GRANT UPDATE (tenant) ON shop.first TO shop_app;
ALTER TABLE shop.first NO FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.second NO FORCE ROW LEVEL SECURITY;
INSERT INTO shop.first VALUES (1, 1, 'x'), (2, 2, 'y');
INSERT INTO shop.second VALUES (1, 1, 'x'), (2, 2, 'y');
ALTER TABLE shop.first FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.second FORCE ROW LEVEL SECURITY;
CREATE POLICY of_kind ON shop.first AS RESTRICTIVE FOR INSERT WITH CHECK (kind = 'y');
CREATE POLICY of_kind ON shop.second AS RESTRICTIVE FOR INSERT WITH CHECK (kind = 'y');
"""
OPENED_TO_READERS = {
    "what can be assigned": "",
    "a key that policies name": f"{OF_KIND} ALTER TABLE shop.second ADD UNIQUE (kind)",
    "what the table puts in itself": OF_KIND
    + """
        REVOKE INSERT ON shop.first, shop.second FROM shop_app;
        GRANT INSERT (id, tenant, note) ON shop.first, shop.second TO shop_app;
        ALTER TABLE shop.first ALTER kind SET DEFAULT 'x';
        ALTER TABLE shop.second ALTER kind SET DEFAULT 'y'""",
}


@pytest.fixture
def ground(connection: Connection, superuser: Connection) -> Iterator[Connection]:
    with laid_ground(connection, superuser) as laid:
        laid.execute("DROP TABLE shop.orders, shop.line, shop.archive CASCADE")
        for name in ("first", "second", "third"):
            laid.execute(TABLE.format(name=name).encode())
        yield laid


def judged(ground: Connection) -> Verdict:
    return judge_rule(ground, CONTRACT, RULES["identity-isolated"])


def told_alike(verdict: Verdict) -> set[str]:
    return {line.split(":")[0] for line in verdict.evidence if ALIKE in line}


def test_of_tables_that_are_alike_the_first_is_tried(ground: Connection) -> None:
    ground.execute(
        "ALTER TABLE shop.second ADD more text DEFAULT 'x', ADD CHECK (length(note) < 9)"
    )
    verdict = judged(ground)
    assert verdict.passed
    assert verdict.examined == 3
    assert told_alike(verdict) == {"shop.second", "shop.third"}
    (first,) = [
        line
        for line in verdict.evidence
        if "shop.first: shop_app: rows made up: app.tenant" in line
    ][:1]
    assert "write refused (42501)" in first


@pytest.mark.parametrize("what", OPENED)
def test_what_opens_one_of_them_is_found_as_if_it_were_alone(ground: Connection, what: str) -> None:
    ground.execute(OPENED[what].encode())
    # Together first: rows that were made up leave their pages behind, and a table with pages is
    # never taken for alike as a whole.
    together = [each for each in judged(ground).findings if each.object == "shop.second"]
    alone = judge_rule(
        ground, CONTRACT, RULES["identity-isolated"], only=frozenset({"shop.second"})
    ).findings
    assert any(" acting for " in each.detail for each in alone)
    assert together == list(alone)


@pytest.mark.parametrize("what", OPENED_TO_READERS)
def test_what_opens_it_to_readers_is_found_as_if_it_were_alone(
    ground: Connection, what: str
) -> None:
    ground.execute(f"{READ_BY_ALL}{OPENED_TO_READERS[what]}".encode())
    rule = RULES["identity-isolated"]
    together = judge_rule(ground, PUBLIC, rule).findings
    alone = judge_rule(ground, PUBLIC, rule, only=frozenset({"shop.second"})).findings
    assert any(" takes over a row of " in each.detail for each in alone)
    assert [each for each in together if each.object == "shop.second"] == list(alone)
