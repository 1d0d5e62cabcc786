"""The catalogue on a real database: every defect is caught by its rule, nothing sound is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from pytest_housekeeping.checks.rls import AskedBefore, evaluate_rules, verify_rule
from pytest_housekeeping.declarations.rls import DeclaredPolicy, RlsContract
from pytest_housekeeping.declarations.rules import fill
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from support.catalogue_cases import DEFECTS, GROUND, SHUT, SOUND
from support.doors import DOORS
from support.guarded import RULES, TODAY, laid_ground
from support.guarded import judged as judged_together
from support.reach_cases import REACH_DEFECTS

ONE_SESSION = True
CONTRACT = RlsContract(schemas=("desk",), roles=("desk_app",), context=("desk.me",))
STATIC = [rule for rule in RULES.values() if rule.family != "boundary" and not rule.proof]


@pytest.fixture
def desk(connection: Connection, superuser: Connection) -> Iterator[Connection]:
    with laid_ground(connection, superuser, GROUND, ("desk_app",)) as laid:
        yield laid


def judged(connection: Connection, rule: str, contract: RlsContract = CONTRACT) -> list[Finding]:
    return list(verify_rule(connection, contract, RULES[rule], today=TODAY).findings)


def all_judged(connection: Connection, contract: RlsContract = CONTRACT) -> list[Finding]:
    return judged_together(connection, contract, STATIC)


def test_looking_together_sees_what_each_rule_sees(desk: Connection) -> None:
    for _, _, sql in DEFECTS[::19]:
        with rolled_back(desk):
            desk.execute(sql.encode())
            alone = [finding for rule in STATIC for finding in judged(desk, rule.id)]
            assert evaluate_rules(desk, CONTRACT, STATIC).keys() == {rule.id for rule in STATIC}
            assert all_judged(desk) == alone


def test_a_broken_rule_is_named_and_the_others_still_judge(desk: Connection) -> None:
    broken = replace(RULES["rls-not-forced"], query="SELECT nonsense")
    seen = evaluate_rules(desk, CONTRACT, [RULES["rls-not-enabled"], broken])
    assert seen == {}
    before, rule = AskedBefore(evaluations=seen), RULES["rls-not-enabled"]
    assert verify_rule(desk, CONTRACT, rule, today=TODAY, before=before).passed
    with pytest.raises(RuleBroken, match="rls-not-forced"):
        verify_rule(desk, CONTRACT, broken, today=TODAY, before=before)


def test_the_ground_is_sound(desk: Connection) -> None:
    assert all_judged(desk) == []


@pytest.mark.parametrize(
    ("rule", "object", "sql"), DEFECTS, ids=[f"{n}-{case[0]}" for n, case in enumerate(DEFECTS)]
)
def test_a_defect_is_caught_by_its_rule(desk: Connection, rule: str, object: str, sql: str) -> None:
    desk.execute(sql.encode())
    findings = judged(desk, rule)
    assert object in [finding.object for finding in findings]
    assert not [finding for finding in findings if "{" in finding.fix or "<" in finding.detail[:1]]


def test_a_key_may_point_to_a_table_elsewhere_that_has_policies(desk: Connection) -> None:
    desk.execute(
        b"CREATE TABLE public.topic (id int PRIMARY KEY, owner int NOT NULL);"
        b"GRANT SELECT, DELETE ON public.topic TO desk_app;"
        b"CREATE TABLE desk.reply (owner int NOT NULL, topic int,"
        b" CONSTRAINT reply_topic FOREIGN KEY (topic) REFERENCES public.topic ON DELETE SET NULL);"
        b"CREATE POLICY own ON desk.reply TO desk_app USING (owner = desk.me());"
        + SHUT.format("public.topic").encode()
        + SHUT.format("desk.reply").encode()
    )
    assert judged(desk, "covert-cascade") == []
    desk.execute("CREATE POLICY own ON public.topic FOR DELETE TO desk_app USING (true)")
    (found,) = judged(desk, "covert-cascade")
    assert found.object == "reply_topic ON desk.reply"


@pytest.mark.parametrize("sql", SOUND, ids=[str(n) for n in range(len(SOUND))])
def test_a_sound_variant_has_no_finding(desk: Connection, sql: str) -> None:
    desk.execute(sql.encode())
    assert [(finding.rule, finding.object, finding.detail) for finding in all_judged(desk)] == []


def test_a_good_example_is_good_for_every_rule(desk: Connection) -> None:
    """All of them beside each other, and what each has made under the name of its rule."""
    row = desk.execute("SELECT quote_ident(current_database())").fetchone()
    assert row is not None
    values = {"schema": "desk", "role": "desk_app", "good_role": "desk_good", "database": row[0]}
    for rule in STATIC:
        mine = rf"\1_{rule.id.replace('-', '_')}"
        example = re.sub(r"\b(hk|desk)_(?:good|tripwire)", mine, fill(rule.good, values))
        desk.execute(example.encode())
    assert all_judged(desk) == []


def test_there_are_enough_cases() -> None:
    assert len(DEFECTS) >= 60
    assert len(SOUND) >= 40
    covered = {rule for rule, _, _ in DEFECTS} | {door.rule for door in DOORS}
    elsewhere = {rule.id for rule in STATIC} - covered
    assert elsewhere <= BY_SUPERUSER | BY_DECLARATION | {case.rule for case in REACH_DEFECTS}


BY_DECLARATION = {"policy-missing", "policy-differs", "policy-undeclared"}
BY_SUPERUSER = {
    "definer-exempt-owner",
    "foreign-table-readable",
    "leakproof-function",
    "role-bypasses-rls",
    "role-may-create-roles",
    "role-may-replicate",
    "role-owns-schema",
    "role-reaches-server",
    "role-reads-all-data",
    "setting-context",
    "setting-role",
    "setting-search-path",
    "trigger-as-owner",
    "user-mapping-open",
}


def test_a_repair_repairs(desk: Connection) -> None:
    """The fix of each finding, run as it is printed, takes the finding away."""
    kept = 0
    for rule, name, sql in DEFECTS:
        with rolled_back(desk):
            desk.execute(sql.encode())
            fixes = {f.fix for f in judged(desk, rule) if f.object == name}
            if not any("<" in fix for fix in fixes):
                for fix in sorted(fixes):
                    desk.execute(fix.encode())
                assert name not in [f.object for f in judged(desk, rule)], (rule, fixes)
                kept += 1
    assert kept >= 60


# What only a superuser can do. rule, object, SQL, undo
MIGHTY = (
    ("role-bypasses-rls", "desk_app", "ALTER ROLE desk_app BYPASSRLS", ""),
    ("role-bypasses-rls", "desk_app", "ALTER ROLE desk_app SUPERUSER", ""),
    (
        "role-bypasses-rls",
        "desk_app",
        (
            "CREATE ROLE desk_mighty BYPASSRLS; CREATE ROLE desk_middle;"
            "GRANT desk_mighty TO desk_middle WITH ADMIN OPTION; GRANT desk_middle TO desk_app"
        ),
        "DROP ROLE desk_mighty, desk_middle",
    ),
    ("role-may-replicate", "desk_app", "ALTER ROLE desk_app REPLICATION", ""),
    ("role-may-create-roles", "desk_app", "ALTER ROLE desk_app CREATEROLE", ""),
    ("role-reads-all-data", "desk_app", "GRANT pg_read_all_data TO desk_app", ""),
    (
        "role-reads-all-data",
        "desk_app",
        "CREATE ROLE desk_middle IN ROLE pg_write_all_data; GRANT desk_middle TO desk_app",
        "DROP ROLE desk_middle",
    ),
    ("role-reaches-server", "desk_app", "GRANT pg_execute_server_program TO desk_app", ""),
    ("role-reaches-server", "desk_app", "GRANT pg_write_server_files TO desk_app", ""),
    ("setting-context", "desk_app", "ALTER ROLE desk_app SET desk.me = '1'", ""),
    ("setting-context", "ROLE ALL", "ALTER ROLE ALL SET DESK.ME = '1'", "ALTER ROLE ALL RESET ALL"),
    ("setting-role", "desk_app", "ALTER ROLE desk_app SET role = 'hk_migrator'", ""),
    ("setting-row-security", "desk_app", "ALTER ROLE desk_app SET row_security = off", ""),
    (
        "setting-search-path",
        "desk_app",
        (
            "CREATE SCHEMA desk_app AUTHORIZATION desk_app;"
            'ALTER ROLE desk_app SET search_path = "$user", pg_catalog'
        ),
        "DROP SCHEMA desk_app",
    ),
    (
        "setting-search-path",
        "desk_app",
        "ALTER ROLE desk_app SET search_path = pg_temp, pg_catalog",
        "",
    ),
    (
        "user-mapping-open",
        "USER MAPPING FOR PUBLIC SERVER far",
        (
            "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER far FOREIGN DATA WRAPPER far;"
            "CREATE USER MAPPING FOR PUBLIC SERVER far"
        ),
        "DROP FOREIGN DATA WRAPPER far CASCADE",
    ),
    (
        "foreign-table-readable",
        "public.far",
        (
            "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER far FOREIGN DATA WRAPPER far;"
            "CREATE FOREIGN TABLE public.far (id int) SERVER far;"
            "GRANT SELECT (id) ON public.far TO desk_app"
        ),
        "DROP FOREIGN DATA WRAPPER far CASCADE",
    ),
    (
        "leakproof-function",
        'public."Le.ak"(text)',
        (
            'CREATE FUNCTION public."Le.ak"(text) RETURNS boolean LEAKPROOF LANGUAGE sql'
            " AS 'SELECT true'"
        ),
        'DROP FUNCTION public."Le.ak"(text)',
    ),
    (
        "definer-exempt-owner",
        "public.peek()",
        (
            "CREATE FUNCTION public.peek() RETURNS int SECURITY DEFINER SET search_path = ''"
            " LANGUAGE sql AS 'SELECT 1'"
        ),
        "DROP FUNCTION public.peek()",
    ),
)


@pytest.mark.parametrize(
    ("rule", "object", "sql", "undo"), MIGHTY, ids=[f"{n}-{c[0]}" for n, c in enumerate(MIGHTY)]
)
def test_what_only_a_superuser_plants_is_caught_and_repaired(
    desk: Connection, superuser: Connection, rule: str, object: str, sql: str, undo: str
) -> None:
    superuser.execute(sql.encode())
    try:
        findings = [finding for finding in judged(desk, rule) if finding.object == object]
        assert findings
        for finding in findings:
            superuser.execute(finding.fix.encode())
        assert object not in [finding.object for finding in judged(desk, rule)]
    finally:
        superuser.execute(undo.encode() or b"SELECT 1")


HARMLESS = (
    ("ALTER ROLE desk_app SET search_path = pg_catalog", ""),
    ("ALTER ROLE desk_app SET desk.me = ''", ""),
    ("ALTER ROLE hk_migrator SET row_security = off", "ALTER ROLE hk_migrator RESET ALL"),
    (
        "CREATE ROLE desk_middle BYPASSRLS",
        "DROP ROLE desk_middle",
    ),
)


@pytest.mark.parametrize(("sql", "undo"), HARMLESS)
def test_what_a_superuser_does_soundly_is_no_finding(
    desk: Connection, superuser: Connection, sql: str, undo: str
) -> None:
    superuser.execute(sql.encode())
    try:
        assert all_judged(desk) == []
    finally:
        superuser.execute(undo.encode() or b"SELECT 1")


@pytest.mark.parametrize(
    ("options", "caught"),
    [
        ("INHERIT FALSE, SET FALSE", False),
        ("INHERIT TRUE, SET FALSE", False),
        ("INHERIT FALSE, SET TRUE", True),
        ("INHERIT FALSE, SET FALSE, ADMIN TRUE", True),
    ],
)
def test_attributes_are_reached_by_set_role_and_admin_option_alone(
    desk: Connection, superuser: Connection, options: str, caught: bool
) -> None:
    if desk.info.server_version < 160000:
        pytest.skip("the options of a membership came with PostgreSQL 16")
    superuser.execute(
        f"CREATE ROLE desk_mighty BYPASSRLS; GRANT desk_mighty TO desk_app WITH {options}".encode()
    )
    try:
        assert [f.object for f in judged(desk, "role-bypasses-rls")] == ["desk_app"] * caught
    finally:
        superuser.execute("DROP ROLE desk_mighty")


def declared(**other: object) -> RlsContract:
    policy = DeclaredPolicy(
        table_object="desk.note",
        name="own",
        roles=("desk_app",),
        using_expression="(owner = ( SELECT\n desk.me() AS me))",
    )
    return replace(CONTRACT, policies=(replace(policy, **other),))  # type: ignore[arg-type]


def test_a_declared_policy_is_there_as_declared(desk: Connection) -> None:
    assert all_judged(desk, declared()) == []


@pytest.mark.parametrize(
    ("rule", "sql", "object"),
    [
        ("policy-missing", "DROP POLICY own ON desk.note", "own ON desk.note"),
        ("policy-missing", "DROP TABLE desk.note", "own ON desk.note"),
        ("policy-differs", "ALTER POLICY own ON desk.note USING (owner = 1)", "own ON desk.note"),
        ("policy-differs", "ALTER POLICY own ON desk.note TO PUBLIC", "own ON desk.note"),
        (
            "policy-differs",
            "ALTER POLICY own ON desk.note WITH CHECK (owner = 1)",
            "own ON desk.note",
        ),
        (
            "policy-differs",
            (
                "DROP POLICY own ON desk.note; CREATE POLICY own ON desk.note AS RESTRICTIVE"
                " FOR SELECT TO desk_app USING (owner = (SELECT desk.me()))"
            ),
            "own ON desk.note",
        ),
        (
            "policy-undeclared",
            "CREATE POLICY x ON desk.note TO desk_app USING (owner = desk.me())",
            "x ON desk.note",
        ),
    ],
)
def test_a_policy_that_strays_from_its_declaration_is_caught(
    desk: Connection, rule: str, sql: str, object: str
) -> None:
    desk.execute(sql.encode())
    findings = judged(desk, rule, declared())
    assert [finding.object for finding in findings] == [object]
    if "DROP TABLE" not in sql:
        desk.execute(findings[0].fix.encode())
        assert judged(desk, rule, declared()) == []


def test_a_chain_of_fifty_views_is_followed(desk: Connection) -> None:
    desk.execute("CREATE VIEW desk.v0 WITH (security_invoker) AS SELECT title FROM desk.note")
    for n in range(1, 50):
        invoker = "" if n == 25 else "WITH (security_invoker)"
        desk.execute(f"CREATE VIEW desk.v{n} {invoker} AS SELECT * FROM desk.v{n - 1}".encode())
    assert [(f.rule, f.object) for f in all_judged(desk)] == [
        ("view-without-security-invoker", "desk.v25")
    ]


def test_tables_that_share_a_policy_are_each_judged_by_their_own_columns(
    desk: Connection,
) -> None:
    """One tree of nodes for all of them: in what it says they differ by the names of columns."""
    for table, columns, compared in (
        ("a", "team integer, mate integer", "team"),
        ("b", "mate integer, team integer", "mate"),
        ("c", "team integer, mate integer", "team"),
        ("d", "team integer NOT NULL, mate integer", "team"),
    ):
        named = f"desk.{table}"
        desk.execute(f"CREATE TABLE {named} ({columns}); {SHUT.format(named)}".encode())
        policy = f"CREATE POLICY own ON {named} TO desk_app USING ({compared} = desk.me())"
        desk.execute(policy.encode())
    trees = desk.execute(
        "SELECT DISTINCT polqual::text FROM pg_policy WHERE polrelid::regclass::text ~ '[.][abcd]$'"
    ).fetchall()
    assert len(trees) == 1
    assert [(f.rule, f.object) for f in all_judged(desk)] == [
        ("policy-column-nullable", "desk.a.team"),
        ("policy-column-nullable", "desk.b.mate"),
        ("policy-column-nullable", "desk.c.team"),
    ]


@pytest.mark.parametrize("using", ["owner = 1 / 0", "1 / 0 = 1", "title::int = desk.me()"])
def test_a_policy_that_raises_an_error_breaks_no_rule(desk: Connection, using: str) -> None:
    desk.execute(f"CREATE POLICY x ON desk.note TO desk_app USING ({using})".encode())
    all_judged(desk)


def test_a_function_that_cannot_be_read_is_undecided(
    desk: Connection, superuser: Connection
) -> None:
    superuser.execute(
        "CREATE FUNCTION public.odd(int) RETURNS int LANGUAGE internal IMMUTABLE AS 'int4abs'"
    )
    try:
        desk.execute("CREATE POLICY x ON desk.note TO desk_app USING (public.odd(owner) = 1)")
        findings = judged(desk, "policy-false-immutable")
        assert [finding.object for finding in findings] == ["public.odd(integer)"]
        assert "undecided" in findings[0].detail
    finally:
        desk.execute("DROP POLICY x ON desk.note; ROLLBACK; BEGIN")
        superuser.execute("DROP FUNCTION public.odd(int)")


AWKWARD = ('"De""sk.Ä"', '"Ap""p %s Ö"', '"No.te{x}""ß"', '"Ow ner.é"')


def test_awkward_names_are_named_as_one_types_them(
    connection: Connection, superuser: Connection
) -> None:
    schema, role, table, column = AWKWARD
    contract = RlsContract(schemas=('De"sk.Ä',), roles=('Ap"p %s Ö',), context=("app.é",))
    superuser.execute(f"DROP ROLE IF EXISTS {role}".encode())
    superuser.execute(f"CREATE ROLE {role}; GRANT {role} TO hk_migrator".encode())
    try:
        connection.execute(
            f"BEGIN; CREATE SCHEMA {schema}; CREATE TABLE {schema}.{table} ({column} integer,"
            f" mail text UNIQUE, gone boolean); {SHUT.format(f'{schema}.{table}')}"
            f" CREATE POLICY {column} ON {schema}.{table} TO {role} USING"
            f" ({column} = current_setting('a.b')::int) WITH CHECK (gone);"
            f" CREATE POLICY {table} ON {schema}.{table} TO {role} USING ({column} IS NOT NULL"
            f" OR {column} IS NULL); GRANT ALL ON {schema}.{table} TO {role}, PUBLIC".encode()
        )
        findings = all_judged(connection, contract)
        rules = {finding.rule for finding in findings}
        assert rules >= {
            "policy-always-true",
            "policy-check-looser",
            "policy-column-nullable",
            "privilege-public",
            "privilege-trigger",
            "covert-unique",
        }
        assert {f"{schema}.{table}", f"{schema}.{table}.{column}"} <= {
            finding.object for finding in findings
        }
        for finding in findings:
            if "<" not in finding.fix:
                connection.execute("SAVEPOINT f")
                connection.execute(finding.fix.encode())
                connection.execute("ROLLBACK TO SAVEPOINT f")
    finally:
        connection.execute("ROLLBACK")
        superuser.execute(f"DROP ROLE {role}".encode())


def test_five_thousand_roles(desk: Connection, superuser: Connection) -> None:
    superuser.execute(
        "DO $$ BEGIN FOR i IN 1..5000 LOOP EXECUTE format('CREATE ROLE desk_many_%s', i);"
        " IF i > 4900 THEN EXECUTE format('GRANT desk_many_%s TO desk_many_%s', i, i - 1);"
        " ELSE EXECUTE format('GRANT desk_many_%s TO desk_app', i); END IF;"
        " IF i % 500 = 0 THEN COMMIT; END IF; END LOOP; END $$"
    )
    try:
        assert all_judged(desk) == []
        superuser.execute("ALTER ROLE desk_many_5000 BYPASSRLS")
        findings = judged(desk, "role-bypasses-rls")
        assert [finding.fix for finding in findings] == [
            "REVOKE desk_many_5000 FROM desk_many_4999;"
        ]
    finally:
        superuser.execute(
            "DO $$ BEGIN FOR i IN 1..5000 LOOP EXECUTE format('DROP ROLE desk_many_%s', i);"
            " IF i % 500 = 0 THEN COMMIT; END IF; END LOOP; END $$"
        )


def test_maintain_is_caught_where_it_exists(desk: Connection) -> None:
    if desk.info.server_version < 170000:
        pytest.skip("MAINTAIN came with PostgreSQL 17")
    desk.execute("GRANT MAINTAIN ON desk.note TO desk_app")
    findings = judged(desk, "privilege-on-whole-table")
    assert [finding.fix for finding in findings] == ["REVOKE MAINTAIN ON desk.note FROM desk_app;"]


def test_levels_say_how_grave_it_is() -> None:
    warnings = {rule.id for rule in STATIC if rule.level is Level.WARNING}
    assert {"covert-unique", "covert-foreign-key"} <= warnings
    assert {"rls-not-enabled", "policy-always-true", "role-bypasses-rls"} & warnings == set()
    assert {"covert-cascade", "publication-of-rows"} & warnings == set()


def test_every_rule_runs_read_only(desk: Connection) -> None:
    for rule in STATIC:
        try:
            judged(desk, rule.id)
        except psycopg.Error as error:  # pragma: no cover
            pytest.fail(f"{rule.id}: {error}")


def test_a_view_is_not_blamed_for_what_its_rule_does(desk: Connection) -> None:
    """What reads as the one who asks is no leak, whatever a rule of its own writes."""
    desk.execute(
        "CREATE VIEW desk.units AS SELECT 'kg' AS unit;"
        "CREATE RULE keep AS ON INSERT TO desk.units DO INSTEAD"
        " INSERT INTO desk.note (owner, title) VALUES (1, new.unit);"
        "CREATE VIEW desk.mine WITH (security_invoker) AS SELECT title FROM desk.note;"
        "CREATE RULE keep AS ON INSERT TO desk.mine DO INSTEAD"
        " INSERT INTO desk.note (owner, title) VALUES (1, new.title)"
    )
    assert {(f.rule, f.object) for f in all_judged(desk)} == {
        ("rule-as-owner", "keep ON desk.units"),
        ("rule-as-owner", "keep ON desk.mine"),
    }


def test_forcing_a_table_leaves_its_sign_up_working(desk: Connection) -> None:
    """Who signs up is written down by a trigger that runs as the owner of the table."""
    desk.execute(
        "CREATE TABLE desk.profile (owner integer PRIMARY KEY);"
        "ALTER TABLE desk.profile ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON desk.profile FOR SELECT TO desk_app USING (owner = desk.me());"
        "CREATE SCHEMA gate; CREATE TABLE gate.login (id integer);"
        "CREATE FUNCTION gate.sign_up() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path = '' AS $$ BEGIN"
        " INSERT INTO desk.profile (owner) VALUES (new.id); RETURN new; END $$;"
        "CREATE TRIGGER sign_up AFTER INSERT ON gate.login"
        " FOR EACH ROW EXECUTE FUNCTION gate.sign_up()"
    )
    (finding,) = judged(desk, "rls-not-forced")
    assert "for gate.sign_up(), which inserts as its owner" in finding.fix
    desk.execute(finding.fix.encode())
    assert judged(desk, "rls-not-forced") == []
    desk.execute("INSERT INTO gate.login VALUES (7)")
    # Whoever reads the rows of everybody is still found.
    assert "desk.profile" not in {f.object for f in all_judged(desk) if "always" in f.rule}
    desk.execute("DROP POLICY owner_inserts ON desk.profile")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        desk.execute("INSERT INTO gate.login VALUES (8)")


def test_a_policy_for_everybody_is_given_to_whom_it_serves_alone(
    desk: Connection, superuser: Connection
) -> None:
    superuser.execute("CREATE ROLE desk_other; GRANT desk_other TO hk_migrator")
    try:
        contract = replace(CONTRACT, roles=("desk_app", "desk_other"))
        desk.execute("CREATE POLICY x ON desk.note USING (owner = desk.me())")
        (finding,) = judged(desk, "policy-for-public", contract)
        assert finding.fix == "ALTER POLICY x ON desk.note TO desk_app;"
        assert finding.level is Level.WARNING
        # Another application that may read the table, and has no policy of its own.
        with rolled_back(desk):
            desk.execute(
                "GRANT USAGE ON SCHEMA desk TO desk_other; GRANT SELECT ON desk.note TO desk_other"
            )
            (finding,) = judged(desk, "policy-for-public")
            assert finding.level is Level.ERROR
            assert "lets in desk_other" in finding.detail
            desk.execute(finding.fix.encode())
            assert judged(desk, "policy-for-public") == []
    finally:
        superuser.execute("DROP ROLE desk_other")


def test_what_another_role_lives_by_is_not_taken_from_it(
    desk: Connection, superuser: Connection
) -> None:
    """A group that is the untrusted role's own loses the privilege, another login the member."""
    superuser.execute(
        "CREATE ROLE desk_team; CREATE ROLE desk_clerk LOGIN;"
        "GRANT desk_team, desk_clerk TO desk_app"
    )
    try:
        desk.execute("GRANT TRUNCATE ON desk.note TO desk_team, desk_clerk")
        fixes = {f.fix for f in judged(desk, "privilege-on-whole-table")}
        assert fixes == {
            "REVOKE TRUNCATE ON desk.note FROM desk_team;",
            "REVOKE desk_clerk FROM desk_app;",
        }
    finally:
        desk.execute("ROLLBACK; BEGIN")
        superuser.execute("DROP ROLE desk_team, desk_clerk")


