"""Blind cases: what lies outside the declared schemas, what is the server's, who connects."""

from __future__ import annotations

from support.blind.acting import NAMES
from support.blind.ground import (
    AS_ONE,
    CLAIMS,
    DEFINER,
    FILL,
    SEES,
    T2,
    U1,
    Planted,
    Sound,
    function,
    mighty,
    trigger,
)

FEEDBACK = (
    "CREATE TABLE public.feedback (id integer, line text);"
    "GRANT SELECT, INSERT ON public.feedback TO studio_web;"
)
LOGIN = "studio_login"
OID = 4_200_001


def copied(
    title: str, rule: str, sql: str, table: str, about: str = "", what: str = "x"
) -> Planted:
    """Rows of all tenants that stand elsewhere."""
    return Planted(
        kind=5,
        title=title,
        rule=rule,
        sql=sql,
        about=about or table,
        attack=f"SELECT EXISTS (SELECT FROM {table} AS x WHERE {what}::text LIKE '%theirs%')",
    )


def of_server(
    title: str, rule: str, sql: str, about: str, attack: str, acting: dict[str, str] | None = None
) -> Planted:
    """Done by a superuser, to what is the server's."""
    return Planted(
        kind=6,
        title=title,
        rule=rule,
        sql=mighty(sql),
        about=about,
        attack=attack,
        acting={**AS_ONE, **(acting or {})},
    )


def connecting(
    title: str,
    rule: str,
    sql: str,
    attack: str,
    *,
    about: str = LOGIN,
    acting: dict[str, str] | None = None,
) -> Planted:
    return Planted(
        kind=7,
        title=title,
        rule=rule,
        sql=mighty(sql),
        about=about,
        attack=attack,
        who=LOGIN,
        acting={**AS_ONE, **(acting or {})},
    )


