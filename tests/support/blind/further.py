"""Cases of a fourth round, by somebody who had read no rule, of what public reports tell of. When
they were first tried none of the planted ones was told, and the first sound one stopped a proof."""

from __future__ import annotations

from support.blind.ground import (
    AS_ONE,
    DEFINER,
    SEES,
    T1,
    T2,
    U1,
    U2,
    Planted,
    Sound,
    function,
    mighty,
    policies,
    shop,
    trigger,
)

LOG = "CREATE TABLE public.log (t text); GRANT SELECT, INSERT ON public.log TO PUBLIC;"
AS_TWO = {**AS_ONE, "app.tenant": T2}
ME = "(SELECT auth.uid())"
OWN = "tenant_id = (SELECT studio.tenant())"
EVENT = (
    "CREATE TABLE studio.event (tenant_id uuid NOT NULL, at date NOT NULL, what text)"
    " PARTITION BY RANGE (at);"
    "ALTER TABLE studio.event ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
    f"CREATE POLICY own ON studio.event TO studio_web USING ({OWN});"
    "GRANT SELECT, INSERT ON studio.event TO studio_web;"
)
YEAR = "FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"


def noting(returns: str, result: str, how: str = "") -> str:
    """The log, and a function that writes there what it is asked about."""
    return LOG + function(
        "public.note_down(t text)",
        returns,
        f"BEGIN INSERT INTO public.log VALUES (t); RETURN {result}; END",
        language="plpgsql",
        how=f"{how} SET search_path = ''",
        to="PUBLIC",
    )


# What calls a function that writes may not write itself where it says that it is IMMUTABLE.
NOTED = noting("text", "t") + function(
    "public.noted(t text)",
    "text",
    "BEGIN RETURN public.note_down(t); END",
    language="plpgsql",
    how="IMMUTABLE SET search_path = ''",
    to="PUBLIC",
)


def copies(title: str, sql: str, about: str = "studio.project") -> Planted:
    return Planted(
        kind=9,
        title=title,
        rule="outside-copies-rows",
        sql=sql,
        about=about,
        attack=f"INSERT INTO studio.project (tenant_id, name) VALUES ('{T2}', 'theirs')",
        seen="SELECT EXISTS (SELECT FROM public.log WHERE t = 'theirs')",
        acting=AS_TWO,
    )


def across(title: str, rule: str, sql: str, about: str, attack: str) -> Planted:
    return Planted(kind=5, title=title, rule=rule, sql=sql, about=about, attack=attack)


def at_the_ledger(body: str, ledger: str = "ledger.t") -> str:
    return trigger(ledger, "ledger.entry", body, when="AFTER INSERT", how=DEFINER)


AMOUNTS = "SELECT string_agg(e.amount, ',') FROM ledger.entry AS e"
INBOX = "CREATE TABLE public.inbox (t text); GRANT SELECT, INSERT ON public.inbox TO studio_web;"
ASKS_INBOX = (
    "INSERT INTO public.inbox DEFAULT VALUES;"
    "SELECT EXISTS (SELECT FROM public.inbox WHERE t LIKE '%theirs%')"
)
OPEN = function("private.f()", "text", AMOUNTS, to="PUBLIC")


def elsewhere(title: str, sql: str, attack: str) -> Planted:
    return across(title, "boundary-function-body", sql, "private.f", attack)


