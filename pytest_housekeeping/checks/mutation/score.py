"""The mutation score: plant each classical slip in the user's schema, and see a check turn red."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import psycopg

from pytest_housekeeping.checks.boundaries import verify_contract
from pytest_housekeeping.checks.mutation.mutants import Mutant, boundary_mutants, rls_mutants
from pytest_housekeeping.checks.queries import verify_query
from pytest_housekeeping.checks.rls import evaluate_rules, judge_rule, verify_rule
from pytest_housekeeping.declarations.boundaries import FORBIDDEN
from pytest_housekeeping.declarations.contracts import Contracts
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection, rolled_back

SURVIVED = "mutation-survived"
SCORE = "mutation-score"
_UNPLANTABLE = "42501"
# How a check is called here: the catalog's rules all at once, one of them, or a contract.
_RULES, _RULE, _CONTRACT = "rules", "rule ", "contract "

_Seen = frozenset[tuple[str, str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What the mutants are judged by: the declarations, and the project's own queries."""

    contracts: Contracts
    queries: Mapping[str, str]
    today: date


def score(connection: Connection, ground: Ground, *, required: float) -> Verdict:
    """Plant every mutant in a savepoint; killed is one at which an error appears that was not
    there before. Below ``required``, a share from 0 to 1, the verdict fails; no mutant fails too.

    Tests under ``checks/`` are not run again for each mutant. Raises RuleBroken when a check
    cannot run on the schema as it is.
    """
    mutants = list(_mutants(connection, ground.contracts))
    before = {check: _errors(connection, ground, check) for check in _every(ground)}
    killed, survivors, unplanted = 0, [], []
    for mutant in mutants:
        with rolled_back(connection):
            try:
                connection.execute(mutant.sql.encode())
            except psycopg.Error as error:
                if error.sqlstate != _UNPLANTABLE:
                    raise
                unplanted.append(mutant)
                continue
            dead = any(
                not _is_as_before(connection, ground, check, before.get(check, before[_RULES]))
                for check in _checks_for(mutant, ground)
            )
        killed += dead
        if not dead:
            survivors.append(mutant)
    planted = len(mutants) - len(unplanted)
    reached = killed / planted if planted else 0.0
    said = f"{killed} of {planted} mutants killed ({reached:.1%})"
    said += f", {len(unplanted)} could not be planted by this role" if unplanted else ""
    return Verdict(
        examined=planted,
        unit="mutants",
        findings=(
            *(_survived(mutant) for mutant in survivors),
            *(_not_planted(mutant) for mutant in unplanted),
            *_gate(reached, required, said),
        ),
        evidence=(said,),
    )


def _mutants(connection: Connection, contracts: Contracts) -> Iterator[Mutant]:
    if contracts.rls is not None:
        yield from rls_mutants(connection, contracts.rls)
    if contracts.boundaries is not None:
        yield from boundary_mutants(connection, contracts.boundaries)


def _every(ground: Ground) -> Iterable[str]:
    """The names of all checks: the catalog's rules as one, each proof, contract and query."""
    contracts = ground.contracts
    yield _RULES
    if contracts.rls is not None:
        yield from (rule.id for rule in contracts.rules if rule.proof and rule.family != BOUNDARY)
    for contract in contracts.boundaries.contracts if contracts.boundaries else ():
        if contract.type == FORBIDDEN:
            yield f"{_CONTRACT}{contract.name}"
    yield from ground.queries


def _checks_for(mutant: Mutant, ground: Ground) -> Iterator[str]:
    """What is meant for it first; a slip in a table leaves the boundaries as they are."""
    catalog = {rule.id for rule in _catalog(ground.contracts)}
    yield from (f"{_RULE}{name}" for name in mutant.caught_by if name in catalog)
    for check in _every(ground):
        if check == _RULES or check in ground.queries:
            yield check
        elif check.startswith(_CONTRACT):
            if not mutant.table and check == f"{_CONTRACT}{mutant.object}":
                yield check
        elif mutant.table:
            yield check


def _catalog(contracts: Contracts) -> list[Rule]:
    """The rules that only read the catalog."""
    if contracts.rls is None:
        return []
    return [rule for rule in contracts.rules if not rule.proof and rule.family != BOUNDARY]


def _is_as_before(connection: Connection, ground: Ground, check: str, before: _Seen) -> bool:
    """A check that can no longer run has turned red as well."""
    try:
        return _errors(connection, ground, check) <= before
    except HousekeepingError:
        return False


def _errors(connection: Connection, ground: Ground, check: str) -> _Seen:
    """The errors that a check sees now, exemptions taken out."""
    contracts = ground.contracts
    exempt = {
        (each.rule, each.object)
        for each in (contracts.rls.exemptions if contracts.rls else ())
        if each.holds_on(ground.today)
    }
    return frozenset(
        (finding.rule, finding.object, finding.detail)
        for finding in _findings(connection, ground, check)
        if finding.level is Level.ERROR and (finding.rule, finding.object) not in exempt
    )


def _findings(connection: Connection, ground: Ground, check: str) -> Iterable[Finding]:
    contracts = ground.contracts
    if check in ground.queries:
        return verify_query(connection, check, ground.queries[check]).findings
    if contracts.boundaries is not None and check.startswith(_CONTRACT):
        contract = next(
            each
            for each in contracts.boundaries.contracts
            if each.name == check.removeprefix(_CONTRACT)
        )
        return verify_contract(connection, contracts.boundaries, contract, contracts.rules).findings
    if contracts.rls is None:
        return ()
    static = _catalog(contracts)
    if check == _RULES:
        evaluations = evaluate_rules(connection, contracts.rls, static)
        judged = [
            judge_rule(connection, contracts.rls, rule, evaluations=evaluations) for rule in static
        ]
        return [finding for verdict in judged for finding in verdict.findings]
    if check.startswith(_RULE):
        rule = next(each for each in static if each.id == check.removeprefix(_RULE))
        return judge_rule(connection, contracts.rls, rule).findings
    rule = next(each for each in contracts.rules if each.id == check)
    return verify_rule(connection, contracts.rls, rule, today=ground.today).findings


def _survived(mutant: Mutant) -> Finding:
    return Finding(
        rule=SURVIVED,
        level=Level.WARNING,
        object=mutant.object,
        detail=f"{mutant.slip}: no check turned red",
        fix=f"what would have caught it: {' or '.join(mutant.caught_by)}",
    )


def _not_planted(mutant: Mutant) -> Finding:
    return Finding(
        rule=SURVIVED,
        level=Level.NOTICE,
        object=mutant.object,
        detail=f"{mutant.slip}: the migrating role may not plant it, so it is not counted",
    )


def _gate(reached: float, required: float, said: str) -> Iterator[Finding]:
    if reached < required:
        yield Finding(
            rule=SCORE,
            level=Level.ERROR,
            object="mutation_score",
            detail=f"{said}, and mutation_score asks for {required:.1%}",
            fix="add the checks that the survivors name, or lower mutation_score",
        )
