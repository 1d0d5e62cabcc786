"""From a step of the plan to the check that judges it, on the uncommitted schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from pytest_housekeeping.declarations.code_baseline import Baseline, write_baseline
from pytest_housekeeping.declarations.contracts import BASELINE
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Finding, Kind, Level, Step, Verdict
from pytest_housekeeping.plan.steps import MUTANTS
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.promotion.app_connections import AppConnections
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.second_session import SecondSession
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.sql.text import decode
from pytest_housekeeping.whole_file import write_whole

if TYPE_CHECKING:
    from pytest_housekeeping.checks.catalog import Catalog
    from pytest_housekeeping.checks.code.readers.extract import Extraction
    from pytest_housekeeping.checks.code.verdict import AppCode
    from pytest_housekeeping.declarations.boundaries import Boundaries, Contract
    from pytest_housekeeping.declarations.objects import Objects
    from pytest_housekeeping.declarations.rules import Rule
    from pytest_housekeeping.promotion.rls_judging import RlsJudging
    from pytest_housekeeping.promotion.tripwires_ahead import TripwiresAhead


class Checks:
    """The checks of one run. What several of them need is read once, while the schema stands.

    ``throwaway`` lends an empty database to the tripwires, which are tried in it beside everything
    else; ``apps`` connects the applications' own tests to it. ``known`` may have the verdict of a
    step already, and proves it otherwise; ``beside`` may have it from a session beside this one.
    """

    def __init__(self, context: RunContext, throwaway: Throwaway) -> None:
        self.apps = AppConnections(context.plan, throwaway.database)
        self._context = context
        self._contracts = context.plan.contracts
        self._throwaway = throwaway
        self._begun = False
        self._tripwires: TripwiresAhead | None = None
        self._code: dict[str, Extraction] | None = None
        self._catalog: Catalog | None = None
        self._rls_judging: RlsJudging | None = None
        self._code_results: dict[str, AppCode] = {}
        self._written_baseline: Baseline | None = None
        self.known: Callable[[Step, Callable[[], Verdict]], Verdict] | None = None
        self.beside: SecondSession | None = None

    def judge(self, step: Step, connected: AbstractContextManager[Connection]) -> Verdict:
        """Run a check, ``connected`` unless it is known. Raises RuleBroken if it could not run."""
        if not self._begun:
            self._begun = True
            self._tripwires = self._tried_ahead()

        def prove() -> Verdict:
            if self._tripwires and self._is_tried_ahead(step) and self._tripwires.compared:
                return self._tripwires.verdict(self._rule(step.name))
            with connected as connection:
                beside = self.beside.verdict(connection, step) if self.beside else None
                return beside or self.judge_alone(connection, step)

        return self.known(step, prove) if self.known else prove()

    def judge_alone(self, connection: Connection, step: Step) -> Verdict:
        return _JUDGES[step.kind](self, connection, step)

    def code(self) -> dict[str, Extraction]:
        """What the code of each application names, read once."""
        if self._code is None:
            from pytest_housekeeping.checks.code.reading import read_code

            boundaries = self._contracts.boundaries
            root = self._context.config.root
            self._code = read_code(root, boundaries) if boundaries else {}
        return self._code

    def unjudged(self, connection: Connection) -> tuple[Finding, ...]:
        """What is protected or granted and judged by no contract; an error where that is asked."""
        from pytest_housekeeping.checks.unjudged import find_unjudged

        config = self._context.config
        level = Level.ERROR if config.require_rls_contract else Level.WARNING
        return find_unjudged(
            connection, self._contracts.rls, level=level, ours=config.history_schema
        )

    def schema_changed(self) -> None:
        """A segment was committed: what was read of the schema before holds no longer."""
        self._catalog = None

    def close(self) -> None:
        """End what goes on beside the steps, and the applications' connections."""
        for each in (self.beside, self._tripwires, self.apps):
            if each is not None:
                each.close()

    def _tried_ahead(self) -> TripwiresAhead | None:
        """The tripwires of the plan that need nothing of the schema, begun with."""
        steps = filter(self._is_tried_ahead, self._context.plan.steps)
        rules = [self._rule(step.name) for step in steps]
        if not rules:
            return None
        from pytest_housekeeping.promotion.tripwires_ahead import tried_ahead

        return tried_ahead(self._context, self._throwaway, rules)

    def _is_tried_ahead(self, step: Step) -> bool:
        """Whether it is a tripwire in the empty database, which needs nothing of the run's own once
        the two were compared."""
        codes = self._contracts.code_contracts
        return step.kind is Kind.TRIPWIRE and step.name not in (MUTANTS, *codes)

    # -- one method a kind of step ---------------------------------------------------------

    def _object(self, connection: Connection, step: Step) -> Verdict:
        from pytest_housekeeping.checks.objects import undeclared, verify_object

        objects = self._contracts.objects
        if objects is None:
            raise _undeclared(step)
        declared = {str(each): each for each in objects.declared}
        catalog = self._read_catalog(connection, objects)
        verdict = verify_object(catalog, declared[step.name])
        if step.name == str(objects.declared[-1]):
            # What stands there undeclared belongs to no object: it is said with the last one.
            extra = undeclared(catalog, objects)
            return Verdict(examined=verdict.examined, findings=(*verdict.findings, *extra))
        return verdict

    def _read_catalog(self, connection: Connection, objects: Objects) -> Catalog:
        if self._catalog is None:
            from pytest_housekeeping.checks.catalog import read_catalog

            self._catalog = read_catalog(connection, objects)
        return self._catalog

    def _query(self, connection: Connection, step: Step) -> Verdict:
        from pytest_housekeeping.checks.queries import verify_query

        text = decode(self._context.plan.sources.read(step.path), step.path)
        return verify_query(connection, step.path, text)

    def _rls(self, connection: Connection, step: Step) -> Verdict:
        if self._rls_judging is None:
            from pytest_housekeeping.promotion.rls_judging import RlsJudging

            contract = self._contracts.rls
            if contract is None:
                raise _undeclared(step)
            self._rls_judging = RlsJudging(context=self._context, contract=contract)
        return self._rls_judging.judge(connection, step)

    def _boundary(self, connection: Connection, step: Step) -> Verdict:
        contracts = self._contracts
        if contracts.boundaries is None:
            raise _undeclared(step)
        if step.name in contracts.running_contracts:
            from pytest_housekeeping.checks.app_tests.verdict import judge_app_tests

            contract = contracts.running_contracts[step.name]
            return judge_app_tests(connection, contracts.boundaries, contract, self.apps.of)
        if step.name in contracts.code_contracts:
            contract = contracts.code_contracts[step.name]
            return self._code_contract(connection, contracts.boundaries, contract)
        from pytest_housekeeping.checks.boundaries.verdict import verify_contract, without_exempt

        contract = next(each for each in contracts.boundaries.contracts if each.name == step.name)
        last, today = self._context.is_last(step.segment), self._context.today
        asked = (connection, contracts.boundaries, contract, contracts.rules)
        verdict = verify_contract(*asked, behaviour=last)
        exempt = contracts.boundary_exemptions
        return without_exempt(verdict, contract, exempt, today=today, behaviour=last)

    def _code_contract(
        self, connection: Connection, boundaries: Boundaries, contract: Contract
    ) -> Verdict:
        from pytest_housekeeping.checks.code.verdict import judge_code, resolve_code

        app, known = boundaries.source(contract), self.code()
        if app.name not in self._code_results:
            self._code_results[app.name] = resolve_code(connection, app, known[app.name])
        return judge_code(
            *(connection, boundaries, contract, self._context.config.root),
            today=self._context.today,
            code=known,
            resolved=self._code_results[app.name],
            exemptions=self._contracts.code_exemptions,
            baseline=self._baseline(connection, boundaries),
            # What the schema breaks concerns no contract: it is said with the app's first one.
            broken=contract == boundaries.first_on_code(app.name),
        )

    def _baseline(self, connection: Connection, boundaries: Boundaries) -> Baseline:
        """What is let stand: as declared, or as this run writes it down, which it does once.

        Where there is a baseline, what is new stays a finding: it can only shrink.
        """
        from pytest_housekeeping.checks.code.verdict import baseline_instances

        contracts, config = self._contracts, self._context.config
        if not self._context.options.write_baseline:
            return contracts.code_baseline
        if self._written_baseline is None:
            found = Counter(
                baseline_instances(
                    connection,
                    boundaries,
                    config.root,
                    code=self.code(),
                    exemptions=contracts.code_exemptions,
                )
            )
            known = self._context.plan.sources.has(path := f"{config.checks}/{BASELINE}")
            kept = found & contracts.code_baseline if known else found
            write_whole(config.root / path, write_baseline(kept.elements()))
            self._written_baseline = kept
        return self._written_baseline

    def _tripwire(self, connection: Connection, step: Step) -> Verdict:
        contracts = self._contracts
        if step.name in contracts.code_contracts and contracts.boundaries is not None:
            from pytest_housekeeping.checks.code.verdict import trip_code

            contract = contracts.code_contracts[step.name]
            return trip_code(connection, contracts.boundaries, contract)
        if step.name == MUTANTS:
            return self._mutants(connection)
        if self._tripwires is None:
            raise _undeclared(step)
        self._tripwires.compare(connection)
        return self._tripwires.verdict(self._rule(step.name))

    def _mutants(self, connection: Connection) -> Verdict:
        from pytest_housekeeping.checks.mutation import MutationInput, mutation_score

        config, plan = self._context.config, self._context.plan
        paths = [step.path for step in plan.steps if step.kind is Kind.QUERY]
        queries = {path: decode(plan.sources.read(path), path) for path in paths}
        today = self._context.today
        given = MutationInput(contracts=self._contracts, queries=queries, today=today)
        return mutation_score(connection, given, required=config.mutation_score)

    def _rule(self, name: str) -> Rule:
        return next(rule for rule in self._contracts.rules if rule.id == name)


def _undeclared(step: Step) -> RuleBroken:
    return RuleBroken(f"{step.id} has no declaration", why="a check without a contract is no check")


_JUDGES: dict[Kind, Callable[[Checks, Connection, Step], Verdict]] = {
    Kind.OBJECT: Checks._object,
    Kind.QUERY: Checks._query,
    Kind.RLS: Checks._rls,
    Kind.BOUNDARY: Checks._boundary,
    Kind.TRIPWIRE: Checks._tripwire,
}
