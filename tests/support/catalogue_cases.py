"""Defects and sound variants for the whole catalogue, told as what a team might have written."""

from __future__ import annotations

# What each story starts from: a schema, its roles, one sound table, one table of members.
GROUND = """
CREATE SCHEMA desk;
GRANT USAGE ON SCHEMA desk TO desk_app;
CREATE FUNCTION desk.me() RETURNS integer LANGUAGE sql STABLE SET search_path = ''
AS $$ SELECT nullif(current_setting('desk.me', true), '')::integer $$;
CREATE TABLE desk.note (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner integer NOT NULL,
    title text NOT NULL,
    gone boolean NOT NULL DEFAULT false
);
ALTER TABLE desk.note ENABLE ROW LEVEL SECURITY;
ALTER TABLE desk.note FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON desk.note TO desk_app USING (owner = (SELECT desk.me()));
GRANT SELECT, INSERT, UPDATE, DELETE ON desk.note TO desk_app;
CREATE TABLE desk.member (team integer NOT NULL, person integer NOT NULL);
ALTER TABLE desk.member ENABLE ROW LEVEL SECURITY;
ALTER TABLE desk.member FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON desk.member TO desk_app USING (person = desk.me());
GRANT SELECT ON desk.member TO desk_app;
"""

SHUT = "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY; ALTER TABLE {0} FORCE ROW LEVEL SECURITY;"

ONLY_READ = (
    "DROP POLICY own ON desk.note;"
    "CREATE POLICY look ON desk.note FOR SELECT TO desk_app USING (owner = desk.me());"
)
REPLY = (
    "CREATE TABLE desk.reply (owner int NOT NULL, note int,"
    " CONSTRAINT reply_note FOREIGN KEY (note) REFERENCES desk.note (id) {0});"
    + SHUT.format("desk.reply")
    + "CREATE POLICY own ON desk.reply TO desk_app USING (owner = desk.me());"
)


def note_policy(using: str, rest: str = "") -> str:
    return f"CREATE POLICY x ON desk.note TO desk_app {rest} USING ({using})"


X = "x ON desk.note"

