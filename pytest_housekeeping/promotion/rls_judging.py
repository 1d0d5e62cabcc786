"""The steps of ``checks/rls.toml``: what several of them ask of a schema is asked once."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from pytest_housekeeping.checks import rls
from pytest_housekeeping.checks.rls.tables import ProtectedTable
from pytest_housekeeping.checks.rules.evaluation import Evaluation
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Step, Verdict
from pytest_housekeeping.plan.check_steps import SCOPE, exemption_name
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.promotion.context import RunContext


class RlsJudging:
    """While a segment is verified its schema stays as it is: checks write in savepoints. So all
    rules that only read the catalog are evaluated in one query, tables are read once, and a rule
    that looks at the whole schema is proved once for itself and for all exemptions from it."""

    def __init__(self, context: RunContext, contract: RlsContract) -> None:
        self._context = context
        self._contract = contract
        self._rules = {rule.id: rule for rule in context.plan.contracts.rules}
        self._exemptions = {exemption_name(each): each for each in contract.exemptions}
        # By the segment, and by whether what nobody can reach yet is left out.
        self._evaluations: dict[tuple[int, bool], Mapping[str, Evaluation]] = {}
        self._tables: dict[tuple[int, bool], Sequence[ProtectedTable]] = {}
        self._proved: dict[tuple[int, bool], dict[str, Verdict]] = {}
        self._reading = threading.RLock()

    def judge(self, connection: Connection, step: Step) -> Verdict:
        """Raises RuleBroken when a rule could not run."""
        if step.name == SCOPE:
            return rls.verify_scope(connection, self._contract)
        exemption = self._exemptions.get(step.name)
        rule = self._rules[exemption.rule if exemption else step.name]
        unfinished = exemption is None and not self._context.is_last(step.segment)
        before = self._asked_before(connection, rule, (step.segment, unfinished))
        avoid_locks, today = not self._context.rules.throwaway, self._context.today
        asked = (connection, self._contract)
        if exemption:
            return rls.verify_exemption(
                *asked, exemption, rule, today=today, avoid_locks=avoid_locks, before=before
            )
        return rls.verify_rule(
            *asked,
            rule,
            today=today,
            unfinished=unfinished,
            avoid_locks=avoid_locks,
            before=before,
        )

    def _asked_before(
        self, connection: Connection, rule: Rule, at: tuple[int, bool]
    ) -> rls.AskedBefore:
        contract, (_, unfinished) = self._contract, at
        if not rule.proof and at not in self._evaluations:
            self._evaluations[at] = rls.evaluate_rules(
                connection, contract, self._rules.values(), unfinished=unfinished
            )

        def known() -> Sequence[ProtectedTable]:
            with self._reading:
                if at not in self._tables:
                    read = rls.known_tables(connection, contract, unfinished=unfinished)
                    self._tables[at] = read
                return self._tables[at]

        return rls.AskedBefore(
            evaluations=self._evaluations.get(at, {}),
            known=known,
            proved=self._proved.setdefault(at, {}),
        )