PLANTED = (
    copies(
        "a CHECK that writes down what it checks",
        noting("boolean", "true")
        + "ALTER TABLE studio.project ADD CONSTRAINT told CHECK (public.note_down(name));",
        "told ON studio.project",
    ),
    copies(
        "a domain that writes down what it is asked",
        noting("boolean", "true") + "CREATE DOMAIN studio.named AS text CHECK"
        " (public.note_down(VALUE)); ALTER TABLE studio.project ALTER name TYPE studio.named;",
    ),
    copies(
        "an index over a function that has another one write",
        NOTED + "CREATE INDEX told ON studio.project (public.noted(name));",
        "told ON studio.project",
    ),
    copies(
        "a generated column likewise",
        NOTED + "ALTER TABLE studio.project"
        " ADD twin text GENERATED ALWAYS AS (public.noted(name)) STORED;",
        "twin ON studio.project",
    ),
    copies(
        "the WHEN of a trigger that never fires",
        noting("boolean", "false")
        + function("private.f()", "trigger", "BEGIN RETURN NULL; END", language="plpgsql", to="")
        + "CREATE TRIGGER told AFTER INSERT ON studio.project FOR EACH ROW"
        " WHEN (public.note_down(NEW.name)) EXECUTE FUNCTION private.f();",
        "told ON studio.project",
    ),
    copies(
        "a procedure that is kept parsed",
        LOG + "CREATE PROCEDURE private.p(t text) LANGUAGE sql"
        " BEGIN ATOMIC INSERT INTO public.log VALUES (t); END;"
        + trigger(
            "private.f",
            "studio.project",
            "BEGIN CALL private.p(NEW.name); RETURN NULL; END",
            when="AFTER INSERT",
            how=DEFINER,
        ),
        "t ON studio.project",
    ),
    Planted(
        kind=6,
        title="a superuser's view of the statistics",
        rule="privilege-system",
        sql=mighty(
            "ANALYZE studio.project; CREATE VIEW private.s AS"
            " SELECT s.staattnum AS n, s.stavalues1::text AS b FROM pg_statistic AS s;"
            "CREATE VIEW studio.v AS SELECT s.n, s.b FROM private.s AS s;"
            "GRANT SELECT (b) ON studio.v TO studio_web"
        ),
        about="studio.v",
        attack="SELECT EXISTS (SELECT FROM studio.v WHERE b LIKE '%theirs%')",
    ),
    Planted(
        kind=6,
        title="a function of PostgreSQL by another name",
        rule="privilege-system",
        sql=mighty(
            "CREATE FUNCTION public.page(text) RETURNS text LANGUAGE internal STRICT"
            " AS 'pg_read_file_all'"
        ),
        about="public.page",
        attack="SELECT public.page('postmaster.pid') IS NOT NULL",
    ),
    Planted(
        kind=5,
        title="the owner of what the function calls that tells the tenant",
        rule="role-owns-function",
        sql=function(
            "private.t()", "uuid", "SELECT current_setting('app.tenant', true)::uuid", how="STABLE"
        )
        + "GRANT USAGE, CREATE ON SCHEMA private TO studio_web;"
        "CREATE OR REPLACE FUNCTION studio.tenant() RETURNS uuid LANGUAGE sql STABLE"
        " SET search_path = '' AS $$ SELECT private.t() $$;"
        + mighty("ALTER FUNCTION private.t() OWNER TO studio_web"),
        about="private.t()",
        attack="CREATE OR REPLACE FUNCTION private.t() RETURNS uuid LANGUAGE sql STABLE"
        f" AS $$ SELECT '{T2}'::uuid $$; {SEES}",
    ),
    across(
        "a query that is handed over as a text",
        "boundary-function-body",
        function(
            "studio.f()",
            "text",
            "SELECT string_agg(s.word, ',') FROM pg_catalog.ts_stat("
            "'SELECT to_tsvector(''simple'', e.amount) FROM ledger.entry AS e') AS s",
        ),
        "ledger.entry",
        "SELECT studio.f() LIKE '%theirs%'",
    ),
    across(
        "a child of a table on this side",
        "boundary-dependency",
        "CREATE TABLE ledger.more () INHERITS (studio.task);"
        f"INSERT INTO ledger.more (id, tenant_id, body) VALUES (9, '{T1}', 'theirs');",
        "ledger.more",
        "SELECT EXISTS (SELECT FROM studio.task WHERE body = 'theirs')",
    ),
    across(
        "a partition of a table on this side",
        "boundary-dependency",
        EVENT + f"CREATE TABLE ledger.event PARTITION OF studio.event {YEAR};"
        f"INSERT INTO ledger.event VALUES ('{T1}', '2026-02-02', 'theirs');",
        "ledger.event",
        "SELECT EXISTS (SELECT FROM studio.event WHERE what = 'theirs')",
    ),
    across(
        "a trigger over there that copies to where both may read",
        "boundary-laundering",
        "CREATE TABLE public.feed (t text); GRANT SELECT ON public.feed TO studio_web;"
        + at_the_ledger("BEGIN INSERT INTO public.feed VALUES (NEW.amount); RETURN NULL; END")
        + f"INSERT INTO ledger.entry VALUES (2, '{T1}', 'theirs');",
        "public.feed",
        "SELECT EXISTS (SELECT FROM public.feed WHERE t = 'theirs')",
    ),
    across(
        "a notification from over there",
        "boundary-laundering",
        at_the_ledger("BEGIN PERFORM pg_notify('feed', NEW.amount); RETURN NULL; END"),
        "amount",
        "LISTEN feed; SELECT true",
    ),
    across(
        "a CHECK over there that writes down where both may read",
        "boundary-laundering",
        noting("boolean", "true")
        + "ALTER TABLE ledger.entry ADD CHECK (public.note_down(amount)) NOT VALID;"
        f"INSERT INTO ledger.entry VALUES (2, '{T1}', 'theirs');",
        "public.log",
        "SELECT EXISTS (SELECT FROM public.log WHERE t = 'theirs')",
    ),
    across(
        "a rule over there that copies to where both may read",
        "boundary-dependency",
        "CREATE TABLE public.feed (t text); GRANT SELECT ON public.feed TO studio_web;"
        "CREATE RULE r AS ON INSERT TO ledger.entry DO ALSO"
        " INSERT INTO public.feed VALUES (NEW.amount);"
        f"INSERT INTO ledger.entry VALUES (2, '{T1}', 'theirs');",
        "public.feed",
        "SELECT EXISTS (SELECT FROM public.feed WHERE t = 'theirs')",
    ),
    across(
        "a rule of a table of nobody's that writes over there",
        "boundary-dependency",
        INBOX + "CREATE RULE r AS ON INSERT TO public.inbox DO ALSO"
        " INSERT INTO ledger.entry VALUES (77, gen_random_uuid(), NEW.t);",
        "ledger.entry",
        "INSERT INTO public.inbox VALUES ('x'); SELECT true",
    ),
    elsewhere(
        "a value that is assigned by a trigger of a table of nobody's",
        INBOX
        + trigger(
            "private.f",
            "public.inbox",
            f"BEGIN NEW.t := ({AMOUNTS}); RETURN NEW; END",
            how=DEFINER,
        ),
        ASKS_INBOX,
    ),
    elsewhere(
        "a view of nobody's that takes an INSERT",
        "CREATE VIEW public.w AS SELECT NULL::text AS t; GRANT SELECT, INSERT ON public.w"
        " TO studio_web;"
        + trigger(
            "private.f",
            "public.w",
            "BEGIN DELETE FROM ledger.entry; RETURN NEW; END",
            when="INSTEAD OF INSERT",
            how=DEFINER,
        ),
        "INSERT INTO public.w VALUES ('x'); SELECT true",
    ),
    elsewhere(
        "the default of a column of nobody's",
        INBOX + OPEN + "ALTER TABLE public.inbox ALTER t SET DEFAULT private.f();",
        ASKS_INBOX,
    ),
    elsewhere(
        "a view of nobody's over a function",
        OPEN + "CREATE VIEW public.v AS SELECT private.f() AS t;"
        "GRANT SELECT ON public.v TO studio_web;",
        "SELECT EXISTS (SELECT FROM public.v WHERE t LIKE '%theirs%')",
    ),
    elsewhere(
        "an operator of nobody's",
        function("private.f(text)", "text", AMOUNTS, to="PUBLIC")
        + "CREATE OPERATOR public.!! (FUNCTION = private.f, RIGHTARG = text);",
        "SELECT (OPERATOR(public.!!) 'x'::text) LIKE '%theirs%'",
    ),
    elsewhere(
        "a domain of nobody's",
        function(
            "private.f(t text)",
            "boolean",
            "SELECT EXISTS (SELECT FROM ledger.entry AS e WHERE e.amount = t)",
            to="PUBLIC",
        )
        + "CREATE DOMAIN public.amount AS text CHECK (private.f(VALUE));",
        "SELECT 'theirs'::public.amount = 'theirs'",
    ),
    Planted(
        kind=1,
        title="a value that is assigned in a definer",
        rule="boundary-function-body",
        sql=function(
            "studio.f()",
            "text",
            f"DECLARE r text; BEGIN r := ({AMOUNTS}); RETURN r; END",
            language="plpgsql",
        ),
        about="studio.f()",
        attack="SELECT studio.f() LIKE '%theirs%'",
    ),
)

