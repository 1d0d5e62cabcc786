"""Policies that leak, each with the statement that shows it."""

from __future__ import annotations

from dataclasses import replace

from support.proof_ground import (
    ANNA,
    AS_ANNA,
    AS_NOBODY,
    BELA,
    Planted,
    definer,
    table,
    with_public,
)

ME = "auth.me()"
UID = "auth.uid()"
SETTING = "current_setting('app.org', true)"
ORG = f"nullif({SETTING}, '')"
JWT_ORG = "(auth.jwt() ->> 'org_id')"
AS_BLUE = {"app.org": "blue-harbour"}

NOTE = "#, owner integer NOT NULL, title text NOT NULL DEFAULT ''"
NOTES = "INSERT INTO hall.note VALUES (1, 1, 'mine'), (2, 2, 'theirs');"
ORG_NOTE = "#, org text NOT NULL"
UID_NOTE = "#, owner uuid NOT NULL"
UID_NOTES = f"INSERT INTO hall.note VALUES (1, '{ANNA}'), (2, '{BELA}');"
MEMBER_COLUMNS = (
    "team integer NOT NULL, person uuid NOT NULL, role text NOT NULL DEFAULT 'guest',"
    " PRIMARY KEY (team, person)"
)
MEMBER = table("member", MEMBER_COLUMNS, f"person = {UID}", grants="SELECT")
SEEN_BY_OWNER = "CREATE POLICY all_of_it ON hall.member TO CURRENT_USER USING (true);"
MEMBERS = f"INSERT INTO hall.member VALUES (1, '{ANNA}'), (2, '{BELA}');"
TEAM_NOTE = "#, team integer NOT NULL, title text NOT NULL DEFAULT ''"
TEAM_NOTES = MEMBERS + "INSERT INTO hall.note VALUES (1, 1, 'ours'), (2, 2, 'theirs');"
ORDERS = table(
    "orders",
    "#, owner integer NOT NULL",
    f"owner = {ME}",
)
LINE = "#, orders_id integer NOT NULL REFERENCES hall.orders"
LINES = (
    "INSERT INTO hall.orders VALUES (1, 1), (2, 2); INSERT INTO hall.line VALUES (1, 1), (2, 2);"
)
READ_2 = "SELECT FROM hall.note WHERE id = 2"
LINE_2 = "SELECT FROM hall.line WHERE id = 2"
GIVE_AWAY = "UPDATE hall.note SET owner = 2"


def planted(
    name: str, sql: str, attack: str = READ_2, rows: str = NOTES, **others: object
) -> Planted:
    return Planted(name=name, sql=sql, attack=attack, rows=rows, **others)  # type: ignore[arg-type]


def near(name: str, condition: str, other: str, before: str = "") -> Planted:
    """The organisation ``blue-harbour`` sees the row of another whose name is close to it."""
    rows = f"INSERT INTO hall.note VALUES (2, '{other}');"
    sql = before + table("note", ORG_NOTE, condition)
    return planted(name, sql, READ_2, rows, acting=AS_BLUE)