PLANTED = (
    copied(
        "a backup before the migration",
        "outside-holds-rows",
        mighty(
            "CREATE TABLE public.project_backup AS TABLE studio.project;"
            "ALTER TABLE public.project_backup OWNER TO hk_migrator"
        )
        + "GRANT SELECT ON public.project_backup TO studio_web",
        "public.project_backup",
    ),
    copied(
        "a backup in a schema of its own, for everybody",
        "outside-holds-rows",
        mighty(
            "CREATE SCHEMA backup; CREATE TABLE backup.tasks_2024 AS SELECT * FROM studio.task;"
            "GRANT USAGE ON SCHEMA backup TO PUBLIC; GRANT SELECT ON backup.tasks_2024 TO PUBLIC"
        ),
        "backup.tasks_2024",
    ),
    copied(
        "figures in a materialized view",
        "materialized-view-readable",
        "CREATE MATERIALIZED VIEW public.project_stats AS"
        " SELECT tenant_id, min(name) AS first, count(*) FROM studio.project GROUP BY 1;"
        "ALTER TABLE studio.project NO FORCE ROW LEVEL SECURITY;"
        "REFRESH MATERIALIZED VIEW public.project_stats;"
        "ALTER TABLE studio.project FORCE ROW LEVEL SECURITY;"
        "GRANT SELECT ON public.project_stats TO studio_web",
        "public.project_stats",
    ),
    copied(
        "a view of a superuser for reports",
        "view-without-security-invoker",
        mighty(
            "CREATE SCHEMA reporting; CREATE VIEW reporting.tasks AS SELECT * FROM studio.task;"
            "GRANT USAGE ON SCHEMA reporting TO studio_web;"
            "GRANT SELECT ON reporting.tasks TO studio_web"
        ),
        "reporting.tasks",
    ),
    copied(
        "an heir elsewhere",
        "outside-holds-rows",
        "CREATE SCHEMA archive; GRANT USAGE ON SCHEMA archive TO studio_web;"
        "CREATE TABLE archive.project () INHERITS (studio.project);"
        f"INSERT INTO archive.project (tenant_id, name) VALUES ('{T2}', 'theirs');"
        "GRANT SELECT ON archive.project TO studio_web",
        "archive.project",
    ),
    copied(
        "an audit log with whole rows as JSON",
        "outside-copies-rows",
        "CREATE SCHEMA audit; GRANT USAGE ON SCHEMA audit TO studio_web;"
        "CREATE TABLE audit.record (id bigint GENERATED ALWAYS AS IDENTITY, relation text,"
        " record jsonb); GRANT SELECT ON audit.record TO studio_web;"
        + trigger(
            "audit.log",
            "studio.task",
            "BEGIN INSERT INTO audit.record (relation, record)"
            " VALUES (TG_TABLE_NAME, to_jsonb(NEW)); RETURN NULL; END",
            when="AFTER INSERT OR UPDATE",
            how=DEFINER,
        )
        + "ALTER TABLE studio.task NO FORCE ROW LEVEL SECURITY;"
        "UPDATE studio.task SET body = body; ALTER TABLE studio.task FORCE ROW LEVEL SECURITY",
        "audit.record",
        "audit.",
    ),
    copied(
        "names without their tenant, copied once",
        "outside-holds-rows",
        mighty(
            "CREATE TABLE public.project_names AS"
            " SELECT name, status, created_at FROM studio.project;"
            "ALTER TABLE public.project_names OWNER TO hk_migrator"
        )
        + "GRANT SELECT ON public.project_names TO studio_web",
        "public.project_names",
    ),
    copied(
        "words to search for without their tenant, kept by a trigger",
        "outside-copies-rows",
        "CREATE SCHEMA search; GRANT USAGE ON SCHEMA search TO studio_web;"
        "CREATE TABLE search.word (body text); GRANT SELECT ON search.word TO studio_web;"
        + trigger(
            "search.keep",
            "studio.task",
            "BEGIN INSERT INTO search.word VALUES (NEW.body); RETURN NULL; END",
            when="AFTER INSERT OR UPDATE",
            how=DEFINER,
        )
        + "ALTER TABLE studio.task NO FORCE ROW LEVEL SECURITY;"
        "UPDATE studio.task SET body = body; ALTER TABLE studio.task FORCE ROW LEVEL SECURITY",
        "search.word",
        "search.",
    ),
    Planted(
        kind=5,
        title="CREATE on public, for everybody",
        rule="role-may-create",
        sql=mighty("GRANT CREATE ON SCHEMA public TO PUBLIC"),
        about="public",
        attack="CREATE FUNCTION public.lower(integer) RETURNS text LANGUAGE sql AS 'SELECT 1';"
        "SELECT true",
    ),
    Planted(
        kind=5,
        title="CREATE on the database",
        rule="role-may-create",
        sql=mighty("GRANT CREATE ON DATABASE {database} TO studio_web"),
        about="{database}",
        attack="CREATE SCHEMA elsewhere; SELECT true",
    ),
    Planted(
        kind=5,
        title="an unpinned definer in public, misled by a temporary table",
        rule="definer-exempt-owner",
        sql=FILL
        + "GRANT USAGE ON SCHEMA studio TO studio_fill;"
        + mighty("GRANT CREATE ON SCHEMA public TO studio_fill")
        + mighty(
            function(
                "public.team_names()",
                "SETOF text",
                "BEGIN RETURN QUERY SELECT p.name FROM studio.project AS p WHERE p.tenant_id IN"
                " (SELECT v.tenant_id FROM visible_tenant AS v); END",
                language="plpgsql",
                how="SECURITY DEFINER",
            )
            + "CREATE TABLE public.visible_tenant (tenant_id uuid);"
            "GRANT SELECT ON public.visible_tenant TO PUBLIC"
        ),
        about="public.team_names",
        attack=f"CREATE TEMP TABLE visible_tenant AS SELECT '{T2}'::uuid AS tenant_id;"
        "GRANT SELECT ON visible_tenant TO PUBLIC;"
        "SELECT EXISTS (SELECT FROM public.team_names() AS t WHERE t = 'theirs')",
    ),
    Planted(
        kind=5,
        title="a definer trigger in public",
        rule="trigger-as-owner",
        sql=FILL
        + FEEDBACK
        + mighty("GRANT CREATE ON SCHEMA public TO studio_fill")
        + trigger(
            "public.answer",
            "public.feedback",
            f"BEGIN NEW.line := ({NAMES}); RETURN NEW; END",
            how=DEFINER,
            owner="studio_fill",
        ),
        about="public.",
        attack="INSERT INTO public.feedback VALUES (1, '');"
        "SELECT EXISTS (SELECT FROM public.feedback WHERE line LIKE '%theirs%')",
    ),
    of_server(
        "statistics",
        "privilege-system",
        "ANALYZE studio.profile; GRANT SELECT ON pg_catalog.pg_statistic TO studio_web",
        "pg_statistic",
        "SELECT EXISTS (SELECT FROM pg_statistic AS s WHERE s.stavalues1::text LIKE '%theirs%'"
        " OR s.stavalues2::text LIKE '%theirs%')",
    ),
    of_server(
        "a column with passwords",
        "privilege-system",
        "GRANT SELECT (rolname, rolpassword) ON pg_catalog.pg_authid TO studio_web",
        "pg_authid",
        "SELECT count(rolpassword) >= 0 FROM pg_authid",
    ),
    of_server(
        "the server's files",
        "privilege-system",
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO studio_web",
        "pg_read_file",
        "SELECT pg_read_file('PG_VERSION') <> ''",
    ),
    of_server(
        "the server's folders, for everybody",
        "privilege-system",
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO PUBLIC",
        "pg_ls_dir",
        "SELECT EXISTS (SELECT FROM pg_ls_dir('base'))",
    ),
    of_server(
        "a file as a large object",
        "privilege-system",
        "GRANT EXECUTE ON FUNCTION pg_catalog.lo_import(text) TO studio_web",
        "lo_import",
        "SELECT set_config('x.oid', lo_import('PG_VERSION')::text, true);"
        "SELECT convert_from(lo_get(current_setting('x.oid')::oid), 'UTF8') <> ''",
    ),
    of_server(
        "triggers switched off",
        "privilege-parameter",
        "GRANT SET ON PARAMETER session_replication_role TO studio_web",
        "session_replication_role",
        "SET LOCAL session_replication_role = replica;"
        "SELECT current_setting('session_replication_role') = 'replica'",
    ),
    of_server(
        "a parameter of the server set for all",
        "privilege-parameter",
        "GRANT ALTER SYSTEM ON PARAMETER archive_command TO studio_web",
        "archive_command",
        "SELECT has_parameter_privilege('studio_web', 'archive_command', 'ALTER SYSTEM')",
    ),
    of_server(
        "a number read from text that may look before the policy",
        "leakproof-function",
        "ALTER FUNCTION pg_catalog.int4in(cstring) LEAKPROOF",
        "int4in",
        "DO $$ BEGIN PERFORM FROM studio.project WHERE (name || '')::integer = 1;"
        " EXCEPTION WHEN OTHERS THEN PERFORM set_config('x.said', SQLERRM, true); END $$;"
        "SELECT current_setting('x.said', true) LIKE '%integer%'",
    ),
    of_server(
        "a definer among PostgreSQL's own functions",
        "definer-exempt-owner",
        "SET LOCAL allow_system_table_mods = on; CREATE FUNCTION pg_catalog.pg_names() RETURNS text"
        f" LANGUAGE sql STABLE SECURITY DEFINER AS $$ {NAMES} $$",
        "pg_names",
        "SELECT pg_names() LIKE '%theirs%'",
    ),
    of_server(
        "large objects without privileges, for the database",
        "setting-unguarded",
        f"SELECT lo_from_bytea({OID}, 'theirs');"
        "ALTER DATABASE {database} SET lo_compat_privileges = on",
        "lo_compat_privileges",
        f"SELECT lo_get({OID}) = 'theirs'",
        {"lo_compat_privileges": "on"},
    ),
    of_server(
        "a language that was not trusted",
        "privilege-system",
        "UPDATE pg_catalog.pg_language SET lanpltrusted = true WHERE lanname = 'c';"
        "GRANT USAGE ON LANGUAGE c TO studio_web; GRANT CREATE ON SCHEMA studio TO studio_web",
        "c",
        "SELECT has_language_privilege('studio_web', 'c', 'USAGE')",
    ),
    of_server(
        "the connection strings of subscriptions",
        "privilege-system",
        "GRANT SELECT ON pg_catalog.pg_subscription TO PUBLIC",
        "pg_subscription",
        "SELECT count(subconninfo) >= 0 FROM pg_subscription",
    ),
    connecting("BYPASSRLS", "role-bypasses-rls", "ALTER ROLE studio_login BYPASSRLS", SEES),
    connecting(
        "a tenant set beforehand",
        "setting-context",
        f"ALTER ROLE studio_login SET app.tenant = '{T2}'",
        SEES,
        acting={"app.tenant": T2},
    ),
    connecting(
        "a tenant set beforehand for the database",
        "setting-context",
        f"ALTER DATABASE {{database}} SET app.tenant = '{T2}'",
        SEES,
        about="app.tenant",
        acting={"app.tenant": T2},
    ),
    connecting(
        "claims set beforehand for all",
        "setting-context",
        f'ALTER ROLE ALL SET "{CLAIMS}" = \'{{"sub": "{U1}"}}\'',
        "SELECT EXISTS (SELECT FROM studio.profile)",
        about=CLAIMS,
    ),
    connecting(
        "two applications",
        "outside-holds-rows",
        "GRANT ledger_app TO studio_login",
        "SELECT EXISTS (SELECT FROM ledger.entry WHERE amount = 'theirs')",
        about="",
    ),
    connecting(
        "a grant of its own in another application",
        "outside-holds-rows",
        "GRANT USAGE ON SCHEMA ledger TO studio_login;GRANT SELECT ON ledger.entry TO studio_login",
        "SELECT EXISTS (SELECT FROM ledger.entry WHERE amount = 'theirs')",
    ),
    connecting(
        "a policy of its own",
        "policy-always-true",
        "CREATE POLICY support ON studio.project TO studio_login USING (true)",
        SEES,
        about="studio.project",
    ),
    connecting(
        "who filled, reached by SET ROLE alone",
        "policy-always-true",
        FILL + "GRANT studio_fill TO studio_login WITH INHERIT FALSE, SET TRUE",
        "SET LOCAL ROLE studio_fill;" + SEES,
        about="",
    ),
    connecting(
        "through a team",
        "policy-always-true",
        FILL + "CREATE ROLE studio_team; GRANT studio_fill TO studio_team;"
        "GRANT studio_team TO studio_login",
        SEES,
        about="",
    ),
    connecting(
        "all data",
        "role-reads-all-data",
        "GRANT pg_read_all_data TO studio_login",
        "SELECT EXISTS (SELECT FROM ledger.entry WHERE amount = 'theirs')",
    ),
    connecting(
        "programs of the server",
        "role-reaches-server",
        "GRANT pg_execute_server_program TO studio_login",
        "SELECT pg_has_role('studio_login', 'pg_execute_server_program', 'USAGE')",
    ),
    connecting(
        "an owner",
        "role-owns-table",
        "ALTER TABLE studio.project OWNER TO studio_login",
        "ALTER TABLE studio.project DISABLE ROW LEVEL SECURITY;" + SEES,
        about="studio.project",
    ),
    connecting(
        "roles",
        "role-may-create-roles",
        "ALTER ROLE studio_login CREATEROLE",
        "CREATE ROLE made_by_web; SELECT true",
    ),
)

