"""As whom code acts: functions, triggers and rules whose owner no policy binds."""

from __future__ import annotations

from support.doors.ground import (
    ALL_NOTES,
    CHANGED,
    DEFINER,
    FILL,
    GONE,
    MIGHTY,
    READ_ALL,
    SEE_F,
    STAMP,
    TRIGGER,
    Door,
    Sound,
    as_filler,
)

_OWN_FILL = (
    "CREATE POLICY fill ON desk.note TO desk_fill USING (owner = (SELECT desk.me()));"
    "CREATE POLICY fill ON desk.member TO desk_fill USING (person = (SELECT desk.me()));"
)

MEMBERS_OPEN = "CREATE POLICY fill ON desk.member TO desk_fill USING (true);"

DOORS: tuple[Door, ...] = (
    Door(
        title="the policy of a backfill was left over, and a function runs as its role",
        sql=FILL + as_filler(READ_ALL),
        attack=SEE_F,
        rule=DEFINER,
        object="desk.f()",
    ),
    Door(
        title="the owner of a forced table gave itself a policy",
        sql="CREATE POLICY mine ON desk.note TO hk_migrator USING (true);" + ALL_NOTES,
        attack=SEE_F,
        rule=DEFINER,
        object="desk.f()",
    ),
    Door(
        title="a trigger runs as the role that filled the table",
        sql=FILL + STAMP.format("desk.stamp()") + "ALTER FUNCTION desk.stamp() OWNER TO desk_fill;"
        "CREATE TRIGGER stamp BEFORE INSERT ON desk.note FOR EACH ROW EXECUTE FUNCTION "
        "desk.stamp();",
        attack="INSERT INTO desk.note (owner, title) VALUES (1, 'x');"
        "SELECT EXISTS (SELECT FROM desk.note WHERE title LIKE '%theirs%')",
        rule=TRIGGER,
        object="stamp ON desk.note",
    ),
    Door(
        title="a rule changes other rows of its own table, as its forced owner",
        sql="CREATE POLICY mine ON desk.note TO hk_migrator USING (true);"
        "CREATE RULE touch AS ON INSERT TO desk.note"
        " DO ALSO UPDATE desk.note AS n SET gone = true WHERE n.title = new.title;",
        attack="INSERT INTO desk.note (owner, title) VALUES (1, 'theirs')",
        seen=CHANGED,
        rule="rule-as-owner",
        object="touch ON desk.note",
    ),
    Door(
        title="a rule DO ALSO behind a security_invoker view",
        sql="CREATE POLICY mine ON desk.note TO hk_migrator USING (true);"
        "CREATE TABLE public.ask (title text); GRANT INSERT ON public.ask TO desk_app;"
        "CREATE TABLE public.told (title text); GRANT SELECT ON public.told TO desk_app;"
        "CREATE VIEW desk.v WITH (security_invoker) AS SELECT title FROM public.ask;"
        "GRANT INSERT ON desk.v TO desk_app;"
        "CREATE RULE tell AS ON INSERT TO desk.v DO ALSO"
        " INSERT INTO public.told SELECT n.title FROM desk.note AS n;",
        attack="INSERT INTO desk.v VALUES ('x');"
        "SELECT EXISTS (SELECT FROM public.told WHERE title = 'theirs')",
        rule="rule-as-owner",
        object="tell ON desk.v",
    ),
    Door(
        title="the policy is for a group of the function's owner",
        sql="CREATE ROLE desk_staff; GRANT desk_staff TO desk_fill;"
        "CREATE POLICY staff ON desk.note TO desk_staff USING (true);" + as_filler(READ_ALL),
        attack=SEE_F,
        rule=DEFINER,
        object="desk.f()",
    ),
    Door(
        title="the owner's policy asks for a property of the row alone",
        sql="CREATE POLICY fill ON desk.note TO desk_fill USING (NOT gone);" + as_filler(READ_ALL),
        attack=SEE_F,
        rule=DEFINER,
        object="desk.f()",
    ),
    Door(
        title="the owner's policy asks for the session alone",
        sql="CREATE POLICY fill ON desk.note TO desk_fill USING (CURRENT_USER = 'desk_fill');"
        + as_filler(READ_ALL),
        attack=SEE_F,
        rule=DEFINER,
        object="desk.f()",
    ),
    Door(
        title="a procedure changes the rows of everybody",
        sql=FILL + "CREATE PROCEDURE desk.f() LANGUAGE sql SECURITY DEFINER SET search_path = ''"
        " AS 'UPDATE desk.note SET gone = true'; REVOKE ALL ON PROCEDURE desk.f() FROM PUBLIC;"
        "GRANT EXECUTE ON PROCEDURE desk.f() TO desk_app; ALTER PROCEDURE desk.f() OWNER TO "
        "desk_fill;",
        attack="CALL desk.f()",
        seen=CHANGED,
        rule=DEFINER,
        object="desk.f()",
    ),
    Door(
        title="the function reads through a helper that runs as its caller",
        sql=FILL
        + "CREATE FUNCTION desk.helper() RETURNS SETOF text LANGUAGE sql SET search_path = ''"
        " AS 'SELECT n.title FROM desk.note AS n';" + as_filler("SELECT h FROM desk.helper() AS h"),
        attack=SEE_F,
        rule=DEFINER,
        object="desk.f()",
    ),
    Door(
        title="the statement is put together at run time",
        sql=FILL
        + as_filler(
            "BEGIN RETURN QUERY EXECUTE 'SELECT title FROM ' || 'desk' || '.' || 'note'; END",
            language="plpgsql",
        ),
        attack=SEE_F,
        rule=DEFINER,
        object="desk.f()",
    ),
    Door(
        title="the body is stored parsed",
        sql=FILL + "CREATE FUNCTION desk.f() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER"
        " SET search_path = '' BEGIN ATOMIC SELECT n.title FROM desk.note AS n; END;"
        "REVOKE ALL ON FUNCTION desk.f() FROM PUBLIC; GRANT EXECUTE ON FUNCTION desk.f() TO "
        "desk_app;"
        "ALTER FUNCTION desk.f() OWNER TO desk_fill;",
        attack=SEE_F,
        rule=DEFINER,
        object="desk.f()",
    ),
    Door(
        title="the policy left over is for DELETE",
        sql="CREATE POLICY fill ON desk.note FOR DELETE TO desk_fill USING (true);"
        + as_filler("DELETE FROM desk.note", returns="void"),
        attack="SELECT desk.f()",
        seen=GONE,
        rule=DEFINER,
        object="desk.f()",
    ),
    Door(
        title="the function reads by a view of its owner",
        sql=FILL + "CREATE VIEW desk.v WITH (security_invoker) AS SELECT title FROM desk.note;"
        "GRANT SELECT ON desk.v TO desk_fill;" + as_filler("SELECT v.title FROM desk.v AS v"),
        attack=SEE_F,
        rule=DEFINER,
        object="desk.f()",
    ),
    Door(
        title="the policy of all has a way round for the role that fills",
        sql="ALTER POLICY own ON desk.note TO desk_app, desk_fill"
        " USING (owner = desk.me() OR CURRENT_USER = 'desk_fill');" + as_filler(READ_ALL),
        attack=SEE_F,
        rule=DEFINER,
        object="desk.f()",
    ),
    Door(
        title="a helper about membership forgets whose it is asked for",
        sql=MEMBERS_OPEN
        + as_filler(
            "SELECT EXISTS (SELECT FROM desk.member AS m WHERE m.team = wanted"
            " AND (m.person = desk.me() OR m.person > 0))",
            returns="boolean",
            args="wanted integer",
        ),
        attack="SELECT desk.f(2)",
        rule=DEFINER,
        object="desk.f(integer)",
    ),
    Door(
        title="a helper compares the identity in the ON of an outer join",
        sql=FILL
        + as_filler(
            "SELECT n.title FROM desk.note AS n LEFT JOIN desk.note AS o"
            " ON o.id = n.id AND n.owner = desk.me() AND o.owner = desk.me()"
        ),
        attack=SEE_F,
        rule=DEFINER,
        object="desk.f()",
    ),
    Door(
        title="a helper takes the identity from its argument where there is one",
        sql=FILL
        + as_filler(
            "SELECT n.title FROM desk.note AS n WHERE n.owner = coalesce(who, desk.me())",
            args="who integer",
        ),
        attack="SELECT EXISTS (SELECT FROM desk.f(2) AS t WHERE t LIKE '%theirs%')",
        rule=DEFINER,
        object="desk.f(integer)",
    ),
)