SHARED = NOTE + ", shared boolean NOT NULL DEFAULT false"
HANDED = (
    planted(
        "the check has a way round",
        table("note", SHARED, f"USING (owner = {ME}) WITH CHECK (owner = {ME} OR shared)"),
        f"{GIVE_AWAY}, shared = true",
    ),
    planted(
        "a transfer to anybody",
        table(
            "note",
            NOTE + ", kind text NOT NULL DEFAULT 'plain'",
            f"FOR SELECT USING (owner = {ME})",
            f"FOR UPDATE USING (owner = {ME}) WITH CHECK (owner = {ME} OR kind = 'transfer')",
        ),
        f"{GIVE_AWAY}, kind = 'transfer'",
    ),
    planted(
        "any owner that there is",
        table(
            "note",
            NOTE,
            f"FOR SELECT USING (owner = {ME})",
            f"FOR UPDATE USING (owner = {ME}) WITH CHECK (owner > 0)",
        ),
        f"{GIVE_AWAY}",
    ),
    planted(
        "a function asks for less",
        "CREATE FUNCTION hall.may_write(p integer) RETURNS boolean LANGUAGE plpgsql STABLE AS"
        " $$ BEGIN RETURN p IS NOT NULL AND auth.me() IS NOT NULL; END $$;"
        + table("note", NOTE, f"USING (owner = {ME}) WITH CHECK (hall.may_write(owner))"),
        f"{GIVE_AWAY}",
    ),
    planted(
        "OR where USING has AND",
        table(
            "note",
            "#, org text NOT NULL, owner integer NOT NULL",
            f"USING (org = {ORG} AND owner = {ME}) WITH CHECK (org = {ORG} OR owner = {ME})",
        ),
        "UPDATE hall.note SET org = 'red'",
        "INSERT INTO hall.note VALUES (1, 'blue-harbour', 1), (2, 'red', 2);",
        acting={"app.me": "1", **AS_BLUE},
    ),
    planted(
        "a line to another's order",
        ORDERS
        + table(
            "line",
            LINE,
            f"USING (EXISTS (SELECT FROM hall.orders o WHERE o.id = orders_id AND o.owner = {ME}))"
            " WITH CHECK (orders_id > 0)",
        ),
        "UPDATE hall.line SET orders_id = 2",
        LINES,
    ),
    planted(
        "by a policy beside",
        table(
            "note",
            NOTE,
            f"owner = {ME}",
            f"FOR UPDATE USING (title = 'mine' AND owner = {ME}) WITH CHECK (title <> '')",
        ),
        f"{GIVE_AWAY}",
    ),
    planted(
        "the owner's case is looked at",
        table(
            "note",
            NOTE + ", heir integer",
            f"USING (owner = {ME}) WITH CHECK ({ME} IN (owner, heir))",
        ),
        f"{GIVE_AWAY}, heir = 1",
    ),
)

SUPPORT = "current_setting('app.support', true) = 'on'"
SECOND_SETTING = (
    planted(
        "inline",
        table("note", NOTE, f"owner = {ME} OR {SUPPORT}"),
        acting={"app.me": "1", "app.support": "on"},
    ),
    planted(
        "in a function",
        f"CREATE FUNCTION hall.helps() RETURNS boolean LANGUAGE sql STABLE RETURN {SUPPORT};"
        + table("note", NOTE, f"owner = {ME} OR hall.helps()"),
        acting={"app.me": "1", "app.support": "on"},
    ),
    planted(
        "in a function's function, in PL/pgSQL",
        f"CREATE FUNCTION hall.helps() RETURNS boolean LANGUAGE plpgsql STABLE AS"
        f" $$ BEGIN IF {SUPPORT} THEN RETURN true; END IF; RETURN false; END $$;"
        "CREATE FUNCTION hall.sees(p integer) RETURNS boolean LANGUAGE sql STABLE"
        " RETURN p = auth.me() OR hall.helps();" + table("note", NOTE, "hall.sees(owner)"),
        acting={"app.me": "1", "app.support": "on"},
    ),
    planted(
        "in a definer",
        definer("sees(p integer)", "boolean", f"SELECT p = auth.me() OR {SUPPORT}")
        + table("note", NOTE, "hall.sees(owner)"),
        acting={"app.me": "1", "app.support": "on"},
    ),
    planted(
        "takes the place of the first",
        table(
            "note",
            NOTE,
            f"owner = coalesce(nullif(current_setting('app.as', true), '')::integer, {ME})",
        ),
        acting={"app.me": "1", "app.as": "2"},
    ),
    planted(
        "one of PostgreSQL's own",
        table("note", NOTE, f"owner = {ME} OR current_setting('application_name') = 'office'"),
        acting={"app.me": "1", "application_name": "office"},
    ),
    planted(
        "named by the row",
        table("note", NOTE, f"owner = {ME} OR current_setting('app.' || title, true) = 'on'"),
        acting={"app.me": "1", "app.theirs": "on"},
    ),
    planted(
        "read from a view of settings",
        table(
            "note",
            NOTE,
            f"owner = {ME} OR EXISTS (SELECT FROM pg_settings s"
            " WHERE s.name = 'application_name' AND s.setting = 'office')",
        ),
        acting={"app.me": "1", "application_name": "office"},
    ),
    planted(
        "a claim that nobody named",
        table("note", UID_NOTE, f"owner = {UID} OR (auth.jwt() ->> 'is_admin')::boolean"),
        rows=UID_NOTES,
        acting={"request.jwt.claims": '{"is_admin": true}'},
    ),
    planted(
        "a claim that users edit",
        table("note", ORG_NOTE, "org = (auth.jwt() -> 'user_metadata' ->> 'org')"),
        rows="INSERT INTO hall.note VALUES (2, 'red');",
        acting={"request.jwt.claims": '{"user_metadata": {"org": "red"}}'},
    ),
    planted(
        "in the check alone",
        table("note", NOTE, f"USING (owner = {ME}) WITH CHECK (owner = {ME} OR {SUPPORT})"),
        f"{GIVE_AWAY}",
        acting={"app.me": "1", "app.support": "on"},
    ),
)

