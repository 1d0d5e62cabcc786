"""The precheck of the committed evidence: nothing is wrong with it that nobody has accepted."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.git.objects import fetch_fix
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement, error
from pytest_housekeeping.promotion.repository.intact_audits import acceptance

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.proof.prove import Proof

_GONE = "evidence-fault-gone"


def audits(context: RunContext) -> Judgement:
    """The committed evidence of the project is what its runs have written, and all of it."""
    if context.repository is None:
        return Verdict(examined=1, unit="settings"), "there is no repository, and no evidence"
    from pytest_housekeeping.evidence.proof.prove import SHALLOW, prove_evidence
    from pytest_housekeeping.evidence.proof.reviews import RULE as OPEN
    from pytest_housekeeping.evidence.report.display import plural

    config, repository = context.config, context.repository
    folder = repository.relative(config.root / config.audit)
    proof = prove_evidence(repository, folder, log=repository.log)
    accepted = frozenset(config.accepted_evidence_faults)
    findings = []
    for each in (*proof.findings, *_of_the_earlier(context)):
        if each.rule == OPEN:
            # It is asked for by a watch, and does not stand in the way of a repair.
            level = Level.ERROR if context.rules.watches else Level.WARNING
            findings.append(replace(each, level=level))
        elif each.level is Level.ERROR and f"{each.rule} {each.object}" in accepted:
            detail = f"{each.detail}; accepted by accepted_evidence_faults"
            findings.append(replace(each, level=Level.WARNING, detail=detail))
        elif each.rule == SHALLOW:
            findings.append(replace(each, level=Level.NOTICE))
        elif each.level is Level.ERROR:
            findings.append(replace(each, fix=f"{each.fix}; {acceptance(each.rule, each.object)}"))
        else:
            findings.append(each)
    # What a shallow clone has cut off may be what was accepted.
    if accepted and all(each.rule != SHALLOW for each in proof.findings):
        other = [repository.relative(config.root / each) for each in config.audit_folders]
        others = tuple(f"{each}/" for each in other if each != folder)
        own = {each for each in accepted if not each.partition(" ")[2].startswith(others)}
        findings += _needless(own, proof, fetch_fix(repository))
    # No audit is none that was examined: what was looked at is where they would be.
    examined, unit = (proof.audits, "audits") if proof.audits else (1, "repository")
    said = f"{plural(proof.audits, 'audit')} and {plural(proof.artifacts, 'file')} named by them"
    verdict = Verdict(examined=examined, unit=unit, findings=tuple(findings))
    return verdict, f"{said}, on {plural(proof.branches, 'branch')}"


def _of_the_earlier(context: RunContext) -> Iterator[Finding]:
    """What is wrong with the evidence of the target that everything is promoted to first."""
    from pytest_housekeeping.evidence.proof.prove import prove_evidence

    config, repository = context.config, context.repository
    if config.target.after and repository is not None:
        folder = config.root / config.targets[config.target.after].audit
        yield from prove_evidence(repository, repository.relative(folder)).findings


def _needless(accepted: Set[str], proof: Proof, fetch: str) -> Iterator[Finding]:
    """Entries that accept nothing. Of a file that this clone does not have it is only said; of one
    that lies in another database's folder the runs on that tell."""
    rules = {each.object: each.rule for each in proof.faults}
    for entry in sorted(accepted - {f"{each.rule} {each.object}" for each in proof.faults}):
        if entry in rules:
            yield error(
                _GONE,
                entry,
                "is listed in accepted_evidence_faults without the rule that it breaks, so that it"
                " would accept every later fault of it",
                f'to accept this one, write "{rules[entry]} {entry}" there',
            )
            continue
        name = entry.partition(" ")[2]
        # Another rule that it breaks is an error of its own.
        if name in rules:
            continue
        if name in proof.present or entry in proof.present:
            yield error(
                _GONE,
                entry,
                "is listed in accepted_evidence_faults, and nothing is wrong with it",
                "remove it from the list, and commit that; if the fault is on a branch that this"
                f" clone lacks, fetch it: {fetch}",
            )
        else:
            yield Finding(
                rule=_GONE,
                level=Level.NOTICE,
                object=entry,
                detail="is listed in accepted_evidence_faults, and of this database's evidence no"
                " branch of this clone has it",
                fix=f"fetch all evidence: {fetch}; if no run of any database has it then, remove it"
                " from the list",
            )
