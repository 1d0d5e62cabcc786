"""Ways in that are neither a table nor a plain call."""

from __future__ import annotations

from support.doors.ground import (
    CHANGED,
    DEFINER,
    FILL,
    GONE,
    INBOX,
    MIGHTY,
    STAMP,
    TRIGGER,
    Door,
    Sound,
)

# Whether anybody has this title: asked of all rows.
TAKEN = (
    "CREATE FUNCTION hidden.free(text) RETURNS boolean LANGUAGE sql SECURITY DEFINER STABLE"
    " SET search_path = '' AS 'SELECT NOT EXISTS (SELECT FROM desk.note AS n WHERE n.title = $1)';"
)

EVERYTHING = (
    "CREATE FUNCTION hidden.titles() RETURNS text LANGUAGE sql SECURITY DEFINER STABLE"
    " SET search_path = '' AS 'SELECT string_agg(n.title, '','') FROM desk.note AS n';"
)

OFFICE_STEP = (
    "CREATE FUNCTION office.step(text, integer) RETURNS text LANGUAGE sql SECURITY DEFINER"
    " SET search_path = '' AS 'SELECT string_agg(p.title, '','') FROM office.paper AS p';"
)

OFFICE_TITLE = (
    "CREATE FUNCTION office.title(integer) RETURNS text LANGUAGE sql SECURITY DEFINER STABLE"
    " SET search_path = '' AS $$ SELECT p.title FROM office.paper AS p WHERE p.id = $1 $$;"
)

