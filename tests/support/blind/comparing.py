"""Blind cases: rows handed over by UPDATE, second settings, comparisons that are nearly right."""

from __future__ import annotations

from support.blind.ground import (
    AS_ONE,
    CLAIMS,
    SEES,
    SEES_SHOP,
    T1,
    T2,
    U1,
    Planted,
    Sound,
    policies,
    shop,
)

OWN = "tenant_id = (SELECT studio.tenant())"
MINE = "user_id = (SELECT auth.uid())"
HANDED = f"SELECT EXISTS (SELECT FROM studio.project WHERE tenant_id = '{T2}' AND name = 'mine')"
HAND_OVER = f"UPDATE studio.project SET tenant_id = '{T2}'"
READ_AND_ADD = (f"FOR SELECT USING ({OWN})", f"FOR INSERT WITH CHECK ({OWN})")


def handed(title: str, rule: str, *texts: str, attack: str = HAND_OVER, more: str = "") -> Planted:
    """A row of the first tenant's becomes the second's."""
    return Planted(
        kind=3,
        title=title,
        rule=rule,
        sql=policies("project", *texts) + more,
        about="studio.project",
        attack=attack,
        seen=HANDED,
    )


def opened(title: str, rule: str, also: str, acting: dict[str, str], more: str = "") -> Planted:
    """The tenant's policy, or something else that a session says of itself."""
    return Planted(
        kind=4,
        title=title,
        rule=rule,
        sql=more + policies("project", f"USING ({also})"),
        about="studio.project",
        attack=SEES,
        acting={**AS_ONE, **acting},
    )


def nearly(
    title: str,
    columns: str,
    using: str,
    rows: str,
    more: str = "",
    acting: dict[str, str] | None = None,
) -> Planted:
    """Identities near to one's own."""
    return Planted(
        kind=8,
        title=title,
        rule="identity-isolated",
        sql=more + shop(columns, using, rows),
        about="shop",
        attack=SEES_SHOP,
        acting={**AS_ONE, **(acting or {})},
    )


SLUG = "slug text NOT NULL"
MY_SLUG = "current_setting('app.slug', true)"
ACME = "('acme', 'mine'), ('{}', 'theirs')"
NUMBER = "number bigint NOT NULL"
MY_NUMBER = "nullif(current_setting('app.number', true), '')"
STAFF = (
    "CREATE FUNCTION studio.is_staff() RETURNS boolean LANGUAGE plpgsql STABLE"
    " SET search_path = '' AS"
    " $$ BEGIN RETURN coalesce(current_setting('app.is_staff', true), '') = 'yes'; END $$;"
    "CREATE FUNCTION studio.can_see(t uuid) RETURNS boolean LANGUAGE sql STABLE"
    " SET search_path = '' AS $$ SELECT t = studio.tenant() OR studio.is_staff() $$;"
)