def test_see_it_acts_as_the_role_that_the_finding_is_about(
    desk: Connection, superuser: Connection
) -> None:
    superuser.execute("CREATE ROLE desk_other; GRANT desk_other TO hk_migrator")
    try:
        contract = replace(CONTRACT, roles=("desk_app", "desk_other"))
        desk.execute(
            "GRANT USAGE ON SCHEMA desk TO desk_other;"
            "CREATE TABLE desk.open (line text); GRANT SELECT ON desk.open TO desk_other;"
            "CREATE VIEW desk.v AS SELECT title FROM desk.note;"
            "GRANT SELECT ON desk.v TO desk_other"
        )
        for rule in ("rls-not-enabled", "view-without-security-invoker", "context-required"):
            found = judged(desk, rule, contract)
            assert {each.role for each in found} == {"desk_other"}, rule
            assert all("SET LOCAL ROLE desk_other;" in each.leak for each in found), rule
        desk.execute("CREATE POLICY x ON desk.note FOR SELECT TO desk_app USING (true)")
        (found_one,) = judged(desk, "identity-isolated", contract)[:1]
        assert found_one.role == "desk_app"
    finally:
        desk.execute("ROLLBACK; BEGIN")
        superuser.execute("DROP ROLE desk_other")


def test_a_leak_is_closed_by_a_policy_that_is_not_there_yet(desk: Connection) -> None:
    desk.execute("CREATE POLICY own_rows_only ON desk.note TO desk_app USING (true)")
    (finding, *_) = judged(desk, "identity-isolated")
    assert finding.fix == (
        "CREATE POLICY own_rows_only_2 ON desk.note AS RESTRICTIVE TO desk_app\n"
        "USING (owner = ( SELECT desk.me() AS me));"
    )
    desk.execute(finding.fix.encode())
    assert judged(desk, "identity-isolated") == []
