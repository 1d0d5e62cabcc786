"""A fifth round, by somebody who had read no rule: what was missed at first, and its neighbours."""

from __future__ import annotations

from support.blind.ground import (
    DEFINER,
    FILL,
    SEES,
    T2,
    TAKEN,
    U1,
    Planted,
    Sound,
    function,
    mighty,
    policies,
)

OWN = "tenant_id = (SELECT studio.tenant())"
HOW = f"VOLATILE {DEFINER}"
BASE = "CREATE TABLE {0}.base ({1} text NOT NULL); ALTER TABLE {2} INHERIT {0}.base;"
PARENT = BASE.format("public", "name", "studio.project")
OF_LEDGER = "CREATE TABLE public.base (amount text); {0} ALTER TABLE ledger.entry INHERIT {1};"
SHOWS = "SELECT EXISTS (SELECT FROM public.{0} WHERE {1} = 'theirs')"
INBOX = (
    "CREATE TABLE public.inbox (user_id uuid, tenant_id uuid);"
    " GRANT INSERT ON public.inbox TO studio_web;"
)
JOINS = f"VALUES ('{U1}', '{T2}'); {SEES}"
STAT = "pg_catalog.ts_stat('SELECT to_tsvector(''simple'', p.name) FROM studio.project AS p') AS s"
GIVES = "SELECT EXISTS (SELECT FROM studio.f() AS n WHERE n LIKE '%theirs%')"
MEMBERS = "CREATE POLICY fill ON studio.member TO studio_fill USING (true);"
VIEWED = (
    "CREATE TABLE private.g (user_id uuid, tenant_id uuid);"
    "CREATE VIEW private.v AS SELECT * FROM private.g;"
    "CREATE VIEW studio.g AS SELECT * FROM private.v WHERE user_id IS NOT NULL;"
)


def or_a(condition: str) -> str:
    return policies("project", f"USING ({OWN} OR {condition})")


def of_mine(view: str) -> str:
    return or_a(f"tenant_id IN (SELECT g.tenant_id FROM {view} AS g WHERE g.user_id = auth.uid())")


def has(how: str, table: str = "public.inbox") -> str:
    return function(
        "studio.has(t uuid)",
        "boolean",
        f"SELECT EXISTS (SELECT FROM {table} AS g"
        " WHERE g.tenant_id = t AND g.user_id = auth.uid())",
        how=f"STABLE {how}",
    )


def parent(title: str, sql: str, about: str, attack: str, seen: str = "") -> Planted:
    return Planted(
        kind=5,
        title=title,
        rule="outside-holds-rows",
        sql=sql,
        about=about,
        attack=attack,
        seen=seen,
    )


def looks(title: str, sql: str, about: str, attack: str) -> Planted:
    return Planted(
        kind=5,
        title=title,
        rule="policy-reads-unprotected",
        sql=sql,
        about=about,
        attack=f"{attack} {JOINS}",
    )


def handed(title: str, body: str, opens: str = FILL) -> Planted:
    made = function("studio.f()", "SETOF text", body, how=HOW, owner="studio_fill")
    return Planted(
        kind=1,
        title=title,
        rule="definer-exempt-owner",
        sql=opens + made,
        about="studio.f()",
        attack=GIVES,
    )


def ledger(title: str, sql: str) -> Planted:
    return Planted(
        kind=5,
        title=title,
        rule="boundary-dependency",
        sql=sql + "GRANT SELECT ON public.base TO studio_web;",
        about="ledger.entry",
        attack=SHOWS.format("base", "amount"),
    )


