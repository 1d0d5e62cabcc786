"""What the schema decides, where an earlier run of this machine has shown just that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pytest_housekeeping.model import Kind, Phase, Step, Verdict
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.kept_verdicts import KeptVerdicts, kept_verdicts
from pytest_housekeeping.sql.text import digest

_KINDS = (Kind.OBJECT, Kind.RLS, Kind.BOUNDARY)


@dataclass(kw_only=True)
class KnownChecks:
    """The checks of the last segment in one phase, as far as nothing but the schema decides them.

    ``facts`` are all that they depend on beside what is asked, once the schema has been read; None
    where nothing is kept. Kept are the verdicts of all of them, or of none.
    """

    context: RunContext
    phase: Phase
    facts: Callable[[], Sequence[object] | None]
    _shown: dict[str, Verdict] = field(default_factory=dict)

    def of(self, step: Step, prove: Callable[[], Verdict]) -> Verdict:
        """The verdict of a step: known, or proved now."""
        if step.id not in self._steps or self._kept is None:
            return prove()
        known = self._known.get(step.id)
        if known is not None:
            return known
        verdict = self._shown[step.id] = prove()
        if self._shown.keys() == self._steps:
            self._kept.keep(self._shown, at=self.context.run.started_at)
        return verdict

    @cached_property
    def _kept(self) -> KeptVerdicts | None:
        facts = self.facts()
        if facts is None:
            return None
        facts = [*facts, *_asked(self.context), sorted(self._steps)]
        return kept_verdicts(self.context, "proofs", facts)

    @cached_property
    def _known(self) -> Mapping[str, Verdict]:
        return self._kept.read() if self._kept else {}

    @cached_property
    def _steps(self) -> frozenset[str]:
        contracts = self.context.plan.contracts
        elsewhere = contracts.code_contracts.keys() | contracts.running_contracts.keys()
        return frozenset(
            step.id
            for step in self.context.plan.steps
            if step.phase is self.phase
            and step.kind in _KINDS
            and self.context.is_last(step.segment)
            and not (step.kind is Kind.BOUNDARY and step.name in elsewhere)
        )


def _asked(context: RunContext) -> list[object]:
    """What is asked of the schema; an exemption that ends has it asked anew."""
    plan, held = context.plan, context.plan.sources.held
    rls = plan.contracts.rls.exemptions if plan.contracts.rls else ()
    return [
        [each.holds_on(context.today) for each in (*rls, *plan.contracts.boundary_exemptions)],
        sorted((path, digest(data)) for path, data in held.items() if path.endswith(".toml")),
        [repr(rule) for rule in plan.contracts.rules],
        sorted(plan.contracts.roles),
    ]
