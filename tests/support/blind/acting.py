"""Blind cases: as whom a definer acts, and ways in that are neither tables nor plain functions."""

from __future__ import annotations

from support.blind.ground import (
    DEFINER,
    FILL,
    T2,
    TAKEN,
    Planted,
    Sound,
    function,
    mighty,
    trigger,
)

NAMES = "SELECT string_agg(p.name, ',') FROM studio.project AS p"
ALL_OF_F = "SELECT studio.f()::text LIKE '%theirs%'"
SEARCH = (
    "BEGIN RETURN (SELECT json_agg(p.name) FROM studio.project AS p WHERE p.name ~ pattern); END"
)
RENAMES = "BEGIN UPDATE studio.project SET name = NEW.name WHERE id = NEW.id; RETURN NEW; END"
ASKS = (
    "CREATE VIEW studio.rename AS SELECT NULL::uuid AS id, NULL::text AS name;"
    "GRANT SELECT, INSERT ON studio.rename TO studio_web;"
)
FEEDBACK = (
    "CREATE TABLE studio.{0} (tenant_id uuid NOT NULL, line text);"
    "ALTER TABLE studio.{0} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
    "CREATE POLICY own ON studio.{0} TO studio_web USING (tenant_id = studio.tenant());"
    "GRANT SELECT, INSERT ON studio.{0} TO studio_web;"
)
ECHO = (
    FEEDBACK.format("feedback")
    + FEEDBACK.format("echo")
    + "CREATE POLICY fill ON studio.echo TO studio_fill USING (true) WITH CHECK (true);"
    + "GRANT INSERT ON studio.echo TO studio_fill;"
)
SAYS = "INSERT INTO studio.feedback VALUES (studio.tenant(), 'hello');"
ECHOED = "SELECT EXISTS (SELECT FROM studio.echo WHERE line LIKE '%theirs%')"

