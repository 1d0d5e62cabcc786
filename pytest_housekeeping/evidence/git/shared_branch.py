"""Branches of evidence that several clones add to: what the remote has by then comes first."""

from __future__ import annotations

from pytest_housekeeping.evidence.git.branch import refuse_moving, refuse_symbolic
from pytest_housekeeping.evidence.git.objects import GitCommands, has_origin


def take_over(git: GitCommands, branch: str) -> str | None:
    """What the remote has by now comes into this clone's branch, if that has nothing else.

    The remote's tip, as far as it is known; a remote that does not answer is no fault here.
    """
    ref, theirs = f"refs/heads/{branch}", f"refs/remotes/origin/{branch}"
    if has_origin(git):
        refuse_symbolic(git, theirs)
        git.attempt("fetch", "--quiet", "--no-tags", "origin", f"+{ref}:{theirs}")
    return continue_from(git, branch)


def continue_from(git: GitCommands, branch: str) -> str | None:
    """What was fetched of the branch comes into this clone's, if that has nothing else; the
    remote's tip. Raises EvidenceError where that would move something of the user's."""
    ref, theirs = f"refs/heads/{branch}", f"refs/remotes/origin/{branch}"
    own, other = git.commit(ref), git.commit(theirs)
    if other not in (None, own) and (own is None or contains(git, other, own)):
        refuse_symbolic(git, theirs)
        refuse_moving(git, ref)
        git.run("update-ref", ref, other, own or "0" * len(other))
    return other


def begin_again(
    git: GitCommands, branch: str, *, made: str, base: str | None, theirs: str | None
) -> bool:
    """After a push that was refused: whether the branch is what the remote has meanwhile, so that
    ``made`` can be made once more upon that. Not where this clone had anything else to push:
    ``base`` is what its branch was before, ``theirs`` the remote's."""
    other = take_over(git, branch)
    if other is None or other == theirs or base != theirs:
        return False
    git.run("update-ref", f"refs/heads/{branch}", other, made)
    return True


def contains(git: GitCommands, later: str, earlier: str) -> bool:
    return git.attempt("merge-base", "--is-ancestor", earlier, later)[0] == 0