# rule, object, SQL
DEFECTS: tuple[tuple[str, str, str], ...] = (
    # tables
    ("rls-not-enabled", "desk.log", "CREATE TABLE desk.log (line text)"),
    ("rls-not-enabled", 'desk."Log.é"', 'CREATE TABLE desk."Log.é" (line text)'),
    ("rls-not-enabled", "desk.note", "ALTER TABLE desk.note DISABLE ROW LEVEL SECURITY"),
    ("rls-not-enabled", "desk.copy", "CREATE TABLE desk.copy (LIKE desk.note INCLUDING ALL)"),
    ("rls-not-enabled", "desk.heir", "CREATE TABLE desk.heir () INHERITS (desk.note)"),
    (
        "rls-not-enabled",
        "desk.part_1",
        "CREATE TABLE desk.part (owner int) PARTITION BY HASH (owner);"
        + SHUT.format("desk.part")
        + "CREATE TABLE desk.part_1 PARTITION OF desk.part"
        " FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
    ),
    ("rls-not-forced", "desk.note", "ALTER TABLE desk.note NO FORCE ROW LEVEL SECURITY"),
    ("rls-no-policy", "desk.note", "DROP POLICY own ON desk.note"),
    (
        "rls-no-policy",
        "desk.inbox",
        "CREATE TABLE desk.inbox (id int);"
        + SHUT.format("desk.inbox")
        + "GRANT INSERT (id) ON desk.inbox TO desk_app",
    ),
    ("policy-dormant", "own ON desk.note", "ALTER TABLE desk.note DISABLE ROW LEVEL SECURITY"),
    # policies that are always true
    *(
        ("policy-always-true", X, note_policy(using))
        for using in (
            "true",
            "1 = 1",
            "1 < 2",
            "NOT false",
            "NOT (NOT true)",
            "true AND true",
            "false OR true",
            "(owner = 5) OR true",
            "true OR owner = desk.me()",
            "(owner = desk.me() AND NOT gone) OR (1 = 1)",
            "owner = owner",
            "owner IS NOT NULL",
            "gone IS NULL OR gone IS NOT NULL",
            "gone OR NOT gone",
            "NOT (owner IS DISTINCT FROM owner)",
            "EXISTS (SELECT 1)",
            "(SELECT true)",
            "true IS NOT FALSE",
            "'yes'::boolean",
            "'a' <> 'b'",
            "'it is (so)' = 'it is (so)'",
            "CASE WHEN gone THEN true ELSE true END",
            "title = title AND id >= id",
        )
    ),
    (
        "policy-always-true",
        X,
        "CREATE POLICY x ON desk.note FOR INSERT TO desk_app WITH CHECK (true)",
    ),
    (
        "policy-always-true",
        X,
        note_policy("owner = desk.me()", "").replace(
            "USING (owner = desk.me())", "USING (owner = desk.me()) WITH CHECK (2 > 1)"
        ),
    ),
    (
        "policy-always-true",
        '"Ö ""x""" ON desk.note',
        'CREATE POLICY "Ö ""x""" ON desk.note TO desk_app USING (true)',
    ),
    # policies of other kinds
    ("policy-insert-unchecked", X, "CREATE POLICY x ON desk.note FOR INSERT TO desk_app"),
    (
        "policy-check-looser",
        "own ON desk.note",
        "ALTER POLICY own ON desk.note WITH CHECK (title <> '')",
    ),
    (
        "policy-check-looser",
        X,
        (
            "DROP POLICY own ON desk.note;"
            "CREATE POLICY seen ON desk.note FOR SELECT TO desk_app USING (owner = desk.me());"
            "CREATE POLICY x ON desk.note FOR INSERT TO desk_app WITH CHECK (length(title) < 80)"
        ),
    ),
    (
        "policy-check-looser",
        X,
        (
            "CREATE POLICY x ON desk.note FOR UPDATE TO desk_app"
            " USING (owner = desk.me()) WITH CHECK (NOT gone)"
        ),
    ),
    ("policy-for-public", X, "CREATE POLICY x ON desk.note USING (owner = desk.me())"),
    ("policy-without-column", X, note_policy("current_setting('desk.admin', true) = 'on'")),
    ("policy-without-column", X, note_policy("CURRENT_USER = 'desk_app'")),
    ("policy-without-column", X, note_policy("EXISTS (SELECT FROM desk.member)")),
    (
        "policy-column-nullable",
        "desk.note.owner",
        "ALTER TABLE desk.note ALTER COLUMN owner DROP NOT NULL",
    ),
    (
        "policy-column-nullable",
        'desk.paper."Who.Ä"',
        'CREATE TABLE desk.paper ("Who.Ä" integer);'
        + SHUT.format("desk.paper")
        + 'CREATE POLICY own ON desk.paper TO desk_app USING ("Who.Ä" = desk.me())',
    ),
    ("policy-volatile", X, note_policy("owner = desk.me() AND random() < 2")),
    (
        "policy-volatile",
        X,
        "CREATE FUNCTION desk.mine(int) RETURNS boolean LANGUAGE plpgsql"
        " AS 'BEGIN RETURN true; END';" + note_policy("desk.mine(owner)"),
    ),
    (
        "policy-volatile",
        X,
        note_policy("owner = set_config('desk.me', '1', false)::int"),
    ),
    ("policy-false-immutable", "desk.me()", "ALTER FUNCTION desk.me() IMMUTABLE"),
    (
        "policy-false-immutable",
        "desk.who()",
        "CREATE FUNCTION desk.who() RETURNS name IMMUTABLE LANGUAGE sql RETURN current_user;"
        + note_policy("title = desk.who()"),
    ),
    (
        "policy-false-immutable",
        "desk.team(integer)",
        "CREATE FUNCTION desk.team(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS"
        " 'BEGIN RETURN (SELECT m.team FROM desk.member AS m WHERE m.person = $1); END';"
        + note_policy("owner = desk.team(1)"),
    ),
    (
        "policy-reads-unprotected",
        X,
        "CREATE TABLE public.friend (a int, b int);"
        + note_policy("owner IN (SELECT f.b FROM public.friend AS f WHERE f.a = desk.me())"),
    ),
    (
        "policy-reads-unprotected",
        X,
        "CREATE MATERIALIZED VIEW desk.friend AS SELECT 1 AS a;"
        + note_policy("owner IN (SELECT f.a FROM desk.friend AS f)"),
    ),
    (
        "policy-recursive",
        X,
        note_policy("owner IN (SELECT n.owner FROM desk.note AS n WHERE n.id = 1)"),
    ),
    (
        "policy-recursive",
        X,
        note_policy("owner IN (SELECT m.person FROM desk.member AS m)")
        + ";CREATE POLICY y ON desk.member TO desk_app"
        " USING (person IN (SELECT n.owner FROM desk.note AS n))",
    ),
    ("policy-widens", X, note_policy("NOT gone")),
    (
        "policy-widens",
        X,
        note_policy("title LIKE 'public%'", "FOR SELECT").replace(
            "TO desk_app FOR SELECT", "FOR SELECT TO desk_app"
        ),
    ),
    # roles
    (
        "role-owns-table",
        "desk.note",
        "GRANT CREATE ON SCHEMA desk TO desk_app; ALTER TABLE desk.note OWNER TO desk_app",
    ),
    (
        "role-owns-function",
        "desk.me()",
        "GRANT CREATE ON SCHEMA desk TO desk_app; ALTER FUNCTION desk.me() OWNER TO desk_app",
    ),
    (
        "role-owns-function",
        "desk.v",
        (
            "CREATE VIEW desk.v AS SELECT 1 AS one;"
            "GRANT CREATE ON SCHEMA desk TO desk_app; ALTER VIEW desk.v OWNER TO desk_app"
        ),
    ),
    ("role-may-create", "desk", "GRANT CREATE ON SCHEMA desk TO PUBLIC"),
    ("role-may-create", "desk", "GRANT ALL ON SCHEMA desk TO desk_app"),
    (
        "setting-row-security",
        "desk.f()",
        "CREATE FUNCTION desk.f() RETURNS int LANGUAGE sql SET row_security = off AS 'SELECT 1'",
    ),
    # doors
    (
        "view-without-security-invoker",
        "desk.all_notes",
        "CREATE VIEW desk.all_notes AS SELECT title FROM desk.note",
    ),
    (
        "view-without-security-invoker",
        "desk.all_notes",
        (
            "CREATE VIEW desk.all_notes WITH (security_invoker) AS SELECT title FROM desk.note;"
            "ALTER VIEW desk.all_notes RESET (security_invoker)"
        ),
    ),
    (
        "view-without-security-invoker",
        "public.outer_view",
        (
            "CREATE VIEW desk.inner_view WITH (security_invoker) AS SELECT title FROM desk.note;"
            "CREATE VIEW public.outer_view AS SELECT * FROM desk.inner_view"
        ),
    ),
    (
        "view-without-security-invoker",
        "desk.v",
        "CREATE VIEW desk.v AS SELECT (SELECT count(*) FROM desk.note) AS n",
    ),
    (
        "materialized-view-readable",
        "public.totals",
        (
            "CREATE MATERIALIZED VIEW public.totals AS SELECT owner, count(*) FROM desk.note"
            " GROUP BY owner WITH NO DATA; GRANT SELECT ON public.totals TO desk_app"
        ),
    ),
    (
        "materialized-view-readable",
        "desk.totals",
        (
            "CREATE MATERIALIZED VIEW desk.totals AS SELECT owner FROM desk.note WITH NO DATA;"
            "GRANT SELECT (owner) ON desk.totals TO PUBLIC"
        ),
    ),
    (
        "definer-without-search-path",
        "desk.f()",
        "CREATE FUNCTION desk.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
    ),
    (
        "definer-for-public",
        "desk.f(text, integer)",
        (
            "CREATE FUNCTION desk.f(text, integer) RETURNS int LANGUAGE sql SECURITY DEFINER"
            " SET search_path = '' AS 'SELECT 1'"
        ),
    ),
    (
        "rule-as-owner",
        "keep ON desk.note",
        "CREATE TABLE desk.old (id int);"
        + SHUT.format("desk.old")
        + "CREATE RULE keep AS ON DELETE TO desk.note DO ALSO INSERT INTO desk.old VALUES (old.id)",
    ),
    ("publication-of-rows", "PUBLICATION feed", "CREATE PUBLICATION feed FOR TABLE desk.note"),
    # privileges
    ("privilege-on-whole-table", "desk.note", "GRANT TRUNCATE ON desk.note TO desk_app"),
    ("privilege-on-whole-table", "desk.note", "GRANT ALL ON desk.note TO desk_app"),
    ("privilege-references", "desk.note", "GRANT REFERENCES (id) ON desk.note TO desk_app"),
    ("privilege-trigger", "desk.note", "GRANT TRIGGER ON ALL TABLES IN SCHEMA desk TO PUBLIC"),
    ("privilege-public", "desk.note", "GRANT SELECT ON desk.note TO PUBLIC"),
    ("privilege-public", "desk.note", "GRANT UPDATE (title) ON desk.note TO PUBLIC"),
    ("privilege-column", "desk.note", "GRANT SELECT (title) ON desk.note TO desk_app"),
    (
        "privilege-sequence",
        "desk.counter",
        "CREATE SEQUENCE desk.counter; GRANT ALL ON SEQUENCE desk.counter TO desk_app",
    ),
    (
        "privilege-sequence",
        "desk.counter",
        "CREATE SEQUENCE desk.counter; GRANT SELECT ON SEQUENCE desk.counter TO PUBLIC",
    ),
    (
        "privilege-large-object",
        "LARGE OBJECT 4111111111",
        "SELECT lo_create(4111111111); GRANT SELECT ON LARGE OBJECT 4111111111 TO PUBLIC",
    ),
    (
        "privilege-default",
        "desk",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA desk GRANT INSERT ON TABLES TO PUBLIC",
    ),
    (
        "privilege-default",
        "hk_migrator",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO desk_app",
    ),
    # covert channels
    (
        "covert-foreign-key",
        "reply_note ON desk.reply",
        "CREATE TABLE desk.reply (owner int NOT NULL, note int,"
        " CONSTRAINT reply_note FOREIGN KEY (note) REFERENCES desk.note (id));"
        + SHUT.format("desk.reply")
        + "CREATE POLICY own ON desk.reply TO desk_app USING (owner = desk.me());"
        "GRANT SELECT, INSERT ON desk.reply TO desk_app",
    ),
    (
        "covert-cascade",
        "reply_note ON desk.reply",
        "CREATE TABLE desk.reply (owner int NOT NULL, note int,"
        " CONSTRAINT reply_note FOREIGN KEY (note) REFERENCES desk.note (id) ON DELETE SET NULL);"
        + SHUT.format("desk.reply")
        + "CREATE POLICY own ON desk.reply TO desk_app USING (owner = desk.me())",
    ),
    (
        "covert-cascade",
        "reply_note ON desk.reply",
        ONLY_READ
        + "CREATE POLICY gone ON desk.note FOR DELETE USING (owner = desk.me());"
        + REPLY.format("ON DELETE CASCADE ON UPDATE CASCADE"),
    ),
    (
        "covert-cascade",
        "reply_note ON desk.reply",
        ONLY_READ
        + "CREATE POLICY moved ON desk.note FOR UPDATE TO desk_app USING (owner = desk.me());"
        + REPLY.format("ON UPDATE CASCADE"),
    ),
    (
        "covert-unique",
        "desk.note_title_key",
        "ALTER TABLE desk.note ADD CONSTRAINT note_title_key UNIQUE (title)",
    ),
    (
        "covert-unique",
        "desk.by_title",
        "CREATE UNIQUE INDEX by_title ON desk.note (lower(title)) WHERE NOT gone",
    ),
)