NEARLY = (
    near("left", f"left(org, 8) = left({ORG}, 8)", "blue-harvest"),
    near("cut by a cast", f"org::varchar(8) = {ORG}::varchar(8)", "blue-harvest"),
    near("lower", f"lower(org) = lower({ORG})", "BLUE-harbour"),
    near("ILIKE", f"org ILIKE {ORG}", "Blue-Harbour"),
    near("LIKE a beginning", f"org LIKE {ORG} || '%'", "blue-harbour-2"),
    near("a beginning", f"starts_with(org, {ORG})", "blue-harbour-2"),
    near("blanks", f"rtrim(org) = rtrim({ORG})", "blue-harbour "),
    near("blanks by a cast", f"org::char(20) = {ORG}::char(20)", "blue-harbour "),
    near("without dashes", f"replace(org, '-', '') = replace({ORG}, '-', '')", "blueharbour"),
    near("hash bucket", f"hashtext(org) % 16 = hashtext({ORG}) % 16", "org-13"),
    near("regular expression", f"org ~ ('^' || {ORG})", "blue-harbour-2"),
    near("either contains", f"strpos({ORG}, org) > 0", "blue"),
    near("the first letters", f"substr(org, 1, 6) = substr({ORG}, 1, 6)", "blue-hill"),
    near("a dot at the end", f"btrim(org, ' .') = btrim({ORG}, ' .')", "blue-harbour."),
    near("in any letters", f"org ~* ('^' || {ORG} || '$')", "Blue-Harbour"),
    near("only its length", f"length(org) = length({ORG})", "pink-harbour"),
    near(
        "an operator of the project's own",
        f"org OPERATOR(hall.===) {ORG}",
        "BLUE-HARBOUR",
        "CREATE FUNCTION hall.alike(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE"
        " RETURN lower($1) = lower($2);"
        "CREATE OPERATOR hall.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = hall.alike);",
    ),
    near(
        "a function of the project's own",
        f"hall.slug(org) = hall.slug({ORG})",
        "Blue Harbour",
        "CREATE FUNCTION hall.slug(text) RETURNS text LANGUAGE sql IMMUTABLE"
        " RETURN regexp_replace(lower($1), '[^a-z]', '', 'g');",
    ),
    planted(
        "remainder",
        table("note", NOTE, f"owner % 1000 = {ME} % 1000"),
        rows="INSERT INTO hall.note VALUES (2, 1001, '');",
    ),
    planted(
        "no more than",
        table("note", NOTE, f"owner <= {ME}"),
        rows="INSERT INTO hall.note VALUES (2, 0, '');",
    ),
    planted(
        "the beginning of a uuid",
        table("note", UID_NOTE, f"left(owner::text, 8) = left({UID}::text, 8)"),
        rows="INSERT INTO hall.note VALUES (2, 'aaaaaaaa-1111-4111-8111-111111111111');",
        acting=AS_ANNA,
    ),
    planted(
        "until a date",
        table("note", NOTE, f"owner = {ME} OR now() < '2100-01-01'"),
    ),
    planted(
        "from this machine",
        table("note", NOTE, f"owner = {ME} OR inet_client_addr() IS NULL"),
    ),
    planted(
        "for some sessions",
        table("note", NOTE, f"owner = {ME} OR pg_backend_pid() % 2 IN (0, 1)"),
    ),
    planted(
        "by the one who logged in",
        table("note", NOTE, f"owner = {ME} OR session_user <> 'hall_app'"),
    ),
    planted(
        "written under a name alike",
        table("note", ORG_NOTE, f"USING (org = {ORG}) WITH CHECK (upper(org) = upper({ORG}))"),
        "INSERT INTO hall.note VALUES (3, 'Blue-Harbour')",
        "",
        acting=AS_BLUE,
    ),
)

