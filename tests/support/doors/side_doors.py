"""What leaves by a side door: notifications, contexts, cascades, publications and the like."""

from __future__ import annotations

from support.doors.ground import (
    CHANGED,
    GONE,
    INBOX,
    MIGHTY,
    PATH,
    Door,
    Sound,
)


def _trigger(body: str, declare: str = "") -> str:
    return (
        "CREATE FUNCTION desk.tell() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS "
        "$body$"
        f" {declare} BEGIN {body} RETURN NEW; END $body$;"
        "CREATE TRIGGER tell AFTER INSERT OR UPDATE ON desk.note FOR EACH ROW"
        " EXECUTE FUNCTION desk.tell();"
    )


def _take(body: str, language: str = "plpgsql", args: str = "who integer") -> str:
    return (
        f"CREATE FUNCTION desk.f({args}) RETURNS void LANGUAGE {language} {PATH}"
        f" AS $body$ {body} $body$;"
    )


def _lifts(body: str) -> str:
    return (
        "CREATE FUNCTION desk.f() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER"
        f" SET search_path = '' AS $body$ DECLARE n bigint; BEGIN {body} RETURN n; END $body$;"
        "REVOKE ALL ON FUNCTION desk.f() FROM PUBLIC; GRANT EXECUTE ON FUNCTION desk.f() TO "
        "desk_app;"
    )


COUNT = "SELECT count(*) INTO n FROM desk.note;"

NOTIFY = "notify-tells-rows"

TAKES = "context-from-argument"

LIFTS = "definer-lifts-protection"

PUBLISHES = "publication-of-rows"

ACT_AS_2 = "SELECT desk.f(2); SELECT EXISTS (SELECT FROM desk.note WHERE title = 'theirs')"

REPLY = (
    "CREATE TABLE {1} (owner int NOT NULL, note int, CONSTRAINT reply_note FOREIGN KEY (note)"
    " REFERENCES {0} (id) {2}); ALTER TABLE {1} ENABLE ROW LEVEL SECURITY;"
    "ALTER TABLE {1} FORCE ROW LEVEL SECURITY;"
    "CREATE POLICY own ON {1} TO desk_app USING (owner = desk.me());"
    "GRANT SELECT, INSERT, UPDATE, DELETE ON {1} TO desk_app;"
    "RESET ROLE; INSERT INTO {1} SELECT 2, id FROM {0}; SET LOCAL ROLE hk_migrator;"
)

REPLIES_GONE = "SELECT count(*) FILTER (WHERE note IS NOT NULL) < 2 FROM desk.reply WHERE owner = 2"

