"""Boundaries proved by acting as the roles of a contract's source: what is refused, what works.

PostgreSQL checks the privileges on every relation that a statement names before it runs the
statement, so each attempt is refused (42501) or let in without a row being read or changed first:
https://www.postgresql.org/docs/16/ddl-priv.html. What is let in is rolled back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg import sql

from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.checks.rules.evaluation import findings_of
from pytest_housekeeping.checks.rules.scope import RuleScope, run_readonly, scoped_query
from pytest_housekeeping.checks.rules.together import ask_together
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Finding, Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import quoted


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetRelation:
    """A relation of the target; ``readers`` are the source's roles that were granted SELECT."""

    schema: str
    object: str
    kind: str
    readers: tuple[str, ...]


def prove_out_of_reach(
    connection: Connection, scope: RuleScope, roles: Sequence[str], rule: Rule
) -> Verdict:
    """Every relation of the target refuses each role of the source with 42501."""
    relations = read_target_relations(connection, scope)
    closed = _closed_schemas(connection, roles, relations)
    trials = [
        (role, relation, command, statement)
        for role in roles
        for relation in relations
        if (role, relation.schema) not in closed
        for command, statement in _statements(relation)
    ]
    results = attempt_all(
        connection,
        [Attempt(role=role, statement=statement, query=False) for role, _, _, statement in trials],
    )
    let_in: dict[tuple[str, str], list[str]] = {}
    for (role, relation, command, _), result in zip(trials, results, strict=True):
        if not result.refused:
            words = f"let in, then {result}" if result.sqlstate else "let in"
            let_in.setdefault((relation.object, role), []).append(f"{command}: {words}")
    return Verdict(
        examined=len(relations) * len(roles),
        findings=findings_of(
            rule,
            [
                {
                    "object": name,
                    "role": quoted(role),
                    "detail": f"acting as {role}: {'; '.join(words)}",
                }
                for (name, role), words in let_in.items()
            ],
        ),
        unit="relations",
        evidence=tuple(
            f"{role}: {sum((each.object, role) not in let_in for each in relations)}"
            f" of {len(relations)} relations answered 42501"
            + "".join(f", all of schema {name}" for who, name in closed if who == role)
            for role in roles
        ),
    )


def _closed_schemas(
    connection: Connection, roles: Sequence[str], relations: Sequence[TargetRelation]
) -> list[tuple[str, str]]:
    """Each role with each schema that it may not even look into.

    PostgreSQL looks a name up in its schema before it asks for a privilege on what it finds there,
    so whatever names another relation of that schema is refused alike:
    https://www.postgresql.org/docs/16/ddl-schemas.html#DDL-SCHEMAS-PRIV
    """
    firsts = {relation.schema: relation for relation in reversed(relations)}
    asked = [(role, relation) for role in roles for relation in firsts.values()]
    attempts = [
        Attempt(role=role, statement=f"SELECT FROM {relation.object} LIMIT 1", query=False)
        for role, relation in asked
    ]
    return [
        (role, relation.schema)
        for (role, relation), result in zip(asked, attempt_all(connection, attempts), strict=True)
        if result.refused and result.message == f"permission denied for schema {relation.schema}"
    ]


def prove_allowed(
    connection: Connection, scope: RuleScope, roles: Sequence[str], rule: Rule
) -> Verdict:
    """Each role of the source can read what it was granted, and there is something to read."""
    relations = read_target_relations(connection, scope)
    trials = [(role, relation) for relation in relations for role in relation.readers]
    asked = [(role, f"EXISTS (SELECT FROM {relation.object})") for role, relation in trials]
    results = ask_together(connection, asked)
    refused: list[Mapping[str, str]] = []
    read_by = dict.fromkeys(roles, 0)
    for (role, relation), result in zip(trials, results, strict=True):
        if result.refused:
            refused.append(
                {
                    "object": relation.object,
                    "role": quoted(role),
                    "detail": f"{role} was granted SELECT, and is told: {result}",
                    "fix": _grant_of_what_is_denied(connection, relation, role, result.message),
                }
            )
        else:
            read_by[role] += 1
    findings: tuple[Finding, ...] = findings_of(rule, refused)
    if not refused and not any(read_by.values()):
        nothing = {
            "object": ", ".join(roles),
            "detail": "no relation of the target can be read:"
            " the contract allows what is not there",
            "fix": "GRANT SELECT on what the contract is about",
        }
        # It is about the roles: there is no relation to show it on.
        findings += tuple(replace(each, leak="") for each in findings_of(rule, [nothing]))
    return Verdict(
        examined=len(relations),
        findings=findings,
        unit="relations",
        evidence=tuple(f"{role}: {count} relations were read" for role, count in read_by.items()),
    )