CLAIMED = (
    planted(
        "nobody is everybody",
        table("note", UID_NOTE, f"owner = coalesce({UID}, owner)"),
        rows=UID_NOTES,
        acting=AS_NOBODY,
    ),
    planted(
        "nobody owns what nobody owns",
        table(
            "note",
            "#, org text",
            f"org IS NOT DISTINCT FROM {JWT_ORG}",
        ),
        rows="INSERT INTO hall.note VALUES (2, NULL);",
        acting=AS_NOBODY,
    ),
    planted(
        "open where the claim is missing",
        table("note", UID_NOTE, f"owner = {UID} OR (auth.jwt() IS NOT NULL AND {UID} IS NULL)"),
        rows=UID_NOTES,
        acting=AS_NOBODY,
    ),
    planted(
        "whoever is logged in",
        table("note", UID_NOTE, f"{UID} IS NOT NULL"),
        rows=UID_NOTES,
        acting=AS_ANNA,
    ),
    planted(
        "whoever is logged in, by a column that is always there",
        table("note", UID_NOTE, f"{UID} IS NOT NULL AND owner IS NOT NULL"),
        rows=UID_NOTES,
        acting=AS_ANNA,
    ),
    planted(
        "written in another's name",
        table(
            "note", UID_NOTE, f"FOR SELECT USING (owner = {UID})", f"WITH CHECK ({UID} <> owner)"
        ).replace("p1 ON hall.note", "p1 ON hall.note FOR INSERT"),
        f"INSERT INTO hall.note VALUES (3, '{BELA}')",
        UID_NOTES,
        acting=AS_ANNA,
    ),
    planted(
        "an organisation whose name is in the list as a text",
        table("note", ORG_NOTE, "strpos(auth.jwt() ->> 'orgs', org) > 0"),
        rows="INSERT INTO hall.note VALUES (2, 'blue');",
        acting={"request.jwt.claims": '{"orgs": ["blue-harbour"]}'},
    ),
    planted(
        "a claim that is named elsewhere",
        table("note", UID_NOTE, f"owner = {UID} OR auth.jwt() ->> 'role' = 'anon'"),
        rows=UID_NOTES,
        acting=AS_NOBODY,
    ),
    planted(
        "an empty list is everything",
        table(
            "note",
            ORG_NOTE,
            "org IN (SELECT jsonb_array_elements_text(auth.jwt() -> 'orgs'))"
            " OR jsonb_array_length(auth.jwt() -> 'orgs') = 0",
        ),
        rows="INSERT INTO hall.note VALUES (2, 'red');",
        acting={"request.jwt.claims": '{"orgs": []}'},
    ),
    planted(
        "without a claim all is own",
        table("note", UID_NOTE, "owner::text = coalesce(auth.jwt() ->> 'sub', owner::text)"),
        rows=UID_NOTES,
        acting=AS_NOBODY,
    ),
    planted(
        "the nil uuid is somebody",
        table(
            "note",
            UID_NOTE,
            f"owner = coalesce({UID}, '00000000-0000-0000-0000-000000000000')",
        ),
        rows="INSERT INTO hall.note VALUES (2, '00000000-0000-0000-0000-000000000000');",
        acting=AS_NOBODY,
    ),
)


