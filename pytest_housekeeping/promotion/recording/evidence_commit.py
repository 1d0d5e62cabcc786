"""Where the evidence of a run goes: a branch in git, and its remote."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial as partial_of
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pytest_housekeeping.config import PRODUCTION
from pytest_housekeeping.errors import EvidenceError, HousekeepingError, named
from pytest_housekeeping.evidence import BRANCHES, stem
from pytest_housekeeping.evidence.git.compare import blob_id
from pytest_housekeeping.evidence.git.objects import REFUSED
from pytest_housekeeping.evidence.git.shared_branch import begin_again, continue_from, take_over
from pytest_housekeeping.evidence.git.signing import FIX, SigningFailed, why_unsigned
from pytest_housekeeping.evidence.report.wording import outcome_word
from pytest_housekeeping.evidence.run_outcomes import UNDONE
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.promotion.production.of_fleet.handed import HandedBack, hand_back, handed
from pytest_housekeeping.promotion.repository.attestation import (
    RAN_FIX,
    SUBMODULE_FIX,
    checkout_fix,
)
from pytest_housekeeping.promotion.repository.signers import signers_of

if TYPE_CHECKING:
    from pytest_housekeeping.evidence import Repository
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.promotion.context import RunContext

REMOTE = "origin"
_NOT_PUSHED = "NOT PUSHED"


def branch_of(audit: Audit) -> str:
    """Runs that change no real database share one log a mode; any other has a branch to merge, one
    of another target than production below its name. Those that were refused share a log."""
    run = audit.run
    if rules_of(run.mode).logged:
        return f"{BRANCHES}/{run.mode}"
    place = BRANCHES if run.target == PRODUCTION else f"{BRANCHES}/{run.target}"
    return f"{place}/{REFUSED if _is_shared(audit) else stem(run)}"


def _is_shared(audit: Audit) -> bool:
    """Whether a run was to change a real database and has not, and left nothing to be filled in."""
    incident = any(PurePosixPath(each.path).parent.name == "incidents" for each in audit.artifacts)
    run = audit.run
    return run.outcome in UNDONE and not rules_of(run.mode).logged and not incident


def publish(
    context: RunContext, audit: Audit, files: Mapping[Path, bytes], *, partial: bool
) -> Iterator[str]:
    """Commit the files and push the branch, unless it is a log. Yields lines for the terminal.

    Raises EvidenceError when the commit cannot be made. A push that fails raises nothing: the files
    and the branch are there, and the lines name the command that pushes it.
    """
    repository, commit = context.repository, context.source.commit
    why_not = _why_not_committed(context, partial=partial)
    if handed() is not None:
        hand_back(_back(context, audit, {} if why_not else files))
        yield f"not committed: {why_not}" if why_not else "the fleet commits it, with all others"
        return
    if why_not or repository is None or commit is None:
        yield f"not committed: {why_not}"
        return
    branch = branch_of(audit)
    # A log shares no commit with the project: feature branches that diverge all write to it, and
    # none of them must become an ancestor of another.
    logged, shared = rules_of(audit.run.mode).logged, _is_shared(audit)
    attests = None if logged or shared else commit
    named = {repository.relative(path): content for path, content in files.items()}
    folder = repository.relative(context.config.root)
    text = _commit_message(audit, commit, folder)
    sign = bool(context.config.evidence_signers)
    commit_now = partial_of(commit_signed, repository, branch, named, text, attests, sign=sign)
    if shared:
        made, unsigned, pushed = _commit_shared(repository, branch, commit_now)
    else:
        if logged:
            continue_from(repository, branch)
        made, unsigned = commit_now()
        pushed = [] if logged else list(push(repository, branch))
    of = "" if folder == "." else f" of {folder}"
    yield f"committed: {made[:12]} on {branch}, which attests {commit[:12]}{of}"
    if rules_of(audit.run.mode).throwaway:
        yield from _signer(context, repository, made, unsigned)
    yield from pushed


def _back(context: RunContext, audit: Audit, files: Mapping[Path, bytes]) -> HandedBack:
    from pytest_housekeeping.evidence.report.terminal import told_in_short

    run, like = audit.run, context.source.commit or ""
    named = {p.relative_to(context.config.root).as_posix(): data for p, data in files.items()}
    pin = {path: data for path, data in named.items() if path == context.config.target.pin}
    return HandedBack(
        run=run.id,
        outcome=run.outcome.value,
        told=told_in_short(audit),
        plan=audit.plan.digest,
        digest=audit.chain.digest,
        audit=f"{stem(run)}.json",
        files={path: blob_id(data, like) for path, data in named.items() if path not in pin},
        contents=pin,
    )


def is_final(context: RunContext, *, partial: bool) -> bool:
    """Whether all that was published is committed, or never will be."""
    if context.rules.plans or context.repository is None:
        return True
    return not _why_not_committed(context, partial=partial) and handed() is None


def is_left_to_fleet(context: RunContext, *, partial: bool) -> bool:
    """Whether the fleet commits what was published: until it has, the journal tells of the run."""
    why_not = _why_not_committed(context, partial=partial)
    return handed() is not None and context.repository is not None and not why_not


def commit_signed(
    repository: Repository,
    branch: str,
    files: Mapping[str, bytes],
    message: str,
    attests: str | None,
    *,
    sign: bool,
    stored: Mapping[str, str] | None = None,
) -> tuple[str, str]:
    """The commit, signed if it is to be and git has a key; and why it is not signed."""
    commit = partial_of(repository.commit_evidence, branch, files, message, attests, stored=stored)
    unsigned = why_unsigned(repository) if sign else ""
    if sign and not unsigned:
        try:
            return commit(sign=True), ""
        except SigningFailed as error:
            unsigned = error.found
    return commit(), unsigned


def _commit_shared(
    repository: Repository, branch: str, commit_now: Callable[[], tuple[str, str]]
) -> tuple[str, str, list[str]]:
    """The commit upon what the remote has by then, why it is not signed, and what became of the
    push: once more, where somebody else was faster."""
    theirs = take_over(repository, branch)
    base = repository.commit(f"refs/heads/{branch}")
    made, unsigned = commit_now()
    pushed = list(push(repository, branch))
    failed = pushed[0].startswith(_NOT_PUSHED)
    if failed and begin_again(repository, branch, made=made, base=base, theirs=theirs):
        made, unsigned = commit_now()
        pushed = list(push(repository, branch))
    return made, unsigned, pushed


def _signer(context: RunContext, repository: Repository, made: str, unsigned: str) -> Iterator[str]:
    """Whether production will take this evidence, where it asks who has signed it."""
    signers = signers_of(context.config, context.plan.sources)
    if signers is None:
        return
    from pytest_housekeeping.evidence.signatures import signer_of

    try:
        yield f"signed by {signer_of(repository, made, signers)}: production takes it"
    except EvidenceError as error:
        yield f"PRODUCTION WILL NOT TAKE THIS EVIDENCE: {unsigned or error.found}"
        yield f"  evidence_signers = {context.config.evidence_signers!r} names who may sign it;"
        yield f"  as one of them, run staging again with: {FIX}"


def push(repository: Repository, branch: str) -> Iterator[str]:
    """Push a branch of evidence, and tell what came of it: one that fails raises nothing."""
    if not repository.has_remote(REMOTE):
        yield f"not pushed: there is no remote {REMOTE!r}"
        return
    try:
        repository.push(REMOTE, branch)
    except HousekeepingError as error:
        yield f"{_NOT_PUSHED}: {error.found}"
        yield f"  the branch is there; push it: git push {REMOTE} {branch}"
    else:
        yield f"pushed: {branch} to {REMOTE}"


def _commit_message(audit: Audit, commit: str, folder: str) -> str:
    """Of a project that is a folder of its repository, which one: others write there as well."""
    run = audit.run
    of = "" if folder == "." else f"{folder}: "
    where = "" if run.target == PRODUCTION else f" of {run.target}"
    outcome = outcome_word(run.mode, run.outcome)
    return (
        f"{of}{run.mode}{where} {outcome}: {len(audit.steps)} steps on {commit[:12]}\n\n"
        f"Run {run.id}, plan {audit.plan.digest[:12]}, audit {audit.chain.digest}\n"
    )


def _why_not_committed(context: RunContext, *, partial: bool) -> str:
    if context.rules.plans:
        return "a plan is a report, and no evidence"
    if not context.options.commit:
        return "--hk-no-commit"
    if context.options.write_baseline:
        return "checks/baseline.toml was written: look at it, commit it, and run again"
    if context.source.commit is None:
        return context.source.reason
    if context.source.submodules:
        names = ", ".join(context.source.submodules)
        return f"files of the submodule {names} ran, and the commit holds none: {SUBMODULE_FIX}"
    if context.source.dirty and set(context.source.dirty) <= set(context.source.rewritten):
        return (
            "git has rewritten files when it checked them out, and an audit attests a commit:"
            f" {named(context.source.rewritten)}; the bytes of the commit:"
            f" {checkout_fix(context.source)}"
        )
    if context.source.dirty:
        dirty = ", ".join(context.source.dirty[:5])
        ran = f"; {context.source.ran[0]} ran as Python: {RAN_FIX}" if context.source.ran else ""
        return f"uncommitted changes, and an audit attests a commit: {dirty}{ran}"
    if partial:
        return "only part of the plan was run"
    return ""
