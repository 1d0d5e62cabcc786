"""Blind cases: values that leave by a side door, and grants."""

from __future__ import annotations

from support.blind.ground import (
    DEFINER,
    SEES,
    T1,
    T2,
    Planted,
    Sound,
    function,
    mighty,
    trigger,
)

LISTENS = "LISTEN changes; SELECT true"
BOOKING = (
    "CREATE TABLE studio.booking (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " tenant_id uuid NOT NULL, during int4range NOT NULL{0});"
    "ALTER TABLE studio.booking ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
    "CREATE POLICY own ON studio.booking TO studio_web USING (tenant_id = studio.tenant());"
    "GRANT SELECT, INSERT ON studio.booking TO studio_web;"
)
COMMENT = (
    "CREATE TABLE studio.comment (id integer PRIMARY KEY, tenant_id uuid{1},"
    " project_id uuid REFERENCES studio.project (id) {0});"
    f"INSERT INTO studio.comment VALUES (1, '{T2}', '{T1}');"
    "ALTER TABLE studio.comment ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
    "CREATE POLICY own ON studio.comment TO studio_web USING (tenant_id = studio.tenant());"
    "GRANT SELECT, INSERT, UPDATE, DELETE ON studio.comment TO studio_web;"
)


def side(title: str, rule: str, sql: str, about: str, attack: str, seen: str = "") -> Planted:
    return Planted(kind=9, title=title, rule=rule, sql=sql, about=about, attack=attack, seen=seen)


def granted(
    title: str,
    rule: str,
    sql: str,
    about: str,
    attack: str,
    *,
    seen: str = "",
    who: str = "studio_web",
) -> Planted:
    return Planted(
        kind=10, title=title, rule=rule, sql=sql, about=about, attack=attack, seen=seen, who=who
    )