DOORS: tuple[Door, ...] = (
    Door(
        title="an INSTEAD OF trigger of a view runs as a superuser",
        sql="CREATE VIEW desk.v WITH (security_invoker) AS SELECT id, owner, title FROM desk.note;"
        "GRANT SELECT, INSERT ON desk.v TO desk_app;"
        + MIGHTY.format(
            "CREATE FUNCTION desk.instead() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
            " SET search_path = '' AS $$ BEGIN UPDATE desk.note SET title = NEW.title"
            " WHERE id = NEW.id; RETURN NEW; END $$;"
            "CREATE TRIGGER instead INSTEAD OF INSERT ON desk.v"
            " FOR EACH ROW EXECUTE FUNCTION desk.instead();"
        ),
        attack="INSERT INTO desk.v (id, title) SELECT i, 'taken' FROM generate_series(1, 9) AS i",
        seen=CHANGED,
        rule=TRIGGER,
        object="instead ON desk.v",
    ),
    Door(
        title="an INSTEAD OF trigger of a view outside runs as the role that filled the table",
        sql=FILL
        + "CREATE VIEW public.v AS SELECT 1 AS id; GRANT DELETE, SELECT ON public.v TO desk_app;"
        "CREATE FUNCTION desk.instead() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path = '' AS $$ BEGIN DELETE FROM desk.note; RETURN OLD; END $$;"
        "ALTER FUNCTION desk.instead() OWNER TO desk_fill;"
        "CREATE TRIGGER instead INSTEAD OF DELETE ON public.v"
        " FOR EACH ROW EXECUTE FUNCTION desk.instead();",
        attack="DELETE FROM public.v",
        seen=GONE,
        rule=TRIGGER,
        object="instead ON public.v",
    ),
    Door(
        title="the transition function of an aggregate runs as a superuser",
        sql=MIGHTY.format(
            "CREATE FUNCTION desk.step(text, integer) RETURNS text LANGUAGE sql SECURITY DEFINER"
            " SET search_path = '' AS 'SELECT string_agg(title, '','') FROM desk.note';"
            "REVOKE ALL ON FUNCTION desk.step(text, integer) FROM PUBLIC;"
            "CREATE AGGREGATE desk.total(integer) (SFUNC = desk.step, STYPE = text);"
        ),
        attack="SELECT desk.total(1) LIKE '%theirs%'",
        rule=DEFINER,
        object="desk.step(text, integer)",
    ),
    Door(
        title="the final function of an aggregate runs as the role that filled the table",
        sql=FILL + "CREATE FUNCTION hidden.last(integer) RETURNS text LANGUAGE sql SECURITY DEFINER"
        " SET search_path = '' AS 'SELECT string_agg(title, '','') FROM desk.note';"
        "GRANT USAGE, CREATE ON SCHEMA hidden TO desk_fill;"
        "ALTER FUNCTION hidden.last(integer) OWNER TO desk_fill;"
        "CREATE AGGREGATE desk.total(integer)"
        " (SFUNC = int4pl, STYPE = integer, FINALFUNC = hidden.last);",
        attack="SELECT desk.total(1) LIKE '%theirs%'",
        rule=DEFINER,
        object="hidden.last(integer)",
    ),
    Door(
        title="an operator calls a function of a schema that the application cannot enter",
        sql=MIGHTY.format(
            TAKEN + "CREATE OPERATOR desk.!! (FUNCTION = hidden.free, RIGHTARG = text);"
        ),
        attack="SELECT NOT (OPERATOR(desk.!!) 'theirs'::text)",
        rule=DEFINER,
        object="hidden.free(text)",
    ),
    Door(
        title="a cast calls a function of a schema that the application cannot enter",
        sql=MIGHTY.format(
            "CREATE TYPE desk.guess AS (title text);"
            "CREATE FUNCTION hidden.as_guess(integer) RETURNS desk.guess LANGUAGE sql"
            " SECURITY DEFINER SET search_path = '' AS"
            " 'SELECT ROW(n.title)::desk.guess FROM desk.note AS n WHERE n.owner = $1';"
            "CREATE CAST (integer AS desk.guess) WITH FUNCTION hidden.as_guess(integer);"
        ),
        attack="SELECT (2::desk.guess).title = 'theirs'",
        rule=DEFINER,
        object="hidden.as_guess(integer)",
    ),
    Door(
        title="the CHECK of a domain asks all rows",
        sql=MIGHTY.format(
            TAKEN + "CREATE DOMAIN desk.new_title AS text CHECK (hidden.free(VALUE));"
        ),
        attack="DO $$ BEGIN PERFORM 'theirs'::desk.new_title; RAISE EXCEPTION 'not told';"
        " EXCEPTION WHEN check_violation THEN NULL; END $$; SELECT true",
        rule=DEFINER,
        object="hidden.free(text)",
    ),
    Door(
        title="the CHECK of a table asks all rows",
        sql=INBOX
        + MIGHTY.format(TAKEN + "ALTER TABLE public.inbox ADD CHECK (hidden.free(title));"),
        attack="DO $$ BEGIN INSERT INTO public.inbox (title) VALUES ('theirs');"
        " RAISE EXCEPTION 'not told'; EXCEPTION WHEN check_violation THEN NULL; END $$; SELECT "
        "true",
        rule=DEFINER,
        object="hidden.free(text)",
    ),
    Door(
        title="a default reads all rows",
        sql=INBOX
        + MIGHTY.format(
            EVERYTHING + "ALTER TABLE public.inbox ALTER title SET DEFAULT hidden.titles();"
        ),
        attack="INSERT INTO public.inbox (id) VALUES (1);"
        "SELECT EXISTS (SELECT FROM public.inbox WHERE title LIKE '%theirs%')",
        rule=DEFINER,
        object="hidden.titles()",
    ),
    Door(
        title="a security_invoker view calls a function of a hidden schema",
        sql=MIGHTY.format(EVERYTHING)
        + "CREATE VIEW desk.v WITH (security_invoker) AS SELECT hidden.titles() AS titles;"
        "GRANT SELECT ON desk.v TO desk_app;",
        attack="SELECT titles LIKE '%theirs%' FROM desk.v",
        rule=DEFINER,
        object="hidden.titles()",
    ),
    Door(
        title="an event trigger runs as a superuser for whoever makes a temporary table",
        sql="RESET ROLE;"
        + INBOX
        + "CREATE FUNCTION hidden.watch() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path = '' AS $$ BEGIN INSERT INTO public.inbox (title)"
        " SELECT n.title FROM desk.note AS n; END $$;"
        "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION hidden.watch();"
        "SET LOCAL ROLE hk_migrator;",
        attack="CREATE TEMP TABLE t (id integer);"
        "SELECT EXISTS (SELECT FROM public.inbox WHERE title LIKE '%theirs%')",
        rule=TRIGGER,
        object="EVENT TRIGGER watch",
    ),
    Door(
        title="a trigger of a table outside runs as a superuser",
        sql=INBOX
        + MIGHTY.format(
            STAMP.format("hidden.stamp()") + "CREATE TRIGGER stamp BEFORE INSERT ON public.inbox"
            " FOR EACH ROW EXECUTE FUNCTION hidden.stamp();"
        ),
        attack="INSERT INTO public.inbox (id) VALUES (1);"
        "SELECT EXISTS (SELECT FROM public.inbox WHERE title LIKE '%theirs%')",
        rule=TRIGGER,
        object="stamp ON public.inbox",
    ),
    Door(
        title="RETURN QUERY EXECUTE of what its caller says, in a function of the tables' owner",
        sql="CREATE FUNCTION desk.f(wanted text) RETURNS SETOF text LANGUAGE plpgsql"
        " SECURITY DEFINER SET search_path = '' AS $$ BEGIN RETURN QUERY EXECUTE"
        " 'SELECT n.title FROM desk.note AS n WHERE n.title = ''' || wanted || ''''; END $$;"
        "REVOKE ALL ON FUNCTION desk.f(text) FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION desk.f(text) TO desk_app;",
        attack="SELECT EXISTS (SELECT FROM desk.f('x'' UNION SELECT p.title FROM office.paper AS p"
        " WHERE ''a'' = ''a') AS t WHERE t = 'theirs')",
        rule="definer-runs-text",
        object="desk.f(text)",
    ),
    Door(
        title="OPEN FOR EXECUTE of what its caller says",
        sql="CREATE FUNCTION desk.f(wanted text) RETURNS text LANGUAGE plpgsql"
        " SECURITY DEFINER SET search_path = '' AS $$ DECLARE c refcursor; found text;"
        " BEGIN OPEN c FOR EXECUTE format('SELECT n.title FROM desk.note AS n WHERE %s', wanted);"
        " FETCH c INTO found; RETURN found; END $$;"
        "REVOKE ALL ON FUNCTION desk.f(text) FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION desk.f(text) TO desk_app;",
        attack="SELECT desk.f('false UNION SELECT p.title FROM office.paper AS p') = 'theirs'",
        rule="definer-runs-text",
        object="desk.f(text)",
    ),
    Door(
        title="EXECUTE of a text that was put together in a variable",
        sql="CREATE FUNCTION desk.f(wanted text) RETURNS void LANGUAGE plpgsql"
        " SECURITY DEFINER SET search_path = '' AS $$ DECLARE command text;"
        " BEGIN command := 'UPDATE desk.note SET title = title WHERE ' || wanted;"
        " EXECUTE command; END $$;"
        "REVOKE ALL ON FUNCTION desk.f(text) FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION desk.f(text) TO desk_app;",
        attack="SELECT desk.f('true; ALTER TABLE desk.note NO FORCE ROW LEVEL SECURITY;"
        " UPDATE desk.note SET title = ''taken''; ALTER TABLE desk.note FORCE ROW LEVEL SECURITY')",
        seen=CHANGED,
        rule="definer-runs-text",
        object="desk.f(text)",
    ),
    Door(
        title="FOR IN EXECUTE with the argument's place in the text, in a procedure",
        sql="CREATE PROCEDURE desk.f(wanted text, INOUT told text) LANGUAGE plpgsql"
        " SECURITY DEFINER SET search_path = '' AS $$ DECLARE r record;"
        " BEGIN FOR r IN EXECUTE concat('SELECT n.title AS t FROM desk.note AS n ', $1) LOOP"
        " told := r.t; END LOOP; END $$;"
        "REVOKE ALL ON PROCEDURE desk.f(text, text) FROM PUBLIC;"
        "GRANT EXECUTE ON PROCEDURE desk.f(text, text) TO desk_app;",
        attack="DO $$ DECLARE t text; BEGIN CALL desk.f('WHERE false UNION SELECT p.title FROM "
        "office.paper AS p', t);"
        " IF t <> 'theirs' THEN RAISE EXCEPTION 'not told'; END IF; END $$; SELECT true",
        rule="definer-runs-text",
        object="desk.f(text, text)",
    ),
    Door(
        title="the WHEN of a trigger asks all rows",
        sql=INBOX + "CREATE FUNCTION desk.stop() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE unique_violation; END $$;"
        + MIGHTY.format(
            TAKEN + "CREATE TRIGGER stop BEFORE INSERT ON public.inbox FOR EACH ROW"
            " WHEN (NOT hidden.free(NEW.title)) EXECUTE FUNCTION desk.stop();"
        ),
        attack="DO $$ BEGIN INSERT INTO public.inbox (title) VALUES ('theirs');"
        " RAISE EXCEPTION 'not told'; EXCEPTION WHEN unique_violation THEN NULL; END $$;"
        " SELECT true",
        rule=DEFINER,
        object="hidden.free(text)",
    ),
    Door(
        title="a function whose body is stored parsed calls one of a hidden schema",
        sql=MIGHTY.format(EVERYTHING)
        + "CREATE FUNCTION desk.f() RETURNS text LANGUAGE sql BEGIN ATOMIC"
        " SELECT hidden.titles(); END;",
        attack="SELECT desk.f() LIKE '%theirs%'",
        rule=DEFINER,
        object="hidden.titles()",
    ),
    Door(
        title="the application owns the function of an operator that a policy uses",
        sql=MIGHTY.format(
            "CREATE SCHEMA own AUTHORIZATION desk_app; CREATE FUNCTION own.same(integer, integer)"
            " RETURNS boolean LANGUAGE sql STABLE AS 'SELECT $1 = $2';"
            "ALTER FUNCTION own.same(integer, integer) OWNER TO desk_app;"
            "CREATE OPERATOR desk.== (FUNCTION = own.same, LEFTARG = integer, RIGHTARG = integer);"
        )
        + "ALTER POLICY own ON desk.note USING (owner OPERATOR(desk.==) desk.me());",
        attack="CREATE OR REPLACE FUNCTION own.same(integer, integer) RETURNS boolean"
        " LANGUAGE sql STABLE AS 'SELECT true';"
        "SELECT EXISTS (SELECT FROM desk.note WHERE title = 'theirs')",
        rule="role-owns-function",
        object="own.same(integer, integer)",
    ),
    Door(
        title="an aggregate of the application is made of another application's function",
        sql=OFFICE_STEP
        + "CREATE AGGREGATE desk.total(integer) (SFUNC = office.step, STYPE = text);",
        attack="SELECT desk.total(1) LIKE '%theirs%'",
        rule="boundary-dependency",
        object="desk.total(integer)",
    ),
    Door(
        title="an operator of the application calls into another application's schema",
        sql=OFFICE_TITLE + "CREATE OPERATOR desk.!! (FUNCTION = office.title, RIGHTARG = integer);",
        attack="SELECT (OPERATOR(desk.!!) 1) = 'theirs'",
        rule="boundary-dependency",
        object="desk.!!(NONE,integer)",
    ),
    Door(
        title="a cast to a type of the application reads another application's table",
        sql=OFFICE_TITLE.replace("RETURNS text", "RETURNS desk.told")
        .replace("$$ SELECT p.title", "$$ SELECT ROW(p.title)::desk.told")
        .replace("CREATE FUNCTION", "CREATE TYPE desk.told AS (title text); CREATE FUNCTION", 1)
        + "CREATE CAST (integer AS desk.told) WITH FUNCTION office.title(integer);",
        attack="SELECT (1::desk.told).title = 'theirs'",
        rule="boundary-dependency",
        object="(integer AS desk.told)",
    ),
    Door(
        title="a default of the application's table reads another application's table",
        sql=OFFICE_TITLE
        + "CREATE TABLE desk.ask (id integer, answer text DEFAULT office.title(1));"
        "GRANT SELECT, INSERT ON desk.ask TO desk_app;",
        attack="INSERT INTO desk.ask (id) VALUES (1);"
        "SELECT EXISTS (SELECT FROM desk.ask WHERE answer = 'theirs')",
        rule="boundary-dependency",
        object="for desk.ask.answer",
    ),
    Door(
        title="an operator of the application calls into a hidden schema, and that into another's",
        sql=OFFICE_TITLE.replace("office.title", "hidden.title")
        + "CREATE OPERATOR desk.!! (FUNCTION = hidden.title, RIGHTARG = integer);",
        attack="SELECT (OPERATOR(desk.!!) 1) = 'theirs'",
        rule="boundary-function-body",
        object="hidden.title(integer)",
    ),
    Door(
        title="an INSTEAD OF trigger of the application's view writes another application's table",
        sql="CREATE VIEW desk.v AS SELECT 1 AS id; GRANT INSERT ON desk.v TO desk_app;"
        "CREATE FUNCTION office.keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path = '' AS $$ BEGIN UPDATE office.paper SET title = 'taken'; RETURN NEW;"
        " END $$; CREATE TRIGGER keep INSTEAD OF INSERT ON desk.v"
        " FOR EACH ROW EXECUTE FUNCTION office.keep();",
        attack="INSERT INTO desk.v VALUES (1)",
        seen="SELECT EXISTS (SELECT FROM office.paper WHERE title = 'taken')",
        rule="boundary-dependency",
        object="keep on desk.v",
    ),
)

