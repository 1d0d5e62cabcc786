"""Whether a committed staging audit proves the plan of a promotion, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_housekeeping import __version__
from pytest_housekeeping.errors import EvidenceError, ProofFailed, named
from pytest_housekeeping.evidence.git.objects import fetch_fix
from pytest_housekeeping.evidence.plain_audit import plain_audit
from pytest_housekeeping.evidence.run_outcomes import PROVED
from pytest_housekeeping.model import (
    Finding,
    Kind,
    Level,
    Mode,
    Phase,
    Step,
    TargetIdentity,
    Tool,
    Verdict,
)
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.plan.step_order import prechecks, tripwires
from pytest_housekeeping.plan.steps import (
    APPLY,
    MUTANTS,
    SCHEMA,
    again_steps,
    precheck_step,
    restore_step,
    style_steps,
    tripwire_step,
)
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.repository.signers import signers_of
from pytest_housekeeping.promotion.repository.staging_evidence import (
    EvidenceTerms,
    evidence_faults,
    other_texts,
    read_staging_audit,
)
from pytest_housekeeping.sql.folder import sql_paths
from pytest_housekeeping.sql.project_files import ProjectFiles

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit, ToolRecord
    from pytest_housekeeping.evidence.model.steps import PlannedStep

# Of how many audits, and how much of each, a refusal tells.
_AUDITS, _FAULTS = 5, 5


def proved_in_staging(context: RunContext, production: TargetIdentity) -> Judgement:
    """A committed staging audit says that this very plan was proved, and can be believed.

    Raises ProofFailed that names the audits that say so, and why each is not believed.
    """
    one = Verdict(examined=1, unit="plan")
    if not context.config.require_staging_evidence:
        settings = Verdict(examined=1, unit="settings")
        return settings, "not required: require_staging_evidence = false"
    if context.options.records_only:
        return one, "a baseline runs nothing: it is shown to be there"
    if not any(segment.files for segment in context.plan.segments):
        return one, "nothing is pending, so nothing is to be proved"
    terms = _terms(context, production)
    refused: list[str] = []
    for path, data in reversed(terms.audits):
        known = plain_audit(data)
        if known is None or known["plan"].get("digest") != context.plan.digest:
            continue
        faults = list(dict.fromkeys(_faults(context, terms, path, data)))
        if not faults:
            examined = len(terms.audits)
            return Verdict(examined=examined, unit="staging audits"), f"proved by {path}"
        refused += _told(path, faults)
    # What is pending depends on what the target has, and staging replays that one's past alone.
    command = f"pytest --hk-mode=staging{context.config.target.option}"
    unproved = _unproved(context, terms, refused, command)
    if context.options.emergency:
        waived = _waived(command, unproved.found)
        return replace(one, findings=(waived,)), "waived by --hk-emergency"
    raise unproved


def _waived(command: str, found: str) -> Finding:
    return Finding(
        rule="emergency",
        level=Level.WARNING,
        object="evidence of staging",
        detail=f"was not waited for: {found}",
        fix=f"{command} on this commit, as soon as there is time for it",
    )


def _terms(context: RunContext, production: TargetIdentity) -> EvidenceTerms:
    return EvidenceTerms(
        repository=context.required_repository("staging has to have shown what is promoted"),
        config=context.config,
        signers=signers_of(context.config, context.plan.sources),
        commit=context.source.commit,
        production=frozenset({production.system_identifier}),
    )


def _faults(context: RunContext, terms: EvidenceTerms, path: str, data: bytes) -> Iterator[str]:
    """Why an audit that names this plan's digest does not prove it."""
    try:
        audit = read_staging_audit(path, data)
    except EvidenceError as error:
        yield error.found
        return
    if audit.run.outcome not in PROVED:
        yield f"its run was {audit.run.outcome}"
    # Behind the COMMIT of staging its result is restored, and applications' own tests run.
    yield from (f"{step.id} has failed" for step in audit.steps if step.outcome == "failed")
    behind = [step for step in audit.steps if step.segment > audit.plan.segments]
    yield from (f"{step.id} was skipped" for step in behind if step.outcome == "skipped")
    yield from evidence_faults(terms, path, data, audit)
    yield from plan_faults(context, audit)
    yield from _other_tools(context.source.tools, audit.source.tools)
    if context.source.commit not in (None, audit.source.commit):
        # Modules outside of checks/ are in no plan: what staging ran is what is there now. Of the
        # settings, those that count for what is proved are in the digest of the plan; of the pins
        # nothing that is proved depends.
        settings = {*(file.path for file in context.plan.settings), *context.config.pins}
        yield from other_texts(terms, audit, context.source.commit, but=frozenset(settings))


def _other_tools(here: Sequence[Tool], there: Sequence[ToolRecord]) -> Iterator[str]:
    """What staging ran with, where that is not what is installed here."""
    way = "install the same for both (python -m pytest_housekeeping docs ci)"
    if not there:
        yield f"it does not say with which versions it ran: {way}, and run staging again"
        return
    now = {tool.name: tool.version for tool in here}
    then = {tool.name: tool.version for tool in there}
    others = [
        f"{name} {then.get(name, 'not at all')} (here {now.get(name, 'not at all')})"
        for name in sorted(now.keys() | then.keys())
        if now.get(name) != then.get(name)
    ]
    if others:
        yield f"it ran with other versions: {named(others)}: {way}"


