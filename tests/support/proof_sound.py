"""Policies that are sound and look like those that leak: patterns of applications, written anew."""

from __future__ import annotations

from support.proof_cases import (
    JWT_ORG,
    LINE,
    ME,
    MEMBER,
    NOTE,
    ORDERS,
    ORG,
    ORG_NOTE,
    SETTING,
    TEAM_NOTE,
    UID,
    UID_NOTE,
)
from support.proof_ground import Sound, definer, table, with_public


def sound(name: str, *sql: str, **others: object) -> Sound:
    return Sound(name=name, sql="".join(sql), **others)  # type: ignore[arg-type]


MINE = f"SELECT m.team FROM hall.member m WHERE m.person = {UID}"
IS_MEMBER = definer(
    "is_member(wanted integer)",
    "boolean",
    f"SELECT EXISTS (SELECT FROM hall.member m WHERE m.team = wanted AND m.person = {UID})",
)
SOUND = (
    # own rows
    sound("own rows", table("note", UID_NOTE, f"owner = {UID}")),
    sound("own rows, asked once", table("note", UID_NOTE, f"owner = (SELECT {UID})")),
    sound("own rows, the other way round", table("note", UID_NOTE, f"(SELECT {UID}) = owner")),
    sound(
        "own rows by command",
        table(
            "note",
            UID_NOTE,
            f"FOR SELECT USING ((SELECT {UID}) = owner)",
            f"FOR INSERT WITH CHECK ((SELECT {UID}) = owner)",
            f"FOR UPDATE USING ((SELECT {UID}) = owner) WITH CHECK ((SELECT {UID}) = owner)",
            f"FOR DELETE USING ((SELECT {UID}) = owner)",
        ),
    ),
    sound("own profile", table("profile", "id uuid PRIMARY KEY, name text", f"id = {UID}")),
    sound(
        "legacy claim",
        table(
            "note",
            NOTE,
            "owner::text = nullif(current_setting('app.me', true), '')",
        ),
    ),
    # the texts of types that are never empty
    sound("uuid as text", table("note", UID_NOTE, "owner::text = (auth.jwt() ->> 'sub')")),
    sound(
        "a text that may be ''",
        table("note", NOTE, "owner::text = current_setting('app.me', true)"),
    ),
    sound(
        "a uuid's text beside ''",
        table(
            "note",
            "#, firm uuid NOT NULL",
            "firm::text = current_setting('app.firm', true)",
        ),
    ),
    sound(
        "a list of texts",
        table(
            "note",
            "#, firm uuid NOT NULL",
            "firm::text = ANY (string_to_array(current_setting('app.firm', true), ','))",
        ),
    ),
    sound(
        "a date's text",
        table(
            "note",
            "#, day date NOT NULL",
            "day::text = current_setting('app.day', true)",
        ),
    ),
    # constraints
    sound(
        "a text that is not empty",
        table(
            "note",
            "#, org text NOT NULL CHECK (org <> '')",
            f"org = {SETTING}",
        ),
    ),
    sound(
        "a text of some length",
        table(
            "note",
            "#, org varchar(40) NOT NULL CHECK (length(org) > 2)",
            f"org = {SETTING}",
        ),
    ),
    sound(
        "a text of a form",
        "CREATE DOMAIN hall.slug AS text CHECK (VALUE ~ '^[a-z]+$');"
        + table(
            "note",
            "#, slug hall.slug NOT NULL",
            "slug = current_setting('app.slug', true)",
        ),
    ),
    sound("never NULL", table("note", NOTE, f"owner IS NOT DISTINCT FROM {ME}")),
    sound(
        "folded, and always in small letters",
        table(
            "note",
            "#, email text NOT NULL CHECK (email = lower(email))",
            "email = lower(auth.email())",
        ),
    ),
    # teams
    sound(
        "team by EXISTS",
        MEMBER,
        table(
            "note",
            TEAM_NOTE,
            "EXISTS (SELECT 1 FROM hall.member m WHERE m.team = note.team"
            f" AND m.person = (SELECT {UID}))",
        ),
    ),
    sound("team by IN", MEMBER, table("note", TEAM_NOTE, f"team IN ({MINE})")),
    sound("team by ARRAY", MEMBER, table("note", TEAM_NOTE, f"team = ANY (ARRAY({MINE}))")),
    sound("team by a definer", MEMBER, IS_MEMBER, table("note", TEAM_NOTE, "hall.is_member(team)")),
    sound(
        "team by a definer, asked in a sub-select",
        MEMBER,
        IS_MEMBER,
        table("note", TEAM_NOTE, "(SELECT hall.is_member(team))"),
    ),
    sound(
        "team by a definer in PL/pgSQL",
        MEMBER,
        definer(
            "is_member(wanted integer)",
            "boolean",
            "BEGIN RETURN EXISTS (SELECT 1 FROM hall.member m"
            f" WHERE m.team = wanted AND m.person = {UID}); END",
            "plpgsql",
        ),
        table("note", TEAM_NOTE, "hall.is_member(team)"),
    ),
    sound(
        "teams as a set",
        MEMBER,
        definer("my_teams()", "SETOF integer", MINE),
        table("note", TEAM_NOTE, "team IN (SELECT hall.my_teams())"),
    ),
    sound(
        "teams as an array",
        MEMBER,
        definer("my_teams()", "integer[]", f"SELECT ARRAY({MINE})"),
        table("note", TEAM_NOTE, "team = ANY (hall.my_teams())"),
    ),
    sound(
        "administrators write",
        MEMBER,
        table(
            "note",
            TEAM_NOTE,
            f"FOR SELECT USING (team IN ({MINE}))",
            f"FOR INSERT WITH CHECK (team IN ({MINE} AND m.role = 'admin'))",
            f"FOR UPDATE USING (team IN ({MINE} AND m.role = 'admin'))",
            f"FOR DELETE USING (team IN ({MINE} AND m.role = 'admin'))",
        ),
    ),
    sound(
        "the team itself, or who made it",
        MEMBER,
        table(
            "team",
            "#, made_by uuid NOT NULL",
            f"FOR SELECT USING (made_by = {UID} OR id IN ({MINE}))",
            f"FOR INSERT WITH CHECK (made_by = {UID})",
        ),
    ),
    sound(
        "owner, or whom it is shared with",
        table(
            "share",
            "note integer NOT NULL, person uuid NOT NULL",
            f"person = {UID}",
            grants="SELECT",
        ),
        table(
            "note",
            UID_NOTE,
            f"FOR SELECT USING (owner = {UID} OR EXISTS (SELECT FROM hall.share s"
            f" WHERE s.note = note.id AND s.person = {UID}))",
            f"FOR UPDATE USING (owner = {UID})",
        ),
    ),
    # claims
    sound("organisation by a claim", table("note", ORG_NOTE, f"org = {JWT_ORG}")),
    sound(
        "organisation and role in app_metadata",
        table(
            "note",
            ORG_NOTE,
            "FOR SELECT USING (org = (auth.jwt() -> 'app_metadata' ->> 'org'))",
            "FOR INSERT WITH CHECK (org = (auth.jwt() -> 'app_metadata' ->> 'org')"
            " AND (auth.jwt() -> 'app_metadata' ->> 'role') = 'editor')",
        ),
    ),
    sound(
        "organisations in a list of claims",
        table("note", ORG_NOTE, "org IN (SELECT jsonb_array_elements_text(auth.jwt() -> 'orgs'))"),
    ),
    sound("organisation in a list, by ?", table("note", ORG_NOTE, "(auth.jwt() -> 'orgs') ? org")),
    sound(
        "role of a starter kit",
        table(
            "note",
            UID_NOTE,
            f"(auth.jwt() -> 'app_metadata' ->> 'role') = 'webuser' AND owner = {UID}",
        ),
    ),
    sound(
        "invitation by e-mail",
        table(
            "invitation",
            "#, email text NOT NULL",
            "FOR SELECT USING (email = auth.email())",
            grants="SELECT",
        ),
    ),
    sound(
        "invitation that ends",
        table(
            "invitation",
            "#, email text NOT NULL, ends timestamptz NOT NULL",
            "FOR SELECT USING (email = (SELECT auth.email()) AND ends > now())",
            grants="SELECT",
        ),
    ),
    # parents
    sound(
        "by the parent's owner",
        ORDERS,
        table(
            "line",
            LINE,
            f"EXISTS (SELECT FROM hall.orders o WHERE o.id = orders_id AND o.owner = {ME})",
        ),
    ),
    sound(
        "by the parent's policy",
        ORDERS,
        table("line", LINE, "EXISTS (SELECT FROM hall.orders o WHERE o.id = line.orders_id)"),
    ),
    sound(
        "by the parent's policy, IN",
        ORDERS,
        table("line", LINE, "orders_id IN (SELECT o.id FROM hall.orders o)"),
    ),
    sound(
        "by the parent's policy, ARRAY",
        ORDERS,
        table("line", LINE, "orders_id = ANY (ARRAY(SELECT o.id FROM hall.orders o))"),
    ),
    sound(
        "by the grandparent's policy",
        ORDERS,
        table("line", LINE, "EXISTS (SELECT FROM hall.orders o WHERE o.id = line.orders_id)"),
        table(
            "part",
            "#, line_id integer NOT NULL REFERENCES hall.line",
            "line_id IN (SELECT l.id FROM hall.line l)",
        ),
    ),
    sound(
        "by the parent's owner in a scalar",
        ORDERS,
        table("line", LINE, f"(SELECT o.owner FROM hall.orders o WHERE o.id = orders_id) = {ME}"),
    ),
    # public, soft delete, storage
    sound(
        "public to read, own to write",
        table(
            "profile",
            "id uuid PRIMARY KEY, name text",
            "FOR SELECT USING (true)",
            f"FOR INSERT WITH CHECK (id = {UID})",
            f"FOR UPDATE USING (id = {UID})",
        ),
        contract=with_public("hall.profile"),
    ),
    sound(
        "public, and not written",
        table("country", "code text PRIMARY KEY", "FOR SELECT USING (true)", grants="SELECT"),
        contract=with_public("hall.country"),
    ),
    sound(
        "public without row-level security",
        "CREATE TABLE hall.country (code text PRIMARY KEY);"
        "GRANT SELECT ON hall.country TO hall_app;",
        contract=with_public("hall.country"),
    ),
    sound(
        "published, or own",
        table(
            "post",
            UID_NOTE + ", published boolean NOT NULL DEFAULT false",
            f"FOR SELECT USING (published OR owner = {UID})",
            f"FOR INSERT WITH CHECK (owner = {UID})",
            f"FOR UPDATE USING (owner = {UID})",
        ),
        contract=with_public("hall.post", "published"),
    ),
    sound(
        "soft delete",
        table(
            "note",
            UID_NOTE + ", gone_at timestamptz",
            f"USING (owner = {UID} AND gone_at IS NULL) WITH CHECK (owner = {UID})",
        ),
    ),
    sound(
        "soft delete, restrictive",
        table(
            "note",
            UID_NOTE + ", gone_at timestamptz",
            f"owner = {UID}",
            "AS RESTRICTIVE FOR SELECT USING (gone_at IS NULL)",
        ),
    ),
    sound(
        "a folder named after its owner",
        "CREATE FUNCTION hall.folders(name text) RETURNS text[] LANGUAGE sql IMMUTABLE"
        " RETURN (string_to_array(name, '/'))[1:1];",
        table(
            "object",
            "#, bucket text NOT NULL, name text NOT NULL, owner uuid",
            f"bucket = 'avatars' AND (hall.folders(name))[1] = {UID}::text",
        ),
    ),
    sound(
        "between two people",
        table(
            "message",
            "#, sender uuid NOT NULL, recipient uuid NOT NULL",
            f"FOR SELECT USING ({UID} IN (sender, recipient))",
            f"FOR INSERT WITH CHECK (sender = {UID})",
            grants="SELECT, INSERT",
        ),
    ),
    sound("by a digest", table("note", ORG_NOTE, f"md5(org) = md5({ORG})")),
    sound(
        "by version",
        table(
            "note",
            NOTE,
            f"owner = {ME} AND current_setting('server_version_num')::integer > 100000",
        ),
    ),
    sound(
        "two settings",
        table(
            "note",
            "#, org text NOT NULL, owner integer NOT NULL",
            f"org = {ORG} AND owner = {ME}",
        ),
    ),
)