PLANTED = (
    parent(
        "the parent of a protected table",
        PARENT + "GRANT SELECT ON public.base TO studio_web;",
        "public.base",
        SHOWS.format("base", "name"),
    ),
    parent(
        "a column of the parent, for everybody",
        PARENT + "GRANT SELECT (name) ON public.base TO PUBLIC;",
        "public.base",
        SHOWS.format("base", "name"),
    ),
    parent(
        "the parent's parent",
        "CREATE TABLE public.base (name text NOT NULL);"
        " CREATE TABLE private.mid () INHERITS (public.base);"
        " ALTER TABLE studio.project INHERIT private.mid;"
        " GRANT SELECT ON public.base TO studio_web;",
        "public.base",
        SHOWS.format("base", "name"),
    ),
    parent(
        "a view of the parent",
        BASE.format("private", "name", "studio.project")
        + "CREATE VIEW public.v AS SELECT * FROM private.base;"
        " GRANT SELECT ON public.v TO studio_web;",
        "public.v",
        SHOWS.format("v", "name"),
    ),
    parent(
        "DELETE on the parent",
        PARENT + "GRANT DELETE ON public.base TO studio_web;",
        "public.base",
        "DELETE FROM public.base",
        TAKEN,
    ),
    parent(
        "TRUNCATE of the parent",
        BASE.format("public", "email", "studio.profile")
        + "GRANT TRUNCATE ON public.base TO studio_web;",
        "public.base",
        "TRUNCATE public.base",
        "SELECT NOT EXISTS (SELECT FROM studio.profile)",
    ),
    parent(
        "INSERT by a partitioned parent",
        "CREATE TABLE public.event (of uuid NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);"
        " CREATE TABLE studio.event PARTITION OF public.event DEFAULT;"
        " ALTER TABLE studio.event ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        " GRANT INSERT ON public.event TO studio_web;",
        "public.event",
        f"INSERT INTO public.event VALUES ('{T2}', now())",
        f"SELECT EXISTS (SELECT FROM studio.event WHERE of = '{T2}')",
    ),
    looks(
        "a view of a view, to which one may write",
        mighty(f"{VIEWED} GRANT SELECT, INSERT (user_id, tenant_id) ON studio.g TO studio_web")
        + of_mine("studio.g"),
        "private.g",
        "INSERT INTO studio.g",
    ),
    looks(
        "an inbox that a definer looks into",
        INBOX + has(DEFINER) + or_a("studio.has(tenant_id)"),
        "public.inbox",
        "INSERT INTO public.inbox",
    ),
    looks(
        "an inbox two functions deep",
        INBOX
        + has(DEFINER)
        + function(
            "studio.may(t uuid)",
            "boolean",
            "BEGIN RETURN studio.has(t); END",
            language="plpgsql",
            how="STABLE SET search_path = ''",
        )
        + or_a("studio.may(tenant_id)"),
        "public.inbox",
        "INSERT INTO public.inbox",
    ),
    handed("a query that is handed over as a text", f"SELECT s.word FROM {STAT}"),
    handed(
        "the same beside rows that are one's own",
        f"SELECT s.word FROM studio.member AS m, {STAT} WHERE m.user_id = auth.uid()",
        FILL + MEMBERS,
    ),
    Planted(
        kind=6,
        title="what an extension keeps for superusers",
        rule="privilege-system",
        sql=mighty(
            "CREATE FUNCTION public.peek() RETURNS text LANGUAGE sql SECURITY DEFINER"
            " SET search_path = '' AS $$ SELECT max(p.name) FROM studio.project AS p $$;"
            "REVOKE ALL ON FUNCTION public.peek() FROM PUBLIC;"
            "ALTER EXTENSION plpgsql ADD FUNCTION public.peek();"
            "GRANT EXECUTE ON FUNCTION public.peek() TO studio_web"
        ),
        about="public.peek()",
        attack="SELECT public.peek() = 'theirs'",
    ),
    ledger("a parent of nobody's", OF_LEDGER.format("", "public.base")),
    ledger(
        "the parent's parent, of nobody's",
        OF_LEDGER.format("CREATE TABLE private.mid () INHERITS (public.base);", "private.mid"),
    ),
    Planted(
        kind=2,
        title="a foreign data wrapper, to make a server of",
        rule="boundary-way-out",
        sql=mighty(
            "CREATE FOREIGN DATA WRAPPER w; GRANT USAGE ON FOREIGN DATA WRAPPER w TO studio_web"
        ),
        about="FOREIGN DATA WRAPPER w",
        attack="CREATE SERVER s FOREIGN DATA WRAPPER w;"
        "CREATE USER MAPPING FOR studio_web SERVER s OPTIONS (user 'ledger_app');"
        "CREATE FOREIGN TABLE pg_temp.entry (amount text) SERVER s; SELECT true",
    ),
)

SOUND = (
    Sound(kind=5, title="a parent of which nobody may see anything", sql=PARENT),
    Sound(
        kind=5,
        title="a parent with a policy of its own",
        sql="CREATE TABLE public.base (tenant_id uuid NOT NULL);"
        "ALTER TABLE public.base ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        f"CREATE POLICY own ON public.base TO studio_web USING ({OWN});"
        "ALTER TABLE studio.project INHERIT public.base;"
        "GRANT SELECT ON public.base TO studio_web;",
    ),
    Sound(
        kind=5,
        title="a view of one's own, that one may read",
        sql=mighty(
            "CREATE TABLE private.g (user_id uuid NOT NULL, tenant_id uuid NOT NULL);"
            "CREATE VIEW studio.g AS SELECT * FROM private.g WHERE user_id = auth.uid();"
            "GRANT SELECT ON studio.g TO studio_web"
        )
        + policies(
            "project", f"USING ({OWN} AND tenant_id IN (SELECT g.tenant_id FROM studio.g AS g))"
        ),
    ),
    Sound(
        kind=5,
        title="an inbox that a function mentions, and does not read",
        sql=INBOX
        + function(
            "studio.mine(t uuid)",
            "boolean",
            "SELECT t = studio.tenant() -- and no inbox\n",
            how="STABLE SET search_path = ''",
        )
        + policies("project", "USING (studio.mine(tenant_id))"),
    ),
    Sound(
        kind=5,
        title="a base of the ledger's",
        sql=BASE.format("private", "amount", "ledger.entry").replace(" NOT NULL", ""),
    ),
    Sound(
        kind=6,
        title="an extension's function for everybody, granted",
        sql=mighty(
            "CREATE FUNCTION public.one() RETURNS integer LANGUAGE sql AS 'SELECT 1';"
            "ALTER EXTENSION plpgsql ADD FUNCTION public.one();"
            "GRANT EXECUTE ON FUNCTION public.one() TO studio_web"
        ),
    ),
)
