"""Every fix that is printed parses, whatever the names of tables, columns and roles in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from psycopg import sql

from pytest_housekeeping.checks.boundaries.verdict import judge_boundary
from pytest_housekeeping.checks.catalog import read_catalog
from pytest_housekeeping.checks.objects import undeclared, verify_object
from pytest_housekeeping.checks.rls import judge_rule
from pytest_housekeeping.checks.rules.evaluation import with_role_in_leak
from pytest_housekeeping.checks.rules.scope import boundary_scope
from pytest_housekeeping.declarations.boundaries import App, Boundaries, Contract
from pytest_housekeeping.declarations.objects import parse as parse_objects
from pytest_housekeeping.declarations.rls import DeclaredPolicy, RlsContract
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule, fill, shipped_rules
from pytest_housekeeping.declarations.toml import toml_string
from pytest_housekeeping.model import Finding
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.way_back.proposal import proposal_text, propose
from pytest_housekeeping.sql.identifiers import KEY_WORDS, in_quotes, quoted, split_name
from pytest_housekeeping.sql.parse import SyntaxRefused, parse
from pytest_housekeeping.sql.repeatable import take_down

# A setting is the one thing that cannot bear such a name.
SETTING = "hk_tripwire_0a.identity"
NAMES = ("order", "user", "Select", 'a"b', "x.y")
EACH_TURN = pytest.mark.parametrize("turn", range(len(NAMES)), ids=NAMES)
_TABLE_WORD = re.compile(r"\bhk_tripwire(?!_declared)\w*")
_COLUMN_WORD = re.compile(r"(?<!hk\.)\b(?:tenant|id|mail|parent|secret|person|gone|note)\b")
# A statement inside prose or a comment ends at the first semicolon that is in no quotes.
_STATEMENT = re.compile(
    r"""\b(?:ALTER|CREATE|DROP|GRANT|REVOKE|SELECT|SET)\b(?:"(?:[^"]|"")*"|'[^']*'|[^;"'])*;"""
)
_COMPLETED = {
    "CREATE INDEX": "t (c)",
    "CREATE VIEW": "AS SELECT 1",
    "CREATE FUNCTION": "RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TRIGGER": "x AFTER INSERT ON t EXECUTE FUNCTION f()",
}


@dataclass(frozen=True)
class Ground:
    """Which of the names stands for what; another turn gives each of them another place."""

    turn: int

    def name(self, place: int) -> str:
        return NAMES[(self.turn + place) % len(NAMES)]

    @property
    def contract(self) -> RlsContract:
        policy = DeclaredPolicy(
            table_object=self.table, name=self.name(1), roles=(self.role,), using_expression="true"
        )
        tripwire = DeclaredPolicy(
            table_object=quoted(self.name(0), "hk_tripwire_declared"),
            name="declared",
            using_expression="false",
        )
        return RlsContract(
            schemas=(self.name(0),),
            roles=(self.role,),
            context=("app.t", SETTING),
            policies=(policy, tripwire),
        )

    @property
    def boundaries(self) -> Boundaries:
        source = App(name="source", roles=(self.role,), schemas=(self.name(0),))
        target = App(name="target", roles=(self.name(3),), schemas=(self.name(1),))
        return Boundaries(
            apps=(source, target),
            contracts=(
                Contract(name="out", type="forbidden", source="source", target="target"),
                Contract(name="in", type="allowed", source="source", target="source"),
            ),
        )

    @property
    def role(self) -> str:
        return self.name(2)

    @property
    def table(self) -> str:
        return quoted(self.name(0), self.name(4))

    def script(self) -> str:
        source, target, role = quoted(self.name(0)), quoted(self.name(1)), quoted(self.role)
        column, other = quoted(self.name(0)), quoted(self.name(1))
        held = quoted(self.name(1), self.name(4))
        return f"""
            CREATE SCHEMA {source};
            CREATE SCHEMA {target};
            CREATE TABLE {self.table} ({column} text NOT NULL, {other} text);
            INSERT INTO {self.table} VALUES ('a'), ('b');
            ALTER TABLE {self.table} ENABLE ROW LEVEL SECURITY;
            ALTER TABLE {self.table} FORCE ROW LEVEL SECURITY;
            CREATE POLICY own ON {self.table} TO {role}
                USING ({column} = current_setting('app.t', true));
            GRANT USAGE ON SCHEMA {source} TO {role};
            GRANT SELECT, INSERT, UPDATE, DELETE ON {self.table} TO {role};
            CREATE TABLE {held} ({column} integer PRIMARY KEY);
            INSERT INTO {held} VALUES (1);
        """


@pytest.fixture
def roles(superuser: Connection) -> Iterator[None]:
    """The roles; they are gone when the database is."""
    for name in NAMES:
        role = sql.Identifier(name)
        superuser.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
        superuser.execute(sql.SQL("GRANT {} TO hk_migrator WITH ADMIN OPTION").format(role))
    yield
    for name in NAMES:
        role = sql.Identifier(name)
        superuser.execute(sql.SQL("DROP OWNED BY {}").format(role))
        superuser.execute(sql.SQL("DROP ROLE {}").format(role))


