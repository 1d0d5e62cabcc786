"""``python -m pytest_housekeeping audit --thin``: staging's log without what nobody asks about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import EvidenceError, ProofFailed
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.git.objects import REMOTE_LOGS, STAGING_LOG, fetch_fix, has_origin
from pytest_housekeeping.evidence.git.shared_branch import contains, continue_from
from pytest_housekeeping.evidence.git.signing import FIX, SigningFailed, why_unsigned
from pytest_housekeeping.evidence.report.display import plural
from pytest_housekeeping.evidence.signatures import refuse_stranger
from pytest_housekeeping.evidence.thinning import begin_anew, thinning
from pytest_housekeeping.model import Mode
from pytest_housekeeping.promotion.commands.audit import proof_of
from pytest_housekeeping.promotion.commands.own_repository import own_repository

# What begins the log anew is fetched anew by everybody.
WORTH = 20
_WHY = "what a run was proved by must not be lost with what nobody asks about"
_REMOTE = f"{REMOTE_LOGS}/{Mode.STAGING}"


def thin(root: Path) -> Iterator[str]:
    """Begin staging's log anew where enough audits would go, and move the remote's to it, if
    that is what this clone has fetched. Yields what is told.

    Raises MisuseError without a repository; ProofFailed where the evidence has a fault; what
    signing raises, with nothing changed; EvidenceError where the remote has something else by now.
    """
    config = load_config(root)
    with own_repository(config.root) as repository:
        theirs = continue_from(repository, STAGING_LOG)
        own = repository.commit(f"refs/heads/{STAGING_LOG}")
        if own is None:
            yield f"nothing to thin: there is no {STAGING_LOG} here"
            return
        there = _tip_there(repository)
        for tip in filter(None, (theirs, there)):
            _refuse_less(repository, own, tip)
        proof = proof_of(repository)
        if proof.faults:
            raise ProofFailed(
                f"the evidence has {plural(len(proof.faults), 'fault')}: {proof.faults[0].object}:"
                f" {proof.faults[0].detail}",
                why=_WHY,
                fix="python -m pytest_housekeeping audit says how each is repaired",
            )
        signers = config.evidence_signers
        found = thinning(repository, proof.records, proof.signed if signers else None)
        if len(found.gone) < WORTH:
            yield f"nothing to thin: {plural(len(found.gone), 'audit')} could go"
            return
        if signers and (unsigned := why_unsigned(repository)):
            raise SigningFailed(unsigned, why="production takes what a signer has brought", fix=FIX)
        allowed = (config.root / signers).read_bytes() if signers else b""

        def prove(commit: str) -> None:
            if signers:
                refuse_stranger(repository, commit, allowed, who=signers, why=_WHY)

        made = begin_anew(repository, found, sign=bool(signers), prove=prove)
        yield (
            f"thinned: {plural(len(found.whole), 'audit')} whole on {STAGING_LOG}, of"
            f" {len(found.gone)} more a line each: {made[:12]}"
        )
        yield from _pushed(repository, made, there)


def _refuse_less(repository: Repository, own: str, theirs: str) -> None:
    """Raises EvidenceError where this clone's log lacks anything of the remote's."""
    if repository.commit(theirs) is None or not contains(repository, own, theirs):
        raise EvidenceError(
            f"{_REMOTE} has more at the remote than {STAGING_LOG} of this clone",
            why=_WHY,
            fix=f"{fetch_fix(repository)}; then, if nothing is on it alone: git branch --force"
            f" {STAGING_LOG} origin/{STAGING_LOG}",
        )


def _pushed(repository: Repository, made: str, there: str) -> Iterator[str]:
    """By force, from the very commit that was fetched to this one: what others have added since
    stays, and the thinning is to be done again."""
    if not has_origin(repository):
        yield "not pushed: there is no remote 'origin'"
        return
    lease = f"--force-with-lease={_REMOTE}:{there}"
    status, _, complaint = repository.attempt(
        "push", "--quiet", "--no-verify", lease, "origin", f"{made}:{_REMOTE}"
    )
    if status != 0:
        raise EvidenceError(
            f"the thinned log could not be pushed: {' '.join(complaint.split())}",
            why="the remote keeps all of it until then",
            fix="run it again where the remote can be written to",
        )
    repository.attempt("update-ref", f"refs/remotes/origin/{STAGING_LOG}", made)
    yield f"pushed: {_REMOTE} to origin"


def _tip_there(repository: Repository) -> str:
    """The remote's log as it is now; "" for none."""
    if not has_origin(repository):
        return ""
    out = repository.run("ls-remote", "origin", _REMOTE).decode()
    return out.split()[0] if out.strip() else ""