SOUND = (
    Sound(
        kind=3,
        title="whoever is signed in, and of the tenant",
        sql=policies("project", f"USING ({OWN} AND (SELECT auth.uid()) IS NOT NULL)"),
    ),
    Sound(
        kind=6,
        title="a superuser's view of what PostgreSQL shows to everybody",
        sql=mighty(
            "CREATE VIEW studio.v AS SELECT s.tablename, s.n_distinct FROM pg_stats AS s;"
            "CREATE VIEW private.w AS SELECT s.starelid FROM pg_statistic AS s;"
            "GRANT SELECT ON studio.v TO studio_web"
        ),
    ),
    Sound(
        kind=6,
        title="a function of everybody's by another name",
        sql=mighty("CREATE FUNCTION public.low(text) RETURNS text LANGUAGE internal AS 'lower'"),
    ),
    Sound(
        kind=9,
        title="a CHECK that only looks, and a trigger's WHEN that compares",
        sql=function(
            "studio.tidy(t text)", "boolean", "SELECT t = btrim(t)", how="IMMUTABLE", to="PUBLIC"
        )
        + "ALTER TABLE studio.project ADD CHECK (studio.tidy(name));"
        + function("private.f()", "trigger", "BEGIN RETURN NULL; END", language="plpgsql", to="")
        + "CREATE TRIGGER t AFTER UPDATE ON studio.project FOR EACH ROW"
        " WHEN (studio.tidy(NEW.name)) EXECUTE FUNCTION private.f();",
    ),
    Sound(
        kind=5,
        title="over there a journal of its own, and word of which row it was",
        sql="CREATE TABLE ledger.journal (t text);"
        + at_the_ledger(
            "BEGIN INSERT INTO ledger.journal VALUES (NEW.amount);"
            " PERFORM pg_notify('feed', NEW.id::text); RETURN NULL; END"
        ),
    ),
    Sound(
        kind=5,
        title="a list for both, which the ledger reads when it writes",
        sql="CREATE TABLE public.currency (code text); GRANT SELECT ON public.currency TO PUBLIC;"
        + at_the_ledger(
            "BEGIN PERFORM FROM public.currency AS c WHERE c.code = NEW.amount; RETURN NULL; END"
        ),
    ),
    Sound(
        kind=5,
        title="what stamps and keeps a journal for both",
        sql="CREATE TABLE private.audit (t text);"
        + function(
            "private.audit_row()",
            "trigger",
            "BEGIN INSERT INTO private.audit VALUES (to_jsonb(NEW)::text); RETURN NULL; END",
            language="plpgsql",
            how=DEFINER,
            to="",
        )
        + "".join(
            f"CREATE TRIGGER t AFTER INSERT ON {table} FOR EACH ROW"
            " EXECUTE FUNCTION private.audit_row();"
            for table in ("studio.project", "ledger.entry")
        ),
    ),
    Sound(
        kind=5,
        title="an inbox of nobody's that the ledger empties",
        sql="CREATE TABLE public.inbox (t text); GRANT INSERT ON public.inbox TO studio_web;"
        "GRANT SELECT, DELETE ON public.inbox TO ledger_app;"
        "CREATE DOMAIN public.amount AS numeric CHECK (VALUE >= 0);"
        "ALTER TABLE ledger.entry ADD n public.amount; ALTER TABLE studio.task ADD n public.amount;"
        + trigger("private.f", "public.inbox", "BEGIN NEW.t := btrim(NEW.t); RETURN NEW; END"),
    ),
    Sound(
        kind=3,
        title="a session that has claims, and of the tenant",
        sql=policies("project", f"USING ((SELECT auth.jwt()) IS NOT NULL AND {OWN})"),
    ),
    Sound(
        kind=3,
        title="another setting that is not empty, and of the tenant",
        sql=policies(
            "project", f"USING (coalesce(current_setting('app.slug', true), '') <> '' AND {OWN})"
        ),
    ),
    *(
        Sound(kind=8, title=title, sql=shop(column, condition, rows))
        for title, column, condition, rows in (
            (
                "members in an array, whom it contains",
                "members uuid[] NOT NULL",
                f"members @> ARRAY[{ME}]",
                f"(ARRAY['{U1}'::uuid], 'mine'), (ARRAY['{U2}'::uuid], 'theirs')",
            ),
            (
                "names in an array, of which one is mine",
                "names text[] NOT NULL",
                "nullif(current_setting('app.slug', true), '') = ANY (names)",
                "('{acme}', 'mine'), ('{other}', 'theirs')",
            ),
            (
                "members in JSON",
                "members jsonb NOT NULL",
                f"members ? ({ME})::text",
                f"""('["{U1}"]', 'mine'), ('["{U2}"]', 'theirs')""",
            ),
        )
    ),
)
