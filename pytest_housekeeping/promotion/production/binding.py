"""What a promotion is bound to: gathered from its plan, its rehearsal and its target, and compared.

What is bound is what was read and what was measured, and not the commit: evidence that is merged
between the plan and the promotion changes nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_housekeeping import __version__
from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.pinned_settings import pinned
from pytest_housekeeping.errors import ProofFailed, listed
from pytest_housekeeping.evidence.bound import Bound, SecondPerson
from pytest_housekeeping.model import Kind, Phase, TargetIdentity, Verdict
from pytest_housekeeping.plan.binding import CALLED, BoundParts
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.judging import Checks
from pytest_housekeeping.promotion.prechecks.approvals import approvals_of, refuse_unapproved
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.promoted.earlier_target import schema_alone
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal
from pytest_housekeeping.snapshot.compare.declared_moves import without_declared
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.sql.text import digest

if TYPE_CHECKING:
    from pytest_housekeeping.checks.code.readers.extract import Extraction

# Of a part that is another one, how many lines are shown; of these every line tells something.
_SHOWN = 5
_TOLD = ("files", "history", "options", "target", "version")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the rehearsal has shown: the schema of the target before and after each segment,
    the database, as which role the batch was applied, and what the code of applications names."""

    before: Fingerprint
    after: Sequence[Fingerprint]
    target: TargetIdentity
    role: str
    code: Mapping[str, Extraction]


def bound_parts(context: RunContext, measured: Measured) -> BoundParts:
    """The parts of a promotion, of which its digest is made."""
    plan, config, target = context.plan, context.config, measured.target
    held = {path: f"{path} {digest(data)}" for path, data in sorted(plan.sources.held.items())}
    checks = [held.pop(path) for path in list(held) if _below(config.checks, path)]
    sql = [
        held.pop(path)
        for path in list(held)
        if _below(config.sql, path) or path.endswith((".sql", ".sql.conf"))
    ]
    others = [line for path, line in held.items() if not path.endswith(".py")]
    return BoundParts(
        files=(*_pending(context), *sql),
        history=tuple(f"{p.segment} {p.kind} {p.path} {p.sha256}" for p in plan.past),
        checks=(*checks, *_judged(context)),
        code=(*_ran(context), *_named(measured.code)),
        # With the other files that were read: pyproject.toml, the pin, who may sign.
        settings=(*others, *_lines(pinned(measured.before.server_major, config.session))),
        options=tuple(_options(context)),
        target=(
            f"system identifier {target.system_identifier}, timeline {target.timeline}",
            f"database {target.database} on PostgreSQL {target.server_version}, as {measured.role}",
        ),
        before=(_bound(measured.before, context),),
        after=tuple(_bound(each, context) for each in measured.after),
        version=(__version__,),
    )


def unrehearsed(context: RunContext) -> Bound:
    """What is known of a promotion that nothing was rehearsed for, and that has no digest."""
    asked = context.config.approvals
    return Bound(second_person=SecondPerson.WAIVED if asked else SecondPerson.NOBODY)