def plan_faults(context: RunContext, audit: Audit) -> Iterator[str]:
    """What differs between the plan of an audit and the one that staging would make of this plan.

    With equal files, checks and code, in the same order, the digest of both is the same.
    """
    plan, planned = context.plan, {step.id: step for step in audit.plan.steps}
    expected = {step.id: step for step in staging_steps(context)}
    for step in expected.values():
        there = planned.get(step.id)
        if there is None:
            yield f"its plan lacks {step.id}, which staging of these files plans{_version(audit)}"
        elif _facts(there) != _facts(step):
            yield f"its plan has another {step.id} than staging of these files"
    for there in audit.plan.steps:
        if there.id not in expected and not _is_of_staging_alone(there, plan):
            yield f"its plan has {there.id}, which staging of these files does not plan"
    proved = [step.id for step in _in_order_of_staging(plan)]
    common = set(proved)
    if proved != [step.id for step in audit.plan.steps if step.id in common]:
        yield "its plan has the files and checks in another order"
    code = {file.path: file.sha256 for file in audit.source.code}
    for file in plan.code:
        if file.path not in context.config.pins and code.get(file.path) != file.sha256:
            yield f"it has run another {file.path}, or none"


def staging_steps(context: RunContext) -> Iterator[Step]:
    """The steps that staging plans for the files of a promotion, as far as production knows them.

    What it does not know: rollback files that were proved before, and the applications' own tests.
    """
    plan, config, sources = context.plan, context.config, context.plan.sources
    last = plan.segments[-1].number
    for name in prechecks(Mode.STAGING, config, sources, plan.contracts):
        yield precheck_step(name)
    for step in plan.promotion:
        looks = step.kind is Kind.AFTER and step.name == SCHEMA
        if looks or step.phase in (Phase.APPLY, Phase.VERIFY, Phase.PROMOTE):
            yield step
        elif step.phase is Phase.REHEARSE and step.kind is not Kind.REHEARSAL:
            yield replace(step, phase=Phase.VERIFY)
        elif step.kind is Kind.LINT:
            yield replace(step, phase=Phase.VERIFY, segment=last)
    seeds = [(path, _digest(sources, path)) for path in sql_paths(config, sources, Kind.SEED)]
    for path, sha256 in seeds:
        yield Step(
            id=f"{path}::{APPLY}",
            phase=Phase.SEED,
            kind=Kind.SEED,
            path=path,
            sha256=sha256,
            segment=last,
        )
    if config.lint:
        yield from style_steps(seeds, Phase.VERIFY, segment=last)
    yield from again_steps(plan.segments)
    for name in tripwires(plan.contracts):
        yield tripwire_step(name, last)
    yield restore_step(last)


def _in_order_of_staging(plan: Plan) -> list[Step]:
    """Files and checks as staging works them: segment by segment, files first."""
    works = (
        step
        for step in plan.promotion
        if step.phase in (Phase.APPLY, Phase.REHEARSE, Phase.VERIFY)
        and step.kind not in (Kind.REHEARSAL, Kind.LINT)
    )
    return sorted(works, key=lambda step: (step.segment, _CHECKS.get(step.kind, 0)))


_CHECKS = {
    kind: place
    for place, kind in enumerate(
        (Kind.OBJECT, Kind.QUERY, Kind.RLS, Kind.BOUNDARY, Kind.TEST), start=1
    )
}


def _digest(sources: ProjectFiles, path: str) -> str:
    try:
        return sources.digest(path)
    except OSError:
        return ""


def _is_of_staging_alone(step: PlannedStep, plan: Plan) -> bool:
    """Whether it is a step that only staging has, and that production cannot foretell."""
    behind = step.segment > plan.segments[-1].number
    if step.kind in (Kind.TEST, Kind.BOUNDARY):
        return behind and step.phase is Phase.VERIFY
    if step.kind is Kind.TRIPWIRE:
        return step.id == tripwire_step(MUTANTS, step.segment).id
    return step.kind in (Kind.ROLLBACK, Kind.LINT)


def _facts(step: Step | PlannedStep) -> tuple[object, ...]:
    return (step.phase, step.kind, step.path, step.sha256, step.segment)


def _version(audit: Audit) -> str:
    other = audit.run.tool_version
    return "" if other == __version__ else f" (it ran with version {other})"


def _told(path: str, faults: list[str]) -> Iterable[str]:
    more = [f"and {len(faults) - _FAULTS} more"] if len(faults) > _FAULTS else []
    return (f"{path}: {fault}" for fault in [*faults[:_FAULTS], *more])


def _unproved(
    context: RunContext, terms: EvidenceTerms, refused: list[str], command: str
) -> ProofFailed:
    plan = f"proves this plan ({context.plan.digest[:12]})"
    found = f"none of {len(terms.audits)} committed staging audits {plan}"
    if refused:
        shown = "\n  ".join(refused[: _AUDITS * _FAULTS])
        found = f"no committed staging audit {plan}:\n  {shown}"
    signed = ", as a signer" if context.config.evidence_signers else ""
    return ProofFailed(
        found,
        why="what is promoted has to be exactly what was tried",
        fix=f"run {command} on this commit{signed}; where that was done in another clone, fetch its"
        f" evidence: {fetch_fix(terms.repository)}",
    )
