"""Who has approved a promotion: people who neither wrote nor run it, before it ran, each once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pytest_housekeeping.errors import EvidenceError, ProofFailed
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.bound import Approval
from pytest_housekeeping.evidence.decisions import Decision, Deed, decisions
from pytest_housekeeping.evidence.git.branch import identity_of
from pytest_housekeeping.evidence.git.objects import fetch_fix
from pytest_housekeeping.evidence.signatures import Signer, require_program, signature_of
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.repository.signers import approvers_of

_PERSON = re.compile(r"(?P<name>[^<]*)<(?P<email>[^>]*)>")
_AUTHORS = "--format=%an <%ae>%n%aN <%aE>%n%(trailers:key=Co-authored-by,valueonly)"


@dataclass(frozen=True, kw_only=True)
class Approvals:
    """The approvals that count, and of each other record of this digest why it does not."""

    given: tuple[Approval, ...]
    refused: tuple[str, ...]


def approvals_of(context: RunContext, digest: str) -> Approvals:
    """Every record of this very digest, judged. Raises EvidenceError where signatures cannot be
    proved at all."""
    repository, config = context.repository, context.config
    approvers = approvers_of(config, context.plan.sources)
    if repository is None or approvers is None:
        return Approvals(given=(), refused=())
    require_program()
    barred = dict(_barred(context, repository))
    folder = repository.relative(config.root / config.audit)
    given: dict[Approval, Signer] = {}
    refused = []
    for each in decisions(repository, folder, Deed.APPROVAL):
        if each.subject != digest and not each.fault:
            continue
        try:
            signer = signature_of(repository, each.commit, approvers)
        except EvidenceError as error:
            refused.append(f"{each.path}: {error.found.partition(': ')[2] or error.found}")
            continue
        why = _why_not(each, signer, barred, context.run.started_at) or _twice(signer, given)
        if why:
            refused.append(f"{each.path} of {signer.name}: {why}")
        else:
            given[Approval(approver=signer.name, commit=each.commit, at=each.at)] = signer
    return Approvals(given=tuple(given), refused=tuple(refused))


def refuse_unapproved(context: RunContext, digest: str, found: Approvals) -> None:
    """Raises ProofFailed where fewer have approved than have to."""
    config, repository = context.config, context.repository
    if len(found.given) >= config.approvals or repository is None:
        return
    shown = "".join(f"\n  does not count: {each}" for each in found.refused)
    raise ProofFailed(
        f"{len(found.given)} of {config.approvals} approvals of {digest}{shown}",
        why="what is promoted has to be approved, exactly as it is, by people who neither wrote"
        " nor run it, and before it is run",
        fix="let somebody of approvers look at it"
        f" (pytest --hk-mode=plan{config.target.option}), and say: python -m"
        f" pytest_housekeeping approve{config.target.option} {digest}; where that was done in"
        f" another clone, fetch it: {fetch_fix(repository)}",
    )


def _why_not(decision: Decision, signer: Signer, barred: Mapping[str, str], began: datetime) -> str:
    if decision.fault:
        return decision.fault
    after = max(decision.at, decision.committed_at)
    if after > began:
        return (
            f"it is of {after:%Y-%m-%d %H:%M:%S} UTC, and this run began at"
            f" {began:%H:%M:%S}: what is approved has to be approved before it runs"
        )
    names = {name.casefold() for name in signer.names}
    # A login is the beginning of most addresses.
    names |= {f"login {name.partition('@')[0]}" for name in names}
    return next((why for name, why in barred.items() if name in names), "")


def _twice(signer: Signer, given: Mapping[Approval, Signer]) -> str:
    for approval, other in given.items():
        if signer.key == other.key or signer.names & other.names:
            return f"the same person has approved it in {approval.commit[:12]}"
    return ""


def _barred(context: RunContext, repository: Repository) -> Iterator[tuple[str, str]]:
    """The names of who may not approve this, and why."""
    why = "who wrote a part of it does not approve it"
    for text in _authors(context, repository):
        for person in _PERSON.finditer(text):
            yield from ((name, why) for name in _names(person))
    why = "who runs it does not approve it"
    person_here = _PERSON.search(identity_of(repository))
    if person_here is not None:
        yield from ((name, why) for name in _names(person_here))
    actor = context.run.actor.casefold()
    if actor:
        yield from ((actor, why), (f"login {actor}", why))


def _names(person: re.Match[str]) -> Iterator[str]:
    yield from filter(None, (person["name"].strip().casefold(), person["email"].casefold()))


def _authors(context: RunContext, repository: Repository) -> Iterator[str]:
    """Of the last commit that is no merge; and of what has come to the pending files since the last
    promotion, as far as that is in this clone."""
    log = ("log", "--no-show-signature", _AUTHORS)
    commit = context.source.commit or "HEAD"
    yield repository.run(*log, "-1", "--no-merges", commit).decode(errors="replace")
    past = [p.commit for p in context.plan.past if p.commit and repository.commit(p.commit)]
    if past:
        root = context.config.root
        files = [file.path for segment in context.plan.segments for file in segment.files]
        paths = [repository.relative(root / path) for path in files]
        since = (commit, f"^{past[-1]}", "--", *paths)
        yield repository.run(*log, *since).decode(errors="replace") if paths else ""
