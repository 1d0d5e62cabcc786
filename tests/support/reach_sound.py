"""What only looks like a way past row-level security beside the protected schemas, on the ground of
``catalogue_cases``."""

from __future__ import annotations

# Laid by a superuser and by the migrating role, all of them together; no rule may say anything.
REACH_SOUND: tuple[tuple[str, str], ...] = (
    # managed providers: default roles, extensions in a schema of their own
    (
        (
            "CREATE ROLE desk_watch LOGIN; GRANT pg_monitor TO desk_watch;"
            "GRANT SELECT ON pg_catalog.pg_statistic TO desk_watch;"
            "GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_waldir() TO desk_watch"
        ),
        "",
    ),
    (
        (
            "CREATE ROLE desk_operator; GRANT pg_read_all_settings TO desk_operator;"
            "GRANT ALTER SYSTEM ON PARAMETER work_mem TO desk_operator;"
            "GRANT SET ON PARAMETER session_replication_role TO desk_operator"
        ),
        "",
    ),
    (
        (
            "CREATE SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO PUBLIC;"
            "CREATE FUNCTION extensions.digest(text) RETURNS text LANGUAGE sql IMMUTABLE"
            " AS 'SELECT md5($1)'"
        ),
        "",
    ),
    # what PostGIS brings: a table of reference data that everybody may read
    (
        (
            "CREATE TABLE public.spatial_ref_sys (srid integer PRIMARY KEY, auth_name varchar(256),"
            " auth_srid integer, srtext varchar(2048), proj4text varchar(2048));"
            "GRANT SELECT ON public.spatial_ref_sys TO PUBLIC;"
            "CREATE VIEW public.geometry_columns AS SELECT c.relname FROM pg_catalog.pg_class AS c;"
            "GRANT SELECT ON public.geometry_columns TO PUBLIC"
        ),
        "",
    ),
    (
        "",
        (
            "CREATE TABLE public.country (id integer PRIMARY KEY, title text NOT NULL, code text);"
            "GRANT SELECT ON public.country TO desk_app"
        ),
    ),
    # whom a subdomain belongs to: the identity is the key, and there is nothing else of a row
    (
        "",
        (
            "CREATE TABLE public.host (owner integer PRIMARY KEY, subdomain text NOT NULL);"
            "GRANT SELECT ON public.host TO desk_app"
        ),
    ),
    # the table of another tool, and a copy, read by nobody untrusted
    ("", "CREATE TABLE public.schema_migrations (version text PRIMARY KEY)"),
    ("", "CREATE TABLE public.note_old (LIKE desk.note)"),
    (
        "",
        (
            "CREATE SCHEMA cellar; CREATE TABLE cellar.note (LIKE desk.note);"
            "GRANT SELECT ON cellar.note TO desk_app"
        ),
    ),
    # a copy that has the policy as well
    (
        "",
        (
            "CREATE TABLE public.note_new (LIKE desk.note);"
            "ALTER TABLE public.note_new ENABLE ROW LEVEL SECURITY;"
            "ALTER TABLE public.note_new FORCE ROW LEVEL SECURITY;"
            "CREATE POLICY own ON public.note_new TO desk_app USING (owner = desk.me());"
            "GRANT SELECT ON public.note_new TO desk_app"
        ),
    ),
    # an audit trail that nobody untrusted may read, and one by the statement alone
    (
        "",
        (
            "CREATE SCHEMA audit; CREATE TABLE audit.row_change (at timestamptz, new_row jsonb);"
            "CREATE FUNCTION audit.keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
            " SET search_path = '' AS $$ BEGIN"
            " INSERT INTO audit.row_change SELECT now(), to_jsonb(new); RETURN NULL; END $$;"
            "REVOKE ALL ON FUNCTION audit.keep() FROM PUBLIC;"
            "CREATE TRIGGER keep AFTER INSERT ON desk.note"
            " FOR EACH ROW EXECUTE FUNCTION audit.keep()"
        ),
    ),
    (
        "",
        (
            "CREATE TABLE public.busy (at timestamptz, what text);"
            "GRANT SELECT ON public.busy TO desk_app;"
            "CREATE TABLE public.tally (n bigint); GRANT SELECT ON public.tally TO desk_app;"
            "CREATE FUNCTION desk.count_it() RETURNS trigger LANGUAGE plpgsql SET search_path = ''"
            " AS $$ BEGIN INSERT INTO public.busy VALUES (now(), tg_op);"
            " UPDATE public.tally SET n = n + 1; RETURN NULL; END $$;"
            "CREATE TRIGGER count_it AFTER INSERT ON desk.note EXECUTE FUNCTION desk.count_it()"
        ),
    ),
    # a trigger that only looks something up outside
    (
        "",
        (
            "CREATE FUNCTION desk.known() RETURNS trigger LANGUAGE plpgsql SET search_path = ''"
            " AS $$ BEGIN"
            " IF NOT EXISTS (SELECT FROM public.country AS c WHERE c.title = new.title) THEN"
            " RAISE EXCEPTION 'no such country'; END IF; RETURN new; END $$;"
            "CREATE TRIGGER known BEFORE INSERT ON desk.note"
            " FOR EACH ROW EXECUTE FUNCTION desk.known()"
        ),
    ),
    # a definer trigger outside, pinned, whose owner is bound by the policies
    (
        "",
        (
            "CREATE TABLE public.inbox (line text); GRANT INSERT ON public.inbox TO desk_app;"
            "CREATE FUNCTION public.take() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
            " SET search_path = '' AS $$ BEGIN new.line := lower(new.line); RETURN new; END $$;"
            "REVOKE ALL ON FUNCTION public.take() FROM PUBLIC;"
            "CREATE TRIGGER take BEFORE INSERT ON public.inbox"
            " FOR EACH ROW EXECUTE FUNCTION public.take()"
        ),
    ),
    # one of a superuser, on a table that nobody untrusted writes to
    (
        (
            "CREATE TABLE public.ledger (line text); GRANT SELECT ON public.ledger TO desk_app;"
            "CREATE FUNCTION public.seal() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
            " SET search_path = '' AS $$ BEGIN RETURN new; END $$;"
            "REVOKE ALL ON FUNCTION public.seal() FROM PUBLIC;"
            "CREATE TRIGGER seal BEFORE INSERT ON public.ledger"
            " FOR EACH ROW EXECUTE FUNCTION public.seal()"
        ),
        "",
    ),
    # what another schema refers to, and a queue that nobody untrusted reads
    (
        "",
        (
            "CREATE TABLE public.kind (id int PRIMARY KEY, name text);"
            "GRANT SELECT ON public.kind TO desk_app;"
            "ALTER TABLE desk.note ADD kind int REFERENCES public.kind;"
            "CREATE SCHEMA work; CREATE TABLE work.job (id bigserial, payload jsonb);"
            "GRANT USAGE ON SCHEMA work TO desk_app; GRANT INSERT ON work.job TO desk_app;"
            "CREATE FUNCTION desk.enqueue() RETURNS trigger LANGUAGE plpgsql SET search_path = ''"
            " AS $$ BEGIN INSERT INTO work.job (payload) VALUES (jsonb_build_object('id', new.id));"
            " RETURN NULL; END $$;"
            "CREATE TRIGGER enqueue AFTER INSERT ON desk.note"
            " FOR EACH ROW EXECUTE FUNCTION desk.enqueue()"
        ),
    ),
    # accounts and files as managed providers keep them
    (
        (
            "CREATE SCHEMA auth; CREATE TABLE auth.users (id integer PRIMARY KEY, email text);"
            "GRANT USAGE ON SCHEMA auth TO desk_app;"
            "CREATE SCHEMA storage; CREATE TABLE storage.objects (owner integer, name text);"
            "ALTER TABLE storage.objects ENABLE ROW LEVEL SECURITY;"
            "CREATE POLICY own ON storage.objects TO desk_app"
            " USING (owner = nullif(current_setting('desk.me', true), '')::integer);"
            "GRANT USAGE ON SCHEMA storage TO desk_app; GRANT ALL ON storage.objects TO desk_app"
        ),
        "",
    ),
    # a pooler's question for passwords, asked by the pooler alone
    (
        (
            "CREATE FUNCTION public.get_auth(name) RETURNS text LANGUAGE sql SECURITY DEFINER"
            " SET search_path = ''"
            " AS 'SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1';"
            "REVOKE ALL ON FUNCTION public.get_auth(name) FROM PUBLIC;"
            "CREATE ROLE desk_pooler LOGIN; GRANT EXECUTE ON FUNCTION public.get_auth(name)"
            " TO desk_pooler"
        ),
        "",
    ),
    # a schema of the application's own, which nobody else looks into
    ("", "CREATE SCHEMA desk_queue; GRANT USAGE, CREATE ON SCHEMA desk_queue TO desk_app"),
    ("", "CREATE TABLE public.job (id bigint, payload jsonb); GRANT ALL ON public.job TO desk_app"),
    # hardened
    (
        (
            "REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO desk_app;"
            "REVOKE ALL ON DATABASE {database} FROM PUBLIC"
        ),
        "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
    ),
    (
        (
            "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(double precision) FROM PUBLIC;"
            "GRANT EXECUTE ON FUNCTION pg_catalog.pg_sleep(double precision) TO desk_app"
        ),
        "",
    ),
    ("GRANT SELECT ON pg_catalog.pg_class, information_schema.tables TO desk_app", ""),
    ("GRANT SET ON PARAMETER log_min_duration_statement TO desk_app", ""),
    ("ALTER FUNCTION pg_catalog.textlike(text, text) COST 2", ""),
    ("ALTER DATABASE {database} SET session_replication_role = origin", ""),
    ("ALTER ROLE desk_app SET lo_compat_privileges = off", ""),
    # grants
    ("", "GRANT SELECT ON desk.note TO CURRENT_USER WITH GRANT OPTION"),
    (
        "CREATE ROLE desk_admin; GRANT desk_admin TO hk_migrator",
        (
            "GRANT ALL ON SCHEMA desk TO desk_admin WITH GRANT OPTION;"
            "GRANT SELECT ON desk.note TO desk_admin WITH GRANT OPTION"
        ),
    ),
    ("", "ALTER DEFAULT PRIVILEGES IN SCHEMA desk GRANT EXECUTE ON FUNCTIONS TO desk_app"),
    ("", "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO PUBLIC"),
    # a profile whose key is the identity: other tables have an id as well
    (
        "",
        (
            "CREATE TABLE desk.profile (id integer PRIMARY KEY, nick text, avatar text);"
            "ALTER TABLE desk.profile ENABLE ROW LEVEL SECURITY;"
            "ALTER TABLE desk.profile FORCE ROW LEVEL SECURITY;"
            "CREATE POLICY own ON desk.profile TO desk_app USING (id = desk.me());"
            "CREATE TABLE public.tariff (id integer PRIMARY KEY, price numeric);"
            "GRANT SELECT ON public.tariff TO desk_app"
        ),
    ),
)
