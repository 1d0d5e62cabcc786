"""One object of every kind, and small changes, each with the objects that it changes."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from pytest_housekeeping.server import StagingDatabase

ROLES = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'fp_owner') THEN
        CREATE ROLE fp_owner NOLOGIN; CREATE ROLE fp_app LOGIN; CREATE ROLE "Fp Ünïcode" NOLOGIN;
        GRANT fp_owner TO "Fp Ünïcode"; ALTER ROLE fp_owner SET work_mem = '5MB';
    END IF;
END $$;
"""

BASE = """
CREATE SCHEMA shop; ALTER SCHEMA shop OWNER TO fp_owner;
CREATE SCHEMA "Odd.Näme ""x"; GRANT USAGE ON SCHEMA shop TO fp_app;
CREATE TYPE shop.state AS ENUM ('new', 'paid', 'it''s sent');
CREATE TYPE shop.place AS (street text, zip varchar(9));
CREATE DOMAIN shop.email AS text CONSTRAINT has_at CHECK (VALUE ~ '@') DEFAULT 'a@b';
CREATE TYPE shop.span AS RANGE (subtype = float8);
CREATE COLLATION shop.plain FROM "C";
CREATE SEQUENCE shop.counter INCREMENT 2 MAXVALUE 1000 CACHE 5;
CREATE FUNCTION shop.add(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql IMMUTABLE
    AS 'SELECT a + b';
CREATE FUNCTION shop.modern(a int) RETURNS int LANGUAGE sql IMMUTABLE RETURN a + 1;
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql SET search_path = ''
    AS $f$ BEGIN RETURN NEW; END $f$;
CREATE FUNCTION shop.watch() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN END $f$;
CREATE PROCEDURE shop.tidy() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE shop.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE OPERATOR shop.#+# (LEFTARG = int, RIGHTARG = int, FUNCTION = shop.add);
CREATE OPERATOR FAMILY shop.odd USING btree;
CREATE CONVERSION shop.latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE OPERATOR CLASS shop.own FOR TYPE int USING hash AS OPERATOR 1 =, FUNCTION 1 hashint4(int);
CREATE TABLE shop.customers (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL COLLATE "C",
    email shop.email, seen timestamptz DEFAULT '2020-01-01 00:00+00', wait interval DEFAULT '1 day',
    initials text GENERATED ALWAYS AS (lower(name)) STORED, kind varchar(9)
        CONSTRAINT known CHECK (kind IN ('a', 'b')), blob bytea DEFAULT '\\xff');
CREATE TABLE shop.orders (
    id serial PRIMARY KEY, customer int NOT NULL, total bigint DEFAULT 0, state shop.state,
    note text, during int4range,
    CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES shop.customers (id),
    CONSTRAINT positive CHECK (total >= 0), EXCLUDE USING gist (during WITH &&));
ALTER TABLE shop.orders ADD CONSTRAINT later CHECK (id > 0) NOT VALID;
COMMENT ON TABLE shop.orders IS 'It''s "orders"'; COMMENT ON COLUMN shop.orders.note IS 'free';
CREATE INDEX orders_state ON shop.orders (state) WHERE state <> 'new';
CREATE INDEX orders_lower ON shop.orders (lower(note));
CREATE STATISTICS shop.together (dependencies) ON customer, total FROM shop.orders;
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY; ALTER TABLE shop.orders FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON shop.orders FOR SELECT TO fp_app USING (customer = 1);
CREATE POLICY strict ON shop.orders AS RESTRICTIVE USING (true) WITH CHECK (total < 100);
CREATE TRIGGER touch BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE RULE quiet AS ON DELETE TO shop.customers DO INSTEAD NOTHING;
CREATE VIEW shop.paid WITH (security_invoker = true) AS
    SELECT o.id, c.name FROM shop.orders o JOIN shop.customers c ON c.id = o.customer
    WHERE o.state IN ('paid', 'new');
CREATE MATERIALIZED VIEW shop.summary AS SELECT customer, sum(total) FROM shop.orders GROUP BY 1;
CREATE UNIQUE INDEX summary_customer ON shop.summary (customer);
CREATE TABLE shop.events (id int, at date NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE shop.events_1 PARTITION OF shop.events
    FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE shop.events_2 PARTITION OF shop.events DEFAULT;
CREATE INDEX events_what ON shop.events (what);
CREATE TRIGGER touch BEFORE UPDATE ON shop.events FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE TABLE shop.parent (a int, CONSTRAINT a_check CHECK (a > 0));
CREATE TABLE shop.child (b int) INHERITS (shop.parent);
CREATE TABLE shop.lone (a int, b text);
CREATE TABLE "Odd.Näme ""x"."Tab.le ""y" ("Col.umn ""z" int PRIMARY KEY, "select" text);
CREATE TABLE shop.dues (id int REFERENCES "Odd.Näme ""x"."Tab.le ""y") PARTITION BY LIST (id);
CREATE TABLE shop.dues_1 PARTITION OF shop.dues FOR VALUES IN (1);
SELECT lo_create(4242);
CREATE POLICY "Pöl ""i" ON "Odd.Näme ""x"."Tab.le ""y" TO "Fp Ünïcode" USING (true);
GRANT INSERT, SELECT ON shop.orders TO fp_app; GRANT UPDATE (note) ON shop.orders TO fp_app;
GRANT SELECT ON "Odd.Näme ""x"."Tab.le ""y" TO "Fp Ünïcode";
REVOKE EXECUTE ON FUNCTION shop.add(int, int) FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE fp_owner IN SCHEMA shop GRANT SELECT ON TABLES TO fp_app;
CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
    EXECUTE FUNCTION shop.watch();
CREATE PUBLICATION feed FOR TABLE shop.lone (a) WHERE (a > 1);
CREATE TEXT SEARCH CONFIGURATION shop.english (COPY = pg_catalog.english);
CREATE TEXT SEARCH DICTIONARY shop.plain (TEMPLATE = pg_catalog.simple);
CREATE CAST (shop.place AS text) WITH INOUT;
CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far OPTIONS (host 'h');
CREATE USER MAPPING FOR fp_app SERVER away OPTIONS (user 'u', password 'hunter2''s "secret"');
CREATE FOREIGN TABLE shop.remote (a int OPTIONS (c 'd')) SERVER away OPTIONS (t 'x');
"""


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """A change, and what the difference has to name: no more, no less."""

    sql: str
    expected: tuple[str, ...]
    since: int = 15