PLANTED = (
    side(
        "whole rows in a notification",
        "notify-tells-rows",
        trigger(
            "studio.tell",
            "studio.project",
            "BEGIN PERFORM pg_notify('changes', row_to_json(NEW)::text); RETURN NULL; END",
            when="AFTER INSERT OR UPDATE",
        ),
        "studio.",
        LISTENS,
    ),
    side(
        "NOTIFY as text",
        "notify-tells-rows",
        trigger(
            "studio.tell",
            "studio.project",
            "BEGIN EXECUTE format('NOTIFY changes, %L', NEW.name); RETURN NULL; END",
            when="AFTER INSERT OR UPDATE",
        ),
        "studio.",
        LISTENS,
    ),
    side(
        "a payload built in a variable",
        "notify-tells-rows",
        trigger(
            "studio.tell",
            "studio.task",
            "DECLARE payload jsonb := jsonb_build_object('op', TG_OP); BEGIN"
            " payload := payload || jsonb_build_object('row', to_jsonb(NEW));"
            " PERFORM pg_catalog.pg_notify('changes', payload::text); RETURN NULL; END",
            when="AFTER INSERT",
        ),
        "studio.",
        LISTENS,
    ),
    side(
        "acting as whom one names",
        "context-from-argument",
        function(
            "studio.act_as(t uuid)",
            "void",
            "SELECT set_config('app.tenant', t::text, true)",
            how=DEFINER,
        ),
        "studio.act_as",
        f"SELECT studio.act_as('{T2}');" + SEES,
    ),
    side(
        "acting as whom one names, in plpgsql and in the claims",
        "context-from-argument",
        function(
            "studio.sign_in(u uuid)",
            "void",
            "BEGIN PERFORM set_config('request.jwt.claims',"
            " jsonb_build_object('sub', u)::text, true); END",
            language="plpgsql",
            how="SET search_path = ''",
        ),
        "studio.sign_in",
        "SELECT studio.sign_in('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb');"
        "SELECT EXISTS (SELECT FROM studio.profile WHERE email = 'theirs')",
    ),
    side(
        "a definer that lifts FORCE while it looks",
        "definer-lifts-protection",
        function(
            "studio.count_all()",
            "text",
            "DECLARE found text; BEGIN ALTER TABLE studio.project NO FORCE ROW LEVEL SECURITY;"
            " SELECT string_agg(name, ',') INTO found FROM studio.project;"
            " ALTER TABLE studio.project FORCE ROW LEVEL SECURITY; RETURN found; END",
            language="plpgsql",
            how=DEFINER,
        ),
        "studio.count_all",
        "SELECT studio.count_all() LIKE '%theirs%'",
    ),
    side(
        "a definer that disables protection by EXECUTE",
        "definer-lifts-protection",
        function(
            "studio.peek(t text)",
            "text",
            "DECLARE found text; BEGIN EXECUTE format('ALTER TABLE studio.%I DISABLE ROW LEVEL"
            " SECURITY', t); SELECT string_agg(name, ',') INTO found FROM studio.project;"
            " EXECUTE format('ALTER TABLE studio.%I ENABLE ROW LEVEL SECURITY', t);"
            " RETURN found; END",
            language="plpgsql",
            how=DEFINER,
        ),
        "studio.peek",
        "SELECT studio.peek('project') LIKE '%theirs%'",
    ),
    side(
        "a definer that makes itself a policy",
        "definer-lifts-protection",
        function(
            "studio.open_up()",
            "text",
            "DECLARE found text; BEGIN CREATE POLICY tmp ON studio.project TO hk_migrator"
            " USING (true); SELECT string_agg(name, ',') INTO found FROM studio.project;"
            " DROP POLICY tmp ON studio.project; RETURN found; END",
            language="plpgsql",
            how=DEFINER,
        ),
        "studio.open_up",
        "SELECT studio.open_up() LIKE '%theirs%'",
    ),
    side(
        "a cascade into another tenant's rows",
        "covert-cascade",
        COMMENT.format("ON DELETE CASCADE", " NOT NULL"),
        "comment",
        "DELETE FROM studio.project",
        "SELECT NOT EXISTS (SELECT FROM studio.comment)",
    ),
    side(
        "a reference emptied in another tenant's rows",
        "covert-cascade",
        COMMENT.format("ON DELETE SET NULL", " NOT NULL"),
        "comment",
        "DELETE FROM studio.project",
        "SELECT EXISTS (SELECT FROM studio.comment WHERE project_id IS NULL)",
    ),
    side(
        "a name that only one may have",
        "covert-unique",
        "CREATE UNIQUE INDEX one_name ON studio.project (name)",
        "studio.project",
        "DO $$ BEGIN INSERT INTO studio.project (tenant_id, name) VALUES"
        " (studio.tenant(), 'theirs'); EXCEPTION WHEN unique_violation THEN"
        " PERFORM set_config('x.taken', 'yes', true); END $$;"
        "SELECT current_setting('x.taken', true) = 'yes'",
    ),
    side(
        "a room that somebody has booked",
        "covert-unique",
        BOOKING.format(", EXCLUDE USING gist (during WITH &&)")
        + f"INSERT INTO studio.booking (tenant_id, during)"
        f" SELECT '{T2}', '[1,5)' WHERE false;"
        "ALTER TABLE studio.booking NO FORCE ROW LEVEL SECURITY;"
        f"INSERT INTO studio.booking (tenant_id, during) VALUES ('{T2}', '[1,5)');"
        "ALTER TABLE studio.booking FORCE ROW LEVEL SECURITY;",
        "studio.booking",
        "DO $$ BEGIN INSERT INTO studio.booking (tenant_id, during) VALUES"
        " (studio.tenant(), '[2,3)'); EXCEPTION WHEN exclusion_violation THEN"
        " PERFORM set_config('x.taken', 'yes', true); END $$;"
        "SELECT current_setting('x.taken', true) = 'yes'",
    ),
    side(
        "all tables published",
        "publication-of-rows",
        mighty("CREATE PUBLICATION everything FOR ALL TABLES"),
        "everything",
        "SELECT EXISTS (SELECT FROM pg_publication_tables WHERE tablename = 'project')",
    ),
    side(
        "a schema published",
        "publication-of-rows",
        mighty("CREATE PUBLICATION supabase_realtime FOR TABLES IN SCHEMA studio"),
        "supabase_realtime",
        "SELECT EXISTS (SELECT FROM pg_publication_tables WHERE tablename = 'project')",
    ),
    side(
        "an error that says what others have",
        "trigger-as-owner",
        "CREATE POLICY mine ON studio.project FOR SELECT TO hk_migrator USING (true);"
        + trigger(
            "studio.refuse",
            "studio.task",
            "BEGIN RAISE EXCEPTION 'not beside %', (SELECT string_agg(name, ',')"
            " FROM studio.project); END",
            how=DEFINER,
        ),
        "studio.",
        "DO $$ BEGIN INSERT INTO studio.task (tenant_id, body) VALUES (studio.tenant(), '');"
        " EXCEPTION WHEN OTHERS THEN PERFORM set_config('x.said', SQLERRM, true); END $$;"
        "SELECT current_setting('x.said', true) LIKE '%theirs%'",
    ),
    granted(
        "WITH GRANT OPTION",
        "privilege-grant-option",
        "GRANT SELECT ON studio.project TO studio_web WITH GRANT OPTION",
        "studio.project",
        "GRANT SELECT ON studio.project TO ledger_app;"
        "SELECT has_table_privilege('ledger_app', 'studio.project', 'SELECT')",
    ),
    granted(
        "a function's WITH GRANT OPTION",
        "privilege-grant-option",
        function("studio.total()", "bigint", "SELECT 1::bigint", how="STABLE", to="")
        + "GRANT EXECUTE ON FUNCTION studio.total() TO studio_web WITH GRANT OPTION",
        "studio.total",
        "GRANT EXECUTE ON FUNCTION studio.total() TO ledger_app;"
        "SELECT has_function_privilege('ledger_app', 'studio.total()', 'EXECUTE')",
    ),
    granted(
        "functions open again by default",
        "privilege-default",
        "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;"
        "ALTER DEFAULT PRIVILEGES IN SCHEMA studio GRANT EXECUTE ON FUNCTIONS TO PUBLIC;"
        "CREATE FUNCTION studio.later() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "studio",
        "SELECT has_function_privilege('ledger_app', 'studio.later()', 'EXECUTE')",
    ),
    granted(
        "all that comes, for the application",
        "boundary-default-privilege",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA ledger GRANT ALL ON TABLES TO studio_web;"
        "CREATE TABLE ledger.later (i integer)",
        "ledger",
        "SELECT true",
        seen="SELECT has_table_privilege('studio_web', 'ledger.later', 'SELECT')",
    ),
    granted(
        "TRUNCATE",
        "privilege-on-whole-table",
        "GRANT TRUNCATE ON studio.profile TO studio_web",
        "studio.profile",
        "TRUNCATE studio.profile",
        seen="SELECT NOT EXISTS (SELECT FROM studio.profile)",
    ),
    granted(
        "everything to everybody",
        "privilege-on-whole-table",
        "GRANT ALL ON ALL TABLES IN SCHEMA studio TO PUBLIC",
        "studio.",
        "TRUNCATE studio.profile",
        seen="SELECT NOT EXISTS (SELECT FROM studio.profile)",
    ),
    granted(
        "a trigger of the application's own",
        "privilege-trigger",
        "GRANT TRIGGER ON studio.project TO studio_web",
        "studio.project",
        "SELECT has_table_privilege('studio_web', 'studio.project', 'TRIGGER')",
    ),
    granted(
        "a policy for everybody",
        "policy-for-public",
        "DROP POLICY own ON studio.project;"
        "CREATE POLICY own ON studio.project USING (tenant_id = studio.tenant());"
        "GRANT USAGE ON SCHEMA studio TO ledger_app; GRANT SELECT ON studio.project TO ledger_app",
        "studio.project",
        "SELECT EXISTS (SELECT FROM studio.project WHERE name = 'mine')",
        who="ledger_app",
    ),
    granted(
        "another application's table, for everybody",
        "outside-holds-rows",
        "GRANT USAGE ON SCHEMA ledger TO PUBLIC; GRANT SELECT ON ledger.entry TO PUBLIC",
        "ledger",
        "SELECT EXISTS (SELECT FROM ledger.entry WHERE amount = 'theirs')",
    ),
    granted(
        "objects of the application's own among the protected ones",
        "role-may-create",
        "GRANT CREATE ON SCHEMA studio TO studio_web",
        "studio",
        "CREATE TABLE studio.mine (i integer); SELECT true",
    ),
    granted(
        "a counter set back",
        "privilege-sequence",
        "CREATE SEQUENCE studio.invoice; GRANT USAGE, SELECT, UPDATE ON SEQUENCE studio.invoice"
        " TO studio_web",
        "studio.invoice",
        "SELECT setval('studio.invoice', 1) = 1",
    ),
)

