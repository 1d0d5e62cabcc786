"""Cases of a third round: what one changes of one's own row to reach others, and a comparison the
other way round. When they were first tried none was told."""

from __future__ import annotations

from support.blind.ground import SEES, T1, T2, TAKEN, Planted, Sound, function, policies

OWN = "tenant_id = (SELECT studio.tenant())"
ME = "p.user_id = (SELECT auth.uid())"
MINE = f"(SELECT p.tenant_id FROM studio.profile AS p WHERE {ME})"
BY_PROFILE = policies("project", f"USING (tenant_id = {MINE})")
IN_PROFILE = (
    "ALTER TABLE studio.profile ADD tenant_id uuid;"
    f"UPDATE studio.profile SET tenant_id = '{T1}' WHERE email = 'mine';"
)
ROLE = "ALTER TABLE studio.profile ADD role text NOT NULL DEFAULT 'user';"
ADMIN = "UPDATE studio.profile SET role = 'admin'"


def climbs(title: str, sql: str, attack: str, about: str = "profile", seen: str = "") -> Planted:
    return Planted(
        kind=3,
        title=title,
        rule="identity-isolated",
        sql=sql,
        about=f"its row of studio.{about}",
        attack=attack,
        seen=seen,
    )


def looked_up(title: str, where: str, how: str, by: str = "") -> Planted:
    return Planted(
        kind=1,
        title=title,
        rule="policy-name-looked-up",
        sql="SET LOCAL search_path = studio;"
        + function("studio.of()", "SETOF uuid", f"SELECT tenant_id FROM member {where}", how=how)
        + "SET LOCAL search_path = '';"
        + by
        + policies("project", f"USING (tenant_id IN (SELECT studio.{'outer' if by else 'of'}()))"),
        about="p0 ON studio.project",
        attack="SET LOCAL search_path = studio; CREATE TEMPORARY TABLE member AS"
        f" SELECT '{T2}'::uuid AS tenant_id, (SELECT auth.uid()) AS user_id; {SEES}",
    )


