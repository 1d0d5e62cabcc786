"""Small changes around the schema of snapshot_schema, each with the objects that it changes.

What a dump leaves out, and what a check reads all the same.
"""

from __future__ import annotations

from support.snapshot_schema import ODD, Mutation, added, changed

_MODS = "SET LOCAL allow_system_table_mods = on; "
_FUNCTIONS = "digest of system functions"
_HERE = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {}', current_database()); END $$"
AROUND_MUTATIONS = (
    # roles: what they may do, whose members they are, how they begin a session
    *(
        changed(f"ALTER ROLE fp_app {attribute}", "role fp_app")
        for attribute in (
            *("SUPERUSER", "BYPASSRLS", "CREATEROLE", "CREATEDB", "REPLICATION"),
            *("NOLOGIN", "NOINHERIT"),
        )
    ),
    changed("COMMENT ON ROLE fp_app IS 'x'", "role fp_app"),
    added("CREATE ROLE fp_new SUPERUSER", "role fp_new"),
    added("ALTER ROLE fp_app CONNECTION LIMIT 3", "limits of role fp_app"),
    added("ALTER ROLE fp_app VALID UNTIL '2030-01-01'", "limits of role fp_app"),
    added("GRANT fp_owner TO fp_app", "membership of fp_app in fp_owner"),
    added("GRANT pg_read_all_data TO fp_app", "membership of fp_app in pg_read_all_data"),
    *(
        changed(
            f'GRANT fp_owner TO "Fp Ünïcode" WITH {option}',
            'membership of "Fp Ünïcode" in fp_owner',
            since=16,
        )
        for option in ("ADMIN TRUE", "INHERIT FALSE", "SET FALSE")
    ),
    changed(
        "UPDATE pg_auth_members SET grantor = 'fp_app'::regrole"
        " WHERE member = '\"Fp Ünïcode\"'::regrole",
        'membership of "Fp Ünïcode" in fp_owner',
    ),
    changed("ALTER ROLE fp_owner SET work_mem = '6MB'", "settings of role fp_owner"),
    Mutation(
        sql='ALTER ROLE "Fp Ünïcode" RENAME TO fp_renamed',
        expected=(
            'removed role "Fp Ünïcode"',
            "added role fp_renamed",
            f"changed table {ODD}",
            f'changed policy "Pöl ""i" on {ODD}',
        ),
    ),
    added("ALTER ROLE fp_app SET search_path = shop", "settings of role fp_app"),
    added("ALTER ROLE fp_app SET role = fp_owner", "settings of role fp_app"),
    added("ALTER ROLE ALL SET row_security = off", "settings of all roles"),
    added("GRANT SET ON PARAMETER log_statement TO fp_app", "parameter log_statement"),
    added("GRANT ALTER SYSTEM ON PARAMETER work_mem TO PUBLIC", "parameter work_mem"),
    # tablespaces, the database, replication
    changed("ALTER TABLESPACE pg_default OWNER TO fp_app", "tablespace pg_default"),
    changed("GRANT CREATE ON TABLESPACE pg_default TO fp_app", "tablespace pg_default"),
    changed("ALTER TABLESPACE pg_default SET (random_page_cost = 1)", "tablespace pg_default"),
    changed("COMMENT ON TABLESPACE pg_default IS 'x'", "tablespace pg_default"),
    added(_HERE.format("CONNECTION LIMIT 5"), "limits of database"),
    added(_HERE.format("IS_TEMPLATE true"), "limits of database"),
    added(
        "UPDATE pg_database SET encoding = pg_char_to_encoding('LATIN1')"
        " WHERE datname = current_database()",
        "encoding of database",
    ),
    added(
        "CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)",
        "subscription s",
    ),
    added("SELECT pg_replication_origin_create('fp_origin')", "replication origin fp_origin"),
    # large objects: who else may read them
    added(
        "SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO fp_owner;"
        " ALTER LARGE OBJECT 4711 OWNER TO fp_app",
        "large objects of fp_app",
    ),
    added(
        "GRANT SELECT ON LARGE OBJECT 4242 TO PUBLIC; ALTER LARGE OBJECT 4242 OWNER TO fp_app",
        "large objects of fp_app",
    ),
    added("GRANT SELECT ON LARGE OBJECT 4242 TO PUBLIC", "large objects of postgres"),
    added("REVOKE ALL ON LARGE OBJECT 4242 FROM postgres", "large objects of postgres"),
    # what belongs to a table or an index
    changed(
        "ALTER PUBLICATION feed DROP TABLE shop.lone;"
        " ALTER TABLE shop.lone DROP a; ALTER TABLE shop.lone ADD a int",
        "order of columns in table shop.lone",
        "publication feed",
    ),
    added("REVOKE USAGE ON TYPE shop.lone FROM PUBLIC", "row type of table shop.lone"),
    added(
        "ALTER TABLE shop.dues_1 DISABLE TRIGGER ALL",
        "state of constraint dues_id_fkey on shop.dues_1",
    ),
    added(
        "UPDATE pg_index SET indisready = false WHERE indexrelid = 'shop.orders_state'::regclass",
        "state of index shop.orders_state",
    ),
    added(
        "UPDATE pg_index SET indislive = false WHERE indexrelid = 'shop.orders_state'::regclass",
        "state of index shop.orders_state",
    ),
    added(
        "UPDATE pg_index SET indimmediate = false WHERE indexrelid = 'shop.orders_pkey'::regclass",
        "state of index shop.orders_pkey",
    ),
    # an index that is nobody's twin, though it is named as REINDEX CONCURRENTLY names one
    *(
        added(
            f"{_MODS}CREATE INDEX {name} ON {definition};"
            f" UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.{name}'::regclass",
            f"index shop.{name}",
        )
        for name, definition in (
            ("orders_state_ccnew", "shop.orders (total)"),
            ("orders_state_ccold", "shop.customers (name)"),
            ("other_ccnew", "shop.orders (state)"),
            ("orders_state_new", "shop.orders (state)"),
        )
    ),
    added(
        "REFRESH MATERIALIZED VIEW shop.summary WITH NO DATA",
        "state of materialized view shop.summary",
    ),
    added(
        "ALTER FUNCTION shop.touch() DEPENDS ON EXTENSION plpgsql",
        "dependence of function shop.touch()",
    ),
    added(
        "ALTER TRIGGER touch ON shop.orders DEPENDS ON EXTENSION plpgsql",
        "dependence of trigger touch on shop.orders",
    ),
    added(
        "ALTER INDEX shop.orders_state DEPENDS ON EXTENSION plpgsql",
        "dependence of index shop.orders_state",
    ),
    # PostgreSQL's own functions
    changed(
        "CREATE OR REPLACE FUNCTION pg_catalog.lpad(text, integer) RETURNS text LANGUAGE sql"
        " IMMUTABLE STRICT AS 'SELECT $1'",
        _FUNCTIONS,
    ),
    *(
        changed(f"ALTER FUNCTION pg_catalog.lower(text) {change}", _FUNCTIONS)
        for change in (
            *("SECURITY DEFINER", "LEAKPROOF", "VOLATILE", "SET search_path = shop"),
            *("OWNER TO fp_app", "COST 7", "PARALLEL UNSAFE", "CALLED ON NULL INPUT"),
        )
    ),
    changed("ALTER FUNCTION plpgsql_call_handler() OWNER TO fp_app", _FUNCTIONS),
    # and its other objects
    changed("ALTER LANGUAGE plpgsql OWNER TO fp_app", "system language plpgsql"),
    changed(
        "UPDATE pg_language SET lanpltrusted = false WHERE lanname = 'plpgsql'",
        "system language plpgsql",
    ),
    changed("COMMENT ON LANGUAGE plpgsql IS 'x'", "system language plpgsql"),
    changed("COMMENT ON ACCESS METHOD heap IS 'x'", "system access method heap"),
    changed(
        "UPDATE pg_extension SET extowner = 'fp_app'::regrole WHERE extname = 'plpgsql'",
        "state of extension plpgsql",
    ),
    changed(
        "ALTER OPERATOR pg_catalog.= (int, int) SET (RESTRICT = NONE)", "digest of system operators"
    ),
    changed(
        "ALTER OPERATOR FAMILY pg_catalog.integer_ops USING btree ADD FUNCTION 1 (int, numeric)"
        " shop.add(int, int)",
        "digest of system functions of operator families",
    ),
    changed(
        "ALTER OPERATOR FAMILY pg_catalog.integer_ops USING btree OWNER TO fp_app",
        "digest of system operator families",
    ),
    changed(
        "ALTER TEXT SEARCH CONFIGURATION pg_catalog.english DROP MAPPING FOR word",
        "digest of system text search mappings",
    ),
    changed("ALTER TYPE pg_catalog.int4 OWNER TO fp_app", "digest of system types"),
    changed('ALTER COLLATION pg_catalog."C" OWNER TO fp_app', "digest of system collations"),
    changed(
        "ALTER CONVERSION pg_catalog.iso_8859_1_to_utf8 OWNER TO fp_app",
        "digest of system conversions",
    ),
    changed(
        "ALTER OPERATOR CLASS pg_catalog.int4_ops USING btree OWNER TO fp_app",
        "digest of system operator classes",
    ),
    changed(
        "ALTER OPERATOR FAMILY pg_catalog.box_ops USING gist ADD OPERATOR 30 = (box, box)",
        "digest of system operators of operator families",
    ),
    added("REVOKE USAGE ON LANGUAGE sql FROM PUBLIC", "privileges of language sql"),
    # As a module would write it that provides labels; the server has none.
    added(
        f"{_MODS}INSERT INTO pg_seclabel"
        " VALUES ('shop.orders'::regclass, 'pg_class'::regclass, 0, 'own', 'secret')",
        "security label own on table shop.orders",
    ),
    added(
        f"{_MODS}INSERT INTO pg_shseclabel"
        " VALUES ('fp_app'::regrole, 'pg_authid'::regclass, 'own', 'masked')",
        "shared label own on role fp_app",
    ),
    changed(
        "UPDATE pg_cast SET castcontext = 'i' WHERE castsource = 'int8'::regtype"
        " AND casttarget = 'int4'::regtype",
        "digest of system casts",
    ),
    changed(
        "CREATE OR REPLACE VIEW information_schema.enabled_roles AS"
        " SELECT 'x'::name::information_schema.sql_identifier AS role_name",
        "digest of system views",
    ),
    changed(
        f"{_MODS}CREATE OR REPLACE VIEW pg_catalog.pg_rules AS SELECT n.nspname AS schemaname,"
        " n.nspname AS tablename, n.nspname AS rulename, 'x'::text AS definition"
        " FROM pg_namespace n",
        "digest of system views",
    ),
    # who may reach them
    added(
        "REVOKE SELECT ON information_schema.tables FROM PUBLIC",
        "system privileges of view information_schema.tables",
    ),
    added(
        "GRANT INSERT ON information_schema.sql_features TO fp_app",
        "system privileges of table information_schema.sql_features",
    ),
    changed(
        "GRANT CREATE ON SCHEMA information_schema TO fp_app", "system schema information_schema"
    ),
    changed("ALTER SCHEMA information_schema OWNER TO fp_app", "system schema information_schema"),
    Mutation(
        sql="ALTER VIEW information_schema.tables OWNER TO fp_app",
        expected=(
            "added system relation information_schema.tables",
            "changed digest of system types",
        ),
    ),
    added("GRANT CREATE ON SCHEMA pg_catalog TO fp_app", "privileges of schema pg_catalog"),
    added("GRANT SELECT ON pg_authid TO fp_app", "privileges of table pg_catalog.pg_authid"),
    added(
        "GRANT SELECT (rolpassword) ON pg_authid TO fp_app",
        "system privileges of table column pg_catalog.pg_authid.rolpassword",
    ),
    added(
        "REVOKE SELECT (subname) ON pg_subscription FROM PUBLIC",
        "system privileges of table column pg_catalog.pg_subscription.subname",
    ),
    added("REVOKE USAGE ON TYPE pg_catalog.int4 FROM PUBLIC", "privileges of type integer"),
    # what was put among them
    added(
        "CREATE FUNCTION pg_catalog.fp_new() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "system function pg_catalog.fp_new()",
    ),
    added(f"{_MODS}CREATE TABLE pg_catalog.fp_new (a int)", "system table pg_catalog.fp_new"),
    added(f"{_MODS}CREATE VIEW pg_catalog.fp_new AS SELECT 1", "system view pg_catalog.fp_new"),
    added("CREATE TABLE information_schema.new (a int)", "system table information_schema.new"),
    added("CREATE VIEW information_schema.new AS SELECT 1", "system view information_schema.new"),
    added("CREATE TYPE information_schema.new AS ENUM ('a')", "system type information_schema.new"),
    added(
        "CREATE FUNCTION information_schema.new() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "system function information_schema.new()",
    ),
    added(
        f"{_MODS}CREATE SCHEMA pg_new; CREATE TABLE pg_new.t (a int)",
        "system schema pg_new",
        "system table pg_new.t",
    ),
    added(
        f"{_MODS}ALTER TABLE pg_catalog.pg_class ENABLE ROW LEVEL SECURITY",
        "system relation pg_catalog.pg_class",
    ),
    added(
        f"{_MODS}CREATE POLICY p ON pg_catalog.pg_class USING (true)",
        "system policy p on pg_catalog.pg_class",
    ),
    added(
        "CREATE TRIGGER t INSTEAD OF INSERT ON information_schema.tables"
        " FOR EACH ROW EXECUTE FUNCTION shop.touch()",
        "system trigger t on information_schema.tables",
    ),
)
