"""The checks that a mutant is shown to: which there are, and the errors that each sees now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum

from pytest_housekeeping.checks.boundaries.verdict import verify_contract
from pytest_housekeeping.checks.mutation.mutants import Mutant
from pytest_housekeeping.checks.queries import verify_query
from pytest_housekeeping.checks.rls import AskedBefore, evaluate_rules, judge_rule, verify_rule
from pytest_housekeeping.declarations.boundaries import FORBIDDEN
from pytest_housekeeping.declarations.contracts import Contracts
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.postgres.connection import Connection

SeenErrors = frozenset[tuple[str, str, str]]
"""Rule, object and detail of each error."""


class CheckKind(Enum):
    """How a check is run."""

    ALL_RULES = "every rule that only reads the catalog, in one query"
    RULE = "one of these rules, in a small query of its own"
    PROOF = "one rule with a proof"
    CONTRACT = "one forbidden contract between parts"
    QUERY = "one query of checks/queries/"


@dataclass(frozen=True, kw_only=True, slots=True)
class MutationCheck:
    """One check by its kind and its name: a rule's id, a contract's name, a query's path."""

    kind: CheckKind
    name: str = ""


ALL_RULES = MutationCheck(kind=CheckKind.ALL_RULES)


@dataclass(frozen=True, kw_only=True, slots=True)
class MutationInput:
    """What the mutants are judged by: the declarations, and the project's own queries by path."""

    contracts: Contracts
    queries: Mapping[str, str]
    today: date


def all_checks(given: MutationInput) -> Iterator[MutationCheck]:
    """Every check once: the catalog's rules as one, each proof, contract and query."""
    contracts = given.contracts
    yield ALL_RULES
    for rule in contracts.rules if contracts.rls is not None else ():
        if rule.proof and rule.family != BOUNDARY:
            yield MutationCheck(kind=CheckKind.PROOF, name=rule.id)
    for contract in contracts.boundaries.contracts if contracts.boundaries else ():
        if contract.type == FORBIDDEN:
            yield MutationCheck(kind=CheckKind.CONTRACT, name=contract.name)
    for path in given.queries:
        yield MutationCheck(kind=CheckKind.QUERY, name=path)


def checks_for(mutant: Mutant, given: MutationInput) -> Iterator[MutationCheck]:
    """The checks that may catch a mutant, those that are meant for it first.

    A slip in a table is no matter of the boundaries, nor one against a contract of the proofs.
    """
    by_catalog = {rule.id for rule in _catalog_rules(given.contracts)}
    for name in mutant.caught_by:
        if name in by_catalog:
            yield MutationCheck(kind=CheckKind.RULE, name=name)
    for check in all_checks(given):
        if check.kind is CheckKind.CONTRACT:
            if not mutant.table and check.name == mutant.object:
                yield check
        elif check.kind is not CheckKind.PROOF or mutant.table:
            yield check


def errors_of(connection: Connection, given: MutationInput, check: MutationCheck) -> SeenErrors:
    """The errors that a check sees on the schema as it stands, exemptions taken out."""
    contracts = given.contracts
    exempt = {
        (each.rule, each.object)
        for each in (contracts.rls.exemptions if contracts.rls else ())
        if each.holds_on(given.today)
    }
    return frozenset(
        (finding.rule, finding.object, finding.detail)
        for finding in _findings(connection, given, check)
        if finding.level is Level.ERROR and (finding.rule, finding.object) not in exempt
    )


def _findings(
    connection: Connection, given: MutationInput, check: MutationCheck
) -> Iterable[Finding]:
    contracts = given.contracts
    if check.kind is CheckKind.QUERY:
        return verify_query(connection, check.name, given.queries[check.name]).findings
    if check.kind is CheckKind.CONTRACT:
        return _contract_findings(connection, contracts, check.name)
    if contracts.rls is None:
        return ()
    if check.kind is CheckKind.ALL_RULES:
        return _all_rules(connection, contracts.rls, _catalog_rules(contracts))
    rule = next(each for each in contracts.rules if each.id == check.name)
    if check.kind is CheckKind.RULE:
        return judge_rule(connection, contracts.rls, rule).findings
    return verify_rule(connection, contracts.rls, rule, today=given.today).findings


def _contract_findings(
    connection: Connection, contracts: Contracts, name: str
) -> Iterable[Finding]:
    boundaries = contracts.boundaries
    for contract in boundaries.contracts if boundaries else ():
        if boundaries is not None and contract.name == name:
            return verify_contract(connection, boundaries, contract, contracts.rules).findings
    return ()


def _all_rules(
    connection: Connection, contract: RlsContract, rules: list[Rule]
) -> Iterator[Finding]:
    before = AskedBefore(evaluations=evaluate_rules(connection, contract, rules))
    for rule in rules:
        yield from judge_rule(connection, contract, rule, before=before).findings


def _catalog_rules(contracts: Contracts) -> list[Rule]:
    """The rules that only read the catalog."""
    if contracts.rls is None:
        return []
    return [rule for rule in contracts.rules if not rule.proof and rule.family != BOUNDARY]