PLANTED = (
    Planted(
        kind=1,
        title="a search that returns json",
        rule="definer-exempt-owner",
        sql=FILL
        + function(
            "studio.f(pattern text)", "json", SEARCH, language="plpgsql", owner="studio_fill"
        ),
        about="studio.f",
        attack="SELECT studio.f('.')::text LIKE '%theirs%'",
    ),
    Planted(
        kind=1,
        title="a trigger that puts a list into the new row",
        rule="trigger-as-owner",
        sql=FILL
        + trigger(
            "studio.list_them",
            "studio.task",
            f"BEGIN NEW.body := ({NAMES}); RETURN NEW; END",
            how=DEFINER,
            owner="studio_fill",
        ),
        about="studio.",
        attack="INSERT INTO studio.task (tenant_id, body) VALUES (studio.tenant(), '-');"
        "SELECT EXISTS (SELECT FROM studio.task WHERE body LIKE '%theirs%')",
    ),
    Planted(
        kind=1,
        title="a procedure whose owner has the policy as a member of a group",
        rule="definer-exempt-owner",
        sql=mighty("CREATE ROLE studio_ops; GRANT studio_ops TO studio_fill")
        + "CREATE POLICY ops ON studio.project FOR SELECT TO studio_ops USING (true);"
        "CREATE PROCEDURE studio.report(INOUT line text) LANGUAGE plpgsql SECURITY DEFINER"
        f" SET search_path = '' AS $$ BEGIN line := ({NAMES}); END $$;"
        "REVOKE ALL ON PROCEDURE studio.report FROM PUBLIC;"
        "GRANT EXECUTE ON PROCEDURE studio.report TO studio_web;"
        "ALTER PROCEDURE studio.report OWNER TO studio_fill;",
        about="studio.report",
        attack="DO $$ DECLARE line text; BEGIN CALL studio.report(line);"
        " PERFORM set_config('x.line', line, true); END $$;"
        "SELECT current_setting('x.line') LIKE '%theirs%'",
    ),
    Planted(
        kind=1,
        title="a view of the one who filled",
        rule="view-without-security-invoker",
        sql=FILL
        + "CREATE VIEW studio.names AS SELECT name FROM studio.project;"
        + "GRANT SELECT ON studio.names TO studio_web;"
        + "ALTER VIEW studio.names OWNER TO studio_fill;",
        about="studio.names",
        attack="SELECT EXISTS (SELECT FROM studio.names WHERE name = 'theirs')",
    ),
    Planted(
        kind=1,
        title="a rule on the filler's table that writes down what all have",
        rule="rule-as-owner",
        sql=FILL
        + ECHO
        + "ALTER TABLE studio.feedback OWNER TO studio_fill;"
        + mighty(
            "CREATE RULE copy AS ON INSERT TO studio.feedback DO ALSO INSERT INTO studio.echo"
            f" SELECT NEW.tenant_id, ({NAMES})"
        ),
        about="studio.",
        attack=SAYS + ECHOED,
    ),
    Planted(
        kind=1,
        title="the forced owner with a policy of its own",
        rule="definer-exempt-owner",
        sql="CREATE POLICY owner_all ON studio.project TO hk_migrator USING (true);"
        + function("studio.f()", "text", NAMES),
        about="studio.f",
        attack=ALL_OF_F,
    ),
    Planted(
        kind=1,
        title="a body that is parsed",
        rule="definer-exempt-owner",
        sql=FILL + "CREATE FUNCTION studio.f() RETURNS SETOF text STABLE SECURITY DEFINER"
        " SET search_path = '' BEGIN ATOMIC SELECT name FROM studio.project; END;"
        "REVOKE ALL ON FUNCTION studio.f() FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION studio.f() TO studio_web;"
        "ALTER FUNCTION studio.f() OWNER TO studio_fill;",
        about="studio.f",
        attack="SELECT EXISTS (SELECT FROM studio.f() AS f WHERE f = 'theirs')",
    ),
    Planted(
        kind=1,
        title="a purge whose owner may delete what is anybody's",
        rule="definer-exempt-owner",
        sql="CREATE POLICY purge ON studio.project FOR DELETE TO studio_fill USING (true);"
        + function(
            "studio.purge()",
            "void",
            "DELETE FROM studio.project",
            how=DEFINER,
            owner="studio_fill",
        ),
        about="studio.purge",
        attack="SELECT studio.purge()",
        seen=TAKEN,
    ),
    Planted(
        kind=1,
        title="a definer without rows that calls one with them",
        rule="definer-exempt-owner",
        sql=FILL
        + function("private.all_names()", "text", NAMES, owner="studio_fill", to="hk_migrator")
        + function("studio.f()", "text", "SELECT private.all_names()"),
        about="",
        attack=ALL_OF_F,
    ),
    Planted(
        kind=2,
        title="INSTEAD OF INSERT that writes as another",
        rule="trigger-as-owner",
        sql=FILL
        + ASKS
        + trigger(
            "studio.renames",
            "studio.rename",
            RENAMES,
            when="INSTEAD OF INSERT",
            how=DEFINER,
            owner="studio_fill",
        ),
        about="studio.rename",
        attack=f"INSERT INTO studio.rename VALUES ('{T2}', 'taken')",
        seen=TAKEN,
    ),
    Planted(
        kind=2,
        title="an aggregate whose step is a definer that nobody else may call",
        rule="definer-exempt-owner",
        sql=FILL
        + function("studio.step(text, integer)", "text", NAMES, how=DEFINER, to="")
        + "CREATE AGGREGATE studio.names(integer) (sfunc = studio.step, stype = text);"
        + "CREATE POLICY mine ON studio.project FOR SELECT TO hk_migrator USING (true);",
        about="studio.",
        attack="SELECT studio.names(1) LIKE '%theirs%'",
    ),
    Planted(
        kind=2,
        title="a cast",
        rule="definer-exempt-owner",
        sql=FILL
        + "CREATE TYPE studio.ref AS (id uuid);"
        + function("studio.named(studio.ref)", "text", NAMES, owner="studio_fill")
        + "CREATE CAST (studio.ref AS text) WITH FUNCTION studio.named(studio.ref);",
        about="studio.named",
        attack=f"SELECT (ROW('{T2}')::studio.ref)::text LIKE '%theirs%'",
    ),
    Planted(
        kind=2,
        title="an operator",
        rule="definer-exempt-owner",
        sql=FILL
        + function("studio.named(uuid, text)", "text", NAMES, owner="studio_fill")
        + "CREATE OPERATOR studio.##"
        " (FUNCTION = studio.named, LEFTARG = uuid, RIGHTARG = text);",
        about="studio.named",
        attack=f"SELECT '{T2}'::uuid OPERATOR(studio.##) '' LIKE '%theirs%'",
    ),
    Planted(
        kind=2,
        title="a domain that knows which names are taken",
        rule="definer-exempt-owner",
        sql=FILL
        + function(
            "studio.free(text)",
            "boolean",
            "SELECT NOT EXISTS (SELECT FROM studio.project WHERE name = $1)",
            owner="studio_fill",
        )
        + "CREATE DOMAIN studio.new_name AS text CHECK (studio.free(VALUE));",
        about="studio.free",
        attack="SELECT NOT pg_input_is_valid('theirs', 'studio.new_name')",
    ),
    Planted(
        kind=2,
        title="RETURN QUERY EXECUTE of an order that the caller gives",
        rule="definer-runs-text",
        sql=function(
            "studio.listed(by_what text)",
            "SETOF text",
            "BEGIN RETURN QUERY EXECUTE 'SELECT name FROM studio.project ORDER BY ' || by_what; "
            "END",
            language="plpgsql",
        ),
        about="studio.listed",
        attack="DO $$ BEGIN PERFORM studio.listed('(SELECT amount::integer FROM ledger.entry)');"
        " EXCEPTION WHEN OTHERS THEN PERFORM set_config('x.said', SQLERRM, true); END $$;"
        "SELECT current_setting('x.said') LIKE '%theirs%'",
    ),
    Planted(
        kind=2,
        title="OPEN FOR EXECUTE of a filter",
        rule="definer-runs-text",
        sql="CREATE FUNCTION studio.opened(filter text) RETURNS SETOF text LANGUAGE plpgsql"
        " SECURITY DEFINER SET search_path = '' AS $$ DECLARE c refcursor; line text; BEGIN"
        " OPEN c FOR EXECUTE format('SELECT name FROM studio.project WHERE %s', filter);"
        " LOOP FETCH c INTO line; EXIT WHEN NOT FOUND; RETURN NEXT line; END LOOP; END $$;"
        "REVOKE ALL ON FUNCTION studio.opened FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION studio.opened TO studio_web;",
        about="studio.opened",
        attack="SELECT EXISTS (SELECT FROM studio.opened("
        "'false UNION ALL SELECT amount FROM ledger.entry') AS o WHERE o = 'theirs')",
    ),
    Planted(
        kind=2,
        title="FOR IN EXECUTE, the text made in a variable before",
        rule="definer-runs-text",
        sql="CREATE FUNCTION studio.looped(what text) RETURNS SETOF text LANGUAGE plpgsql"
        " SECURITY DEFINER SET search_path = '' AS $$ DECLARE q text; line text; BEGIN"
        " q := 'SELECT '; q := q || what; FOR line IN EXECUTE q LOOP RETURN NEXT line; END LOOP;"
        " END $$;"
        "REVOKE ALL ON FUNCTION studio.looped FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION studio.looped TO studio_web;",
        about="studio.looped",
        attack="SELECT EXISTS (SELECT FROM studio.looped('amount FROM ledger.entry') AS o"
        " WHERE o = 'theirs')",
    ),
    Planted(
        kind=2,
        title="an event trigger that grants anew after each CREATE",
        rule="trigger-as-owner",
        sql=mighty(
            function(
                "private.regrant()",
                "event_trigger",
                "BEGIN GRANT USAGE ON SCHEMA ledger TO studio_web;"
                " GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO studio_web; END",
                language="plpgsql",
                how=DEFINER,
                to="",
            )
            + "CREATE EVENT TRIGGER regrant ON ddl_command_end WHEN TAG IN ('CREATE TABLE')"
            " EXECUTE FUNCTION private.regrant()"
        ),
        about="regrant",
        attack="CREATE TEMP TABLE anything (i integer);"
        "SELECT EXISTS (SELECT FROM ledger.entry WHERE amount = 'theirs')",
    ),
    Planted(
        kind=2,
        title="a query handed to a function of PostgreSQL that runs it",
        rule="definer-runs-text",
        sql=function("studio.words(q text)", "SETOF text", "SELECT word FROM ts_stat(q)"),
        about="studio.words",
        attack="SELECT EXISTS (SELECT FROM studio.words("
        "$$SELECT to_tsvector('simple', amount) FROM ledger.entry$$) AS w WHERE w = 'theirs')",
    ),
    Planted(
        kind=2,
        title="a computed column, as PostgREST shows them",
        rule="definer-exempt-owner",
        sql=FILL + function("studio.siblings(studio.project)", "text", NAMES, owner="studio_fill"),
        about="studio.siblings",
        attack="SELECT bool_or(studio.siblings(p) LIKE '%theirs%') FROM studio.project AS p",
    ),
)

