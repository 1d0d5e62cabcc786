"""Rows of others that pass the policies although they are not one's own: looked for among values
that are close to the identity's.

Two identities that were made up or found in the data differ in much; a policy that compares the
first eight letters tells them apart all the same. So the policies' own conditions are tried on rows
that are close to one's own, as the role, with its settings, on no table at all. What passes is a
row that the table would take and the role would reach, or write without ever seeing it again.
Where each alternative of a condition is an exact comparison there is nothing to look for.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from pytest_housekeeping.checks.rls.expressions.called import reads_tables
from pytest_housekeeping.checks.rls.expressions.constants import read_part_values
from pytest_housekeeping.checks.rls.expressions.context_only import ContextOnly
from pytest_housekeeping.checks.rls.expressions.never_true import KnownRows
from pytest_housekeeping.checks.rls.expressions.readable import (
    UnreadableExpression,
    parse_condition,
)
from pytest_housekeeping.checks.rls.expressions.rewrite import (
    ContextPart,
    PartValue,
    disjuncts_of,
)
from pytest_housekeeping.checks.rls.expressions.schema_usage import usage_grants
from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.identities.identities import TableIdentities
from pytest_housekeeping.checks.rls.literals import literal
from pytest_housekeeping.checks.rls.planner.condition import NEW_ROW, WRITES, policy_condition
from pytest_housekeeping.checks.rls.planner.fixed_columns import fixed_columns
from pytest_housekeeping.checks.rls.planner.near_cases import NearCase, near_cases
from pytest_housekeeping.checks.rls.planner.own_rows_policy import (
    own_rows_policy,
    seen_rows_policy,
)
from pytest_housekeeping.checks.rls.rows.candidate_values import candidates_of
from pytest_housekeeping.checks.rls.rows.constraint_values import (
    NoRow,
    one_row_query,
    row_told,
    typed,
)
from pytest_housekeeping.checks.rls.rows.near_values import near_values
from pytest_housekeeping.checks.rls.rows.table_shape import ColumnShape, TableShape, read_shapes
from pytest_housekeeping.checks.rls.tables import ProtectedTable, RolePrivileges
from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.declarations.identity import Claim, Identity
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import in_quotes

_MOST_COLUMNS = 6
_DOES = {
    "SELECT": "sees a row of others",
    "UPDATE": "changes a row of others",
    "DELETE": "deletes a row of others",
    "INSERT": "writes a row that it cannot see",
    NEW_ROW: "hands a row over by UPDATE",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class NearRow:
    """What a role can do to a row that is not of the identity it acts for, and the row."""

    identity: Identity
    does: str
    fix: str


def find_near_rows(
    ground: ProofGround, asked: Sequence[tuple[ProtectedTable, RolePrivileges, TableIdentities]]
) -> list[tuple[NearRow, ...]]:
    """For each role and table what it reaches, or hands over, of rows that are not its own."""
    cases = [
        each
        for number, (table, privileges, identities) in enumerate(asked)
        for each in near_cases(number, ground.context, table, privileges, identities)
    ]
    connection = ground.connection
    inexact = list(_inexact(connection, ground.context_only, _with_usage(connection, cases)))
    found: list[tuple[NearRow, ...]] = [()] * len(asked)
    if not inexact:
        return found
    tables = dict.fromkeys((each.table.schema, each.table.name) for each in inexact)
    shapes = read_shapes(connection, list(tables))
    for case, row in _passing(connection, inexact, shapes):
        does, fix = f"{_DOES[case.command]}: one with {row}", ""
        if case.command in WRITES:
            fix = seen_rows_policy(case.table, case.privileges)
        fix = fix or own_rows_policy(case.table, case.privileges, case.columns)
        near = NearRow(identity=case.identity, does=does, fix=fix)
        found[case.number] = (*found[case.number], near)
    return found


def _with_usage(connection: Connection, cases: Sequence[NearCase]) -> list[NearCase]:
    """The cases, each with the grants without which the role would not find what it names."""
    asked = [
        (
            case.privileges.role,
            case.condition,
            frozenset(column.type_schema for column in case.table.columns),
        )
        for case in cases
    ]
    grants = usage_grants(connection, asked)
    return [replace(case, setup=setup) for case, (setup, _) in zip(cases, grants, strict=True)]


def _inexact(
    connection: Connection, context_only: ContextOnly, cases: Sequence[NearCase]
) -> Iterator[NearCase]:
    """The cases in which some alternative does not compare every identity for just its value, with
    these alternatives as their condition. What reads tables is left to the rows in them."""
    values = read_part_values(
        connection,
        context_only,
        [(*each.session, each.setup, each.condition) for each in cases],
    )
    left: dict[Hashable, str] = {}
    for case in cases:
        exact = frozenset(column.name for column in case.table.columns if column.exact)
        # Many tables have the same policies: what is the same question is asked once.
        question = (
            *(case.session, case.condition, exact),
            *(tuple(case.columns.items()), tuple(case.values.items())),
        )
        if question not in left:
            known = values.get(case.session, {})
            left[question] = _left_of(case, exact, context_only, known)
        if left[question]:
            yield replace(case, condition=left[question])


def _left_of(
    case: NearCase,
    exact: frozenset[str],
    context_only: ContextOnly,
    known: Mapping[ContextPart, PartValue],
) -> str:
    """The alternatives that do not compare every identity for just its value; "" where all do."""
    try:
        texts = disjuncts_of(case.condition, context_only, known, KnownRows())
    except UnreadableExpression:
        return ""
    trees = {text: parse_condition(text) for text in texts}
    return " OR ".join(
        f"({text})"
        for text, tree in trees.items()
        if not _fixes_all(case, tree, exact) and not reads_tables(tree, context_only.functions)
    )


def _fixes_all(case: NearCase, disjunct: object, exact: frozenset[str]) -> bool:
    fixed = dict(fixed_columns(disjunct, exact))
    own = {claim for name, claim in case.columns.items() if fixed.get(name) == case.values[claim]}
    return own == set(case.columns.values())


def _passing(
    connection: Connection, cases: Sequence[NearCase], shapes: Mapping[str, TableShape]
) -> Iterator[tuple[NearCase, str]]:
    """The cases in which a row passes, with the row as ``column = value``."""
    tried: list[tuple[NearCase, list[ColumnShape], str]] = []
    for case in cases:
        shape = shapes.get(case.table.object)
        if shape is not None:
            try:
                tried.append((case, *_search(case, shape)))
            except NoRow:
                continue
    results = attempt_all(
        connection,
        [
            Attempt(
                role=case.privileges.role,
                settings=case.settings,
                setup=case.setup,
                statement=statement,
            )
            for case, _, statement in tried
        ],
    )
    for (case, columns, _), result in zip(tried, results, strict=True):
        if not result.sqlstate and result.value:
            yield case, row_told(columns, result.value[0])


def _search(case: NearCase, shape: TableShape) -> tuple[list[ColumnShape], str]:
    """A query over rows near the identity's own, for one that passes and is another's."""
    conditions = [f"({case.condition}) IS TRUE", *_is_anothers(case)]
    return one_row_query(shape, conditions, partial(_choices, case), _MOST_COLUMNS)


def _is_anothers(case: NearCase) -> Iterator[str]:
    """The row carries the identity in no column, or, where it is written, not in those of one
    value of the context; and then it could not be seen again."""
    seen = policy_condition(case.table, case.privileges, "SELECT")
    differs: dict[Claim, list[str]] = {}
    for name, claim in case.columns.items():
        differs.setdefault(claim, []).append(_differs(case, name, case.values[claim]))
    each = [f"({' AND '.join(texts)})" for texts in differs.values()]
    if case.command not in WRITES:
        yield f"({' AND '.join(each)}) IS TRUE"
        if case.command == "SELECT" and case.table.hidden:
            yield case.table.hidden
        return
    yield f"({' OR '.join(each)}) IS TRUE"
    if seen is not None and not case.table.is_public:
        hidden = f" AND {case.table.hidden}" if case.table.hidden else ""
        yield f"(({seen or 'true'}){hidden}) IS NOT TRUE"


def _differs(case: NearCase, name: str, value: str) -> str:
    """The column does not carry the value; one that is compared in part, as no step of a path."""
    column = case.table.column(name)
    if name in case.derived and column is not None and column.type in ("text", "character varying"):
        steps = f"pg_catalog.string_to_array({in_quotes(name)}, '/')"
        return f"({literal(value)} = ANY ({steps})) IS NOT TRUE"
    return (
        f"{in_quotes(name)} IS DISTINCT FROM {literal(value)}::{column.type if column else 'text'}"
    )


def _choices(case: NearCase, column: ColumnShape, texts: Sequence[str]) -> list[str]:
    claim = case.columns.get(column.name)
    if claim is None:
        found = [typed(column, text) for text in candidates_of(column, texts)]
    else:
        value = case.values[claim]
        found = [typed(column, text) for text in (value, *near_values(value, column))]
    return found if column.required else [typed(column, None), *found]
