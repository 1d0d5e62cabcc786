"""A second round: of each kind what the first one had not thought of. When they were first tried
one of 28 was missed, and three were told by another rule than that of the defect."""

from __future__ import annotations

from support.blind.ground import (
    AS_ONE,
    DEFINER,
    FILL,
    SEES,
    SEES_SHOP,
    T1,
    T2,
    Planted,
    Sound,
    function,
    mighty,
    policies,
    shop,
    trigger,
)

OWN = "tenant_id = (SELECT studio.tenant())"
SLUG = "slug text NOT NULL"
MY_SLUG = "current_setting('app.slug', true)"
NAMES = "SELECT string_agg(p.name, ',') FROM studio.project AS p"
LONG = "a" * 63
HELPER = f"VOLATILE {DEFINER}"


def near(title: str, using: str, rows: str, slug: str) -> Planted:
    return Planted(
        kind=8,
        title=title,
        rule="identity-isolated",
        sql=shop(SLUG, using, rows),
        about="shop",
        attack=SEES_SHOP,
        acting={**AS_ONE, "app.slug": slug},
    )


def listens(title: str, also: str, attack: str) -> Planted:
    return Planted(
        kind=4,
        title=title,
        rule="setting-undeclared",
        sql=policies("project", f"USING ({OWN} OR {also})"),
        about="studio.project",
        attack=f"{attack}; {SEES}",
    )


