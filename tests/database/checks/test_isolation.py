"""Row-level security by doing: what leaks is seen to leak, what proves nothing does not pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_housekeeping.checks.rls import verify_rule
from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.postgres.connection import Connection
from support.guarded import CONTRACT, RULES, TODAY, found, verify


def leaks(ground: Connection, rule: str, object: str) -> str:
    """What is said of one table; nothing is said of any other."""
    findings = verify(ground, rule).findings
    assert {finding.object for finding in findings} == {object}
    assert all(finding.level is Level.ERROR for finding in findings)
    return "\n".join(finding.detail for finding in findings)


def evidence(ground: Connection, rule: str, object: str) -> str:
    verdict = verify(ground, rule)
    assert verdict.findings == ()
    return "\n".join(line for line in verdict.evidence if line.startswith(f"{object}:"))


def test_the_evidence_says_what_was_shown(ground: Connection) -> None:
    text = evidence(ground, "identity-isolated", "shop.orders")
    assert "app.tenant = 1: sees its own rows and none of app.tenant = 2" in text
    assert "app.tenant = 2: sees its own rows and none of app.tenant = 1" in text
    assert "change: no row of it, delete: no row of it" in text
    assert "context '': no row, context malformed: 22P02" in text
    assert "write refused (42501), take over refused (42501), move refused (42501)" in text
    assert "none of app.tenant" in evidence(ground, "identity-isolated", "shop.line")
    assert "write refused (42501)" in evidence(ground, "identity-isolated", "shop.line")
    assert "absent: no row, '': no row" in evidence(ground, "context-required", "shop.orders")


def test_a_role_without_privilege_is_told_so(ground: Connection) -> None:
    contract = replace(CONTRACT, roles=("shop_app", "office_app"))
    for rule in ("context-required", "identity-isolated"):
        verdict = verify(ground, RULES[rule], contract)
        assert verdict.findings == ()
        assert "shop.line: office_app: no privilege, 42501" in verdict.evidence


def test_nothing_is_left_behind(ground: Connection) -> None:
    before = ground.execute("SELECT tenant, note, xmax FROM shop.archive").fetchall()
    policies = ground.execute("SELECT polname, polrelid FROM pg_policy ORDER BY 1, 2").fetchall()
    for rule in ("context-required", "identity-isolated"):
        verify(ground, rule)
    assert ground.execute("SELECT tenant, note, xmax FROM shop.archive").fetchall() == before
    assert (
        ground.execute("SELECT polname, polrelid FROM pg_policy ORDER BY 1, 2").fetchall()
        == policies
    )
    row = ground.execute(
        "SELECT current_user = session_user, relforcerowsecurity"
        " FROM pg_class WHERE relname = 'orders'"
    ).fetchone()
    assert row == (True, True)
    ground.execute("ALTER TABLE shop.orders NO FORCE ROW LEVEL SECURITY")
    assert ground.execute("SELECT count(*) FROM shop.orders").fetchone() == (3,)


@pytest.mark.parametrize(
    "defect",
    [
        "CREATE POLICY x ON shop.orders USING (true)",
        "ALTER TABLE shop.orders DISABLE ROW LEVEL SECURITY",
        "CREATE POLICY x ON shop.orders FOR SELECT USING (note IS NOT NULL)",
        "ALTER POLICY own ON shop.orders USING (tenant = shop.tenant() OR note = 'c')",
        "ALTER POLICY own ON shop.orders USING (tenant >= shop.tenant())",
    ],
)
def test_a_row_that_another_sees_is_a_leak(ground: Connection, defect: str) -> None:
    ground.execute(defect.encode())
    assert "shop_app acting for app.tenant" in leaks(ground, "identity-isolated", "shop.orders")


def test_a_row_of_nobody_that_everybody_sees_is_a_leak(ground: Connection) -> None:
    ground.execute(
        "ALTER TABLE shop.orders ALTER tenant DROP NOT NULL;"
        "CREATE POLICY x ON shop.orders FOR SELECT TO shop_app USING (tenant IS NULL);"
        "ALTER TABLE shop.orders NO FORCE ROW LEVEL SECURITY;"
        "INSERT INTO shop.orders (tenant) VALUES (NULL);"
        "ALTER TABLE shop.orders FORCE ROW LEVEL SECURITY"
    )
    assert "sees rows of others" in leaks(ground, "identity-isolated", "shop.orders")


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("FOR UPDATE USING (true) WITH CHECK (true)", "updates rows of app.tenant"),
        ("FOR DELETE USING (true)", "deletes rows of app.tenant"),
        ("FOR INSERT WITH CHECK (true)", "inserts a row as app.tenant"),
        (
            "FOR UPDATE USING (tenant = shop.tenant()) WITH CHECK (true)",
            "moves its own row to app.tenant",
        ),
        ("USING (tenant = shop.tenant()) WITH CHECK (true)", "moves its own row to app.tenant"),
    ],
)
def test_a_write_into_the_rows_of_another_is_a_leak(
    ground: Connection, policy: str, words: str
) -> None:
    ground.execute("DROP TABLE shop.line")
    ground.execute(f"CREATE POLICY x ON shop.orders {policy}".encode())
    assert words in leaks(ground, "identity-isolated", "shop.orders")


def test_a_write_that_only_a_constraint_stops_is_a_leak(ground: Connection) -> None:
    ground.execute("CREATE POLICY x ON shop.orders FOR DELETE USING (true)")
    text = leaks(ground, "identity-isolated", "shop.orders")
    assert "only a constraint stopped it" in text
    assert "line_orders_id_fkey" in text


def test_a_line_that_is_written_to_the_order_of_another_is_a_leak(ground: Connection) -> None:
    ground.execute("CREATE POLICY x ON shop.line FOR INSERT WITH CHECK (amount > 0)")
    assert "inserts a row as" in leaks(ground, "identity-isolated", "shop.line")


def test_a_trigger_that_makes_the_row_its_own_is_no_leak(ground: Connection) -> None:
    ground.execute(
        "CREATE FUNCTION shop.own() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.tenant := shop.tenant(); RETURN NEW; END';"
        "CREATE TRIGGER own BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.own()"
    )
    assert "turned into its own" in evidence(ground, "identity-isolated", "shop.orders")


def test_a_role_that_may_only_insert_is_tried(ground: Connection) -> None:
    ground.execute(
        "DROP TABLE shop.line;"
        "REVOKE ALL ON shop.orders FROM shop_app; GRANT INSERT ON shop.orders TO shop_app;"
        "DROP POLICY own ON shop.orders;"
        "CREATE POLICY own ON shop.orders FOR INSERT TO shop_app"
        " WITH CHECK (tenant = shop.tenant())"
    )
    assert "write refused (42501)" in evidence(ground, "identity-isolated", "shop.orders")
    ground.execute("ALTER POLICY own ON shop.orders WITH CHECK (true)")
    ground.execute("CREATE POLICY x ON shop.orders FOR UPDATE USING (tenant = shop.tenant())")
    assert "inserts a row as" in leaks(ground, "identity-isolated", "shop.orders")


def test_columns_alone_are_enough_to_be_tried(ground: Connection) -> None:
    ground.execute(
        "REVOKE ALL ON shop.archive FROM shop_app; GRANT SELECT (note) ON shop.archive TO shop_app"
    )
    assert "none of app.tenant" in evidence(ground, "identity-isolated", "shop.archive")
    ground.execute("CREATE POLICY x ON shop.archive USING (note <> '')")
    assert "sees rows of" in leaks(ground, "identity-isolated", "shop.archive")
    assert "shop.archive" in found(ground, "context-required")


def test_the_control_must_hold(ground: Connection) -> None:
    ground.execute("ALTER POLICY own ON shop.archive USING (tenant = shop.tenant() AND false)")
    assert "not even its own" in leaks(ground, "identity-isolated", "shop.archive")


def test_an_empty_table_needs_no_seeds(ground: Connection) -> None:
    ground.execute("ALTER TABLE shop.archive NO FORCE ROW LEVEL SECURITY")
    ground.execute("DELETE FROM shop.archive")
    assert "no row passes its policies" in evidence(ground, "context-required", "shop.archive")
    text = evidence(ground, "identity-isolated", "shop.archive")
    assert "rows made up" in text
    assert "sees its own rows and none of" in text


def test_what_is_undecided_warns_between_segments(ground: Connection) -> None:
    ground.execute(
        "DELETE FROM shop.archive; CREATE TABLE shop.odd (said text);"
        "ALTER TABLE shop.odd ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON shop.odd USING (said || 'x' = current_setting('app.tenant', true));"
        "GRANT SELECT ON shop.odd TO shop_app"
    )
    rule = RULES["identity-isolated"]
    (finding,) = verify(ground, rule).findings
    assert finding.object == "shop.odd"
    assert finding.detail.startswith("undecided")
    assert finding.fix.startswith("-- seed rows for two identities")
    assert not verify(ground, rule).passed
    between = verify_rule(ground, CONTRACT, rule, today=TODAY, unfinished=True)
    assert [item.level for item in between.findings] == [Level.WARNING]


def test_a_role_that_may_read_a_table_and_not_use_its_schema_is_told_so(ground: Connection) -> None:
    ground.execute(
        "CREATE TABLE shop.locked (tenant) AS VALUES ('A'), ('B');"
        "ALTER TABLE shop.locked ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON shop.locked TO office_app"
        " USING (tenant = current_setting('app.tenant', true));"
        "GRANT SELECT ON shop.locked TO shop_app;"
        "REVOKE USAGE ON SCHEMA shop FROM shop_app"
    )
    findings = verify(ground, RULES["identity-isolated"]).findings
    (first, *_) = [each for each in findings if each.object == "shop.locked"]
    assert "permission denied for schema shop" in first.detail
    assert first.fix.startswith("REVOKE ALL ON shop.locked FROM shop_app;")


def test_one_identity_is_joined_by_two_made_up(ground: Connection) -> None:
    ground.execute("ALTER TABLE shop.archive NO FORCE ROW LEVEL SECURITY")
    ground.execute("DELETE FROM shop.archive WHERE tenant = 2")
    assert "rows made up" in evidence(ground, "identity-isolated", "shop.archive")


def test_dropping_every_policy_turns_the_rules_red(ground: Connection) -> None:
    ground.execute(
        "DROP POLICY own ON shop.orders; DROP POLICY own ON shop.line;"
        "DROP POLICY own ON shop.archive"
    )
    assert found(ground, "rls-no-policy") == ["shop.archive", "shop.line", "shop.orders"]


def test_making_every_policy_true_turns_the_rules_red(ground: Connection) -> None:
    for table in ("orders", "line", "archive"):
        ground.execute(f"ALTER POLICY own ON shop.{table} USING (true)".encode())
    tables = {"shop.archive", "shop.line", "shop.orders"}
    assert set(found(ground, "identity-isolated")) == tables
    assert set(found(ground, "context-required")) == tables


def test_a_table_closed_to_its_readers_is_no_finding(ground: Connection) -> None:
    ground.execute("DROP POLICY own ON shop.archive")
    assert "no policy lets it read" in evidence(ground, "identity-isolated", "shop.archive")
    assert "no policy lets it read" in evidence(ground, "context-required", "shop.archive")


@pytest.mark.parametrize("used_before", [False, True])
@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (
            "coalesce(current_setting('app.tenant', true)::integer, tenant) = tenant",
            "while the context is absent",
        ),
        (
            (
                "current_setting('app.tenant', true) IS NULL"
                " OR tenant = nullif(current_setting('app.tenant', true), '')::integer"
            ),
            "while the context is absent",
        ),
        (
            (
                "current_setting('app.tenant', true) = ''"
                " OR tenant = nullif(current_setting('app.tenant', true), '')::integer"
            ),
            "while the context is ''",
        ),
    ],
)
def test_a_condition_that_opens_without_context_is_a_leak(
    ground: Connection, condition: str, words: str, used_before: bool
) -> None:
    """A setting that the session has used before reads '' and never NULL again."""
    if used_before:
        ground.execute("SELECT set_config('app.tenant', '1', true)")
        ground.execute("RESET app.tenant")
    ground.execute(f"ALTER POLICY own ON shop.archive USING ({condition})".encode())
    assert words in leaks(ground, "context-required", "shop.archive")


@pytest.mark.parametrize(
    "function",
    [
        "LANGUAGE sql STABLE AS $$ SELECT current_setting('app.tenant', true)::integer $$",
        "LANGUAGE sql STABLE RETURN current_setting('app.tenant', true)::integer",
        (
            "LANGUAGE plpgsql STABLE AS"
            " $$ BEGIN RETURN current_setting('APP.tenant', true)::integer; END $$"
        ),
    ],
)
def test_a_function_that_opens_without_context_is_a_leak(ground: Connection, function: str) -> None:
    ground.execute("SELECT set_config('app.tenant', '1', true)")
    ground.execute("RESET app.tenant")
    ground.execute(f"CREATE FUNCTION shop.loose() RETURNS integer {function}".encode())
    ground.execute(
        "ALTER POLICY own ON shop.archive USING (coalesce(shop.loose(), tenant) = tenant)"
    )
    assert "while the context is absent" in leaks(ground, "context-required", "shop.archive")
    row = ground.execute("SELECT pg_get_functiondef('shop.loose'::regproc)").fetchone()
    assert row is not None
    assert "hk_absent" not in row[0]


def test_an_error_without_context_is_closed(ground: Connection) -> None:
    ground.execute(
        "ALTER POLICY own ON shop.archive USING (tenant = current_setting('app.tenant')::integer)"
    )
    text = evidence(ground, "context-required", "shop.archive")
    assert "absent: 42704" in text
    assert "'': 22P02" in text
    assert verify(ground, "identity-isolated").passed


def test_partitions_are_tried_by_their_own_name(ground: Connection) -> None:
    ground.execute(
        "CREATE TABLE shop.event (tenant integer, at date) PARTITION BY RANGE (at);"
        "CREATE TABLE shop.event_1 PARTITION OF shop.event"
        " FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');"
        "CREATE TABLE shop.event_2 PARTITION OF shop.event"
        " FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');"
        "INSERT INTO shop.event VALUES (1, '2026-02-02'), (2, '2026-02-02'), (2, '2026-08-08');"
        "ALTER TABLE shop.event ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        "ALTER TABLE shop.event_1 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        "ALTER TABLE shop.event_2 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON shop.event TO shop_app USING (tenant = shop.tenant());"
        "GRANT SELECT, INSERT, UPDATE, DELETE ON shop.event TO shop_app"
    )
    assert "none of app.tenant" in evidence(ground, "identity-isolated", "shop.event")
    assert "42501" in evidence(ground, "identity-isolated", "shop.event_1")
    ground.execute(
        "GRANT SELECT ON shop.event_1 TO shop_app;"
        "ALTER TABLE shop.event_1 DISABLE ROW LEVEL SECURITY"
    )
    assert "sees rows of" in leaks(ground, "identity-isolated", "shop.event_1")


def test_two_settings_together_are_one_identity(ground: Connection) -> None:
    contract = replace(CONTRACT, context=("app.tenant", "app.person"))
    ground.execute(
        "CREATE TABLE shop.diary (tenant integer, person text, entry text);"
        "INSERT INTO shop.diary VALUES (1, 'ann', 'x'), (1, 'bob', 'y'), (2, 'cyd', 'z');"
        "ALTER TABLE shop.diary ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON shop.diary TO shop_app USING (tenant = shop.tenant()"
        " AND person = current_setting('app.person', true));"
        "GRANT SELECT, INSERT, UPDATE ON shop.diary TO shop_app"
    )
    verdict = verify(ground, RULES["identity-isolated"], contract)
    assert verdict.findings == ()
    text = "\n".join(verdict.evidence)
    assert "app.person = cyd, app.tenant = 2" in text
    assert "shop.orders: shop_app: app.tenant = 1" in text
    ground.execute("CREATE POLICY x ON shop.diary USING (entry = 'z')")
    findings = verify(ground, RULES["identity-isolated"], contract).findings
    assert {finding.object for finding in findings} == {"shop.diary"}


def test_names_that_need_quoting_are_no_obstacle(ground: Connection, superuser: Connection) -> None:
    role = 'O"Dear näme.x'
    quoted = '"O""Dear näme.x"'
    superuser.execute(f"DROP ROLE IF EXISTS {quoted}".encode())
    superuser.execute(f"CREATE ROLE {quoted}; GRANT {quoted} TO hk_migrator".encode())
    ground.execute(
        'CREATE SCHEMA "Sch""ema.1"; CREATE TABLE "Sch""ema.1"."Tä.ble$hk0$" ("Te""nant %s" text,'
        ' "{schema}" int GENERATED ALWAYS AS (1) STORED);'
        'INSERT INTO "Sch""ema.1"."Tä.ble$hk0$" VALUES (\'ä\'\'{x}\'), (\'b"\\\');'
        'ALTER TABLE "Sch""ema.1"."Tä.ble$hk0$" ENABLE ROW LEVEL SECURITY,'
        " FORCE ROW LEVEL SECURITY;"
        'CREATE POLICY "p""1" ON "Sch""ema.1"."Tä.ble$hk0$"'
        " USING (\"Te\"\"nant %s\" = nullif(current_setting('app.tenant', true), ''));"
        f'GRANT USAGE ON SCHEMA "Sch""ema.1" TO {quoted};'
        f'GRANT SELECT, INSERT, UPDATE, DELETE ON "Sch""ema.1"."Tä.ble$hk0$" TO {quoted}'.encode()
    )
    contract = replace(CONTRACT, schemas=('Sch"ema.1',), roles=(role,))
    try:
        for rule in (item for item in RULES.values() if item.family != "boundary"):
            verdict = verify(ground, rule, contract)
            assert [each for each in verdict.findings if each.level is Level.ERROR] == []
            assert verdict.passed
        ground.execute('CREATE POLICY "x y" ON "Sch""ema.1"."Tä.ble$hk0$" USING (true)')
        for name in ("identity-isolated", "context-required"):
            objects = {item.object for item in verify(ground, RULES[name], contract).findings}
            assert objects == {'"Sch""ema.1"."Tä.ble$hk0$"'}
    finally:
        ground.execute("ROLLBACK; BEGIN")
        superuser.execute(f"DROP ROLE {quoted}".encode())


def test_a_role_that_has_the_owners_rights_leaks(ground: Connection) -> None:
    ground.execute(
        "GRANT CREATE ON SCHEMA shop TO shop_app; ALTER TABLE shop.archive OWNER TO shop_app;"
        "ALTER TABLE shop.archive NO FORCE ROW LEVEL SECURITY"
    )
    assert "shop.archive" in found(ground, "identity-isolated")


def test_where_in_the_json_of_a_setting_the_identity_stands_is_proposed(ground: Connection) -> None:
    ground.execute(
        "ALTER POLICY own ON shop.archive USING"
        " (tenant = (nullif(current_setting('app.tenant', true), '')::jsonb ->> 'of')::integer)"
    )
    (finding,) = verify(ground, "identity-isolated").findings
    assert finding.fix == (
        "-- name in context of rls.toml what of the JSON it is:"
        ' { setting = "app.tenant", path = ["of"] }'
    )


def test_a_policy_that_fails_for_everybody_is_undecided(ground: Connection) -> None:
    ground.execute("ALTER POLICY own ON shop.archive USING (tenant = shop.tenant() AND 1 / 0 = 1)")
    assert "undecided" in leaks(ground, "identity-isolated", "shop.archive")


def test_a_refused_set_up_is_no_evidence(ground: Connection) -> None:
    with pytest.raises(RuleBroken, match="setup"):
        attempt_all(ground, [Attempt(setup="DROP TABLE shop.nothing", statement="SELECT 1")])
    with pytest.raises(RuleBroken, match="postgres"):
        attempt_all(ground, [Attempt(role="postgres", statement="SELECT 1")])


def test_attempts_are_undone_and_answered_in_order(ground: Connection) -> None:
    answers = attempt_all(
        ground,
        [
            Attempt(statement="DELETE FROM shop.line", query=False, setup=NO_FORCE),
            *[Attempt(statement=f"SELECT {number}") for number in range(600)],
            Attempt(statement="SELECT 1/0"),
            Attempt(statement="SELECT count(*) FROM shop.line", setup=NO_FORCE),
        ],
    )
    assert answers[0].rows == 3
    assert [answer.value for answer in answers[1:601]] == list(range(600))
    assert answers[601].sqlstate == "22012"
    assert answers[602].value == 3


NO_FORCE = "ALTER TABLE shop.line NO FORCE ROW LEVEL SECURITY"
_TRACES = """
CREATE TABLE shop.trace (at integer);
CREATE FUNCTION shop.leave_trace() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO shop.trace VALUES (1); RETURN (SELECT count(*) FROM shop.trace);
END $$;
GRANT INSERT, SELECT, DELETE ON shop.trace TO shop_app;
"""


def test_what_reads_shares_a_subtransaction_until_one_fails_or_changes_a_row(
    ground: Connection,
) -> None:
    """The end of each costs as much as the transaction has made relations; an error ends one."""
    ground.execute(_TRACES.encode())
    trace = Attempt(statement="SELECT shop.leave_trace()", role="shop_app")
    none = Attempt(statement="DELETE FROM shop.trace WHERE false", role="shop_app", query=False)
    one = replace(none, statement="INSERT INTO shop.trace VALUES (2)")
    counted = replace(none, statement="DELETE FROM shop.trace")
    failing = replace(trace, statement="SELECT 1 / 0")

    shared = [trace, trace, trace, failing, trace, trace]
    assert [answer.value for answer in attempt_all(ground, shared)] == [1, 2, 3, None, 1, 2]
    # Nothing of a row that was changed is left for the next one.
    writing = [none, none, one, counted, one, one, counted]
    assert [answer.rows for answer in attempt_all(ground, writing)] == [0, 0, 1, 0, 1, 1, 0]
    apart = [trace, replace(trace, settings=(("app.tenant", "1"),)), none, trace]
    assert [answer.value for answer in attempt_all(ground, apart)] == [1, 1, None, 1]


def test_no_set_up_reaches_a_statement_that_has_another(ground: Connection) -> None:
    """As a role it might see more by it: only what the migrator reads anyway may share one."""
    granted = "GRANT SELECT ON office.paper TO shop_app; GRANT USAGE ON SCHEMA office TO shop_app;"
    look = Attempt(statement="SELECT count(*) FROM office.paper", role="shop_app")
    answers = attempt_all(ground, [replace(look, setup=granted), look, look])
    assert [answer.sqlstate for answer in answers] == ["", "42501", "42501"]
    counting = Attempt(statement="SELECT count(*) FROM shop.line", setup=NO_FORCE)
    as_role = Attempt(statement="SELECT count(*) FROM shop.line", role="shop_app")
    answers = attempt_all(ground, [counting, as_role, counting, replace(counting, setup="")])
    assert [answer.value for answer in answers] == [3, 0, 3, 3]


def test_findings_are_in_order_and_the_same_twice(ground: Connection) -> None:
    for table in ("orders", "line", "archive"):
        ground.execute(f"ALTER POLICY own ON shop.{table} USING (true)".encode())

    def once() -> tuple[Finding, ...]:
        return verify(ground, "context-required").findings

    assert once() == once()
    assert [finding.object for finding in once()] == ["shop.archive", "shop.line", "shop.orders"]
