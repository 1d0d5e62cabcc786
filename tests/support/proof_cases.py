"""Policies that leak, each with the statement that shows it."""

from __future__ import annotations

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
    kind: str, name: str, sql: str, attack: str = READ_2, rows: str = NOTES, **others: object
) -> Planted:
    return Planted(kind=kind, name=name, sql=sql, attack=attack, rows=rows, **others)  # type: ignore[arg-type]


CLAIMED = (
    planted(
        "claims",
        "nobody is everybody",
        table("note", UID_NOTE, f"owner = coalesce({UID}, owner)"),
        rows=UID_NOTES,
        acting=AS_NOBODY,
    ),
    planted(
        "claims",
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
        "claims",
        "open where the claim is missing",
        table("note", UID_NOTE, f"owner = {UID} OR (auth.jwt() IS NOT NULL AND {UID} IS NULL)"),
        rows=UID_NOTES,
        acting=AS_NOBODY,
    ),
    planted(
        "claims",
        "whoever is logged in",
        table("note", UID_NOTE, f"{UID} IS NOT NULL"),
        rows=UID_NOTES,
        acting=AS_ANNA,
    ),
    planted(
        "claims",
        "whoever is logged in, by a column that is always there",
        table("note", UID_NOTE, f"{UID} IS NOT NULL AND owner IS NOT NULL"),
        rows=UID_NOTES,
        acting=AS_ANNA,
    ),
    planted(
        "claims",
        "written in another's name",
        table(
            "note", UID_NOTE, f"FOR SELECT USING (owner = {UID})", f"WITH CHECK ({UID} <> owner)"
        ).replace("p1 ON hall.note", "p1 ON hall.note FOR INSERT"),
        f"INSERT INTO hall.note VALUES (3, '{BELA}')",
        UID_NOTES,
        acting=AS_ANNA,
    ),
    planted(
        "claims",
        "an organisation whose name is in the list as a text",
        table("note", ORG_NOTE, "strpos(auth.jwt() ->> 'orgs', org) > 0"),
        rows="INSERT INTO hall.note VALUES (2, 'blue');",
        acting={"request.jwt.claims": '{"orgs": ["blue-harbour"]}'},
    ),
    planted(
        "claims",
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


def by_parent(name: str, policy: str, before: str = ORDERS, attack: str = LINE_2) -> Planted:
    return planted("parent", name, before + table("line", LINE, policy), attack, LINES)


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
        "constraint",
        "nobody's text",
        table("note", ORG_NOTE, f"org = {SETTING}"),
        rows="INSERT INTO hall.note VALUES (2, '');",
        acting={"app.org": ""},
    ),
    planted(
        "constraint",
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
        "constraint",
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
        "constraint",
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
        "constraint",
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
        "public",
        "public to read, and written by all",
        table(
            "note", NOTE, "FOR SELECT USING (true)", f"FOR UPDATE USING (owner > 0 AND {ME} > 0)"
        ),
        f"{GIVE_AWAY}",
        contract=with_public("hall.note"),
    ),
    planted(
        "public",
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
        "public",
        "another table than the public one",
        table("note", NOTE, "FOR SELECT USING (true)", grants="SELECT"),
        contract=with_public("hall.country"),
    ),
)

PLANTED = (
    *CLAIMED,
    *PARENT,
    *CONSTRAINED,
    *PUBLIC,
)
