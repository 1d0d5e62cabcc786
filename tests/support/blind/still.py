"""What a rule could tell and none does yet, and what is sound and alarms: see docs/checks.md."""

from __future__ import annotations

from support.blind.ground import (
    AS_ONE,
    DEFINER,
    SEES,
    Planted,
    Sound,
    mighty,
    policies,
)

NOBODY = "00000000-0000-0000-0000-000000000000"

MISSED = (
    Planted(
        kind=8,
        title="a value that opens all rows, behind a function",
        rule="identity-isolated",
        sql=policies(
            "project",
            "USING (tenant_id = (SELECT studio.tenant())"
            f" OR (SELECT studio.tenant()) = '{NOBODY}')",
        ),
        about="studio.project",
        attack=SEES,
        acting={**AS_ONE, "app.tenant": NOBODY},
    ),
    Planted(
        kind=5,
        title="a procedure that copies rows to where no policy stands",
        rule="outside-table",
        sql="CREATE TABLE auth.export (name text); GRANT SELECT ON auth.export TO studio_web;"
        "CREATE PROCEDURE studio.nightly() LANGUAGE sql SET search_path = ''"
        " AS $$ INSERT INTO auth.export SELECT p.name FROM studio.project AS p $$;"
        "REVOKE ALL ON PROCEDURE studio.nightly() FROM PUBLIC;" + mighty("CALL studio.nightly()"),
        about="auth.export",
        attack="SELECT EXISTS (SELECT FROM auth.export WHERE name = 'theirs')",
    ),
    Planted(
        kind=9,
        title="statistics on what tells of rows",
        rule="notify-tells-rows",
        sql="CREATE FUNCTION studio.tell(text) RETURNS text IMMUTABLE LANGUAGE sql"
        " SET search_path = '' AS $$ SELECT pg_notify('changes', $1); SELECT $1 $$;"
        "CREATE STATISTICS studio.told ON (studio.tell(name)), tenant_id FROM studio.project;",
        about="studio.tell",
        attack="LISTEN changes; SELECT true",
    ),
)

ALARMS = (
    Sound(
        kind=1,
        title="a definer in a language that is not read",
        sql=mighty(
            "CREATE FUNCTION studio.up(text) RETURNS text LANGUAGE internal STRICT IMMUTABLE"
            f" {DEFINER} AS 'upper'; REVOKE ALL ON FUNCTION studio.up(text) FROM PUBLIC;"
            "GRANT EXECUTE ON FUNCTION studio.up(text) TO studio_web;"
            "ALTER FUNCTION studio.up(text) OWNER TO studio_fill"
        ),
    ),
)
