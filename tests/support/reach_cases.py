"""Ways past row-level security that stand beside the protected schemas: what an untrusted role
reaches outside of them, PostgreSQL's own objects and parameters, and what grants give away."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ReachCase:
    """A defect on the ground of ``catalogue_cases``: a superuser runs ``superuser``, the migrating
    role ``sql``; acting as ``desk_app``, ``shown`` then returns true, where nothing but the defect
    lets it. Its ``rule`` finds it on ``object``."""

    rule: str
    object: str
    sql: str = ""
    superuser: str = ""
    shown: str


# Rows of two tenants.
ROWS = """
ALTER TABLE desk.note NO FORCE ROW LEVEL SECURITY;
INSERT INTO desk.note (owner, title) VALUES (1, 'mine'), (2, 'theirs');
ALTER TABLE desk.note FORCE ROW LEVEL SECURITY;
"""

# What an untrusted role reaches outside the declared schemas.
OUTSIDE = (
    ReachCase(
        rule="outside-holds-rows",
        object="public.note_old",
        sql="ALTER TABLE desk.note NO FORCE ROW LEVEL SECURITY;"
        "CREATE TABLE public.note_old AS TABLE desk.note;"
        "ALTER TABLE desk.note FORCE ROW LEVEL SECURITY;"
        "GRANT SELECT ON public.note_old TO desk_app",
        shown="SELECT count(*) = 2 FROM public.note_old",
    ),
    ReachCase(
        rule="outside-holds-rows",
        object='report."Export.1"',
        sql="CREATE SCHEMA report; GRANT USAGE ON SCHEMA report TO PUBLIC;"
        'CREATE TABLE report."Export.1" (owner integer, heading text);'
        "INSERT INTO report.\"Export.1\" VALUES (2, 'theirs');"
        'GRANT SELECT (heading) ON report."Export.1" TO PUBLIC',
        shown='SELECT count(heading) = 1 FROM report."Export.1"',
    ),
    ReachCase(
        rule="outside-holds-rows",
        object="public.note_backup",
        sql="CREATE ROLE desk_team; GRANT desk_team TO desk_app;"
        "CREATE TABLE public.note_backup (LIKE desk.note);"
        "INSERT INTO public.note_backup VALUES (7, 2, 'theirs', false);"
        "ALTER TABLE public.note_backup ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY everybody ON public.note_backup USING (true);"
        "GRANT SELECT ON public.note_backup TO desk_team",
        shown="SELECT count(*) = 1 FROM public.note_backup",
    ),
    ReachCase(
        rule="outside-holds-rows",
        object="old.deed_1",
        sql="CREATE TABLE desk.deed (owner int NOT NULL, text text) PARTITION BY LIST (owner);"
        "ALTER TABLE desk.deed ENABLE ROW LEVEL SECURITY;"
        "ALTER TABLE desk.deed FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON desk.deed TO desk_app USING (owner = desk.me());"
        "CREATE SCHEMA old; GRANT USAGE ON SCHEMA old TO desk_app;"
        "CREATE TABLE old.deed_1 PARTITION OF desk.deed FOR VALUES IN (2);"
        "INSERT INTO old.deed_1 VALUES (2, 'theirs'); GRANT SELECT ON old.deed_1 TO desk_app",
        shown="SELECT count(*) = 1 FROM old.deed_1",
    ),
    ReachCase(
        rule="outside-holds-rows",
        object="public.shown",
        sql="CREATE TABLE public.note_old AS SELECT n.owner, n.title FROM desk.note AS n;"
        "INSERT INTO public.note_old VALUES (2, 'theirs');"
        "CREATE VIEW public.shown AS SELECT o.title FROM public.note_old AS o;"
        "GRANT SELECT ON public.shown TO desk_app",
        shown="SELECT count(*) = 1 FROM public.shown",
    ),
    ReachCase(
        rule="outside-holds-rows",
        object="public.attachment",
        sql="CREATE TABLE public.attachment (note int REFERENCES desk.note, body text);"
        "INSERT INTO public.attachment VALUES (NULL, 'theirs');"
        "GRANT SELECT ON public.attachment TO PUBLIC",
        shown="SELECT count(*) = 1 FROM public.attachment",
    ),
    ReachCase(
        rule="outside-holds-rows",
        object="public.word2",
        sql="CREATE TABLE desk.word (code text PRIMARY KEY, line text);"
        "ALTER TABLE desk.word ENABLE ROW LEVEL SECURITY;"
        "ALTER TABLE desk.word FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON desk.word TO desk_app USING (code = desk.me()::text);"
        "CREATE TABLE public.word2 AS TABLE desk.word;"
        "INSERT INTO public.word2 VALUES ('2', 'theirs'); GRANT SELECT ON public.word2 TO desk_app",
        shown="SELECT count(*) = 1 FROM public.word2",
    ),
    ReachCase(
        rule="outside-copies-rows",
        object="keep ON desk.note",
        sql="CREATE TABLE public.log (line text); GRANT SELECT ON public.log TO desk_app;"
        "CREATE FUNCTION desk.write(text) RETURNS void LANGUAGE sql SET search_path = ''"
        " AS $$ INSERT INTO public.log VALUES ($1) $$;"
        "CREATE FUNCTION desk.keep() RETURNS trigger LANGUAGE plpgsql SET search_path = ''"
        " AS $$ BEGIN PERFORM desk.write(new.title); RETURN new; END $$;"
        "CREATE TRIGGER keep AFTER INSERT ON desk.note"
        " FOR EACH ROW EXECUTE FUNCTION desk.keep();"
        "CREATE POLICY migrate ON desk.note FOR INSERT TO CURRENT_USER WITH CHECK (true);"
        "INSERT INTO desk.note (owner, title) VALUES (2, 'theirs too')",
        shown="SELECT count(*) = 1 FROM public.log WHERE line = 'theirs too'",
    ),
    ReachCase(
        rule="outside-copies-rows",
        object="keep ON desk.note",
        sql="CREATE TABLE public.log (at timestamptz DEFAULT now(), line text);"
        "GRANT SELECT ON public.log TO desk_app;"
        "CREATE FUNCTION desk.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO public.log (line) VALUES (new.title); RETURN new; END $$;"
        "CREATE TRIGGER keep AFTER INSERT OR UPDATE ON desk.note"
        " FOR EACH ROW EXECUTE FUNCTION desk.keep();"
        "CREATE POLICY migrate ON desk.note FOR INSERT TO CURRENT_USER WITH CHECK (true);"
        "INSERT INTO desk.note (owner, title) VALUES (2, 'theirs too')",
        shown="SELECT count(*) = 1 FROM public.log WHERE line = 'theirs too'",
    ),
    ReachCase(
        rule="outside-copies-rows",
        object="keep ON desk.note",
        sql="CREATE SCHEMA audit; GRANT USAGE ON SCHEMA audit TO desk_app;"
        "CREATE TABLE audit.row_change (old_row jsonb, new_row jsonb);"
        "GRANT SELECT ON audit.row_change TO desk_app;"
        "CREATE FUNCTION audit.keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path = '' AS $$ BEGIN"
        " INSERT INTO audit.row_change SELECT to_jsonb(old), to_jsonb(new); RETURN NULL; END $$;"
        "REVOKE ALL ON FUNCTION audit.keep() FROM PUBLIC;"
        "CREATE TRIGGER keep AFTER INSERT OR UPDATE OR DELETE ON desk.note"
        " FOR EACH ROW EXECUTE FUNCTION audit.keep();"
        "CREATE POLICY migrate ON desk.note FOR INSERT TO CURRENT_USER WITH CHECK (true);"
        "INSERT INTO desk.note (owner, title) VALUES (2, 'theirs too')",
        shown="SELECT count(*) = 1 FROM audit.row_change WHERE new_row ->> 'title' = 'theirs too'",
    ),
    ReachCase(
        rule="trigger-as-owner",
        object="take ON public.inbox",
        superuser="CREATE TABLE public.inbox (line text); GRANT ALL ON public.inbox TO desk_app;"
        "CREATE FUNCTION public.take() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path = '' AS $$ BEGIN"
        " new.line := (SELECT string_agg(title, ',') FROM desk.note); RETURN new; END $$;"
        "REVOKE ALL ON FUNCTION public.take() FROM PUBLIC;"
        "CREATE TRIGGER take BEFORE INSERT ON public.inbox"
        " FOR EACH ROW EXECUTE FUNCTION public.take()",
        shown="INSERT INTO public.inbox VALUES ('x') RETURNING line LIKE '%theirs%'",
    ),
    ReachCase(
        rule="definer-without-search-path",
        object="public.take()",
        sql="CREATE TABLE public.inbox (line text); GRANT INSERT (line) ON public.inbox TO PUBLIC;"
        "GRANT SELECT ON public.inbox TO desk_app;"
        "CREATE FUNCTION public.take() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        " AS $$ BEGIN new.line := lower(new.line); RETURN new; END $$;"
        "REVOKE ALL ON FUNCTION public.take() FROM PUBLIC;"
        "CREATE TRIGGER take BEFORE INSERT ON public.inbox"
        " FOR EACH ROW EXECUTE FUNCTION public.take();"
        "GRANT TEMPORARY ON DATABASE {database} TO desk_app",
        # What it looks up without a schema is looked up where its caller says.
        shown="INSERT INTO public.inbox VALUES ('X') RETURNING line = 'x'",
    ),
    ReachCase(
        rule="role-may-create",
        object="public",
        superuser="GRANT CREATE ON SCHEMA public TO desk_app",
        shown="SELECT has_schema_privilege('public', 'CREATE')",
    ),
    ReachCase(
        rule="role-may-create",
        object="public",
        superuser="GRANT ALL ON SCHEMA public TO PUBLIC",
        shown="SELECT has_schema_privilege('public', 'CREATE')",
    ),
    ReachCase(
        rule="role-may-create",
        object="DATABASE {database}",
        sql="GRANT CREATE ON DATABASE {database} TO desk_app",
        shown="SELECT has_database_privilege(current_database(), 'CREATE')",
    ),
    ReachCase(
        rule="role-may-create",
        object="DATABASE {database}",
        sql="CREATE ROLE desk_team; GRANT desk_team TO desk_app;"
        "GRANT ALL ON DATABASE {database} TO desk_team",
        shown="SELECT has_database_privilege(current_database(), 'CREATE')",
    ),
    ReachCase(
        rule="role-may-create",
        object="tools",
        sql="CREATE SCHEMA tools; GRANT USAGE, CREATE ON SCHEMA tools TO desk_app;"
        "CREATE FUNCTION desk.f() RETURNS integer LANGUAGE sql SECURITY DEFINER"
        " SET search_path = tools, pg_catalog, pg_temp AS 'SELECT 1';"
        "REVOKE ALL ON FUNCTION desk.f() FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION desk.f() TO desk_app",
        shown="SELECT has_schema_privilege('tools', 'CREATE')",
    ),
    ReachCase(
        rule="role-may-create",
        object="pg_catalog",
        superuser="GRANT CREATE ON SCHEMA pg_catalog TO desk_app",
        shown="SELECT has_schema_privilege('pg_catalog', 'CREATE')",
    ),
    ReachCase(
        rule="role-owns-schema",
        object="SCHEMA public",
        superuser="ALTER SCHEMA public OWNER TO desk_app",
        shown="SELECT has_schema_privilege('public', 'CREATE')",
    ),
)
# PostgreSQL's own objects and parameters
SYSTEM = (
    ReachCase(
        rule="privilege-system",
        object="pg_catalog.pg_statistic",
        superuser="ANALYZE desk.note; GRANT SELECT ON pg_catalog.pg_statistic TO desk_app",
        shown="SELECT count(*) > 0 FROM pg_catalog.pg_statistic"
        " WHERE starelid = 'desk.note'::regclass AND stavalues1 IS NOT NULL",
    ),
    ReachCase(
        rule="privilege-system",
        object="pg_catalog.pg_authid",
        superuser="GRANT SELECT (rolname, rolpassword) ON pg_catalog.pg_authid TO PUBLIC",
        shown="SELECT count(rolpassword) >= 0 FROM pg_catalog.pg_authid",
    ),
    ReachCase(
        rule="privilege-system",
        object="pg_catalog.pg_largeobject",
        superuser="CREATE ROLE desk_team; GRANT desk_team TO desk_app;"
        "GRANT SELECT ON pg_catalog.pg_largeobject TO desk_team",
        shown="SELECT count(*) >= 0 FROM pg_catalog.pg_largeobject",
    ),
    ReachCase(
        rule="privilege-system",
        object="pg_catalog.pg_read_binary_file(text)",
        superuser="GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO desk_app",
        shown="SELECT length(pg_catalog.pg_read_binary_file('PG_VERSION')) > 0",
    ),
    ReachCase(
        rule="privilege-system",
        object="pg_catalog.pg_ls_dir(text)",
        superuser="GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO PUBLIC",
        shown="SELECT count(*) > 0 FROM pg_catalog.pg_ls_dir('.')",
    ),
    ReachCase(
        rule="privilege-system",
        object="pg_catalog.lo_export(oid, text)",
        superuser="GRANT EXECUTE ON FUNCTION pg_catalog.lo_export(oid, text) TO desk_app",
        shown="SELECT has_function_privilege('pg_catalog.lo_export(oid, text)', 'EXECUTE')",
    ),
    ReachCase(
        rule="privilege-system",
        object="pg_catalog.pg_hba_file_rules",
        superuser="GRANT SELECT ON pg_catalog.pg_hba_file_rules TO desk_app;"
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO desk_app",
        shown="SELECT count(*) > 0 FROM pg_catalog.pg_hba_file_rules",
    ),
    ReachCase(
        rule="privilege-system",
        object="TOAST TABLE OF desk.note",
        superuser="DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA pg_toast TO desk_app;"
        " GRANT SELECT ON %s TO desk_app', (SELECT reltoastrelid::regclass FROM pg_class"
        " WHERE oid = 'desk.note'::regclass)); END $$",
        shown="SELECT has_table_privilege(reltoastrelid, 'SELECT') FROM pg_class"
        " WHERE oid = 'desk.note'::regclass",
    ),
    ReachCase(
        rule="privilege-system",
        object="LANGUAGE internal",
        superuser="UPDATE pg_catalog.pg_language SET lanpltrusted = true"
        " WHERE lanname = 'internal'",
        shown="SELECT has_language_privilege('internal', 'USAGE')",
    ),
    ReachCase(
        rule="privilege-parameter",
        object="PARAMETER session_replication_role",
        superuser="GRANT SET ON PARAMETER session_replication_role TO desk_app",
        shown="SELECT set_config('session_replication_role', 'replica', true) = 'replica'",
    ),
    ReachCase(
        rule="privilege-parameter",
        object="PARAMETER lo_compat_privileges",
        superuser="GRANT SET ON PARAMETER lo_compat_privileges TO PUBLIC",
        shown="SELECT set_config('lo_compat_privileges', 'on', true) = 'on'",
    ),
    ReachCase(
        rule="privilege-parameter",
        object="PARAMETER log_connections",
        superuser="GRANT ALTER SYSTEM ON PARAMETER log_connections TO desk_app",
        shown="SELECT has_parameter_privilege('log_connections', 'ALTER SYSTEM')",
    ),
    ReachCase(
        rule="privilege-parameter",
        object="PARAMETER session_preload_libraries",
        superuser="CREATE ROLE desk_team; GRANT desk_team TO desk_app;"
        "GRANT SET ON PARAMETER session_preload_libraries TO desk_team",
        shown="SELECT has_parameter_privilege('session_preload_libraries', 'SET')",
    ),
    ReachCase(
        rule="leakproof-function",
        object="pg_catalog.textlike(text, text)",
        superuser="ALTER FUNCTION pg_catalog.textlike(text, text) LEAKPROOF",
        shown="SELECT proleakproof FROM pg_catalog.pg_proc"
        " WHERE oid = 'pg_catalog.textlike(text, text)'::regprocedure",
    ),
    ReachCase(
        rule="leakproof-function",
        object="pg_catalog.int4div(integer, integer)",
        superuser="ALTER FUNCTION pg_catalog.int4div(integer, integer) LEAKPROOF",
        shown="SELECT proleakproof FROM pg_catalog.pg_proc"
        " WHERE oid = 'pg_catalog.int4div(integer, integer)'::regprocedure",
    ),
    ReachCase(
        rule="setting-unguarded",
        object="DATABASE {database}",
        superuser="ALTER DATABASE {database} SET lo_compat_privileges = on",
        shown="SELECT count(*) = 1 FROM pg_catalog.pg_db_role_setting AS s"
        " WHERE 'lo_compat_privileges=on' = ANY (s.setconfig)",
    ),
    ReachCase(
        rule="setting-unguarded",
        object="desk_app",
        superuser="ALTER ROLE desk_app SET session_replication_role = replica",
        shown="SELECT count(*) = 1 FROM pg_catalog.pg_db_role_setting AS s"
        " WHERE 'session_replication_role=replica' = ANY (s.setconfig)",
    ),
    ReachCase(
        rule="setting-unguarded",
        object="desk.load()",
        superuser="CREATE FUNCTION desk.load() RETURNS text LANGUAGE sql SECURITY DEFINER"
        " SET search_path = '' SET session_replication_role = replica"
        " AS $$ SELECT current_setting('session_replication_role') $$",
        shown="SELECT desk.load() = 'replica'",
    ),
)
# What grants give away
GRANTS = (
    ReachCase(
        rule="privilege-grant-option",
        object="desk.note",
        sql="GRANT SELECT ON desk.note TO desk_app WITH GRANT OPTION",
        shown="SELECT has_table_privilege('desk.note', 'SELECT WITH GRANT OPTION')",
    ),
    ReachCase(
        rule="privilege-grant-option",
        object="desk.note",
        sql="GRANT UPDATE (title) ON desk.note TO desk_app WITH GRANT OPTION",
        shown="SELECT has_column_privilege('desk.note', 'title', 'UPDATE WITH GRANT OPTION')",
    ),
    ReachCase(
        rule="privilege-grant-option",
        object="desk",
        sql="CREATE ROLE desk_team; GRANT desk_team TO desk_app;"
        "GRANT USAGE ON SCHEMA desk TO desk_team WITH GRANT OPTION",
        shown="SELECT has_schema_privilege('desk', 'USAGE WITH GRANT OPTION')",
    ),
    ReachCase(
        rule="privilege-grant-option",
        object="desk.f()",
        sql="CREATE FUNCTION desk.f() RETURNS integer LANGUAGE sql SECURITY DEFINER"
        " SET search_path = '' AS 'SELECT 1'; REVOKE ALL ON FUNCTION desk.f() FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION desk.f() TO desk_app WITH GRANT OPTION",
        shown="SELECT has_function_privilege('desk.f()', 'EXECUTE WITH GRANT OPTION')",
    ),
    ReachCase(
        rule="privilege-grant-option",
        object="desk.mine",
        sql="CREATE VIEW desk.mine WITH (security_invoker) AS SELECT title FROM desk.note;"
        "GRANT SELECT ON desk.mine TO desk_app WITH GRANT OPTION",
        shown="SELECT has_table_privilege('desk.mine', 'SELECT WITH GRANT OPTION')",
    ),
    ReachCase(
        rule="privilege-default",
        object="desk",
        sql="ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;"
        "ALTER DEFAULT PRIVILEGES IN SCHEMA desk GRANT EXECUTE ON FUNCTIONS TO PUBLIC;"
        "CREATE FUNCTION desk.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        shown="SELECT has_function_privilege('desk.f()', 'EXECUTE')",
    ),
    ReachCase(
        rule="privilege-default",
        object="desk",
        sql="ALTER DEFAULT PRIVILEGES IN SCHEMA desk"
        " GRANT SELECT ON TABLES TO desk_app WITH GRANT OPTION;"
        "CREATE TABLE desk.next (id int)",
        shown="SELECT has_table_privilege('desk.next', 'SELECT WITH GRANT OPTION')",
    ),
    ReachCase(
        rule="privilege-default",
        object="hk_migrator",
        sql="ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO desk_app WITH GRANT OPTION;"
        "CREATE FUNCTION desk.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        shown="SELECT has_function_privilege('desk.f()', 'EXECUTE WITH GRANT OPTION')",
    ),
    ReachCase(
        rule="privilege-grant-option",
        object="{database}",
        sql="GRANT TEMPORARY ON DATABASE {database} TO desk_app WITH GRANT OPTION",
        shown="SELECT has_database_privilege(current_database(), 'TEMPORARY WITH GRANT OPTION')",
    ),
    ReachCase(
        rule="privilege-grant-option",
        object="desk_team",
        superuser="CREATE ROLE desk_team; GRANT SELECT ON desk.note TO desk_team;"
        "GRANT desk_team TO desk_app WITH ADMIN OPTION",
        shown="SELECT pg_has_role('desk_team', 'MEMBER WITH ADMIN OPTION')",
    ),
    ReachCase(
        rule="policy-for-public",
        object="x ON desk.note",
        sql="CREATE POLICY x ON desk.note USING (owner = desk.me());"
        "CREATE ROLE desk_guest; GRANT USAGE ON SCHEMA desk TO desk_guest;"
        "GRANT SELECT ON desk.note TO desk_guest; GRANT desk_guest TO desk_app",
        shown="SELECT count(*) = 1 FROM pg_policies WHERE policyname = 'x' AND roles = '{public}'",
    ),
)
REACH_DEFECTS = (*OUTSIDE, *SYSTEM, *GRANTS)
