"""Boundaries by doing: what the roles of a contract's source can reach, and can use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.rules.attempts import Answer, Attempt, attempt_all
from pytest_housekeeping.checks.rules.evaluation import Scope, findings_of, run_readonly, select
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Finding, Verdict
from pytest_housekeeping.postgres.connection import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A relation of the target, and the source's roles that were granted SELECT on it."""

    object: str
    schema: str
    kind: str
    readers: tuple[str, ...]


def prove_reach(connection: Connection, scope: Scope, roles: Sequence[str], rule: Rule) -> Verdict:
    """As each role of the source, every relation of the target answers 42501."""
    relations = read_relations(connection, scope)
    trials = [
        (role, relation, verb, statement)
        for role in roles
        for relation in relations
        for verb, statement in _entries(relation)
    ]
    answers = attempt_all(
        connection,
        [Attempt(role=role, statement=statement, query=False) for role, _, _, statement in trials],
    )
    found: dict[tuple[str, str], list[str]] = {}
    for (role, relation, verb, _), answer in zip(trials, answers, strict=True):
        if not answer.refused:
            found.setdefault((relation.object, role), []).append(f"{verb}: {_came(answer)}")
    findings = findings_of(
        rule,
        [
            {"object": name, "role": role, "detail": f"acting as {role}: {'; '.join(words)}"}
            for (name, role), words in found.items()
        ],
    )
    return Verdict(
        examined=len(relations) * len(roles),
        findings=findings,
        unit="relations",
        evidence=tuple(
            f"{role}: {sum((r.object, role) not in found for r in relations)}"
            f" of {len(relations)} relations answered 42501"
            for role in roles
        ),
    )


def prove_use(connection: Connection, scope: Scope, roles: Sequence[str], rule: Rule) -> Verdict:
    """As each role of the source, what the catalog grants can be read; at least one relation."""
    relations = read_relations(connection, scope)
    trials = [(role, relation) for relation in relations for role in relation.readers]
    answers = attempt_all(
        connection,
        [
            Attempt(role=role, statement=f"SELECT FROM {relation.object} LIMIT 1", query=False)
            for role, relation in trials
        ],
    )
    rows: list[Mapping[str, str]] = []
    usable = dict.fromkeys(roles, 0)
    for (role, relation), answer in zip(trials, answers, strict=True):
        if answer.refused:
            rows.append(
                {
                    "object": relation.object,
                    "schema_of_object": relation.schema,
                    "role": role,
                    "detail": f"{role} was granted SELECT, and is told: {answer}",
                }
            )
        else:
            usable[role] += 1
    findings: tuple[Finding, ...] = findings_of(rule, rows)
    if trials and any(usable.values()):
        return _used(relations, usable, findings)
    nothing = {
        "object": ", ".join(roles),
        "detail": "no relation of the target can be read: the contract allows what is not there",
        "fix": "GRANT SELECT on what the contract is about",
    }
    return _used(relations, usable, (*findings, *findings_of(rule, [nothing])))


def read_relations(connection: Connection, scope: Scope) -> tuple[Relation, ...]:
    """The relations of the target, by name."""
    row = run_readonly(connection, select(connection, scope, _QUERY))
    return tuple(Relation(**{**item, "readers": tuple(item["readers"])}) for item in row[0])


def _used(
    relations: Sequence[Relation], usable: Mapping[str, int], findings: tuple[Finding, ...]
) -> Verdict:
    return Verdict(
        examined=len(relations),
        findings=findings,
        unit="relations",
        evidence=tuple(f"{role}: {count} relations were read" for role, count in usable.items()),
    )


def _entries(relation: Relation) -> tuple[tuple[str, str], ...]:
    """Each is refused before the statement does anything: privileges are checked first."""
    ways = [("SELECT", f"SELECT FROM {relation.object} LIMIT 1")]
    if relation.kind in ("r", "p"):
        ways.append(("INSERT", f"INSERT INTO {relation.object} DEFAULT VALUES"))
        ways.append(("DELETE", f"DELETE FROM {relation.object} WHERE false"))
    return tuple(ways)


def _came(answer: Answer) -> str:
    return f"let in, then {answer}" if answer.sqlstate else "let in"


_QUERY = """
SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
    'object', t.object,
    'schema', pg_catalog.format('%I', t.schema),
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