DOORS: tuple[Door, ...] = (
    Door(
        title="a trigger tells everybody who listens the new row",
        sql=_trigger("PERFORM pg_notify('notes', row_to_json(NEW)::text);"),
        rule=NOTIFY,
        object="desk.tell()",
    ),
    Door(
        title="what is told was put together in a variable",
        sql=_trigger(
            "payload := json_build_object('id', NEW.id, 'title', NEW.title);"
            " PERFORM pg_catalog.pg_notify('notes', payload::text);",
            "DECLARE payload json;",
        ),
        rule=NOTIFY,
        object="desk.tell()",
    ),
    Door(
        title="a column is told",
        sql=_trigger("PERFORM pg_notify('notes', OLD.title || ' is now ' || NEW.title);"),
        rule=NOTIFY,
        object="desk.tell()",
    ),
    Door(
        title="NOTIFY is put together at run time",
        sql=_trigger("EXECUTE format('NOTIFY notes, %L', NEW.title);"),
        rule=NOTIFY,
        object="desk.tell()",
    ),
    Door(
        title="a function tells what it has read",
        sql="CREATE FUNCTION desk.f() RETURNS void LANGUAGE sql SET search_path = '' AS"
        " 'SELECT pg_notify(''notes'', n::text) FROM desk.note AS n';",
        rule=NOTIFY,
        object="desk.f()",
    ),
    Door(
        title="a function tells a record that it has read",
        sql="CREATE FUNCTION desk.f(wanted integer) RETURNS void LANGUAGE plpgsql SET "
        "search_path = ''"
        " AS $$ DECLARE r record; BEGIN SELECT * INTO r FROM desk.note WHERE id = wanted;"
        " PERFORM pg_notify('notes', to_jsonb(r)::text); END $$;",
        rule=NOTIFY,
        object="desk.f(integer)",
    ),
    Door(
        title="a function takes on whoever its argument says",
        sql=_take("BEGIN PERFORM set_config('desk.me', who::text, true); END"),
        attack=ACT_AS_2,
        rule=TAKES,
        object="desk.f(integer)",
    ),
    Door(
        title="the same in SQL, by number, for the whole session",
        sql=_take("SELECT pg_catalog.set_config('DESK.me', $1::text, false)", "sql", "integer"),
        attack=ACT_AS_2,
        rule=TAKES,
        object="desk.f(integer)",
    ),
    Door(
        title="the same by EXECUTE of SET",
        sql=_take("BEGIN EXECUTE format('SET desk.me = %L', who); END"),
        attack=ACT_AS_2,
        rule=TAKES,
        object="desk.f(integer)",
    ),
    Door(
        title="the argument goes through a variable",
        sql=_take(
            "DECLARE me text := coalesce(who::text, ''); BEGIN"
            " PERFORM set_config('desk.me', me, true); END"
        ),
        attack=ACT_AS_2,
        rule=TAKES,
        object="desk.f(integer)",
    ),
    Door(
        title="a definer lifts FORCE for as long as it counts",
        sql=_lifts(
            "ALTER TABLE desk.note NO FORCE ROW LEVEL SECURITY;"
            + COUNT
            + "ALTER TABLE desk.note FORCE ROW LEVEL SECURITY;"
        ),
        attack="SELECT desk.f() > 1",
        rule=LIFTS,
        object="desk.f()",
    ),
    Door(
        title="a definer switches row-level security off and on, by EXECUTE",
        sql=_lifts(
            "EXECUTE 'alter table desk.note\n  disable row level security';"
            + COUNT
            + "EXECUTE format('ALTER TABLE %I.note ENABLE ROW LEVEL SECURITY', 'desk');"
        ),
        attack="SELECT desk.f() > 1",
        rule=LIFTS,
        object="desk.f()",
    ),
    Door(
        title="a definer makes itself a policy",
        sql=_lifts(
            "CREATE POLICY now ON desk.note TO hk_migrator USING (true);"
            + COUNT
            + "DROP POLICY now ON desk.note;"
        ),
        attack="SELECT desk.f() > 1",
        rule=LIFTS,
        object="desk.f()",
    ),
    Door(
        title="a definer grants what it was not granted",
        sql=_lifts("GRANT TRUNCATE ON desk.note TO desk_app; n := 0;"),
        attack="SELECT desk.f(); TRUNCATE desk.note",
        seen=GONE,
        rule=LIFTS,
        object="desk.f()",
    ),
    Door(
        title="a trigger lifts FORCE",
        sql="CREATE FUNCTION desk.lift() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path = '' AS $$ BEGIN ALTER TABLE desk.note NO FORCE ROW LEVEL SECURITY;"
        " UPDATE desk.note SET gone = true; ALTER TABLE desk.note FORCE ROW LEVEL SECURITY;"
        " RETURN NEW; END $$;" + INBOX + "CREATE TRIGGER lift BEFORE INSERT ON public.inbox"
        " FOR EACH ROW EXECUTE FUNCTION desk.lift();",
        attack="INSERT INTO public.inbox (id) VALUES (1)",
        seen=CHANGED,
        rule=LIFTS,
        object="desk.lift()",
    ),
    Door(
        title="deleting an own row deletes another's",
        sql=REPLY.format("desk.note", "desk.reply", "ON DELETE CASCADE"),
        attack="DELETE FROM desk.note WHERE owner = 1",
        seen=REPLIES_GONE,
        rule="covert-cascade",
        object="reply_note ON desk.reply",
    ),
    Door(
        title="deleting a row outside empties another's",
        sql="CREATE TABLE public.topic (id integer PRIMARY KEY); INSERT INTO public.topic VALUES "
        "(1);"
        "GRANT SELECT, DELETE ON public.topic TO desk_app;"
        + REPLY.format("public.topic", "desk.reply", "ON DELETE SET NULL"),
        attack="DELETE FROM public.topic",
        seen=REPLIES_GONE,
        rule="covert-cascade",
        object="reply_note ON desk.reply",
    ),
    Door(
        title="a new key of an own row moves another's",
        sql="ALTER TABLE desk.note ALTER id DROP IDENTITY;"
        + REPLY.format("desk.note", "desk.reply", "ON UPDATE CASCADE"),
        attack="UPDATE desk.note SET id = id + 100 WHERE owner = 1",
        seen="SELECT EXISTS (SELECT FROM desk.reply WHERE note > 100)",
        rule="covert-cascade",
        object="reply_note ON desk.reply",
    ),
    Door(
        title="a protected table is published whole",
        sql="CREATE PUBLICATION feed FOR TABLE desk.note;",
        rule=PUBLISHES,
        object="PUBLICATION feed",
    ),
    Door(
        title="every table of the schema is published",
        sql=MIGHTY.format("CREATE PUBLICATION feed FOR TABLES IN SCHEMA desk;"),
        rule=PUBLISHES,
        object="PUBLICATION feed",
    ),
    Door(
        title="the published rows are chosen by something else than the identity",
        sql="CREATE PUBLICATION feed FOR TABLE desk.note WHERE (NOT gone);",
        rule=PUBLISHES,
        object="PUBLICATION feed",
    ),
    Door(
        title="an exclusion constraint tells which values others have",
        sql="ALTER TABLE desk.note ADD at tstzrange; ALTER TABLE desk.note"
        " ADD CONSTRAINT busy EXCLUDE USING gist (at WITH &&); RESET ROLE;"
        "UPDATE desk.note SET at = '[2026-01-01,2026-02-01)' WHERE owner = 2;"
        "SET LOCAL ROLE hk_migrator;",
        attack="DO $$ BEGIN INSERT INTO desk.note (owner, title, at) VALUES"
        " (1, 'x', '[2026-01-01,2026-02-01)'); RAISE EXCEPTION 'not told';"
        " EXCEPTION WHEN exclusion_violation THEN NULL; END $$; SELECT true",
        rule="covert-unique",
        object="desk.busy",
    ),
    Door(
        title="a trigger takes on whoever the new row says",
        sql="CREATE FUNCTION desk.become() RETURNS trigger LANGUAGE plpgsql SET search_path = ''"
        " AS $$ BEGIN PERFORM set_config('desk.me', NEW.owner::text, true); RETURN NEW; END $$;"
        "CREATE TRIGGER become BEFORE INSERT ON desk.note FOR EACH ROW"
        " EXECUTE FUNCTION desk.become();",
        attack="INSERT INTO desk.note (owner, title) VALUES (2, 'x');"
        "SELECT EXISTS (SELECT FROM desk.note WHERE title = 'theirs')",
        rule=TAKES,
        object="desk.become()",
    ),
    Door(
        title="the name of the setting is put together",
        sql=_take("BEGIN PERFORM set_config('desk' || '.me', who::text, true); END"),
        attack=ACT_AS_2,
        rule=TAKES,
        object="desk.f(integer)",
    ),
    Door(
        title="a function sets whatever setting its caller names",
        sql=_take("SELECT set_config(name, value, true)", "sql", args="name text, value text"),
        attack="SELECT desk.f('desk.me', '2');"
        "SELECT EXISTS (SELECT FROM desk.note WHERE title = 'theirs')",
        rule=TAKES,
        object="desk.f(text, text)",
    ),
    Door(
        title="a trigger hands the row to a helper that tells it",
        sql="CREATE FUNCTION desk.say(what json) RETURNS void LANGUAGE plpgsql SET search_path = ''"
        " AS $$ BEGIN PERFORM pg_notify('notes', what::text); END $$;"
        + _trigger("PERFORM desk.say(row_to_json(NEW));"),
        rule=NOTIFY,
        object="desk.tell()",
    ),
    Door(
        title="the row is told by a record of another name",
        sql=_trigger("r := NEW; PERFORM pg_notify('notes', r.title);", "DECLARE r record;"),
        rule=NOTIFY,
        object="desk.tell()",
    ),
    Door(
        title="a definer asks for row security to be off",
        sql=MIGHTY.format(_lifts("PERFORM set_config('row_security', 'off', true);" + COUNT)),
        attack="SELECT desk.f() > 1",
        rule=LIFTS,
        object="desk.f()",
    ),
    Door(
        title="a definer hands its table to the application",
        sql="GRANT CREATE ON SCHEMA desk TO desk_app;"
        + _lifts("EXECUTE 'ALTER TABLE desk.note OWNER TO ' || quote_ident('desk_app'); n := 0;"),
        attack="SELECT desk.f(); ALTER TABLE desk.note DISABLE ROW LEVEL SECURITY;"
        "SELECT EXISTS (SELECT FROM desk.note WHERE title = 'theirs')",
        rule=LIFTS,
        object="desk.f()",
    ),
)