def changed(sql: str, *names: str, since: int = 15) -> Mutation:
    return Mutation(sql=sql, expected=tuple(f"changed {name}" for name in names), since=since)


def added(sql: str, *names: str) -> Mutation:
    return Mutation(sql=sql, expected=tuple(f"added {name}" for name in names))


def _removed(sql: str, *names: str) -> Mutation:
    return Mutation(sql=sql, expected=tuple(f"removed {name}" for name in names))


_T = "ALTER TABLE shop.orders"
ODD = '"Odd.Näme ""x"."Tab.le ""y"'
MUTATIONS = (
    # tables
    added("CREATE TABLE shop.new (id serial PRIMARY KEY, x int CHECK (x > 1))", "table shop.new"),
    Mutation(
        sql="DROP TABLE shop.lone CASCADE",
        expected=("removed table shop.lone", "changed publication feed"),
    ),
    changed("ALTER TABLE shop.lone OWNER TO fp_owner", "table shop.lone"),
    changed("ALTER TABLE shop.child SET UNLOGGED", "table shop.child"),
    changed("ALTER TABLE shop.lone SET (fillfactor = 70)", "table shop.lone"),
    changed("ALTER TABLE shop.lone SET (toast.autovacuum_enabled = off)", "table shop.lone"),
    changed("ALTER TABLE shop.lone ENABLE ROW LEVEL SECURITY", "table shop.lone"),
    changed(f"{_T} DISABLE ROW LEVEL SECURITY", "table shop.orders"),
    changed(f"{_T} NO FORCE ROW LEVEL SECURITY", "table shop.orders"),
    changed("ALTER TABLE shop.lone REPLICA IDENTITY FULL", "table shop.lone"),
    changed("COMMENT ON TABLE shop.orders IS NULL", "table shop.orders"),
    changed("GRANT DELETE ON shop.orders TO fp_app", "table shop.orders"),
    changed("GRANT SELECT ON shop.orders TO PUBLIC", "table shop.orders"),
    changed("REVOKE INSERT ON shop.orders FROM fp_app", "table shop.orders"),
    changed("GRANT SELECT ON shop.orders TO fp_app WITH GRANT OPTION", "table shop.orders"),
    changed("REVOKE TRUNCATE ON shop.customers FROM postgres", "table shop.customers"),
    changed(
        "ALTER TABLE shop.child NO INHERIT shop.parent",
        "table shop.child",
        "column shop.child.a",
        "constraint a_check on shop.child",
    ),
    Mutation(
        sql="ALTER TABLE shop.lone RENAME TO alone",
        expected=("removed table shop.lone", "added table shop.alone", "changed publication feed"),
    ),
    Mutation(
        sql="ALTER TABLE shop.events DETACH PARTITION shop.events_2",
        expected=(
            "changed table shop.events_2",
            "changed index shop.events_2_what_idx",
            "changed column shop.events_2.at",
            "changed column shop.events_2.id",
            "changed column shop.events_2.what",
        ),
    ),
    # columns
    added(f"{_T} ADD COLUMN x int", "column shop.orders.x"),
    _removed(f"{_T} DROP COLUMN note", "column shop.orders.note", "index shop.orders_lower"),
    changed("ALTER TABLE shop.child ALTER b TYPE numeric(9, 2)", "column shop.child.b"),
    changed("ALTER TABLE shop.customers ALTER kind TYPE varchar(10)", "column shop.customers.kind"),
    Mutation(
        sql=f'{_T} ALTER note TYPE text COLLATE "C"', expected=("changed column shop.orders.note",)
    ),
    changed(f"{_T} ALTER total SET NOT NULL", "column shop.orders.total"),
    changed(f"{_T} ALTER customer DROP NOT NULL", "column shop.orders.customer"),
    changed(f"{_T} ALTER total SET DEFAULT 1", "column shop.orders.total"),
    changed(f"{_T} ALTER total DROP DEFAULT", "column shop.orders.total"),
    changed(
        "ALTER TABLE shop.customers ALTER initials DROP EXPRESSION",
        "column shop.customers.initials",
    ),
    changed(
        "ALTER TABLE shop.customers ALTER id SET GENERATED BY DEFAULT", "column shop.customers.id"
    ),
    changed(f"{_T} ALTER note SET STORAGE EXTERNAL", "column shop.orders.note"),
    changed(f"{_T} ALTER note SET COMPRESSION pglz", "column shop.orders.note"),
    changed(f"{_T} ALTER note SET STATISTICS 500", "column shop.orders.note"),
    changed(f"{_T} ALTER note SET (n_distinct = 5)", "column shop.orders.note"),
    changed("COMMENT ON COLUMN shop.orders.note IS 'other'", "column shop.orders.note"),
    changed("REVOKE UPDATE (note) ON shop.orders FROM fp_app", "column shop.orders.note"),
    Mutation(
        sql="GRANT SELECT (id) ON shop.paid TO fp_app", expected=("added column shop.paid.id",)
    ),
    # constraints and indexes
    added(f"{_T} ADD CONSTRAINT c CHECK (total < 9)", "constraint c on shop.orders"),
    added(f"{_T} ADD CONSTRAINT u UNIQUE (total)", "constraint u on shop.orders"),
    _removed(f"{_T} DROP CONSTRAINT positive", "constraint positive on shop.orders"),
    changed(f"{_T} VALIDATE CONSTRAINT later", "constraint later on shop.orders"),
    changed(
        f"{_T} ALTER CONSTRAINT orders_customer_fkey DEFERRABLE INITIALLY DEFERRED",
        "constraint orders_customer_fkey on shop.orders",
    ),
    changed(
        f"{_T} DROP CONSTRAINT orders_customer_fkey, ADD CONSTRAINT orders_customer_fkey"
        " FOREIGN KEY (customer) REFERENCES shop.customers ON DELETE CASCADE",
        "constraint orders_customer_fkey on shop.orders",
    ),
    changed(
        "ALTER TABLE shop.customers DISABLE TRIGGER ALL",
        "constraint orders_customer_fkey on shop.orders",
    ),
    changed(
        "COMMENT ON CONSTRAINT positive ON shop.orders IS 'x'", "constraint positive on shop.orders"
    ),
    changed("ALTER INDEX shop.orders_pkey SET (fillfactor = 50)", "index shop.orders_pkey"),
    changed(
        "DROP INDEX shop.orders_state; CREATE INDEX orders_state ON shop.orders (state)",
        "index shop.orders_state",
    ),
    added("CREATE INDEX i ON shop.orders (total DESC)", "index shop.i"),
    _removed("DROP INDEX shop.orders_state", "index shop.orders_state"),
    changed(f"{_T} CLUSTER ON orders_pkey", "index shop.orders_pkey"),
    changed(f"{_T} REPLICA IDENTITY USING INDEX orders_pkey", "index shop.orders_pkey"),
    changed("ALTER INDEX shop.orders_lower ALTER 1 SET STATISTICS 9", "index shop.orders_lower"),
    changed(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.orders_state'::regclass",
        "index shop.orders_state",
    ),
    changed("ALTER STATISTICS shop.together SET STATISTICS 5", "statistics shop.together"),
    _removed("DROP STATISTICS shop.together", "statistics shop.together"),
    # views, sequences
    changed(
        "CREATE OR REPLACE VIEW shop.paid WITH (security_invoker = true) AS SELECT o.id, c.name"
        " FROM shop.orders o JOIN shop.customers c ON c.id = o.customer",
        "view shop.paid",
    ),
    changed("ALTER VIEW shop.paid SET (security_invoker = false)", "view shop.paid"),
    changed("ALTER VIEW shop.paid SET (security_barrier)", "view shop.paid"),
    changed("ALTER VIEW shop.paid OWNER TO fp_owner", "view shop.paid"),
    added("ALTER VIEW shop.paid ALTER name SET DEFAULT 'x'", "column shop.paid.name"),
    _removed("DROP MATERIALIZED VIEW shop.summary", "materialized view shop.summary"),
    changed("GRANT SELECT ON shop.summary TO fp_app", "materialized view shop.summary"),
    changed("ALTER SEQUENCE shop.counter INCREMENT 3", "sequence shop.counter"),
    changed("ALTER SEQUENCE shop.counter CYCLE", "sequence shop.counter"),
    changed("ALTER SEQUENCE shop.counter AS integer", "sequence shop.counter"),
    changed("ALTER SEQUENCE shop.counter OWNED BY shop.lone.a", "sequence shop.counter"),
    changed("ALTER SEQUENCE shop.orders_id_seq OWNED BY NONE", "sequence shop.orders_id_seq"),
    changed("GRANT USAGE ON SEQUENCE shop.counter TO fp_app", "sequence shop.counter"),
    # functions and what calls them
    changed(
        "CREATE OR REPLACE FUNCTION shop.add(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql"
        " IMMUTABLE AS 'SELECT a - b'",
        "function shop.add(integer,integer)",
    ),
    changed("ALTER FUNCTION shop.add SECURITY DEFINER", "function shop.add(integer,integer)"),
    changed("ALTER FUNCTION shop.add STABLE", "function shop.add(integer,integer)"),
    changed("ALTER FUNCTION shop.add LEAKPROOF", "function shop.add(integer,integer)"),
    changed("ALTER FUNCTION shop.add PARALLEL SAFE", "function shop.add(integer,integer)"),
    changed("ALTER FUNCTION shop.add COST 7", "function shop.add(integer,integer)"),
    changed("ALTER FUNCTION shop.touch RESET search_path", "function shop.touch()"),
    changed("GRANT EXECUTE ON FUNCTION shop.add TO PUBLIC", "function shop.add(integer,integer)"),
    changed("REVOKE EXECUTE ON FUNCTION shop.touch FROM PUBLIC", "function shop.touch()"),
    changed("ALTER FUNCTION shop.touch OWNER TO fp_owner", "function shop.touch()"),
    changed("COMMENT ON FUNCTION shop.touch() IS 'x'", "function shop.touch()"),
    changed(
        "CREATE OR REPLACE FUNCTION shop.modern(a int) RETURNS int LANGUAGE sql IMMUTABLE"
        " RETURN a + 2",
        "function shop.modern(integer)",
    ),
    added(
        "CREATE FUNCTION shop.add(text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "function shop.add(text)",
    ),
    changed(
        "CREATE OR REPLACE PROCEDURE shop.tidy() LANGUAGE sql AS 'SELECT 2'",
        "procedure shop.tidy()",
    ),
    changed(
        "DROP AGGREGATE shop.total(int); CREATE AGGREGATE shop.total(int)"
        " (SFUNC = int4pl, STYPE = int, INITCOND = '1')",
        "aggregate shop.total(integer)",
    ),
    changed(
        "ALTER OPERATOR shop.#+# (int, int) OWNER TO fp_owner", "operator shop.#+#(integer,integer)"
    ),
    changed(
        "ALTER OPERATOR FAMILY shop.odd USING btree ADD FUNCTION 1 (int, int) btint4cmp(int, int)",
        "operator family shop.odd using btree",
    ),
    changed("ALTER FOREIGN DATA WRAPPER far OPTIONS (ADD a 'b')", "foreign data wrapper far"),
    added(
        "CREATE TEXT SEARCH TEMPLATE shop.plain_words (LEXIZE = dsimple_lexize)",
        "text search template shop.plain_words",
    ),
    added(
        "CREATE TEXT SEARCH PARSER shop.words (START = prsd_start, GETTOKEN = prsd_nexttoken,"
        " END = prsd_end, LEXTYPES = prsd_lextype)",
        "text search parser shop.words",
    ),
    added(
        "CREATE ACCESS METHOD fp_rows TYPE TABLE HANDLER heap_tableam_handler",
        *("access method fp_rows", "system access method fp_rows"),
    ),
    added(
        "CREATE LANGUAGE fp_words HANDLER plpgsql_call_handler",
        *("language fp_words", "system language fp_words"),
    ),
    changed("ALTER CONVERSION shop.latin OWNER TO fp_owner", "conversion shop.latin"),
    changed(
        "ALTER OPERATOR CLASS shop.own USING hash OWNER TO fp_owner",
        "operator class shop.own using hash",
    ),
    changed(f"{_T} DISABLE TRIGGER touch", "trigger touch on shop.orders"),
    changed(f"{_T} ENABLE ALWAYS TRIGGER touch", "trigger touch on shop.orders"),
    changed(
        "CREATE OR REPLACE TRIGGER touch BEFORE INSERT ON shop.orders FOR EACH ROW"
        " EXECUTE FUNCTION shop.touch()",
        "trigger touch on shop.orders",
    ),
    added("ALTER TABLE shop.events_1 DISABLE TRIGGER touch", "trigger touch on shop.events_1"),
    _removed("DROP RULE quiet ON shop.customers", "rule quiet on shop.customers"),
    changed("ALTER TABLE shop.customers DISABLE RULE quiet", "rule quiet on shop.customers"),
    changed("ALTER EVENT TRIGGER watch DISABLE", "event trigger watch"),
    # policies
    changed("ALTER POLICY mine ON shop.orders TO PUBLIC", "policy mine on shop.orders"),
    changed("ALTER POLICY mine ON shop.orders USING (true)", "policy mine on shop.orders"),
    changed("ALTER POLICY strict ON shop.orders WITH CHECK (true)", "policy strict on shop.orders"),
    changed(
        "DROP POLICY strict ON shop.orders; CREATE POLICY strict ON shop.orders"
        " USING (true) WITH CHECK (total < 100)",
        "policy strict on shop.orders",
    ),
    changed(
        "DROP POLICY mine ON shop.orders; CREATE POLICY mine ON shop.orders FOR DELETE"
        " TO fp_app USING (customer = 1)",
        "policy mine on shop.orders",
    ),
    _removed("DROP POLICY mine ON shop.orders", "policy mine on shop.orders"),
    # types
    changed("ALTER TYPE shop.state ADD VALUE 'late' AFTER 'new'", "type shop.state"),
    changed(
        "ALTER TYPE shop.state RENAME VALUE 'new' TO 'fresh'",
        "type shop.state",
        "index shop.orders_state",
        "view shop.paid",
    ),
    changed("ALTER TYPE shop.place ADD ATTRIBUTE city text", "type shop.place"),
    changed("ALTER TYPE shop.place OWNER TO fp_owner", "type shop.place"),
    changed("ALTER DOMAIN shop.email SET NOT NULL", "domain shop.email"),
    changed("ALTER DOMAIN shop.email SET DEFAULT 'c@d'", "domain shop.email"),
    _removed("ALTER DOMAIN shop.email DROP CONSTRAINT has_at", "constraint has_at on shop.email"),
    changed("REVOKE USAGE ON TYPE shop.state FROM PUBLIC", "type shop.state"),
    changed(
        "DROP TYPE shop.span; CREATE TYPE shop.span AS RANGE (subtype = numeric)", "type shop.span"
    ),
    changed(
        'DROP COLLATION shop.plain; CREATE COLLATION shop.plain FROM "POSIX"',
        "collation shop.plain",
    ),
    # the rest
    changed("GRANT CREATE ON SCHEMA shop TO fp_app", "schema shop"),
    changed("ALTER SCHEMA shop OWNER TO fp_app", "schema shop"),
    changed("COMMENT ON SCHEMA shop IS 'x'", "schema shop"),
    added("CREATE SCHEMA other CREATE TABLE t (a int)", "schema other"),
    changed("GRANT CREATE ON SCHEMA public TO PUBLIC", "schema public"),
    changed(
        "ALTER DEFAULT PRIVILEGES FOR ROLE fp_owner IN SCHEMA shop GRANT INSERT ON TABLES"
        " TO fp_app",
        "default privileges for fp_owner in shop on tables",
    ),
    added(
        "ALTER DEFAULT PRIVILEGES FOR ROLE fp_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
        "default privileges for fp_owner on functions",
    ),
    changed("ALTER PUBLICATION feed SET TABLE shop.lone (a) WHERE (a > 2)", "publication feed"),
    changed("ALTER PUBLICATION feed SET TABLE shop.lone", "publication feed"),
    changed("ALTER PUBLICATION feed SET (publish = 'insert')", "publication feed"),
    changed(
        "ALTER TEXT SEARCH CONFIGURATION shop.english DROP MAPPING FOR word",
        "text search configuration shop.english",
    ),
    changed(
        "ALTER TEXT SEARCH DICTIONARY shop.plain (accept = false)",
        "text search dictionary shop.plain",
    ),
    changed(
        "DROP CAST (shop.place AS text); CREATE CAST (shop.place AS text) WITH INOUT AS ASSIGNMENT",
        "cast (shop.place AS text)",
    ),
    changed("ALTER SERVER away OPTIONS (SET host 'i')", "server away"),
    changed("GRANT USAGE ON FOREIGN SERVER away TO fp_app", "server away"),
    _removed("DROP USER MAPPING FOR fp_app SERVER away", "user mapping for fp_app server away"),
    changed("ALTER FOREIGN TABLE shop.remote OPTIONS (SET t 'y')", "foreign table shop.remote"),
    changed("ALTER FOREIGN TABLE shop.remote ALTER a OPTIONS (SET c 'e')", "column shop.remote.a"),
    added(
        "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) FROM PUBLIC",
        "privileges of function pg_catalog.pg_sleep(double precision)",
    ),
    Mutation(
        sql="DROP EXTENSION plpgsql CASCADE",
        expected=(
            "removed extension plpgsql",
            "removed function shop.touch()",
            "removed function shop.watch()",
            "removed trigger touch on shop.orders",
            "removed trigger touch on shop.events",
            "removed event trigger watch",
            "removed system language plpgsql",
            "changed digest of system functions",
        ),
    ),
    changed(
        "DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC',"
        " current_database()); END $$",
        "database",
    ),
    changed(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET row_security = off',"
        " current_database()); END $$",
        "database",
    ),
    # names, and what is altered in place by nothing else
    Mutation(
        sql="ALTER POLICY mine ON shop.orders RENAME TO yours",
        expected=("removed policy mine on shop.orders", "added policy yours on shop.orders"),
    ),
    Mutation(
        sql="ALTER TRIGGER touch ON shop.orders RENAME TO tap",
        expected=("removed trigger touch on shop.orders", "added trigger tap on shop.orders"),
    ),
    Mutation(
        sql="ALTER RULE quiet ON shop.customers RENAME TO still",
        expected=("removed rule quiet on shop.customers", "added rule still on shop.customers"),
    ),
    Mutation(
        sql=f"{_T} RENAME CONSTRAINT positive TO above",
        expected=(
            "removed constraint positive on shop.orders",
            "added constraint above on shop.orders",
        ),
    ),
    Mutation(
        sql="ALTER PUBLICATION feed RENAME TO food",
        expected=("removed publication feed", "added publication food"),
    ),
    Mutation(
        sql="ALTER SCHEMA public RENAME TO pub",
        expected=("removed schema public", "added schema pub"),
    ),
    Mutation(
        sql="ALTER FUNCTION shop.modern RENAME TO newer",
        expected=("removed function shop.modern(integer)", "added function shop.newer(integer)"),
    ),
    Mutation(
        sql="ALTER PROCEDURE shop.tidy SET SCHEMA public",
        expected=("removed procedure shop.tidy()", "added procedure public.tidy()"),
    ),
    Mutation(
        sql="ALTER TABLE shop.child SET SCHEMA public",
        expected=("removed table shop.child", "added table public.child"),
    ),
    Mutation(
        sql="ALTER TYPE shop.place SET SCHEMA public",
        expected=(
            *("removed type shop.place", "added type public.place"),
            *("removed cast (shop.place AS text)", "added cast (public.place AS text)"),
        ),
    ),
    Mutation(
        sql="ALTER SERVER away RENAME TO afar",
        expected=(
            *("removed server away", "added server afar", "changed foreign table shop.remote"),
        ),
    ),
    changed("ALTER SERVER away OWNER TO fp_owner", "server away"),
    changed(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO fp_owner', current_database());"
        " END $$",
        "database",
    ),
    Mutation(
        sql="ALTER LANGUAGE plpgsql RENAME TO pl",
        expected=(
            *("removed system language plpgsql", "added system language pl"),
            *("changed function shop.touch()", "changed function shop.watch()"),
        ),
    ),
    changed(
        "CREATE OR REPLACE FUNCTION shop.add(a int, b int DEFAULT 1) RETURNS int IMMUTABLE"
        " LANGUAGE plpgsql AS 'BEGIN RETURN a + b; END'",
        "function shop.add(integer,integer)",
    ),
    changed(
        "CREATE OR REPLACE RULE quiet AS ON UPDATE TO shop.customers DO INSTEAD NOTHING",
        "rule quiet on shop.customers",
    ),
    changed(
        "CREATE OR REPLACE TRIGGER touch BEFORE UPDATE ON shop.orders FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "trigger touch on shop.orders",
    ),
    Mutation(
        sql="CREATE TYPE shop.pair AS (a int, b text); ALTER TABLE shop.lone OF shop.pair",
        expected=("added type shop.pair", "changed table shop.lone"),
    ),
    *(
        changed(
            f"UPDATE pg_constraint SET {column} = 'c' WHERE conname = 'orders_customer_fkey'",
            "constraint orders_customer_fkey on shop.orders",
        )
        for column in ("confdeltype", "confupdtype")
    ),
    *(
        changed(
            f"UPDATE pg_policy SET {change} WHERE polname = 'mine'", "policy mine on shop.orders"
        )
        for change in ("polcmd = 'd'", "polpermissive = false")
    ),
    *(
        changed(
            f"UPDATE pg_proc SET {change} WHERE proname = 'add' AND pronargs = 2",
            "function shop.add(integer,integer)",
        )
        for change in ("proretset = true", "prorettype = 'bigint'::regtype")
    ),
    changed(
        "UPDATE pg_index SET indisunique = true WHERE indexrelid = 'shop.orders_state'::regclass",
        "index shop.orders_state",
    ),
    changed("UPDATE pg_enum SET enumsortorder = 9 WHERE enumlabel = 'new'", "type shop.state"),
    changed("UPDATE pg_publication SET puballtables = true", "publication feed"),
    # awkward names
    changed(f"ALTER TABLE {ODD} FORCE ROW LEVEL SECURITY", f"table {ODD}"),
    changed(f"ALTER TABLE {ODD} ALTER \"select\" SET DEFAULT 'x'", f'column {ODD}."select"'),
    changed(f'REVOKE SELECT ON {ODD} FROM "Fp Ünïcode"', f"table {ODD}"),
    changed(f'ALTER POLICY "Pöl ""i" ON {ODD} TO fp_app', f'policy "Pöl ""i" on {ODD}'),
)


def drop_roles(database: StagingDatabase) -> None:
    """Drop the roles of this schema; the databases that knew them are gone."""
    with psycopg.connect(
        database.cluster.conninfo(database.cluster.maintenance), autocommit=True
    ) as connection:
        for role in ("fp_owner", "fp_app", '"Fp Ünïcode"'):
            connection.execute(f"DROP ROLE IF EXISTS {role}".encode())
