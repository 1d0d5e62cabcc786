"""A third round, by somebody who had read no rule again.

Of its defects those stand here that were missed, and what a definer's body may get wrong in front
of the rows that it gives away; of the sound ones those that raised an alarm, and their neighbours.
"""

from __future__ import annotations

from support.blind.ground import (
    CLAIMS,
    DEFINER,
    FILL,
    SEES,
    T1,
    T2,
    Planted,
    Sound,
    function,
    mighty,
    policies,
)

OWN = "tenant_id = (SELECT studio.tenant())"
GIVES = "SELECT EXISTS (SELECT FROM studio.f() AS n WHERE n LIKE '%theirs%')"
GIVES_OF = "SELECT EXISTS (SELECT FROM studio.f({0}) AS n WHERE n = 'theirs')"
HOW = f"VOLATILE {DEFINER}"
NAMES = "RETURN QUERY SELECT p.name FROM studio.project AS p WHERE p.tenant_id = t;"
# A role whose policies, were there any, would bind it.
DEFINERS = mighty(
    "CREATE ROLE studio_def; GRANT USAGE, CREATE ON SCHEMA studio TO studio_def;"
    " GRANT studio_def TO hk_migrator"
)
MEMBER = (
    "CREATE FUNCTION studio.is_member(t uuid) RETURNS boolean LANGUAGE sql STABLE SET search_path"
    " = '' AS $$ SELECT EXISTS (SELECT FROM studio.member AS m WHERE m.tenant_id = t"
    " AND m.user_id = auth.uid()) $$;"
    "CREATE POLICY fill ON studio.member TO studio_fill USING (user_id = auth.uid());"
)
KEYED = f"""
CREATE TABLE studio.folder (tenant_id uuid, id uuid, PRIMARY KEY (tenant_id, id));
CREATE TABLE studio.file (
    tenant_id uuid NOT NULL DEFAULT {{0}},
    folder_id uuid DEFAULT '{T2}',
    body text NOT NULL,
    FOREIGN KEY (tenant_id, folder_id) REFERENCES studio.folder ON DELETE SET DEFAULT {{1}}
);
INSERT INTO studio.folder VALUES ('{T1}', '{T1}'), ('{T1}', '{T2}'), ('{T2}', '{T2}');
INSERT INTO studio.file VALUES ('{T1}', '{T1}', 'mine');
ALTER TABLE studio.folder ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE studio.file ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON studio.folder TO studio_web USING ({OWN});
CREATE POLICY own ON studio.file TO studio_web USING ({OWN});
GRANT SELECT, DELETE ON studio.folder TO studio_web;
GRANT SELECT ON studio.file TO studio_web;
"""
DELETES = f"DELETE FROM studio.folder WHERE id = '{T1}'"


def owned(kind: str, made: str, column: str, attack: str, seen: str = "") -> Planted:
    """A type of a column that belongs to the application."""
    return Planted(
        kind=7,
        title=f"{kind} of a column that belongs to the application",
        rule="role-owns-function",
        sql=f"{made}; ALTER TABLE studio.project ADD extra studio.extra; "
        + mighty(
            f"UPDATE studio.project SET extra = {column};"
            f" ALTER {kind} studio.extra OWNER TO studio_web"
        ),
        about="studio.extra",
        attack=attack,
        seen=seen,
    )


def checked(title: str, body: str, call: str = f"'{T2}'", sig: str = "t uuid") -> Planted:
    """A definer that looks whether its caller may, and gives the rows away all the same."""
    return Planted(
        kind=1,
        title=title,
        rule="definer-exempt-owner",
        sql=FILL
        + MEMBER
        + function(
            f"studio.f({sig})",
            "SETOF text",
            f"BEGIN {body} END",
            language="plpgsql",
            how=HOW,
            owner="studio_fill",
        ),
        about="studio.f(",
        attack=GIVES_OF.format(call),
    )


def compared(title: str, body: str, extra: str = "") -> Planted:
    """A definer whose query compares with the identity where it leaves no row out."""
    return Planted(
        kind=1,
        title=title,
        rule="definer-exempt-owner",
        sql=FILL + extra + function("studio.f()", "SETOF text", body, how=HOW, owner="studio_fill"),
        about="studio.f()",
        attack=GIVES,
    )


def written(title: str, body: str, call: str, seen: str) -> Planted:
    """A definer that writes, and compares too little."""
    return Planted(
        kind=1,
        title=title,
        rule="definer-exempt-owner",
        sql=FILL + function("studio.f(i uuid)", "void", body, how=HOW, owner="studio_fill"),
        about="studio.f(uuid)",
        attack=call,
        seen=seen,
    )