PLANTED = (
    Planted(
        kind=1,
        title="a function that is always somebody else",
        rule="setting-context",
        sql=function(
            "studio.f()",
            "SETOF text",
            "SELECT p.name FROM studio.project AS p",
            how="VOLATILE SET search_path = ''",
        )
        + mighty(f"ALTER FUNCTION studio.f() SET app.tenant = '{T2}'"),
        about="studio.f()",
        attack="SELECT EXISTS (SELECT FROM studio.f() AS n WHERE n = 'theirs')",
    ),
    Planted(
        kind=1,
        title="a definer of the owner of a table that is not forced",
        rule="rls-not-forced",
        sql="CREATE TABLE studio.bill (tenant_id uuid NOT NULL, sum text);"
        f"INSERT INTO studio.bill VALUES ('{T2}', 'theirs');"
        "ALTER TABLE studio.bill ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY own ON studio.bill TO studio_web USING ({OWN});"
        + function("studio.f()", "SETOF text", "SELECT b.sum FROM studio.bill AS b"),
        about="studio.bill",
        attack="SELECT EXISTS (SELECT FROM studio.f() AS n WHERE n = 'theirs')",
    ),
    Planted(
        kind=2,
        title="a generated column",
        rule="definer-exempt-owner",
        sql=FILL
        + function("studio.f(text)", "text", NAMES, how=f"IMMUTABLE {DEFINER}", owner="studio_fill")
        + "ALTER TABLE studio.task"
        " ADD COLUMN told text GENERATED ALWAYS AS (studio.f(body)) STORED",
        about="studio.f(text)",
        attack=f"INSERT INTO studio.task (tenant_id, body) VALUES ('{T1}', 'new');"
        "SELECT EXISTS (SELECT FROM studio.task WHERE told LIKE '%theirs%')",
    ),
    Planted(
        kind=2,
        title="the default of a domain",
        rule="definer-exempt-owner",
        sql=FILL
        + function("studio.f()", "text", NAMES, owner="studio_fill")
        + "CREATE DOMAIN studio.told AS text DEFAULT studio.f()",
        about="studio.f()",
        attack="CREATE TEMPORARY TABLE t (id integer, told studio.told);"
        "INSERT INTO t (id) VALUES (1); SELECT EXISTS (SELECT FROM t WHERE told LIKE '%theirs%')",
    ),
    Planted(
        kind=2,
        title="a template in which the caller's pattern is put",
        rule="definer-runs-text",
        sql=function(
            "studio.listed(pattern text)",
            "SETOF text",
            "BEGIN RETURN QUERY EXECUTE replace('SELECT t.body FROM studio.task AS t WHERE"
            " t.tenant_id = studio.tenant() AND t.body LIKE :it', ':it', pattern); END",
            language="plpgsql",
            how=HELPER,
        ),
        about="studio.listed",
        attack="SELECT EXISTS (SELECT FROM studio.listed("
        "$a$'x' UNION ALL SELECT e.amount FROM ledger.entry AS e$a$) AS t WHERE t = 'theirs')",
    ),
    Planted(
        kind=3,
        title="the tenant of the parent, whoever's it is",
        rule="definer-exempt-owner",
        sql=FILL
        + function(
            "studio.of(uuid)",
            "uuid",
            "SELECT p.tenant_id FROM studio.project AS p WHERE p.id = $1",
            owner="studio_fill",
        )
        + policies(
            "task",
            f"FOR SELECT USING ({OWN})",
            f"FOR INSERT WITH CHECK ({OWN})",
            f"FOR UPDATE USING ({OWN}) WITH CHECK (tenant_id = studio.of(project_id))",
        ),
        about="studio.of(uuid)",
        attack=f"UPDATE studio.task SET tenant_id = '{T2}', project_id = '{T2}'",
        seen=f"SELECT EXISTS (SELECT FROM studio.task WHERE tenant_id = '{T2}' AND body = 'mine')",
    ),
    Planted(
        kind=3,
        title="a check about time",
        rule="identity-isolated",
        sql=policies("project", f"USING ({OWN}) WITH CHECK (created_at <= now())"),
        about="studio.project",
        attack=f"UPDATE studio.project SET tenant_id = '{T2}'",
        seen=f"SELECT EXISTS (SELECT FROM studio.project WHERE tenant_id = '{T2}'"
        " AND name = 'mine')",
    ),
    listens(
        "a name that is put together",
        "current_setting(concat('app.', 'god'), true) = 'on'",
        "SET LOCAL app.god = 'on'",
    ),
    listens(
        "the search path",
        "current_schema() = 'auth'",
        "SET LOCAL search_path = auth",
    ),
    listens(
        "the list of settings",
        "EXISTS (SELECT FROM pg_catalog.pg_settings AS s"
        " WHERE s.name = 'application_name' AND s.setting = 'ops')",
        "SET LOCAL application_name = 'ops'",
    ),
    listens(
        "the time zone",
        "current_setting('TimeZone') = 'Asia/Tokyo'",
        "SET LOCAL TimeZone = 'Asia/Tokyo'",
    ),
    Planted(
        kind=5,
        title="a cache of whole projects, filled by nobody knows whom",
        rule="outside-holds-rows",
        sql="RESET ROLE;"
        "CREATE UNLOGGED TABLE public.project_cache (key text PRIMARY KEY, value jsonb);"
        "INSERT INTO public.project_cache SELECT p.id::text, to_jsonb(p) FROM studio.project AS p;"
        "GRANT SELECT ON public.project_cache TO studio_web",
        about="public.project_cache",
        attack="SELECT EXISTS (SELECT FROM public.project_cache WHERE value ->> 'name' = 'theirs')",
    ),
    Planted(
        kind=5,
        title="a superuser's function in public",
        rule="definer-exempt-owner",
        sql=mighty(
            "CREATE FUNCTION public.f() RETURNS SETOF studio.project LANGUAGE sql STABLE"
            f" {DEFINER} AS 'SELECT p.* FROM studio.project AS p'"
        ),
        about="public.f()",
        attack="SELECT EXISTS (SELECT FROM public.f() AS p WHERE p.name = 'theirs')",
    ),
    Planted(
        kind=6,
        title="statistics over several columns",
        rule="privilege-system",
        sql=mighty(
            "CREATE STATISTICS studio.both (mcv) ON tenant_id, name FROM studio.project;"
            "ANALYZE studio.project; GRANT SELECT ON pg_catalog.pg_statistic_ext_data TO studio_web"
        ),
        about="pg_statistic_ext_data",
        attack="SELECT EXISTS (SELECT FROM pg_statistic_ext_data AS d,"
        " pg_mcv_list_items(d.stxdmcv) AS m WHERE m.values::text LIKE '%theirs%')",
    ),
    Planted(
        kind=6,
        title="a file of the server as a large object",
        rule="privilege-system",
        sql=mighty("GRANT EXECUTE ON FUNCTION pg_catalog.lo_import(text) TO studio_web"),
        about="lo_import",
        attack="CREATE TEMPORARY TABLE t AS SELECT lo_import('PG_VERSION') AS id;"
        "SELECT length(lo_get(t.id)) > 0 FROM t",
    ),
    Planted(
        kind=7,
        title="the statements of others",
        rule="role-reads-all-data",
        sql=mighty("GRANT pg_read_all_stats TO studio_login"),
        about="studio_login",
        who="studio_login",
        attack="SELECT NOT EXISTS (SELECT FROM pg_stat_activity"
        " WHERE query = '<insufficient privilege>')"
        " AND pg_has_role('pg_read_all_stats', 'USAGE')",
    ),
    Planted(
        kind=7,
        title="the owner of what tells the tenant",
        rule="role-owns-function",
        sql=mighty(
            "GRANT CREATE ON SCHEMA studio TO studio_login;"
            "ALTER FUNCTION studio.tenant() OWNER TO studio_login"
        ),
        about="studio.tenant()",
        who="studio_login",
        attack="CREATE OR REPLACE FUNCTION studio.tenant() RETURNS uuid LANGUAGE sql STABLE"
        f" AS $$ SELECT '{T2}'::uuid $$; {SEES}",
    ),
    near(
        "a wildcard in one's own name",
        f"slug LIKE {MY_SLUG}",
        "('ac_e', 'mine'), ('acme', 'theirs')",
        "ac_e",
    ),
    near(
        "pieces of one's own name",
        f"slug = ANY (string_to_array({MY_SLUG}, '-'))",
        "('acme', 'theirs'), ('acme-two', 'mine')",
        "acme-two",
    ),
    near(
        "as long as a name of PostgreSQL's",
        f"slug::name = {MY_SLUG}::name",
        f"('{LONG}x', 'mine'), ('{LONG}y', 'theirs')",
        f"{LONG}x",
    ),
    near(
        "found by a search",
        f"to_tsvector('simple', slug) @@ plainto_tsquery('simple', {MY_SLUG})",
        "('acme', 'mine'), ('acme two', 'theirs')",
        "acme",
    ),
    Planted(
        kind=9,
        title="a reference set to another in another tenant's rows",
        rule="covert-cascade",
        sql="ALTER TABLE studio.task ADD COLUMN near uuid DEFAULT NULL REFERENCES studio.project"
        " ON DELETE SET DEFAULT; RESET ROLE;"
        f"UPDATE studio.task SET near = '{T1}' WHERE body = 'theirs'",
        about="studio.task",
        attack=f"DELETE FROM studio.project WHERE id = '{T1}'",
        seen="SELECT EXISTS (SELECT FROM studio.task WHERE body = 'theirs' AND near IS NULL)",
    ),
    Planted(
        kind=9,
        title="all rows of a statement in a notification",
        rule="notify-tells-rows",
        sql=function(
            "studio.tell()",
            "trigger",
            "BEGIN PERFORM pg_notify('projects', (SELECT json_agg(r)::text FROM made AS r));"
            " RETURN NULL; END",
            language="plpgsql",
            how="SET search_path = ''",
            to="",
        )
        + "CREATE TRIGGER tell AFTER INSERT ON studio.project REFERENCING NEW TABLE AS made"
        " FOR EACH STATEMENT EXECUTE FUNCTION studio.tell()",
        about="studio.tell()",
        attack=f"INSERT INTO studio.project (tenant_id, name) VALUES ('{T1}', 'x'); SELECT true",
    ),
    Planted(
        kind=9,
        title="some columns of all rows published",
        rule="publication-of-rows",
        sql=mighty("CREATE PUBLICATION told FOR TABLE studio.project (id, name)"),
        about="told",
        attack="SELECT EXISTS (SELECT FROM pg_publication_tables WHERE tablename = 'project')",
    ),
    Planted(
        kind=9,
        title="acting as the tenant of a project that one names",
        rule="definer-exempt-owner",
        sql=FILL
        + function(
            "studio.enter(text)",
            "void",
            "SELECT set_config('app.tenant', (SELECT p.tenant_id::text FROM studio.project AS p"
            " WHERE p.name = $1), true)",
            how=HELPER,
            owner="studio_fill",
        ),
        about="studio.enter(text)",
        attack=f"SELECT studio.enter('theirs'); {SEES}",
    ),
    Planted(
        kind=10,
        title="what another role makes, for the application",
        rule="privilege-default",
        sql=mighty(
            "ALTER DEFAULT PRIVILEGES FOR ROLE studio_fill IN SCHEMA studio"
            " GRANT ALL ON TABLES TO studio_web"
        ),
        about="studio",
        who="studio_fill",
        attack="CREATE TABLE studio.later (x integer);"
        "SELECT has_table_privilege('studio_web', 'studio.later', 'TRUNCATE')",
    ),
    Planted(
        kind=10,
        title="open for everybody, and narrowed for one role alone",
        rule="policy-for-public",
        sql="DROP POLICY own ON studio.project;"
        "CREATE POLICY all_rows ON studio.project USING (true);"
        f"CREATE POLICY own ON studio.project AS RESTRICTIVE TO studio_web USING ({OWN});"
        "GRANT USAGE ON SCHEMA studio TO ledger_app; GRANT SELECT ON studio.project TO ledger_app",
        about="studio.project",
        attack=SEES,
        who="ledger_app",
    ),
    Planted(
        kind=10,
        title="a column for everybody",
        rule="privilege-public",
        sql="GRANT SELECT (amount) ON ledger.entry TO PUBLIC;"
        "GRANT USAGE ON SCHEMA ledger TO PUBLIC;"
        "GRANT SELECT (name) ON studio.project TO PUBLIC",
        about="studio.project",
        attack="SELECT has_column_privilege('ledger_app', 'studio.project', 'name', 'SELECT')",
    ),
)