def refused(text: str) -> str:
    """What PostgreSQL's parser says against a text, or nothing."""
    try:
        parse(re.sub(r"<[a-z ]+>", "x", text))
    except SyntaxRefused as error:
        return f"{error.message}: {text}"
    return ""


def statements_in(text: str) -> list[str]:
    """The statements that a person would copy out of prose; what is left open is completed."""
    found = []
    for statement in _STATEMENT.findall(text):
        begin = " ".join(statement.split()[:2])
        found.append(statement.replace("...", _COMPLETED.get(begin, "...")))
    return found


def renamed(text: str, ground: Ground) -> str:
    """A tripwire whose tables and columns bear the names in question."""
    for words, first in ((_TABLE_WORD, 0), (_COLUMN_WORD, 2)):
        for place, word in enumerate(dict.fromkeys(words.findall(text)), start=first):
            text = re.sub(rf"(?<!hk\.)\b{word}\b", in_quotes(ground.name(place)), text)
    return text


@contextmanager
def planted(superuser: Connection, rule: Rule, values: Mapping[str, str]) -> Iterator[None]:
    wire = rule.tripwire
    with rolled_back(superuser):
        if wire.superuser:
            superuser.execute("SET LOCAL ROLE NONE")
            superuser.execute(fill(wire.superuser, values).encode())
            superuser.execute("SET LOCAL ROLE hk_migrator")
        superuser.execute(fill(wire.sql, values).encode())
        yield


def fired(superuser: Connection, rule: Rule, ground: Ground) -> tuple[Finding, ...]:
    """What a rule says of its own tripwire, planted under the names in question."""
    values = {
        "database": quoted(superuser.info.dbname),
        "migrator": "hk_migrator",
        "role": quoted(ground.role),
        "schema": quoted(ground.name(0)),
        "source_role": quoted(ground.role),
        "source_schema": quoted(ground.name(0)),
        "table": ground.table,
        "target_relation": quoted(ground.name(1), ground.name(4)),
        "target_schema": quoted(ground.name(0 if rule.contract == "allowed" else 1)),
        "tripwire_role": in_quotes(f"a.{ground.name(0)}"),
        "setting": SETTING,
    }
    wire = rule.tripwire
    by_superuser, by_migrator = renamed(f"{wire.superuser}\0{wire.sql}", ground).split("\0")
    odd = replace(rule, tripwire=replace(wire, superuser=by_superuser, sql=by_migrator))
    with planted(superuser, odd, values):
        if rule.family == BOUNDARY:
            contract = ground.boundaries.contracts[rule.contract == "allowed"]
            scope = boundary_scope(ground.boundaries, contract)
            verdict = judge_boundary(superuser, scope, (ground.role,), odd)
        else:
            only = frozenset({ground.table} if rule.proof else ())
            verdict = judge_rule(superuser, ground.contract, odd, only=only)
    return with_role_in_leak(verdict.findings, ground.role)


@contextmanager
def laid(connection: Connection, ground: Ground) -> Iterator[None]:
    connection.execute("BEGIN; SET LOCAL ROLE hk_migrator")
    try:
        connection.execute(ground.script().encode())
        yield
    finally:
        connection.execute("ROLLBACK")


@EACH_TURN
def test_the_fix_of_every_rule_parses(superuser: Connection, roles: None, turn: int) -> None:
    ground = Ground(turn)
    silent, wrong = [], []
    with laid(superuser, ground):
        for rule in shipped_rules():
            findings = fired(superuser, rule, ground)
            if not findings:
                silent.append(rule.id)
            for finding in findings:
                # As a whole, comments or statements; and what a comment in it proposes.
                for text in (finding.fix, finding.leak):
                    texts = [text, *statements_in(text)]
                    wrong += [f"{rule.id}: {said}" for each in texts if (said := refused(each))]
    assert silent == []
    assert wrong == []


@EACH_TURN
def test_the_fix_of_every_declared_object_parses(
    connection: Connection, roles: None, turn: int
) -> None:
    ground = Ground(turn)
    schema, gone = ground.name(0), ground.name(2)
    lists = {
        "schemas": [in_quotes(gone)],
        "roles": [in_quotes(f"{gone} of nobody"), in_quotes("table")],
        "views": [in_quotes(schema, gone)],
        "functions": [f"{in_quotes(schema, gone)}(integer)"],
        "indexes": [in_quotes(schema, gone)],
        "triggers": [in_quotes(schema, gone, gone)],
    }
    columns = ", ".join(
        f"{toml_string(in_quotes(name))} = 'bigint'" for name in map(ground.name, range(1, 5))
    )
    tables = "".join(
        f"{toml_string(in_quotes(schema, name))} = {{ {columns} }}\n"
        for name in (ground.name(4), gone)
    )
    declared = parse_objects(
        "".join(f"{key} = {[*names]}\n" for key, names in lists.items()) + f"[tables]\n{tables}",
        path="checks/objects.toml",
    )
    with laid(connection, ground):
        catalog = read_catalog(connection, declared)
        findings = [f for each in declared.declared for f in verify_object(catalog, each).findings]
        findings += undeclared(catalog, declared)
    assert {finding.rule for finding in findings} == {
        "column-missing",
        "column-type",
        "column-undeclared",
        "object-missing",
    }
    statements = [each for finding in findings for each in statements_in(finding.fix)]
    assert len(statements) == len(findings)
    assert [said for each in statements if (said := refused(each))] == []