def crossing(title: str, body: str) -> Planted:
    return Planted(
        kind=5,
        title=title,
        rule="boundary-function-body",
        sql=function("studio.f()", "SETOF text", f"BEGIN {body} END", language="plpgsql", how=HOW),
        about="ledger.entry",
        attack=GIVES,
    )


MOVED = f"SELECT EXISTS (SELECT FROM studio.project WHERE tenant_id = '{T2}' AND name = 'mine')"
TAKEN = f"SELECT NOT EXISTS (SELECT FROM studio.project WHERE id = '{T2}' AND name = 'theirs')"

PLANTED = (
    owned(
        "DOMAIN",
        "CREATE DOMAIN studio.extra AS text",
        "name",
        "ALTER DOMAIN studio.extra ADD CHECK (set_config('app.loot',"
        " coalesce(current_setting('app.loot', true), '') || VALUE, true) IS NOT NULL);"
        "SELECT current_setting('app.loot') LIKE '%theirs%'",
    ),
    owned(
        "TYPE",
        "CREATE TYPE studio.extra AS ENUM ('open', 'closed')",
        "'open'",
        "ALTER TYPE studio.extra RENAME VALUE 'open' TO 'gone'",
        f"SELECT extra::text = 'gone' FROM studio.project WHERE id = '{T2}'",
    ),
    Planted(
        kind=9,
        title="a key that hands rows over to a default tenant",
        rule="covert-cascade",
        sql=KEYED.format(f"'{T2}'", ""),
        about="studio.file",
        attack=DELETES,
        seen=f"SELECT EXISTS (SELECT FROM studio.file WHERE tenant_id = '{T2}')",
    ),
    Planted(
        kind=9,
        title="a rewrite rule that notifies",
        rule="notify-tells-rows",
        sql="CREATE RULE tell AS ON INSERT TO studio.project"
        " DO ALSO SELECT pg_notify('changes', NEW.name);",
        about="tell ON studio.project",
        attack="LISTEN changes; SELECT true",
    ),
    Planted(
        kind=9,
        title="a rewrite rule that notifies by a function",
        rule="notify-tells-rows",
        sql="CREATE FUNCTION studio.tell(text) RETURNS void LANGUAGE sql SET search_path = ''"
        " AS $$ SELECT pg_notify('changes', $1) $$;"
        "CREATE RULE tell AS ON UPDATE TO studio.project DO ALSO SELECT studio.tell(OLD.name);",
        about="tell ON studio.project",
        attack="LISTEN changes; SELECT true",
    ),
    Planted(
        kind=6,
        title="a materialized view of what a superuser saw in pg_stats",
        rule="privilege-system",
        sql=mighty(
            "ANALYZE studio.project; CREATE MATERIALIZED VIEW auth.st AS"
            " SELECT tablename, most_common_vals::text, histogram_bounds::text AS v FROM pg_stats;"
            "GRANT SELECT ON auth.st TO studio_web"
        ),
        about="auth.st",
        attack="SELECT EXISTS (SELECT FROM auth.st WHERE tablename = 'project'"
        " AND v LIKE '%theirs%')",
    ),
    crossing(
        "a path that a definer sets on its way",
        "PERFORM set_config('search_path', 'ledger', true);"
        " RETURN QUERY SELECT e.amount FROM entry AS e;",
    ),
    crossing(
        "a path that a definer sets by SET",
        "SET LOCAL search_path = ledger; RETURN QUERY SELECT e.amount FROM entry AS e;",
    ),
    crossing(
        "EXECUTE of what is written out",
        "RETURN QUERY EXECUTE 'SELECT e.amount FROM led' || 'ger.entry AS e';",
    ),
    crossing(
        "a DO within EXECUTE",
        "EXECUTE 'DO $d$ BEGIN PERFORM set_config(''app.loot'', (SELECT e.amount"
        " FROM ledger.entry AS e), true); END $d$'; RETURN NEXT current_setting('app.loot');",
    ),
    checked(
        "a check of another argument",
        "IF NOT studio.is_member(i) THEN RAISE EXCEPTION 'no'; END IF; " + NAMES,
        f"'{T2}', '{T1}'",
        "t uuid, i uuid",
    ),
    checked("a check whose answer is thrown away", f"PERFORM studio.is_member(t); {NAMES}"),
    checked(
        "a check that is caught",
        "BEGIN IF NOT studio.is_member(t) THEN RAISE EXCEPTION 'no'; END IF;"
        f" EXCEPTION WHEN OTHERS THEN NULL; END; {NAMES}",
    ),
    checked(
        "a check that only warns",
        f"IF NOT studio.is_member(t) THEN RAISE WARNING 'no'; END IF; {NAMES}",
    ),
    checked(
        "a check that goes on",
        f"IF NOT studio.is_member(t) THEN RETURN NEXT NULL; END IF; {NAMES}",
    ),
    checked(
        "a check that may answer NULL",
        "IF (SELECT m.user_id = auth.uid() FROM studio.member AS m WHERE m.tenant_id = t) = false"
        f" THEN RAISE EXCEPTION 'no'; END IF; {NAMES}",
    ),
    checked(
        "a check before the argument is changed",
        f"IF NOT studio.is_member(t) THEN RAISE EXCEPTION 'no'; END IF; t := i; {NAMES}",
        f"'{T1}', '{T2}'",
        "t uuid, i uuid",
    ),
    compared(
        "a column compared with a constant, and the tenant asked besides",
        "SELECT p.name FROM studio.project AS p WHERE p.status = 'open'"
        " AND studio.tenant() IS NOT NULL",
    ),
    compared(
        "a second arm",
        "SELECT p.name FROM studio.project AS p WHERE p.tenant_id = studio.tenant()"
        " UNION ALL SELECT q.name FROM studio.project AS q",
    ),
    compared(
        "a LEFT JOIN to the caller",
        "SELECT p.name FROM studio.project AS p"
        " LEFT JOIN (SELECT studio.tenant() AS t) AS c ON c.t = p.tenant_id",
    ),
    compared(
        "HAVING",
        "SELECT string_agg(p.name, ',') FROM studio.project AS p"
        " HAVING bool_or(p.tenant_id = studio.tenant())",
    ),
    compared(
        "a window over all rows",
        "SELECT x.n FROM (SELECT p.tenant_id, string_agg(p.name, ',') OVER () AS n"
        " FROM studio.project AS p) AS x WHERE x.tenant_id = studio.tenant()",
    ),
    written(
        "an upsert of another's row",
        "INSERT INTO studio.project (id, tenant_id, name) VALUES (i, studio.tenant(), 'x')"
        " ON CONFLICT (id) DO UPDATE SET name = 'x'",
        f"SELECT studio.f('{T2}')",
        TAKEN,
    ),
    written(
        "an UPDATE that hands over",
        "UPDATE studio.project SET tenant_id = i WHERE tenant_id = studio.tenant()",
        f"SELECT studio.f('{T2}')",
        MOVED,
    ),
    written(
        "an UPDATE of what one names, beside one's own",
        "UPDATE studio.project AS p SET name = 'x' FROM (SELECT studio.tenant() AS t) AS me"
        " WHERE me.t = studio.tenant() AND p.id = i",
        f"SELECT studio.f('{T2}')",
        TAKEN,
    ),
    written(
        "an INSERT for whom one names",
        "INSERT INTO studio.project (tenant_id, name)"
        " SELECT i, studio.tenant()::text WHERE studio.tenant() IS NOT NULL",
        f"SELECT studio.f('{T2}')",
        f"SELECT count(*) = 2 FROM studio.project WHERE tenant_id = '{T2}'",
    ),
    written(
        "an INSERT of one's own and another row",
        "INSERT INTO studio.project (tenant_id, name) VALUES (studio.tenant(), 'a'), (i, 'b')",
        f"SELECT studio.f('{T2}')",
        f"SELECT count(*) = 2 FROM studio.project WHERE tenant_id = '{T2}'",
    ),
    written(
        "a DELETE by a column that is none",
        "DELETE FROM studio.project WHERE status = 'open' AND id = i"
        " AND studio.tenant() = studio.tenant()",
        f"SELECT studio.f('{T2}')",
        TAKEN,
    ),
    Planted(
        kind=1,
        title="ALL of no tenants",
        rule="identity-isolated",
        sql=policies(
            "project",
            "USING (tenant_id = ALL (SELECT m.tenant_id FROM studio.member AS m"
            " WHERE m.user_id = (SELECT auth.uid())))",
        ),
        about="studio.project",
        attack=SEES,
        acting={CLAIMS: '{"sub": "cccccccc-cccc-4ccc-8ccc-cccccccccccc"}'},
    ),
)