SOUND = (
    Sound(
        kind=5,
        title="words for everybody",
        sql="CREATE TABLE public.feature_flag (name text PRIMARY KEY, enabled boolean);"
        "GRANT SELECT ON public.feature_flag TO studio_web",
    ),
    Sound(
        kind=5,
        title="a copy that nobody reads",
        sql="CREATE SCHEMA backup; CREATE TABLE backup.project AS TABLE studio.project;"
        "GRANT USAGE ON SCHEMA backup TO studio_web",
    ),
    Sound(
        kind=5,
        title="a box that one puts into and never reads",
        sql="CREATE TABLE public.waitlist (email text, status text, created_at timestamptz);"
        "GRANT INSERT ON public.waitlist TO studio_web",
    ),
    Sound(
        kind=5,
        title="a copy with the same protection",
        sql="CREATE TABLE public.project_copy (LIKE studio.project INCLUDING ALL);"
        "ALTER TABLE public.project_copy ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON public.project_copy TO studio_web"
        " USING (tenant_id = (SELECT studio.tenant()));"
        "GRANT SELECT ON public.project_copy TO studio_web",
    ),
    Sound(
        kind=5,
        title="a helper in public",
        sql=mighty(
            "CREATE FUNCTION public.slugify(text) RETURNS text LANGUAGE sql IMMUTABLE AS"
            " $$ SELECT lower(regexp_replace($1, '[^a-zA-Z]+', '-', 'g')) $$"
        ),
    ),
    Sound(
        kind=6,
        title="a setting of its own",
        sql=mighty('GRANT SET ON PARAMETER "app.tenant" TO studio_web'),
    ),
    Sound(
        kind=6,
        title="what everybody may do, said again",
        sql=mighty(
            "GRANT EXECUTE ON FUNCTION pg_catalog.gen_random_uuid() TO studio_web;"
            "GRANT SELECT ON pg_catalog.pg_settings, pg_catalog.pg_stat_database TO studio_web"
        ),
    ),
    Sound(
        kind=6,
        title="a large object for the one who fills",
        sql=mighty(
            f"SELECT lo_from_bytea({OID}, 'x'); GRANT SELECT ON LARGE OBJECT {OID} TO studio_fill"
        ),
    ),
    Sound(
        kind=6, title="who watches is no application", sql=mighty("GRANT pg_monitor TO studio_fill")
    ),
    Sound(
        kind=7,
        title="PostgREST's authenticator",
        sql=mighty(
            "CREATE ROLE authenticator LOGIN NOINHERIT; CREATE ROLE backend BYPASSRLS;"
            "GRANT studio_web, backend TO authenticator"
        ),
    ),
    Sound(
        kind=7,
        title="limits and a search path for a login",
        sql=mighty(
            "ALTER ROLE studio_login SET statement_timeout = '30s';"
            "ALTER ROLE studio_login SET search_path = studio; ALTER ROLE studio_login CONNECTION"
            " LIMIT 20; ALTER ROLE studio_login SET timezone = 'UTC'"
        ),
    ),
    Sound(
        kind=7,
        title="the other application's login",
        sql=mighty("CREATE ROLE ledger_login LOGIN IN ROLE ledger_app"),
    ),
    Sound(
        kind=7,
        title="a second login that migrates",
        sql=mighty("CREATE ROLE deployer LOGIN IN ROLE hk_migrator"),
    ),
)