SOUND: tuple[Sound, ...] = (
    Sound(
        title="an INSTEAD OF trigger runs as whoever asks",
        sql="CREATE VIEW desk.v WITH (security_invoker) AS SELECT id, owner, title FROM desk.note;"
        "GRANT SELECT, INSERT ON desk.v TO desk_app;"
        "CREATE FUNCTION desk.instead() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS"
        " $$ BEGIN INSERT INTO desk.note (owner, title) VALUES (NEW.owner, NEW.title);"
        " RETURN NEW; END $$; CREATE TRIGGER instead INSTEAD OF INSERT ON desk.v"
        " FOR EACH ROW EXECUTE FUNCTION desk.instead();",
    ),
    Sound(
        title="aggregate, operator, cast and domain call functions that run as whoever asks",
        sql="CREATE FUNCTION desk.step(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE"
        " AS 'SELECT greatest($1, $2)';"
        "CREATE AGGREGATE desk.highest(integer) (SFUNC = desk.step, STYPE = integer);"
        "CREATE OPERATOR desk.<*> (FUNCTION = desk.step, LEFTARG = integer, RIGHTARG = integer);"
        "CREATE TYPE desk.money AS (cents integer);"
        "CREATE FUNCTION desk.as_money(integer) RETURNS desk.money LANGUAGE sql IMMUTABLE"
        " AS 'SELECT ROW($1)::desk.money';"
        "CREATE CAST (integer AS desk.money) WITH FUNCTION desk.as_money(integer);"
        "CREATE DOMAIN desk.small AS integer CHECK (desk.step(VALUE, 9) = 9);",
    ),
    Sound(
        title="an event trigger tells the API to read its schema again",
        sql="RESET ROLE; CREATE FUNCTION hidden.reload() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NOTIFY pgrst, 'reload schema'; END $$;"
        "CREATE EVENT TRIGGER reload ON ddl_command_end EXECUTE FUNCTION hidden.reload();",
    ),
    Sound(
        title="a definer puts names and values into its statement by %I, %L and USING",
        sql="CREATE FUNCTION desk.f(wanted text, sorted text) RETURNS SETOF text LANGUAGE plpgsql"
        " SECURITY DEFINER SET search_path = '' AS $$ DECLARE command text; BEGIN"
        "\n-- hk: reaches desk.note -- and no more\n"
        " command := format('SELECT n.title FROM desk.note AS n WHERE n.title = $1"
        " AND n.title <> %L ORDER BY %I', wanted, sorted);"
        " RETURN QUERY EXECUTE command || ' LIMIT ' || quote_literal(wanted) USING wanted; END $$;"
        "REVOKE ALL ON FUNCTION desk.f(text, text) FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION desk.f(text, text) TO desk_app;",
    ),
    Sound(
        title="a definer puts a number into its statement",
        sql="CREATE FUNCTION desk.f(many integer) RETURNS SETOF text LANGUAGE plpgsql"
        " SECURITY DEFINER SET search_path = '' AS $$ BEGIN\n-- hk: reaches desk.note -- and no "
        "more\n"
        "RETURN QUERY EXECUTE format('SELECT n.title FROM desk.note AS n LIMIT %s', many); END $$;"
        "REVOKE ALL ON FUNCTION desk.f(integer) FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION desk.f(integer) TO desk_app;",
    ),
)