@EACH_TURN
def test_what_is_proposed_from_two_dumps_parses(
    database: StagingDatabase, connection: Connection, roles: None, turn: int
) -> None:
    """A role, a column or a table that went, came or changed, in both directions."""
    ground = Ground(turn)
    first, second, third = (in_quotes(ground.name(place)) for place in (0, 1, 3))
    connection.execute(ground.script().encode())
    before = dump_schema(database.superuser_conninfo, server_major=16).decode()
    connection.execute(
        f"""
        ALTER TABLE {ground.table} DROP {second}, ADD {third} integer DEFAULT 1,
            ADD CONSTRAINT {third} CHECK ({third} > 0);
        ALTER TABLE {ground.table} OWNER TO CURRENT_USER;
        CREATE TABLE {first}.{third} ({first} integer PRIMARY KEY, {second} text NOT NULL);
        CREATE INDEX {second} ON {first}.{third} ({second});
        CREATE VIEW {first}.{first} AS SELECT {first} AS {second} FROM {first}.{third};
        CREATE FUNCTION {first}.{first}({second} integer) RETURNS integer
            LANGUAGE sql AS 'SELECT 1';
        CREATE POLICY {third} ON {ground.table} TO {quoted(ground.role)} USING ({third} = 1);
        GRANT SELECT ON {first}.{third} TO {quoted(ground.role)};
        CREATE TYPE {second}.{first} AS ENUM ('a');
        """.encode()
    )
    after = dump_schema(database.superuser_conninfo, server_major=16).decode()
    for old, new in ((before, after), (after, before)):
        proposed = propose(old, new)
        assert len(proposed) > 5
        assert [said for each in proposed if (said := refused(each.sql))] == []
        assert refused(proposal_text(proposed, run="r", migrations=(), folder="f")) == ""
    # What the objects of a repeatable file are taken down with.
    text = f"CREATE VIEW {first}.{first} AS SELECT 1; GRANT SELECT ON {first}.{first} TO {third};"
    assert refused(take_down(text)) == ""


def test_the_roles_of_a_backup_parse(
    database: StagingDatabase, connection: Connection, superuser: Connection, roles: None
) -> None:
    here = sql.Identifier(database.name)
    for name in NAMES:
        role = sql.Identifier(name)
        superuser.execute(
            sql.SQL(
                "GRANT CREATE ON DATABASE {} TO {} WITH GRANT OPTION;"
                "ALTER ROLE {} IN DATABASE {} SET work_mem = '1MB';"
                "COMMENT ON ROLE {} IS 'x'"
            ).format(here, role, role, here, role)
        )
    superuser.execute(
        sql.SQL("SET ROLE {}; GRANT CREATE ON DATABASE {} TO {}; RESET ROLE").format(
            sql.Identifier("order"), here, sql.Identifier("user")
        )
    )
    try:
        told = dump_roles(superuser).decode()
    finally:
        superuser.execute(
            sql.SQL("REVOKE ALL ON DATABASE {} FROM {} CASCADE").format(
                here, sql.Identifier("order")
            )
        )
    assert refused(told) == ""
    for name in NAMES:
        assert f"CREATE ROLE {in_quotes(name)} " in told
    # What PostgreSQL executes out of a string there.
    inner = [
        found.replace("''", "'").replace("%I", "here")
        for found in re.findall(r"format\('((?:[^']|'')*)'", told)
    ]
    assert len(inner) > 2 * len(NAMES)
    assert [said for each in inner if (said := refused(each))] == []


def test_names_are_quoted_as_postgresql_quotes_them(connection: Connection) -> None:
    """The key words of the server are known, and no other."""
    rows = connection.execute("SELECT word, catcode <> 'U' FROM pg_catalog.pg_get_keywords()")
    mine = {word for word, needs_quotes in rows.fetchall() if needs_quotes}
    assert mine <= KEY_WORDS
    words = [*NAMES, *mine, "plain", "_a1", "a$b", "1a", "über", "", "A", "a b", "'"]
    for name, by_server in connection.execute(
        "SELECT name, pg_catalog.quote_ident(name) FROM pg_catalog.unnest(%s::text[]) AS name",
        (words,),
    ).fetchall():
        assert quoted(name) == by_server
        assert split_name(quoted(name)) == ((name,) if name else ())