SOUND = (
    Sound(
        kind=1,
        title="a definer of the filler that looks at its caller's tenant",
        sql=FILL
        + "GRANT EXECUTE ON FUNCTION studio.tenant() TO studio_fill;"
        + function(
            "studio.mine()",
            "SETOF text",
            "SELECT p.name FROM studio.project AS p WHERE p.tenant_id = studio.tenant()",
            owner="studio_fill",
        ),
    ),
    Sound(
        kind=1,
        title="a definer of the filler that only tells the time",
        sql=FILL + function("studio.clock()", "timestamptz", "SELECT now()", owner="studio_fill"),
    ),
    Sound(
        kind=1,
        title="a definer of the filler that the application may not call",
        sql=FILL + function("private.names()", "text", NAMES, owner="studio_fill", to=""),
    ),
    Sound(
        kind=1,
        title="a trigger that keeps a journal which nobody reads",
        sql="CREATE TABLE private.journal (at timestamptz DEFAULT now(), was jsonb);"
        "GRANT INSERT ON private.journal TO studio_fill;"
        + trigger(
            "private.note_it",
            "studio.task",
            "BEGIN INSERT INTO private.journal (was) VALUES (to_jsonb(NEW)); RETURN NULL; END",
            when="AFTER UPDATE",
            how=DEFINER,
            owner="studio_fill",
        ),
    ),
    Sound(
        kind=2,
        title="INSTEAD OF INSERT that writes as who asks",
        sql=ASKS
        + trigger("studio.renames", "studio.rename", RENAMES, when="INSTEAD OF INSERT")
        + "GRANT EXECUTE ON FUNCTION studio.renames() TO studio_web;",
    ),
    Sound(
        kind=2,
        title="an aggregate, an operator and a cast of plain functions",
        sql="CREATE FUNCTION studio.longer(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS"
        " $$ SELECT CASE WHEN length($1) > length($2) THEN $1 ELSE $2 END $$;"
        "CREATE AGGREGATE studio.longest(text) (sfunc = studio.longer, stype = text);"
        "CREATE OPERATOR studio.## (FUNCTION = studio.longer, LEFTARG = text, RIGHTARG = text);"
        "CREATE TYPE studio.money AS (cents integer);"
        "CREATE FUNCTION studio.cents(studio.money) RETURNS integer LANGUAGE sql IMMUTABLE AS"
        " $$ SELECT ($1).cents $$;"
        "CREATE CAST (studio.money AS integer) WITH FUNCTION studio.cents(studio.money);",
    ),
    Sound(
        kind=2,
        title="an order that the caller chooses among the columns, as himself",
        sql=function(
            "studio.listed(by_what text)",
            "SETOF text",
            "BEGIN RETURN QUERY EXECUTE format('SELECT name FROM studio.project ORDER BY %I',"
            " by_what); END",
            language="plpgsql",
            how="STABLE SET search_path = ''",
        ),
    ),
    Sound(
        kind=2,
        title="an event trigger that only says what was made",
        sql=mighty(
            function(
                "private.said()",
                "event_trigger",
                "BEGIN RAISE NOTICE 'made: %', tg_tag; END",
                language="plpgsql",
                how="SET search_path = ''",
                to="",
            )
            + "CREATE EVENT TRIGGER said ON ddl_command_end EXECUTE FUNCTION private.said()"
        ),
    ),
    Sound(
        kind=2,
        title="a domain whose check is a pattern in a function",
        sql="CREATE FUNCTION studio.is_slug(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS"
        " $$ SELECT $1 ~ '^[a-z]+$' $$;"
        "CREATE DOMAIN studio.slug AS text CHECK (studio.is_slug(VALUE));"
        "ALTER TABLE studio.task ADD COLUMN slug studio.slug;",
    ),
)
