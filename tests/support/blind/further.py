"""Cases of a fourth round, by somebody who had read no rule, of what public reports tell of. When
they were first tried none of the planted ones was told, and the first sound one stopped a proof."""

from __future__ import annotations

from support.blind.ground import (
    AS_ONE,
    DEFINER,
    SEES,
    T1,
    T2,
    Planted,
    Sound,
    function,
    mighty,
    policies,
    trigger,
)

LOG = "CREATE TABLE public.log (t text); GRANT SELECT, INSERT ON public.log TO PUBLIC;"
AS_TWO = {**AS_ONE, "app.tenant": T2}
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
)