SOUND: tuple[Sound, ...] = (
    Sound(
        title="the policy of a backfill was left over, and nothing runs as its role",
        sql=FILL,
    ),
    Sound(
        title="a function runs as a role whose policy compares the identity",
        sql=_OWN_FILL + as_filler(READ_ALL),
    ),
    Sound(
        title="a function runs as the role that filled the table, and only its owner may call it",
        sql=FILL + as_filler(READ_ALL) + "REVOKE ALL ON FUNCTION desk.f() FROM desk_app;",
    ),
    Sound(
        title="a function runs as the role that filled the table, and reads another one",
        sql=FILL
        + _OWN_FILL.replace("POLICY fill ON desk.note", "POLICY own_too ON desk.note")
        + as_filler("SELECT m.team::text FROM desk.member AS m -- as a note would say"),
    ),
    Sound(
        title="a trigger writes what happened into a log, where its owner may only add",
        sql="CREATE TABLE desk.log (id integer GENERATED ALWAYS AS IDENTITY, owner integer NOT "
        "NULL,"
        " what text); ALTER TABLE desk.log ENABLE ROW LEVEL SECURITY;"
        "ALTER TABLE desk.log FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON desk.log FOR SELECT TO desk_app USING (owner = desk.me());"
        "GRANT SELECT ON desk.log TO desk_app; GRANT INSERT ON desk.log TO desk_fill;"
        "CREATE POLICY add ON desk.log FOR INSERT TO desk_fill WITH CHECK (true);"
        "CREATE FUNCTION desk.keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path = '' AS $$ BEGIN INSERT INTO desk.log (owner, what)"
        " VALUES (NEW.owner, TG_OP); RETURN NEW; END $$;"
        "REVOKE ALL ON FUNCTION desk.keep() FROM PUBLIC;"
        "ALTER FUNCTION desk.keep() OWNER TO desk_fill;"
        "GRANT EXECUTE ON FUNCTION desk.keep() TO hk_migrator;"
        "CREATE TRIGGER keep AFTER INSERT ON desk.note FOR EACH ROW EXECUTE FUNCTION desk.keep();",
    ),
    Sound(
        title="the policy is open, and a restrictive one beside it compares the identity",
        sql=FILL + "CREATE POLICY own_only ON desk.note AS RESTRICTIVE TO desk_fill USING (owner = "
        "desk.me());" + as_filler(READ_ALL),
    ),
    Sound(
        title="the policy is open, and its role was granted nothing on the table",
        sql=FILL + "REVOKE ALL ON desk.note FROM desk_fill;" + as_filler(READ_ALL),
    ),
    Sound(
        title="a function of the forced owner, for whom there is no policy",
        sql=ALL_NOTES,
    ),
    Sound(
        title="a helper of a role for which the members are open tells of the own membership",
        sql=MEMBERS_OPEN
        + as_filler(
            "SELECT EXISTS (SELECT FROM desk.member AS m WHERE m.team = wanted"
            " AND m.person = (SELECT desk.me()))",
            returns="boolean",
            args="wanted integer",
        )
        + "ALTER FUNCTION desk.f(integer) STABLE;"
        "CREATE POLICY team ON desk.note FOR SELECT TO desk_app USING (desk.f(owner));",
    ),
    Sound(
        title="a superuser's helper in PL/pgSQL lists the notes of the own teams",
        sql=MIGHTY.format(
            "CREATE FUNCTION desk.f() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER"
            " SET search_path = '' AS $$ DECLARE me integer := desk.me(); BEGIN"
            " IF NOT EXISTS (SELECT FROM desk.member WHERE person = me) THEN RETURN; END IF;"
            " RETURN QUERY SELECT n.title FROM desk.member AS m JOIN desk.note AS n"
            " ON n.owner = m.team WHERE m.person = me AND NOT n.gone; END $$;"
            "REVOKE ALL ON FUNCTION desk.f() FROM PUBLIC;"
            "GRANT EXECUTE ON FUNCTION desk.f() TO desk_app;"
        ),
    ),
)