def by_team(name: str, policy: str, before: str = MEMBER, **others: object) -> Planted:
    return planted(
        name,
        before + table("note", TEAM_NOTE, policy),
        **{"rows": TEAM_NOTES, "acting": AS_ANNA, **others},  # type: ignore[arg-type]
    )


MEMBERSHIP = (
    by_team("a member of anything", f"EXISTS (SELECT FROM hall.member m WHERE m.person = {UID})"),
    by_team(
        "compares a column with itself",
        f"EXISTS (SELECT FROM hall.member m WHERE m.team = m.team AND m.person = {UID})",
    ),
    by_team(
        "members are read by all",
        "team IN (SELECT m.team FROM hall.member m)",
        table("member", MEMBER_COLUMNS, f"FOR SELECT USING ({UID} IS NOT NULL AND team > 0)"),
    ),
    by_team(
        "a definer forgets who asks",
        "hall.is_member(team)",
        MEMBER
        + SEEN_BY_OWNER
        + definer(
            "is_member(p integer)",
            "boolean",
            "SELECT EXISTS (SELECT FROM hall.member m WHERE m.team = p)",
        ),
    ),
    by_team(
        "a definer in PL/pgSQL forgets the team",
        "hall.is_member(team)",
        MEMBER
        + definer(
            "is_member(p integer)",
            "boolean",
            f"BEGIN RETURN EXISTS (SELECT FROM hall.member m WHERE m.person = {UID}); END",
            "plpgsql",
        ),
    ),
    by_team(
        "an administrator of any team",
        f"team IN (SELECT m.team FROM hall.member m WHERE m.person = {UID})"
        f" OR EXISTS (SELECT FROM hall.member m WHERE m.person = {UID} AND m.role = 'admin')",
        rows=TEAM_NOTES + "UPDATE hall.member SET role = 'admin' WHERE team = 1;",
    ),
    by_team(
        "joins without an invitation",
        f"team IN (SELECT m.team FROM hall.member m WHERE m.person = {UID})",
        table("member", MEMBER_COLUMNS, f"person = {UID}"),
        attack=f"INSERT INTO hall.member VALUES (2, '{ANNA}')",
    ),
    by_team(
        "moves its seat to another team",
        f"EXISTS (SELECT FROM hall.member m WHERE m.team = note.team AND m.person = {UID})",
        table("member", MEMBER_COLUMNS, f"person = {UID}", grants="SELECT, UPDATE"),
        attack="UPDATE hall.member SET team = 2",
    ),
    by_team(
        "writes for any team",
        f"USING (team IN (SELECT m.team FROM hall.member m WHERE m.person = {UID}))"
        f" WITH CHECK (EXISTS (SELECT FROM hall.member m WHERE m.person = {UID}))",
        attack="INSERT INTO hall.note VALUES (3, 2)",
    ),
    by_team(
        "a set of teams that is everybody's",
        "team = ANY (hall.my_teams())",
        MEMBER
        + SEEN_BY_OWNER
        + definer("my_teams()", "integer[]", "SELECT array_agg(m.team) FROM hall.member AS m"),
    ),
)


def by_parent(name: str, policy: str, before: str = ORDERS, attack: str = LINE_2) -> Planted:
    return planted(name, before + table("line", LINE, policy), attack, LINES)