ACCOUNTS = (
    "RESET ROLE; CREATE TABLE auth.users (id uuid PRIMARY KEY, email text NOT NULL);"
    "GRANT SELECT, REFERENCES ON auth.users TO hk_migrator; SET LOCAL ROLE hk_migrator;"
)
SOUND = (
    Sound(
        kind=1,
        title="whoever signs up gets a profile",
        sql=ACCOUNTS
        + "CREATE POLICY signs_up ON studio.profile FOR INSERT TO hk_migrator WITH CHECK (true);"
        + function(
            "studio.sign_up()",
            "trigger",
            "BEGIN INSERT INTO studio.profile (user_id, email) VALUES (NEW.id, NEW.email);"
            " RETURN NEW; END",
            language="plpgsql",
            how=DEFINER,
            to="",
        )
        + mighty(
            "CREATE TRIGGER sign_up AFTER INSERT ON auth.users"
            " FOR EACH ROW EXECUTE FUNCTION studio.sign_up()"
        ),
    ),
    Sound(
        kind=1,
        title="a helper about one's own role in an account",
        sql="CREATE POLICY fill ON studio.member TO studio_fill USING (true);"
        "ALTER TABLE studio.member ADD COLUMN position text NOT NULL DEFAULT 'member';"
        + function(
            "studio.has_position(account uuid, wanted text)",
            "boolean",
            "SELECT EXISTS (SELECT FROM studio.member AS m WHERE m.user_id = (SELECT auth.uid())"
            " AND m.tenant_id = account AND (m.position = wanted OR wanted IS NULL))",
            owner="studio_fill",
        ),
    ),
    Sound(
        kind=1,
        title="what has been used is counted for the row's own tenant",
        sql="CREATE TABLE studio.used (tenant_id uuid PRIMARY KEY, projects integer NOT NULL);"
        "ALTER TABLE studio.used ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        f"CREATE POLICY own ON studio.used FOR SELECT TO studio_web USING ({OWN});"
        f"CREATE POLICY counts ON studio.used TO hk_migrator USING ({OWN}) WITH CHECK ({OWN});"
        "GRANT SELECT ON studio.used TO studio_web;"
        + trigger(
            "studio.count_it",
            "studio.project",
            "BEGIN INSERT INTO studio.used AS u VALUES (NEW.tenant_id, 1)"
            " ON CONFLICT (tenant_id) DO UPDATE SET projects = u.projects + 1; RETURN NEW; END",
            when="AFTER INSERT",
            how=DEFINER,
        ),
    ),
    Sound(
        kind=2,
        title="a search of one's own rows",
        sql="CREATE VIEW studio.found WITH (security_invoker, security_barrier) AS"
        " SELECT p.name, t.body FROM studio.project AS p"
        " INNER JOIN studio.task AS t ON t.project_id = p.id;"
        "GRANT SELECT ON studio.found TO studio_web;"
        + function(
            "studio.search(words text)",
            "SETOF studio.task",
            "SELECT t.* FROM studio.task AS t"
            " WHERE to_tsvector('simple', t.body) @@ websearch_to_tsquery('simple', words)",
            how="STABLE SET search_path = ''",
        ),
    ),
    Sound(
        kind=3,
        title="gone for now, and touched",
        sql="ALTER TABLE studio.project ADD COLUMN gone_at timestamptz;"
        "CREATE POLICY present ON studio.project AS RESTRICTIVE FOR SELECT TO studio_web"
        " USING (gone_at IS NULL);"
        + trigger(
            "studio.touch",
            "studio.project",
            "BEGIN NEW.created_at := now(); RETURN NEW; END",
            when="BEFORE UPDATE",
            how="SET search_path = ''",
        ),
    ),
    Sound(
        kind=4,
        title="a second factor, asked for besides",
        sql="CREATE POLICY second_factor ON studio.project AS RESTRICTIVE TO studio_web"
        " USING ((SELECT auth.jwt() ->> 'aal') = 'aal2')",
        also=("aal",),
    ),
    Sound(
        kind=4,
        title="what runs before each request",
        sql=function(
            "studio.before_request()",
            "void",
            "BEGIN IF auth.uid() IS NULL THEN RAISE EXCEPTION 'sign in first'; END IF;"
            " PERFORM set_config('response.headers', '[]', true); END",
            language="plpgsql",
            how="VOLATILE SET search_path = ''",
        ),
    ),
    Sound(
        kind=5,
        title="prices for everybody",
        sql="CREATE TABLE public.price (id text PRIMARY KEY, product text, amount integer);"
        "CREATE TABLE public.product (id text PRIMARY KEY, label text);"
        "GRANT SELECT ON public.price, public.product TO studio_web",
    ),
    Sound(
        kind=8,
        title="a folder that is called after the tenant",
        sql=shop(
            "path text NOT NULL CHECK (path LIKE '%/%')",
            "split_part(path, '/', 1) = (SELECT studio.tenant()::text)",
            f"('{T1}/a', 'mine'), ('{T2}/a', 'theirs')",
        ),
    ),
    Sound(
        kind=9,
        title="a journal that has the rows' own protection",
        sql="CREATE TABLE studio.journal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " tenant_id uuid NOT NULL, what jsonb);"
        "ALTER TABLE studio.journal ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        f"CREATE POLICY own ON studio.journal TO studio_web USING ({OWN});"
        "GRANT SELECT, INSERT ON studio.journal TO studio_web;"
        + trigger(
            "studio.keep",
            "studio.project",
            "BEGIN INSERT INTO studio.journal (tenant_id, what)"
            " VALUES (NEW.tenant_id, to_jsonb(NEW)); RETURN NEW; END",
            when="AFTER INSERT",
            how="SET search_path = ''",
        ),
    ),
    Sound(
        kind=10,
        title="the other application's rights, given to each of its tables as it is made",
        sql="ALTER DEFAULT PRIVILEGES IN SCHEMA ledger GRANT SELECT, INSERT, UPDATE, DELETE"
        " ON TABLES TO ledger_app; ALTER DEFAULT PRIVILEGES IN SCHEMA ledger GRANT USAGE"
        " ON SEQUENCES TO ledger_app",
    ),
)
