"""From a step of the plan to the check that judges it, on the uncommitted schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

from pytest_housekeeping.declarations.code_baseline import Baseline, write_baseline
from pytest_housekeeping.declarations.contracts import BASELINE
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Finding, Kind, Level, Mode, Step, Verdict
from pytest_housekeeping.plan.check_steps import SCOPE, exemption_name, needs_canaries
from pytest_housekeeping.plan.rollback_files import rollback_of
from pytest_housekeeping.plan.steps import MUTANTS
from pytest_housekeeping.postgres.connection import Connection

if TYPE_CHECKING:
    from pytest_housekeeping.declarations.boundaries import Boundaries, Contract
    from pytest_housekeeping.declarations.rules import Rule
    from pytest_housekeeping.promotion.context import Surroundings


def judge(connection: Connection, around: Surroundings, step: Step) -> Verdict:
    """Run the check of a step. Raises RuleBroken when it could not run: never a pass."""
    return _JUDGES[step.kind](connection, around, step)


def only_reads(around: Surroundings, step: Step) -> bool:
    """Whether the check of a step is held to reading: in a watch, all that needs no canary is."""
    plan = around.plan
    return plan.mode is Mode.VERIFY and not (
        step.kind is Kind.BOUNDARY or needs_canaries(plan.contracts, step)
    )


def _object(connection: Connection, around: Surroundings, step: Step) -> Verdict:
    from pytest_housekeeping.checks import objects as verification

    objects = around.plan.contracts.objects
    if objects is None:
        raise _vanished(step)
    declared = {str(each): each for each in objects.declared}
    catalog = around.catalog(connection, objects)
    verdict = verification.verify_object(catalog, declared[step.name])
    if step.name == str(objects.declared[-1]):
        # What stands there undeclared belongs to no object: it is said with the last one.
        extra = verification.undeclared(catalog, objects)
        return Verdict(examined=verdict.examined, findings=(*verdict.findings, *extra))
    return verdict


def _query(connection: Connection, around: Surroundings, step: Step) -> Verdict:
    from pytest_housekeeping.checks import objects as verification

    text = (around.config.root / step.path).read_text(encoding="utf-8")
    return verification.verify_query(connection, step.path, text)


def _rls(connection: Connection, around: Surroundings, step: Step) -> Verdict:
    from pytest_housekeeping.checks import rls

    contracts = around.plan.contracts
    if contracts.rls is None:
        raise _vanished(step)
    if step.name == SCOPE:
        return rls.verify_scope(connection, contracts.rls)
    today = around.today
    for exemption in contracts.rls.exemptions:
        if exemption_name(exemption) == step.name:
            return rls.verify_exemption(
                connection, contracts.rls, exemption, contracts.rules, today=today
            )
    unfinished = not around.is_last(step.segment)
    if step.segment not in around.looks:
        # The schema stays as it is while a segment is verified: what checks write is rolled back.
        around.looks[step.segment] = rls.evaluate_rules(
            connection, contracts.rls, contracts.rules, unfinished=unfinished
        )
    return rls.verify_rule(
        connection,
        contracts.rls,
        _rule(around, step.name),
        unfinished=unfinished,
        evaluations=around.looks[step.segment],
        avoid_locks=around.plan.mode is not Mode.STAGING,
        today=today,
    )


def _boundary(connection: Connection, around: Surroundings, step: Step) -> Verdict:
    from pytest_housekeeping.checks.boundaries import verify_contract

    contracts = around.plan.contracts
    if contracts.boundaries is None:
        raise _vanished(step)
    if step.name in contracts.running_contracts:
        from pytest_housekeeping.checks.app_tests import judge_app_tests

        contract = contracts.running_contracts[step.name]
        return judge_app_tests(connection, contracts.boundaries, contract, around.app_door)
    if step.name in contracts.code_contracts:
        return _code(connection, around, contracts.boundaries, contracts.code_contracts[step.name])
    contract = next(each for each in contracts.boundaries.contracts if each.name == step.name)
    return verify_contract(
        connection,
        contracts.boundaries,
        contract,
        contracts.rules,
        behaviour=around.is_last(step.segment),
        canaries=around.plan.canaries,
    )


def _code(
    connection: Connection, around: Surroundings, boundaries: Boundaries, contract: Contract
) -> Verdict:
    from pytest_housekeeping.checks.code.verdict import judge as code

    contracts = around.plan.contracts
    app = boundaries.source(contract)
    known = around.code()
    if app.name not in around.grounds:
        around.grounds[app.name] = code.resolve_code(connection, app, known[app.name])
    return code.judge_code(
        connection,
        boundaries,
        contract,
        around.config.root,
        code=known,
        resolved=around.grounds[app.name],
        exemptions=contracts.code_exemptions,
        baseline=_baseline(connection, around, boundaries),
        # What the schema breaks is no matter of the contract: it is said with the first of the app.
        broken=contract == next(each for each in boundaries.on_code if each.source == app.name),
    )


def _baseline(connection: Connection, around: Surroundings, boundaries: Boundaries) -> Baseline:
    """What is let stand: as it is declared, or as this run writes it down, which it does once.

    Where there is a baseline, what is new stays a finding: it can only shrink.
    """
    from pytest_housekeeping.checks.code.verdict.judge import instances

    contracts, config = around.plan.contracts, around.config
    if not around.write_baseline:
        return contracts.code_baseline
    if around.written_baseline is None:
        found = Counter(
            instances(
                connection,
                boundaries,
                config.root,
                code=around.code(),
                exemptions=contracts.code_exemptions,
            )
        )
        path = config.root / config.checks / BASELINE
        kept = found & contracts.code_baseline if path.is_file() else found
        path.write_text(write_baseline(kept.elements()), encoding="utf-8")
        around.written_baseline = kept
    return around.written_baseline


def _tripwire(connection: Connection, around: Surroundings, step: Step) -> Verdict:
    from pytest_housekeeping.checks.tripwires import trip

    contracts = around.plan.contracts
    if step.name in contracts.code_contracts and contracts.boundaries is not None:
        from pytest_housekeeping.checks.code.verdict.tripwire import trip_code

        contract = contracts.code_contracts[step.name]
        return trip_code(connection, contracts.boundaries, contract)
    if step.name == MUTANTS:
        return _mutants(connection, around)
    rule = _rule(around, step.name)
    planting = around.superuser() if rule.tripwire.superuser else nullcontext(None)
    with planting as superuser:
        return trip(connection, superuser, contracts.rls, contracts.boundaries, rule)


def _rollback(connection: Connection, around: Surroundings, step: Step) -> Verdict:
    """The schema gone back to; in staging, a migration that nothing undoes and that says why."""
    if around.plan.mode is Mode.ROLLBACK:
        return around.judge_undone(connection)
    file = around.file(step)
    if file.irreversible:
        said = (f"irreversible: {file.irreversible}",)
        return Verdict(examined=1, unit="migrations", evidence=said)
    finding = Finding(
        rule="rollback-missing",
        level=Level.ERROR,
        object=file.path,
        detail="has no rollback file, and require_rollback asks for one",
        fix=f"write {rollback_of(file.path)}, or say in the migration: -- hk: irreversible, REASON",
    )
    return Verdict(examined=1, unit="migrations", findings=(finding,))


def _mutants(connection: Connection, around: Surroundings) -> Verdict:
    from pytest_housekeeping.checks.mutation.score import Ground, score

    config = around.config
    queries = [step.path for step in around.plan.steps if step.kind is Kind.QUERY]
    ground = Ground(
        contracts=around.plan.contracts,
        queries={path: (config.root / path).read_text(encoding="utf-8") for path in queries},
        today=around.today,
    )
    return score(connection, ground, required=config.mutation_score)


def _rule(around: Surroundings, name: str) -> Rule:
    return next(rule for rule in around.plan.contracts.rules if rule.id == name)


def _vanished(step: Step) -> RuleBroken:
    return RuleBroken(f"{step.id} has no declaration", why="a check without a contract is no check")


_JUDGES: dict[Kind, Callable[[Connection, Surroundings, Step], Verdict]] = {
    Kind.OBJECT: _object,
    Kind.QUERY: _query,
    Kind.RLS: _rls,
    Kind.BOUNDARY: _boundary,
    Kind.TRIPWIRE: _tripwire,
    Kind.ROLLBACK: _rollback,
}