TOLD = (
    ("an OUT parameter", "studio.f(OUT n bigint)", "bigint", "n := 1;"),
    ("a column of RETURNS TABLE", "studio.f()", "TABLE (n text)", "n := 'a'; RETURN NEXT;"),
    (
        "a loop over OUT",
        "studio.f(OUT n text)",
        "SETOF text",
        "FOR n IN SELECT 'a' LOOP RETURN NEXT; END LOOP;",
    ),
    ("INTO an argument", "studio.f(INOUT n text)", "text", "SELECT trim(n) INTO n;"),
)
TYPED = "DECLARE s studio.state; r studio.member%ROWTYPE; BEGIN s := 'a'; RETURN s; END"


def acts(title: str, signature: str, returns: str, body: str, language: str = "sql") -> Sound:
    """A definer of whoever filled that reads or writes its caller's rows alone."""
    made = function(signature, returns, body, language=language, how=HOW, owner="studio_fill")
    return Sound(kind=1, title=title, sql=FILL + made)


SOUND = (
    Sound(
        kind=1,
        title="a text that is written out",
        sql=DEFINERS
        + function(
            "studio.f()",
            "text",
            "BEGIN EXECUTE 'SELECT ' || '1'; RETURN 'a'; END",
            language="plpgsql",
            how=HOW,
            owner="studio_def",
        ),
    ),
    acts(
        "an UPDATE of one's own tenant",
        "studio.f(i uuid)",
        "void",
        "UPDATE studio.project SET status = 'done' WHERE id = i AND tenant_id = studio.tenant()",
    ),
    acts(
        "an INSERT for one's own tenant",
        "studio.f(n text)",
        "uuid",
        "INSERT INTO studio.project (tenant_id, name) VALUES (studio.tenant(), n) RETURNING id",
    ),
    acts(
        "a DELETE of one's own tenant, in plpgsql",
        "studio.f(i uuid)",
        "bigint",
        "DECLARE me uuid := studio.tenant(); n bigint; BEGIN DELETE FROM studio.project AS p"
        " WHERE p.id = i AND p.tenant_id = me; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END",
        "plpgsql",
    ),
    *(
        Sound(
            kind=1,
            title=f"a definer that gives {what} a value",
            sql=DEFINERS
            + function(
                signature,
                returns,
                f"BEGIN {body} END",
                language="plpgsql",
                how=HOW,
                owner="studio_def",
            ).replace("OUT n bigint) FROM", ") FROM"),
        )
        for what, signature, returns, body in TOLD
    ),
    Sound(
        kind=1,
        title="a definer with variables of the project's types",
        sql=DEFINERS
        + "CREATE TYPE studio.state AS ENUM ('a');"
        + function("studio.f()", "text", TYPED, language="plpgsql", how=HOW, owner="studio_def"),
    ),
    Sound(
        kind=9,
        title="a key that is set to the caller's own tenant",
        sql=KEYED.format("studio.tenant()", ""),
    ),
    Sound(
        kind=9,
        title="a key of which the tenant is left alone",
        sql=KEYED.format(f"'{T2}'", "(folder_id)"),
    ),
    Sound(
        kind=9,
        title="a rewrite rule that says which row",
        sql="CREATE RULE tell AS ON INSERT TO studio.project"
        " DO ALSO SELECT pg_notify('changes', NEW.id::text);",
    ),
    Sound(
        kind=7,
        title="types of the migrator's",
        sql="CREATE DOMAIN studio.slug AS text CHECK (VALUE ~ '^[a-z]*$');"
        "CREATE TYPE studio.state AS ENUM ('open', 'closed');"
        "ALTER TABLE studio.project ADD slug studio.slug, ADD state studio.state;",
    ),
    Sound(
        kind=6,
        title="a materialized view of the statistics for who watches",
        sql=mighty(
            "CREATE ROLE watcher; CREATE MATERIALIZED VIEW auth.st AS SELECT * FROM pg_stats"
            " WITH NO DATA; GRANT SELECT ON auth.st TO watcher"
        ).replace("*", "tablename"),
    ),
    Sound(
        kind=5,
        title="a definer that sets its path to its own schema",
        sql=DEFINERS
        + function(
            "studio.f()",
            "bigint",
            "BEGIN PERFORM set_config('search_path', 'studio', true);"
            " RETURN (SELECT count(*) FROM project); END",
            language="plpgsql",
            how=HOW,
            owner="studio_def",
        ),
    ),
)