PLANTED = (
    handed(
        "WITH CHECK (true)",
        "identity-isolated",
        *READ_AND_ADD,
        f"FOR UPDATE USING ({OWN}) WITH CHECK (true)",
    ),
    handed(
        "WITH CHECK of something else",
        "identity-isolated",
        *READ_AND_ADD,
        f"FOR UPDATE USING ({OWN}) WITH CHECK (status <> 'locked')",
    ),
    handed(
        "WITH CHECK that it has a tenant",
        "identity-isolated",
        f"USING ({OWN}) WITH CHECK (tenant_id IS NOT NULL)",
    ),
    handed(
        "a second policy for what is transferred",
        "identity-isolated",
        f"USING ({OWN})",
        f"FOR UPDATE USING ({OWN}) WITH CHECK (status = 'transferred')",
        attack=f"UPDATE studio.project SET tenant_id = '{T2}', status = 'transferred'",
    ),
    handed(
        "a member of any tenant",
        "policy-check-looser",
        *READ_AND_ADD,
        f"FOR UPDATE USING ({OWN}) WITH CHECK (EXISTS (SELECT FROM studio.member AS m"
        " WHERE m.user_id = (SELECT auth.uid()) AND m.tenant_id = tenant_id))",
    ),
    handed(
        "WITH CHECK that somebody is signed in",
        "policy-check-looser",
        *READ_AND_ADD,
        f"FOR UPDATE USING ({OWN}) WITH CHECK ((SELECT auth.uid()) IS NOT NULL)",
    ),
    Planted(
        kind=3,
        title="a profile renamed to somebody else's",
        rule="identity-isolated",
        sql=policies(
            "profile",
            f"FOR SELECT USING ({MINE})",
            f"FOR UPDATE USING ({MINE}) WITH CHECK (email <> '')",
        )
        + "ALTER TABLE studio.profile DROP CONSTRAINT profile_pkey",
        about="studio.profile",
        attack=f"UPDATE studio.profile SET user_id = '{T2}'",
        seen=f"SELECT EXISTS (SELECT FROM studio.profile WHERE user_id = '{T2}')",
    ),
    opened(
        "support mode",
        "setting-undeclared",
        f"{OWN} OR current_setting('app.support', true) = 'on'",
        {"app.support": "on"},
    ),
    opened(
        "staff, behind two functions",
        "setting-undeclared",
        "studio.can_see(tenant_id)",
        {"app.is_staff": "yes"},
        STAFF,
    ),
    opened(
        "user metadata, which users write themselves",
        "setting-undeclared",
        f"{OWN} OR (auth.jwt() -> 'user_metadata' ->> 'is_admin')::boolean",
        {CLAIMS: f'{{"sub": "{U1}", "user_metadata": {{"is_admin": true}}}}'},
    ),
    opened(
        "the role in the claims",
        "setting-undeclared",
        f"{OWN} OR auth.jwt() ->> 'role' = 'service_role'",
        {CLAIMS: f'{{"sub": "{U1}", "role": "service_role"}}'},
    ),
    opened(
        "the name of the program",
        "setting-undeclared",
        f"{OWN} OR current_setting('application_name') = 'admin-console'",
        {"application_name": "admin-console"},
    ),
    opened("a local connection", "identity-isolated", f"{OWN} OR inet_client_addr() IS NULL", {}),
    opened(
        "somebody whom one acts for",
        "setting-undeclared",
        "tenant_id = coalesce(nullif(current_setting('app.impersonate', true), '')::uuid,"
        " studio.tenant())",
        {"app.impersonate": T2},
    ),
    opened(
        "a bypass as Rails and Django projects write it",
        "setting-undeclared",
        f"coalesce(current_setting('app.bypass_rls', true), '') = 'on' OR {OWN}",
        {"app.bypass_rls": "on"},
    ),
    nearly(
        "the first letters",
        SLUG,
        f"slug::varchar(4) = {MY_SLUG}",
        ACME.format("acme-two"),
    ),
    nearly(
        "in any case",
        SLUG,
        f"lower(slug) = lower({MY_SLUG})",
        ACME.format("ACME"),
    ),
    nearly("a prefix", SLUG, f"slug LIKE {MY_SLUG} || '%'", ACME.format("acme2")),
    nearly(
        "a part of a list",
        SLUG,
        f"position(slug IN {MY_SLUG}) > 0",
        ACME.format("acm"),
    ),
    nearly(
        "blanks",
        SLUG,
        f"slug::char(9) = {MY_SLUG}::char(9)",
        ACME.format("acme "),
    ),
    nearly(
        "a hash",
        SLUG,
        f"hashtext(slug) % 7 = hashtext({MY_SLUG}) % 7",
        ACME.format("t4"),
    ),
    nearly(
        "a pattern",
        SLUG,
        f"slug ~* ('^' || {MY_SLUG} || '$')",
        ACME.format("Acme"),
    ),
    nearly(
        "hyphens",
        SLUG,
        f"translate(slug, '-_', '') = {MY_SLUG}",
        ACME.format("ac-me"),
    ),
    nearly(
        "an operator of one's own",
        SLUG,
        f"slug OPERATOR(studio.=) {MY_SLUG}",
        ACME.format("AcMe"),
        "CREATE FUNCTION studio.same(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE"
        " SET search_path = '' AS $$ SELECT lower($1) = lower($2) $$;"
        "CREATE OPERATOR studio.= (FUNCTION = studio.same, LEFTARG = text, RIGHTARG = text);",
    ),
    nearly(
        "a number that loses digits",
        NUMBER,
        f"number::real = {MY_NUMBER}::real",
        "(16777217, 'mine'), (16777216, 'theirs')",
        acting={"app.number": "16777217"},
    ),
    nearly(
        "a block of numbers",
        NUMBER,
        f"number / 10 = {MY_NUMBER}::bigint / 10",
        "(7, 'mine'), (8, 'theirs')",
    ),
    nearly(
        "from one's own on",
        NUMBER,
        f"number >= {MY_NUMBER}::bigint",
        "(7, 'm'), (8, 'theirs')",
    ),
    nearly(
        "without a sign",
        NUMBER,
        f"abs(number) = {MY_NUMBER}::bigint",
        "(7, 'm'), (-7, 'theirs')",
    ),
    Planted(
        kind=8,
        title="what is new is everybody's",
        rule="identity-isolated",
        sql=policies("project", f"USING ({OWN} OR created_at > now() - interval '5 minutes')"),
        about="studio.project",
        attack=SEES,
    ),
    Planted(
        kind=8,
        title="the beginning of a uuid",
        rule="identity-isolated",
        sql=policies("project", "USING (left(tenant_id::text, 4) = left(studio.tenant()::text, 4))")
        + f"UPDATE studio.project SET name = name; INSERT INTO studio.task (tenant_id, body)"
        f" SELECT '{T1}', '-' WHERE false;",
        about="studio.project",
        attack=SEES,
        acting={**AS_ONE, "app.tenant": T2[:8] + T1[8:]},
    ),
    Planted(
        kind=8,
        title="no tenant is every tenant",
        rule="identity-isolated",
        sql=policies("project", "USING (tenant_id = coalesce(studio.tenant(), tenant_id))"),
        about="studio.project",
        attack=SEES,
        acting={"app.tenant": ""},
    ),
)


