"""Without a context no row can be read, inserted, changed or deleted: proved for each role.

Why this is sound: the session is tried in both states in which a setting carries nobody's identity,
never set and '' (https://www.postgresql.org/docs/16/functions-admin.html). Reading as the role
finds leaks in the rows that are there; it shows nothing about an empty table. So only the planner's
proof counts that no row of any kind passes (see ``planner.ask``), or, where a condition calls
functions of the project, that rows are there and none is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle

from pytest_housekeeping.checks.rls.expressions.constants import Settings
from pytest_housekeeping.checks.rls.expressions.context_only import ContextOnly
from pytest_housekeeping.checks.rls.expressions.names import settings_in
from pytest_housekeeping.checks.rls.findings import FindingCollector, read_any_row
from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.pages import tables_without_pages
from pytest_housekeeping.checks.rls.planner.exposure import Exposure, find_exposures
from pytest_housekeeping.checks.rls.proofs.made_up_reads import read_made_up_rows
from pytest_housekeeping.checks.rls.proofs.request import ProofRequest
from pytest_housekeeping.checks.rls.proofs.unset_setting import settings_never_set
from pytest_housekeeping.checks.rls.tables import (
    ProtectedTable,
    RolePrivileges,
    read_locked_tables,
    read_tables,
)
from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult
from pytest_housekeeping.checks.rules.scope import RuleScope
from pytest_housekeeping.checks.rules.together import attempt_together
from pytest_housekeeping.declarations.identity import Claim, strangers_of
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection

# What our own statement would raise if it were wrong: it says nothing about a policy.
_OUR_FAULT = ("42601", "42P01", "42703")

_FIX_UNDECIDED = (
    "-- compare a column with nullif(current_setting('<the setting>', true), '') in every"
    " alternative;\n-- a function of your own that rows must decide about is decided by seed rows"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Observation:
    """One role on one table in one state of the context: what reading and the planner say."""

    state: str
    result: AttemptResult
    exposure: Exposure


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """One role on one table. ``has_rows`` is None where nobody has looked whether it has any;
    ``made_up`` is what it reads of rows made up, in each state."""

    table: ProtectedTable
    privileges: RolePrivileges
    has_rows: bool | None
    observations: tuple[_Observation, ...]
    made_up: tuple[tuple[str, AttemptResult], ...] = ()

    @property
    def only_rows_decide(self) -> bool:
        """The planner is told too little, and there is no row to see it by."""
        exposures = [each.exposure for each in self.observations]
        undecided = [each for each in exposures if each.undecided]
        return (
            not self.has_rows
            and bool(undecided)
            and all(each.depends_on_functions for each in undecided)
            and not any(each.leak for each in exposures)
        )


def prove_no_context(connection: Connection, request: ProofRequest) -> Verdict:
    """Without a context an untrusted role reaches no row, or is told an error.

    Tried with the settings never set, and with ''. Raises RuleBroken when the migrator cannot act
    as a role.
    """
    scope = request.scope
    ground = request.ground(connection)
    tables = request.chosen(ground.known)
    collector = request.collector()
    pairs = [(table, privileges) for table in tables for privileges in table.privileges]
    states = _states(request, tables, ground.context_only)
    context = [name for name, _ in states[0][1]]
    with settings_never_set(connection, context, scope) as rewriting:
        # Policies that have been rewritten: their new texts are what the planner is asked about.
        read = read_tables(connection, scope) if rewriting.any else ground.known
        now = {table.object: table for table in read}
        rewritten = [(now[table.object], privileges) for table, privileges in pairs]
        meanwhile = replace(ground, known=tuple(now.values()))
        absent = _observe(meanwhile, rewritten, (), "absent")
    seen = [_observe(ground, pairs, settings, state) for state, settings in states]
    observed = [absent, *seen]
    readable = _readable_tables(
        connection, scope, tables, pairs, [each for state in observed for each in state]
    )
    has_rows = _has_rows(connection, readable)
    cases = [
        _Case(
            table=table,
            privileges=privileges,
            has_rows=has_rows.get(table.object),
            observations=tuple(observations),
        )
        for (table, privileges), *observations in zip(pairs, *observed, strict=True)
    ]
    rows_decide = [(each.table, each.privileges) for each in cases if each.only_rows_decide]
    made_up = read_made_up_rows(ground, scope, rows_decide, states)
    for case in cases:
        seen_there = made_up.get((case.table.object, case.privileges.role))
        _judge(collector, replace(case, made_up=tuple(seen_there)) if seen_there else case)
    collector.findings += [_untried(request.rule, name) for name in rewriting.left]
    return collector.verdict(tables)


def _states(
    request: ProofRequest, tables: Sequence[ProtectedTable], context_only: ContextOnly
) -> list[tuple[str, Settings]]:
    """What a session for nobody has in its settings, each with its name."""
    texts = [text for table in tables for text in table.expressions]
    declared = request.contract.context
    # A setting that a policy reads carries an identity as well, whether it is declared or not.
    context = tuple(dict.fromkeys((*declared, *settings_in(texts, context_only))))
    others = [Claim(setting=name) for name in context if name not in declared]
    empty = tuple((name, "") for name in context)
    return [("''", empty), *strangers_of((*request.contract.identity, *others))]


def _observe(
    ground: ProofGround,
    pairs: Sequence[tuple[ProtectedTable, RolePrivileges]],
    settings: Settings,
    state: str,
) -> list[_Observation]:
    results = read_any_row(ground.connection, pairs, settings)
    exposures = find_exposures(ground, pairs, settings, state)
    return [
        _Observation(state=state, result=result, exposure=exposure)
        for result, exposure in zip(results, exposures, strict=True)
    ]


def _readable_tables(
    connection: Connection,
    scope: RuleScope,
    tables: Sequence[ProtectedTable],
    pairs: Sequence[tuple[ProtectedTable, RolePrivileges]],
    observations: Sequence[_Observation],
) -> list[ProtectedTable]:
    """The tables that may be read past their policies, which can lock them.

    Where locks are to be avoided, these are the ones that are locked already, and the ones that
    only their rows can decide.
    """
    if not scope.avoid_locks:
        return list(tables)
    locked = read_locked_tables(connection)
    rows_decide = {
        table.object
        for (table, _), observation in zip(cycle(pairs), observations, strict=False)
        if observation.exposure.undecided and observation.exposure.depends_on_functions
    }
    return [table for table in tables if table.object in locked | rows_decide]


def _has_rows(connection: Connection, tables: Sequence[ProtectedTable]) -> dict[str, bool]:
    """Whether each table has any row, read past the policies; only those that the migrator owns."""
    empty = tables_without_pages(connection)
    owned = [table for table in tables if table.owned]
    asked = [table for table in owned if (table.schema, table.name) not in empty]
    results = attempt_together(
        connection,
        [
            Attempt(setup=table.no_force, statement=f"SELECT EXISTS (SELECT FROM {table.object})")
            for table in asked
        ],
    )
    found = {table.object for table, result in zip(asked, results, strict=True) if result.value}
    return {table.object: table.object in found for table in owned}


def _judge(collector: FindingCollector, case: _Case) -> None:
    table, privileges = case.table, case.privileges
    seen = []
    for each in case.observations:
        if each.result.value:
            text = f"{privileges.role} reads rows while the context is {each.state}"
            collector.add_leak(table, privileges.role, text)
            return
        if each.result.sqlstate in _OUR_FAULT:
            reason = f"{privileges.role}: reading failed: {each.result}"
            collector.add_undecided(table, reason, "-- repair its policies")
            return
        seen.append(f"{each.state}: {each.result.sqlstate or 'no row'}")
    what_was_seen = ", ".join(seen)
    if not privileges.any and all(each.result.refused for each in case.observations):
        collector.add_evidence(table, privileges.role, "no privilege, 42501")
    elif _planner_closes(collector, case, what_was_seen):
        collector.add_evidence(table, privileges.role, _evidence(case, what_was_seen))


def _planner_closes(collector: FindingCollector, case: _Case, what_was_seen: str) -> bool:
    """Whether the planner has proved the table closed; what it has not is a finding or evidence."""
    exposures = [each.exposure for each in case.observations]
    leak = next((each.leak for each in exposures if each.leak), "")
    if leak:
        collector.add_leak(case.table, case.privileges.role, leak)
        return False
    undecided = [each for each in exposures if each.undecided]
    if not undecided:
        return True
    first = undecided[0].undecided
    if case.made_up:
        _judge_made_up(collector, case)
    elif case.has_rows and all(each.depends_on_functions for each in undecided):
        text = f"{what_was_seen}; the planner is not told: {first}"
        collector.add_evidence(case.table, case.privileges.role, text)
    else:
        collector.add_undecided(case.table, " ".join(first.split()), _FIX_UNDECIDED)
    return False


def _judge_made_up(collector: FindingCollector, case: _Case) -> None:
    role = case.privileges.role
    for state, result in case.made_up:
        if result.value:
            text = f"{role} reads rows made up while the context is {state}"
            collector.add_leak(case.table, role, text)
            return
    seen = ", ".join(f"{state}: {result.sqlstate or 'no row'}" for state, result in case.made_up)
    collector.add_evidence(case.table, role, f"rows made up: {seen}")


def _evidence(case: _Case, what_was_seen: str) -> str:
    raised = [
        f"{each.state}: {each.exposure.raised.split()[0]}"
        for each in case.observations
        if each.exposure.raised
    ]
    proof = "the planner: no row passes its policies"
    proof += f" ({', '.join(raised)})" if raised else ""
    if not case.privileges.may_read:
        return f"it may not read; {proof}"
    if not case.privileges.read_policy and case.table.row_security:
        return f"no policy lets it read: {what_was_seen}; {proof}"
    return f"{what_was_seen if case.has_rows else 'no row to try it on'}; {proof}"


def _untried(rule: Rule, name: str) -> Finding:
    return Finding(
        rule=rule.id,
        level=Level.WARNING,
        object=name,
        detail="a setting that was never set could not be tried here: another role owns it",
        fix="-- make the migrator its owner, or a member of its owner",
    )