SOUND = (
    Sound(
        kind=9,
        title="a notification that says only which table",
        sql=trigger(
            "studio.tell",
            "studio.project",
            "BEGIN PERFORM pg_notify('changes', TG_TABLE_NAME); RETURN NULL; END",
            when="AFTER INSERT OR UPDATE",
        ),
    ),
    Sound(
        kind=9,
        title="a name that a tenant has once",
        sql="CREATE UNIQUE INDEX one_name ON studio.project (tenant_id, lower(name))",
    ),
    Sound(
        kind=9,
        title="a cascade within the tenant",
        sql="ALTER TABLE studio.task DROP CONSTRAINT task_tenant_id_project_id_fkey;"
        "ALTER TABLE studio.task ADD FOREIGN KEY (tenant_id, project_id)"
        " REFERENCES studio.project (tenant_id, id) ON DELETE CASCADE",
    ),
    Sound(
        kind=9,
        title="a setting that says which request it was",
        sql=function(
            "studio.request(id text)",
            "void",
            "SELECT set_config('app.request_id', id, true)",
            how="SET search_path = ''",
        ),
    ),
    Sound(
        kind=9,
        title="words that are published",
        sql="CREATE TABLE public.word (w text PRIMARY KEY);"
        + mighty("CREATE PUBLICATION words FOR TABLE public.word"),
    ),
    Sound(
        kind=10,
        title="defaults that close",
        sql="ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;"
        "ALTER DEFAULT PRIVILEGES IN SCHEMA studio GRANT SELECT ON TABLES TO studio_fill",
    ),
    Sound(
        kind=10,
        title="columns one by one",
        sql="REVOKE UPDATE ON studio.project FROM studio_web;"
        "GRANT UPDATE (name, status) ON studio.project TO studio_web",
    ),
    Sound(
        kind=10,
        title="who migrates may grant",
        sql=mighty("GRANT SELECT ON studio.project TO hk_migrator WITH GRANT OPTION"),
    ),
    Sound(
        kind=10,
        title="a sequence that one may only draw from",
        sql="CREATE SEQUENCE studio.invoice; GRANT USAGE ON SEQUENCE studio.invoice TO studio_web",
    ),
)