def alike(kind: int, title: str, table: str, *texts: str, more: str = "") -> Sound:
    return Sound(kind=kind, title=title, sql=more + policies(table, *texts))


SOUND = (
    alike(3, "USING alone", "project", *READ_AND_ADD, f"FOR UPDATE USING ({OWN})"),
    alike(
        3,
        "a stricter WITH CHECK",
        "project",
        f"USING ({OWN}) WITH CHECK ({OWN} AND status IN ('open', 'done'))",
    ),
    Sound(
        kind=3,
        title="a restrictive policy whose check is true",
        sql="CREATE POLICY unlocked ON studio.project AS RESTRICTIVE FOR UPDATE TO studio_web"
        " USING (status <> 'locked') WITH CHECK (true)",
    ),
    alike(
        3,
        "a member of the row's own tenant",
        "project",
        "USING (EXISTS (SELECT FROM studio.member AS m"
        " WHERE m.user_id = (SELECT auth.uid()) AND m.tenant_id = project.tenant_id))",
    ),
    Sound(
        kind=4,
        title="a setting that only fills a column",
        sql="ALTER TABLE studio.task ADD COLUMN request text"
        " DEFAULT current_setting('app.request_id', true)",
    ),
    alike(
        4,
        "the declared claim, read without its function",
        "profile",
        f"USING (user_id = (nullif(current_setting('{CLAIMS}', true), '')::jsonb ->> 'sub')::uuid)",
    ),
    alike(
        4,
        "a helper in plpgsql",
        "project",
        "USING (studio.is_mine(tenant_id))",
        more="CREATE FUNCTION studio.is_mine(t uuid) RETURNS boolean LANGUAGE plpgsql STABLE"
        " SET search_path = '' AS $$ BEGIN IF studio.tenant() IS NULL THEN RETURN false; END IF;"
        " RETURN t = studio.tenant(); END $$;",
    ),
    alike(
        8,
        "text on both sides",
        "project",
        "USING (tenant_id::text = current_setting('app.tenant', true))",
    ),
    alike(8, "not different", "project", "USING (NOT (tenant_id <> (SELECT studio.tenant())))"),
    alike(8, "one of one", "project", "USING (tenant_id IN (SELECT studio.tenant()))"),
    alike(8, "never null", "project", "USING (tenant_id IS NOT DISTINCT FROM studio.tenant())"),
    alike(
        8,
        "a CASE for nobody",
        "project",
        "USING (CASE WHEN coalesce(current_setting('app.tenant', true), '') = '' THEN false"
        " ELSE tenant_id = current_setting('app.tenant', true)::uuid END)",
    ),
    Sound(
        kind=8,
        title="a slug that is never empty",
        sql=shop(
            f"{SLUG} CHECK (slug <> '')", f"slug = {MY_SLUG}", "('acme', 'm'), ('ACME', 'theirs')"
        ),
    ),
    Sound(
        kind=8,
        title="a number",
        sql=shop(NUMBER, f"number = {MY_NUMBER}::bigint", "(7, 'm'), (8, 'theirs')"),
    ),
)