SOUND: tuple[str, ...] = (
    "SELECT 1",
    # tables
    "CREATE TABLE desk.closed (id int);" + SHUT.format("desk.closed"),
    "CREATE TABLE public.elsewhere (id int); GRANT SELECT ON public.elsewhere TO desk_app",
    "CREATE TEMPORARY TABLE scratch (id int)",
    (
        "CREATE TABLE desk.part (owner int NOT NULL) PARTITION BY LIST (owner);"
        + SHUT.format("desk.part")
        + "CREATE POLICY own ON desk.part TO desk_app USING (owner = desk.me());"
        "GRANT SELECT ON desk.part TO desk_app;"
        "CREATE TABLE desk.part_1 PARTITION OF desk.part FOR VALUES IN (1);"
        + SHUT.format("desk.part_1")
    ),
    "GRANT SELECT, INSERT, UPDATE, DELETE ON desk.note TO desk_app",
    # policies
    note_policy("false"),
    note_policy("1 = 2"),
    note_policy("NOT true"),
    note_policy("owner = desk.me() AND NOT gone"),
    note_policy("owner = nullif(current_setting('desk.me', true), '')::integer"),
    note_policy("owner = ANY (string_to_array(current_setting('desk.us', true), ',')::int[])"),
    note_policy("title = CURRENT_USER"),
    note_policy("desk.me() = owner"),
    note_policy("owner IN (SELECT m.team FROM desk.member AS m WHERE m.person = desk.me())"),
    note_policy(
        "EXISTS (SELECT FROM desk.member AS m WHERE m.team = note.owner AND m.person = desk.me())"
    ),
    note_policy("(owner = desk.me() OR title = CURRENT_USER) AND (gone OR NOT gone)"),
    note_policy("CASE WHEN gone THEN false ELSE owner = desk.me() END"),
    note_policy("owner = desk.me() AND title <> '(true) OR true'"),
    "CREATE POLICY x ON desk.note TO CURRENT_USER USING (true)",
    "CREATE POLICY x ON desk.note AS RESTRICTIVE USING (true)",
    "CREATE POLICY x ON desk.note AS RESTRICTIVE TO desk_app USING (NOT gone)",
    (
        "CREATE POLICY x ON desk.note AS RESTRICTIVE TO desk_app"
        " USING (current_setting('desk.mfa', true) = 'on')"
    ),
    (
        "DROP POLICY own ON desk.note;"
        "CREATE POLICY r ON desk.note FOR SELECT TO desk_app USING (owner = desk.me());"
        "CREATE POLICY a ON desk.note FOR INSERT TO desk_app WITH CHECK (owner = desk.me());"
        "CREATE POLICY w ON desk.note FOR UPDATE TO desk_app USING (owner = desk.me());"
        "CREATE POLICY d ON desk.note FOR DELETE TO desk_app USING (owner = desk.me())"
    ),
    (
        "ALTER POLICY own ON desk.note USING (owner = desk.me() AND NOT gone)"
        " WITH CHECK (owner = desk.me())"
    ),
    (
        "DROP POLICY own ON desk.note;"
        "CREATE POLICY everybody ON desk.note TO desk_app USING (true);"
        "CREATE POLICY own ON desk.note AS RESTRICTIVE TO desk_app USING (owner = desk.me())"
    ),
    (
        "CREATE POLICY x ON desk.note FOR INSERT TO desk_app WITH CHECK (owner = desk.me()"
        " AND NOT EXISTS (SELECT FROM desk.note AS n WHERE n.owner = note.owner AND n.gone))"
    ),
    (
        "CREATE DOMAIN desk.who AS integer NOT NULL; ALTER TABLE desk.note ADD editor desk.who"
        " DEFAULT 1; ALTER POLICY own ON desk.note USING (owner = desk.me() AND editor = desk.me())"
    ),
    (
        "ALTER TABLE desk.note ADD closed_at timestamptz;"
        "ALTER POLICY own ON desk.note USING (owner = desk.me() AND closed_at IS NULL)"
    ),
    # roles and settings
    "CREATE ROLE desk_team; GRANT desk_team TO desk_app; GRANT SELECT ON desk.note TO desk_team",
    "GRANT CREATE ON SCHEMA desk TO CURRENT_USER",
    (
        "CREATE FUNCTION desk.f() RETURNS int LANGUAGE sql SET row_security = on"
        " SET search_path = '' AS 'SELECT 1'"
    ),
    # doors
    (
        "CREATE VIEW desk.v WITH (security_invoker = on) AS SELECT title FROM desk.note;"
        "GRANT SELECT ON desk.v TO desk_app"
    ),
    "CREATE VIEW desk.units AS SELECT 'kg' AS unit; GRANT SELECT ON desk.units TO desk_app",
    (
        "CREATE MATERIALIZED VIEW desk.totals AS SELECT owner, count(*) FROM desk.note"
        " GROUP BY owner WITH NO DATA"
    ),
    (
        "CREATE MATERIALIZED VIEW public.units AS SELECT 'kg' AS unit;"
        "GRANT SELECT ON public.units TO desk_app"
    ),
    (
        "CREATE FUNCTION desk.f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = ''"
        " AS 'SELECT 1'; REVOKE ALL ON FUNCTION desk.f() FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION desk.f() TO desk_app"
    ),
    (
        "CREATE FUNCTION desk.stamp() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path = '' AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER stamp BEFORE INSERT ON desk.note FOR EACH ROW EXECUTE FUNCTION desk.stamp()"
    ),
    "CREATE RULE keep AS ON DELETE TO desk.note DO INSTEAD NOTHING",
    "CREATE TABLE public.open (id int); CREATE PUBLICATION feed FOR TABLE public.open",
    # privileges
    "REVOKE SELECT ON desk.note FROM desk_app; GRANT SELECT (id, title) ON desk.note TO desk_app",
    ("CREATE SEQUENCE desk.counter; GRANT USAGE, SELECT ON SEQUENCE desk.counter TO desk_app"),
    "SELECT lo_create(4111111112)",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA desk GRANT USAGE ON SEQUENCES TO desk_app",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO desk_app",
    # keys
    "ALTER TABLE desk.note ADD UNIQUE (owner, title)",
    "ALTER TABLE desk.note ADD code uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE",
    (
        "ALTER TABLE desk.note ADD UNIQUE (owner, id);"
        "CREATE TABLE desk.reply (owner int NOT NULL, note int,"
        " FOREIGN KEY (owner, note) REFERENCES desk.note (owner, id) ON DELETE CASCADE);"
        + SHUT.format("desk.reply")
        + "CREATE POLICY own ON desk.reply TO desk_app USING (owner = desk.me());"
        "GRANT SELECT, INSERT, DELETE ON desk.reply TO desk_app"
    ),
    # whom no policy lets delete or change, whatever is granted
    ONLY_READ + REPLY.format("ON DELETE CASCADE ON UPDATE CASCADE"),
    (
        ONLY_READ
        + "CREATE POLICY moved ON desk.note FOR UPDATE TO desk_app USING (owner = desk.me());"
        + "CREATE POLICY gone ON desk.note FOR DELETE TO CURRENT_USER USING (owner = desk.me());"
        + "CREATE POLICY kept ON desk.note AS RESTRICTIVE FOR DELETE TO desk_app USING (NOT gone);"
        + REPLY.format("ON DELETE CASCADE")
    ),
    (
        "CREATE TABLE desk.line (note int NOT NULL REFERENCES desk.note (id) ON DELETE CASCADE);"
        + SHUT.format("desk.line")
        + "CREATE POLICY own ON desk.line TO desk_app USING (EXISTS ("
        " SELECT FROM desk.note AS n WHERE n.id = line.note AND n.owner = desk.me()));"
        "GRANT SELECT, INSERT, DELETE ON desk.line TO desk_app"
    ),
)