def read_target_relations(connection: Connection, scope: RuleScope) -> tuple[TargetRelation, ...]:
    """The relations of the target, by name."""
    (items,) = run_readonly(connection, scoped_query(connection, scope, _QUERY))
    return tuple(TargetRelation(**{**item, "readers": tuple(item["readers"])}) for item in items)


def _grant_of_what_is_denied(
    connection: Connection, relation: TargetRelation, role: str, message: str
) -> str:
    """What the role lacks, as PostgreSQL calls it: the schema, or what a policy or a view uses."""
    denied = _DENIED.search(message)
    kind, name = (denied["kind"], denied["name"]) if denied else ("", "")
    if kind == "schema":
        return f"GRANT USAGE ON SCHEMA {quoted(name)} TO {quoted(role)};"
    needs = sql.SQL(_NEEDS).format(relation=sql.Literal(relation.object)).as_string(connection)
    (used,) = run_readonly(connection, needs.encode())
    held = [each["typed"] for each in used if each["name"] == name]
    if kind in _GRANTS and held:
        return f"GRANT {_GRANTS[kind]} {', '.join(held)} TO {quoted(role)};"
    return f"-- grant {role} what it is told to lack: {message}"


def _statements(relation: TargetRelation) -> tuple[tuple[str, str], ...]:
    """Commands that need a privilege, each with a statement that would do no harm."""
    found = [("SELECT", f"SELECT FROM {relation.object} LIMIT 1")]
    if relation.kind in ("r", "p"):
        found.append(("INSERT", f"INSERT INTO {relation.object} DEFAULT VALUES"))
        found.append(("DELETE", f"DELETE FROM {relation.object} WHERE false"))
    return tuple(found)


_DENIED = re.compile(r"permission denied for (?P<kind>\w+) (?P<name>.+)")
_GRANTS = {"function": "EXECUTE ON FUNCTION", "table": "SELECT ON", "view": "SELECT ON"}
# What the policies of a table, or a view, call and read.
_NEEDS = """
SELECT coalesce(pg_catalog.jsonb_agg(DISTINCT pg_catalog.jsonb_build_object(
    'name', coalesce(f.proname, c.relname),
    'typed', coalesce(f.oid::pg_catalog.regprocedure::text, c.oid::pg_catalog.regclass::text)
)), '[]')
FROM pg_catalog.pg_depend AS d
LEFT JOIN pg_catalog.pg_policy AS p
    ON d.objid = p.oid AND d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_rewrite AS w
    ON d.objid = w.oid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_proc AS f
    ON d.refobjid = f.oid AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_class AS c
    ON d.refobjid = c.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
WHERE
    coalesce(p.polrelid, w.ev_class) = {relation}::pg_catalog.regclass
    AND d.deptype = 'n'
    AND coalesce(f.oid, c.oid) IS NOT NULL
"""
_QUERY = """
SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
    'schema', t.schema,
    'object', t.object,
    'kind', t.relkind,
    'readers', (
        SELECT coalesce(pg_catalog.jsonb_agg(r.name ORDER BY r.name COLLATE "C"), '[]')
        FROM hk_source_role AS r
        WHERE
            t.relkind <> 'S'
            AND (
                pg_catalog.has_table_privilege(r.oid, t.oid, 'SELECT')
                OR pg_catalog.has_any_column_privilege(r.oid, t.oid, 'SELECT')
            )
    )
) ORDER BY t.object COLLATE "C"), '[]')
FROM hk_target_relation AS t
"""