PARENT = (
    by_parent(
        "everybody reads the parent",
        "EXISTS (SELECT FROM hall.orders o WHERE o.id = orders_id)",
        table(
            "orders",
            "#, owner integer NOT NULL",
            f"FOR SELECT USING ({ME} > 0 AND owner > 0)",
        ),
    ),
    by_parent(
        "the parent is not protected",
        "orders_id IN (SELECT o.id FROM hall.orders o)",
        "CREATE TABLE hall.orders (id integer PRIMARY KEY, owner integer NOT NULL);"
        "GRANT SELECT ON hall.orders TO hall_app;",
    ),
    by_parent(
        "the wrong column",
        f"EXISTS (SELECT FROM hall.orders o WHERE o.id >= orders_id - 1 AND o.owner = {ME})",
    ),
    by_parent(
        "past the parent's policy",
        "orders_id IN (SELECT hall.all_orders())",
        ORDERS.replace(" FORCE ROW LEVEL SECURITY", " NO FORCE ROW LEVEL SECURITY")
        + definer("all_orders()", "SETOF integer", "SELECT o.id FROM hall.orders o"),
    ),
    by_parent(
        "not the parent's policy but its opposite",
        f"orders_id NOT IN (SELECT o.id FROM hall.orders o) OR"
        f" orders_id IN (SELECT o.id FROM hall.orders o WHERE o.owner = {ME})",
    ),
    by_parent(
        "written below another's parent",
        "USING (EXISTS (SELECT FROM hall.orders o WHERE o.id = orders_id))"
        " WITH CHECK (orders_id IS NOT NULL)",
        attack="INSERT INTO hall.line VALUES (3, 2)",
    ),
)

CONSTRAINED = (
    planted(
        "nobody's text",
        table("note", ORG_NOTE, f"org = {SETTING}"),
        rows="INSERT INTO hall.note VALUES (2, '');",
        acting={"app.org": ""},
    ),
    planted(
        "not valid",
        table("note", ORG_NOTE, f"org = {SETTING}")
        + "ALTER TABLE hall.note NO FORCE ROW LEVEL SECURITY;"
        "INSERT INTO hall.note VALUES (2, '');"
        "ALTER TABLE hall.note FORCE ROW LEVEL SECURITY;"
        "ALTER TABLE hall.note ADD CHECK (org <> '') NOT VALID;",
        rows="",
        acting={"app.org": ""},
    ),
    planted(
        "with a way round",
        table(
            "note",
            ORG_NOTE + ", kind text, CHECK (org <> '' OR kind = 'system')",
            f"org = {SETTING}",
        ),
        rows="INSERT INTO hall.note VALUES (2, '', 'system');",
        acting={"app.org": ""},
    ),
    planted(
        "NULL is nobody",
        table(
            "note",
            "#, owner integer",
            f"owner IS NOT DISTINCT FROM {ME}",
        ),
        rows="INSERT INTO hall.note VALUES (2, NULL);",
        acting={"app.me": ""},
    ),
    planted(
        "a text that may be empty after all",
        table("note", ORG_NOTE, f"trim(org) = {SETTING}").replace(
            "org text NOT NULL", "org text NOT NULL CHECK (org <> '')"
        ),
        rows="INSERT INTO hall.note VALUES (2, ' ');",
        acting={"app.org": ""},
    ),
)

PUBLIC = (
    planted(
        "public to read, and written by all",
        table(
            "note", NOTE, "FOR SELECT USING (true)", f"FOR UPDATE USING (owner > 0 AND {ME} > 0)"
        ),
        f"{GIVE_AWAY}",
        contract=with_public("hall.note"),
    ),
    planted(
        "more than what is public",
        table(
            "note",
            NOTE + ", state text NOT NULL DEFAULT 'draft'",
            f"FOR SELECT USING (owner = {ME} OR state IN ('published', 'review'))",
            grants="SELECT",
        ),
        rows="INSERT INTO hall.note VALUES (2, 2, '', 'review');",
        contract=with_public("hall.note", "state = 'published'"),
    ),
    planted(
        "another table than the public one",
        table("note", NOTE, "FOR SELECT USING (true)", grants="SELECT"),
        contract=with_public("hall.country"),
    ),
)

_KINDS = {
    "handed": HANDED,
    "second setting": SECOND_SETTING,
    "nearly": NEARLY,
    "claims": CLAIMED,
    "membership": MEMBERSHIP,
    "parent": PARENT,
    "constraint": CONSTRAINED,
    "public": PUBLIC,
}
PLANTED = tuple(replace(each, kind=kind) for kind, cases in _KINDS.items() for each in cases)