class Binding:
    """The step ``rehearse::binding``: what this run would promote is what it was told to promote.

    ``bound`` is known when it has run, also where it was refused.
    """

    def __init__(
        self, context: RunContext, target: ProductionTarget, rehearsal: Rehearsal, checks: Checks
    ) -> None:
        self.bound = Bound()
        self._context = context
        self._target = target
        self._rehearsal = rehearsal
        self._checks = checks

    def judge(self) -> Judgement:
        """Raises ProofFailed that names every part which is another one than was planned."""
        measured = self._measured()
        parts = bound_parts(self._context, measured)
        given = self._context.options.plan
        self.bound = Bound(
            digest=parts.digest,
            planned=parts.digest == given,
            schema_before=schema_alone(self._context, measured.before),
            schema_after=schema_alone(self._context, measured.after[-1]),
        )
        said = f"{'as planned' if given else 'bound to this digest'}: {parts.digest}"
        unlike = parts.unlike(given) if given else ()
        if unlike:
            raise _refused(given, unlike, parts, self._context.config)
        said += self._target.earlier.compare_after(measured.after[-1])
        return Verdict(examined=len(CALLED), unit="parts"), f"{said}; {self._approved()}"

    def _approved(self) -> str:
        """Raises ProofFailed where fewer have approved just this than have to."""
        context, bound = self._context, self.bound
        if not any(segment.files for segment in context.plan.segments):
            self.bound = replace(bound, second_person=SecondPerson.NOT_NEEDED)
            return "nothing is pending, so nothing is to be approved"
        if not context.config.approvals:
            self.bound = replace(bound, second_person=SecondPerson.NOBODY)
            return "nobody else has to approve it: approvals = 0"
        found = approvals_of(context, bound.digest)
        enough = len(found.given) >= context.config.approvals
        self.bound = replace(
            bound,
            second_person=SecondPerson.APPROVED if enough else SecondPerson.LACKING,
            approvals=found.given,
        )
        if not enough and context.options.emergency:
            self.bound = replace(self.bound, second_person=SecondPerson.WAIVED)
            return (
                f"{len(found.given)} of {context.config.approvals} approvals; waived by"
                " --hk-emergency"
            )
        if context.rules.plans:
            # Whoever is to approve it sees it now.
            return f"approved by {len(found.given)} of {context.config.approvals} so far"
        refuse_unapproved(context, bound.digest, found)
        return f"approved by {', '.join(each.approver for each in found.given)}"

    def _measured(self) -> Measured:
        rehearsal, numbers = self._rehearsal, range(1, len(self._context.plan.segments) + 1)
        return Measured(
            before=self._target.fingerprint(),
            after=[rehearsal.foreseen(number).fingerprint for number in numbers],
            target=self._target.connection.identity(),
            role=rehearsal.role,
            code=self._checks.code(),
        )


def _pending(context: RunContext) -> Iterator[str]:
    runs = "recorded" if context.options.records_only else "runs"
    for segment in context.plan.segments:
        for file in segment.files:
            yield f"{runs} in {segment.number} ({segment.transaction}): {file.path} {file.sha256}"


def _judged(context: RunContext) -> Iterator[str]:
    """What the schema decides, and the rules, of which packages may bring some. What rows decide
    are files that were read, and a plan does not run them."""
    plan = context.plan
    for step in plan.steps:
        if step.phase is Phase.REHEARSE and step.kind is not Kind.REHEARSAL:
            yield f"{step.segment} {step.kind} {step.id} {step.sha256}"
    yield from (f"rule {rule.id} {digest(repr(rule).encode())}" for rule in plan.contracts.rules)


def _ran(context: RunContext) -> Iterator[str]:
    yield from (f"ran {file.path} {file.sha256}" for file in context.source.code)


def _named(code: Mapping[str, Extraction]) -> Iterator[str]:
    """What contracts on code are judged by."""
    for app, extraction in sorted(code.items()):
        yield f"code of {app} {digest(repr(extraction).encode(errors='surrogatepass'))}"


def _options(context: RunContext) -> Iterator[str]:
    """What is no option of this tool alone: by which names pytest finds tests."""
    yield f"baseline {context.options.baseline}"
    yield f"tests {context.options.tests!r}"


def _bound(schema: Fingerprint, context: RunContext) -> str:
    """What moves by itself, as the settings declare it, may have moved since the plan."""
    return without_declared(schema, context.config.may_move).digest


def _lines(settings: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{name} {json.dumps(value)}" for name, value in sorted(settings.items()))


def _below(folder: str, path: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)


def _refused(given: str, unlike: Sequence[str], parts: BoundParts, config: Config) -> ProofFailed:
    named = ", ".join(CALLED.get(each, each) for each in unlike)
    shown = ""
    for part in (each for each in unlike if each in _TOLD):
        shown += listed([f"{part} now: {line}" for line in getattr(parts, part)], _SHOWN)
    return ProofFailed(
        f"this is not the promotion that was planned as {given[:12]}; it differs in {named}{shown}",
        why="what somebody has looked at is that plan, and this has been looked at by nobody",
        fix=f"pytest --hk-mode=plan{config.target.option} shows what would be promoted now; if"
        " that is meant:"
        f" --hk-plan={parts.digest}",
    )