SOUND: tuple[Sound, ...] = (
    Sound(
        title="a trigger tells that something has happened",
        sql=_trigger("PERFORM pg_notify('notes', TG_TABLE_NAME || ':' || TG_OP);"),
    ),
    Sound(
        title="a trigger tells the key of the row",
        sql=_trigger("PERFORM pg_notify('notes', NEW.id::text);"),
    ),
    Sound(
        title="a trigger tells key and owner, and reads more",
        sql=_trigger(
            "t := NEW.title; IF t <> '' THEN PERFORM pg_notify('notes',"
            " json_build_object('id', NEW.id, 'owner', NEW.owner)::text); END IF;",
            "DECLARE t text;",
        ),
    ),
    Sound(
        title="a function tells what its caller says",
        sql="CREATE FUNCTION desk.f(what text) RETURNS void LANGUAGE plpgsql SET search_path = "
        "'' AS"
        " $$ BEGIN PERFORM pg_notify('jobs', what); NOTIFY jobs; END $$;",
    ),
    Sound(
        title="the identity is looked up by a secret",
        sql="CREATE TABLE desk.session (secret text PRIMARY KEY, person integer NOT NULL);"
        "ALTER TABLE desk.session ENABLE ROW LEVEL SECURITY;"
        "ALTER TABLE desk.session FORCE ROW LEVEL SECURITY;"
        "CREATE FUNCTION desk.f(given text) RETURNS void LANGUAGE plpgsql SET search_path = '' "
        "AS $$"
        " DECLARE who integer; BEGIN SELECT s.person INTO who FROM desk.session AS s"
        " WHERE s.secret = given; PERFORM set_config('desk.me', coalesce(who::text, ''), true);"
        " END $$;",
    ),
    Sound(
        title="a function forgets who it acts for",
        sql=_take(
            "BEGIN PERFORM set_config('desk.me', '', true);"
            " PERFORM set_config('statement_timeout', who::text, true); END"
        ),
    ),
    Sound(
        title="only its owner may call what takes on an identity",
        sql=_take("BEGIN PERFORM set_config('desk.me', who::text, true); END")
        + "REVOKE ALL ON FUNCTION desk.f(integer) FROM PUBLIC;",
    ),
    Sound(
        title="a definer closes a new partition",
        sql=_lifts(
            "EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', 'x');"
            " EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', 'x'); n := 0;"
            " -- never NO FORCE ROW LEVEL SECURITY\n-- hk: reaches nothing -- it has no rows yet\n"
        ),
    ),
    Sound(
        title="only the owner may call what switches row-level security off",
        sql=_lifts("ALTER TABLE desk.note NO FORCE ROW LEVEL SECURITY;" + COUNT)
        + "REVOKE ALL ON FUNCTION desk.f() FROM desk_app;",
    ),
    Sound(
        title="the published rows are those of one person",
        sql="CREATE PUBLICATION feed FOR TABLE desk.note WHERE (owner = 1);",
    ),
    Sound(
        title="a key that holds the identity, with a cascade",
        sql="ALTER TABLE desk.note ADD UNIQUE (owner, id);"
        "CREATE TABLE desk.reply (owner int NOT NULL, note int,"
        " FOREIGN KEY (owner, note) REFERENCES desk.note (owner, id) ON DELETE CASCADE);"
        "ALTER TABLE desk.reply ENABLE ROW LEVEL SECURITY;"
        "ALTER TABLE desk.reply FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON desk.reply TO desk_app USING (owner = desk.me());"
        "GRANT SELECT, INSERT, DELETE ON desk.reply TO desk_app",
    ),
    Sound(
        title="an exclusion constraint within each person's own",
        sql="ALTER TABLE desk.note ADD at tstzrange; ALTER TABLE desk.note ADD EXCLUDE USING gist"
        " (int4range(owner, owner, '[]') WITH =, at WITH &&)",
    ),
    Sound(
        title="what is told is put together of keys, behind a record and a sub-select",
        sql=_trigger(
            "IF TG_OP = 'DELETE' THEN r := OLD; ELSE r := NEW; END IF;"
            " SELECT row_to_json(x) INTO payload FROM (SELECT r.id, r.owner, TG_OP AS what) AS x;"
            " PERFORM pg_notify('note_' || r.owner, payload::text);"
            " PERFORM pg_notify('changes', json_build_object('table', TG_TABLE_NAME, 'id',"
            " coalesce(NEW.id, OLD.id), 'at', now(), 'empty', NEW.title = '')::text);",
            "DECLARE r record; payload json;",
        ),
    ),
    Sound(
        title="teams and their tasks go by one helper, and a task goes with its team",
        sql="CREATE TABLE desk.team (id integer PRIMARY KEY, name text);"
        "CREATE TABLE desk.task (id integer PRIMARY KEY, team_id integer NOT NULL"
        " REFERENCES desk.team (id) ON DELETE CASCADE, what text);"
        "CREATE FUNCTION desk.is_member(wanted integer) RETURNS boolean LANGUAGE sql STABLE"
        " SET search_path = '' AS $$ SELECT EXISTS (SELECT FROM desk.member AS m"
        " WHERE m.team = wanted AND m.person = desk.me()) $$;"
        "ALTER TABLE desk.team ENABLE ROW LEVEL SECURITY;"
        "ALTER TABLE desk.team FORCE ROW LEVEL SECURITY;"
        "ALTER TABLE desk.task ENABLE ROW LEVEL SECURITY;"
        "ALTER TABLE desk.task FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON desk.team TO desk_app USING (desk.is_member(id));"
        "CREATE POLICY own ON desk.task TO desk_app USING (desk.is_member(team_id));"
        "GRANT SELECT, INSERT, UPDATE, DELETE ON desk.team, desk.task TO desk_app;",
    ),
    Sound(
        title="a definer speaks of grants and policies in its messages",
        sql=_lifts(
            "SET LOCAL row_security = on; IF n > 1 THEN RAISE EXCEPTION"
            " 'only the owner may grant access to this, or drop policy own'; END IF; n := 0;"
        ),
    ),
)