PLANTED = (
    climbs(
        "the tenant stands in a profile that one writes oneself",
        IN_PROFILE + BY_PROFILE,
        f"UPDATE studio.profile SET tenant_id = '{T2}'; {SEES}",
    ),
    climbs(
        "the tenant is what a function reads there as its owner",
        IN_PROFILE
        + "CREATE POLICY reads ON studio.profile TO hk_migrator USING (true);"
        + function("studio.mine()", "uuid", MINE)
        + policies("project", "USING (tenant_id = (SELECT studio.mine()))"),
        f"UPDATE studio.profile SET tenant_id = '{T2}'; {SEES}",
    ),
    climbs(
        "a flag that makes one an administrator",
        "ALTER TABLE studio.profile ADD is_admin boolean NOT NULL DEFAULT false;"
        + policies(
            "project",
            f"USING ({OWN} OR EXISTS (SELECT FROM studio.profile AS p WHERE {ME} AND p.is_admin))",
        ),
        f"UPDATE studio.profile SET is_admin = true; {SEES}",
    ),
    climbs(
        "a role that may only delete more",
        ROLE
        + policies(
            "project",
            f"FOR SELECT USING ({OWN})",
            f"FOR DELETE USING ((SELECT p.role FROM studio.profile AS p WHERE {ME}) = 'admin')",
        ),
        f"{ADMIN}; DELETE FROM studio.project",
        seen=TAKEN,
    ),
    climbs(
        "a role that is written with a new profile",
        ROLE
        + "REVOKE UPDATE ON studio.profile FROM studio_web;"
        + policies(
            "project",
            f"USING ({OWN} OR (SELECT p.role FROM studio.profile AS p WHERE {ME}) = 'admin')",
        ),
        "DELETE FROM studio.profile WHERE user_id = (SELECT auth.uid());"
        "INSERT INTO studio.profile (user_id, email, role)"
        f" VALUES ((SELECT auth.uid()), 'mine', 'admin'); {SEES}",
    ),
    climbs(
        "a level that has to be high",
        "ALTER TABLE studio.profile ADD level integer;"
        + policies(
            "project",
            f"USING ({OWN} OR (SELECT p.level FROM studio.profile AS p WHERE {ME}) >= 5)",
        ),
        f"UPDATE studio.profile SET level = 7; {SEES}",
    ),
    climbs(
        "whom one sees in the very table where one's own tenant stands",
        IN_PROFILE
        + f"RESET ROLE; UPDATE studio.profile SET tenant_id = '{T2}' WHERE email = 'theirs';"
        "SET LOCAL ROLE hk_migrator;"
        "CREATE POLICY reads ON studio.profile TO hk_migrator USING (true);"
        + function("studio.mine()", "uuid", MINE)
        + "CREATE POLICY mates ON studio.profile FOR SELECT TO studio_web"
        " USING (tenant_id = (SELECT studio.mine()));",
        f"UPDATE studio.profile SET tenant_id = '{T2}' WHERE user_id = (SELECT auth.uid());"
        "SELECT EXISTS (SELECT FROM studio.profile WHERE email = 'theirs')",
    ),
    looked_up(
        "a member by a temporary table, past a path that is pinned",
        "WHERE user_id = (SELECT auth.uid())",
        how="STABLE SET search_path = studio",
    ),
    looked_up(
        "a member by a temporary table, along the path of the session",
        "WHERE user_id = (SELECT auth.uid())",
        how="STABLE",
    ),
    looked_up(
        "a member by a temporary table, two functions deep",
        "WHERE user_id = (SELECT auth.uid())",
        how="STABLE SET search_path = studio",
        by=function(
            "studio.outer()", "SETOF uuid", "SELECT studio.of()", how="STABLE SET search_path = ''"
        ),
    ),
    Planted(
        kind=8,
        title="all rows but one's own",
        rule="identity-isolated",
        sql=policies("project", "USING (tenant_id <> (SELECT studio.tenant()))"),
        about="studio.project",
        attack=SEES,
    ),
)

SOUND = (
    Sound(
        kind=1,
        title="a name of WITH, and a path that ends in pg_temp",
        sql=function(
            "studio.of()",
            "SETOF uuid",
            "WITH mine AS (SELECT m.tenant_id FROM studio.member AS m"
            " WHERE m.user_id = (SELECT auth.uid())) SELECT tenant_id FROM mine",
            how="STABLE SET search_path = ''",
        )
        + function(
            "studio.also()",
            "SETOF uuid",
            "SELECT tenant_id FROM member WHERE user_id = (SELECT auth.uid())",
            how="STABLE SET search_path = studio, pg_temp",
        )
        + policies(
            "project",
            "USING (tenant_id IN (SELECT studio.of()) OR tenant_id IN (SELECT studio.also()))",
        ),
    ),
    Sound(
        kind=3,
        title="a profile of which one writes what no policy looks at",
        sql=IN_PROFILE + BY_PROFILE + "REVOKE INSERT, UPDATE ON studio.profile FROM studio_web;"
        "GRANT INSERT (user_id, email), UPDATE (email) ON studio.profile TO studio_web;",
    ),
    Sound(
        kind=3,
        title="a tenant chosen among those that one is a member of",
        sql=IN_PROFILE + BY_PROFILE + "DROP POLICY own ON studio.profile;"
        "CREATE POLICY own ON studio.profile TO studio_web"
        " USING (user_id = (SELECT auth.uid())) WITH CHECK (user_id = (SELECT auth.uid())"
        " AND tenant_id IN (SELECT m.tenant_id FROM studio.member AS m"
        " WHERE m.user_id = (SELECT auth.uid())));",
    ),
    Sound(
        kind=3,
        title="tasks of a project that its owner may close",
        sql=policies(
            "task",
            f"USING ({OWN} AND EXISTS (SELECT FROM studio.project AS p"
            " WHERE p.tenant_id = task.tenant_id AND p.status = 'open'))",
        ),
    ),
)
