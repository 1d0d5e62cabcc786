"""The commands that bring a file of the evidence back onto its branch, as a commit has it."""

from __future__ import annotations

import shlex

from pytest_housekeeping.evidence.git.objects import BRANCHES, PUSH
from pytest_housekeeping.model import Mode

_BESIDE = '"$(git rev-parse --show-toplevel)"/../evidence'


def restored(commit: str, path: str, branch: str) -> str:
    """For a shell in whatever folder of the work tree; ``path`` is from the repository's root.

    What is on HEAD is committed there. What is on a log is committed in a work tree beside this
    one, which is removed again, and pushed.
    """
    back = f"git checkout {commit} -- {shlex.quote(f':/{path}')}"
    back += " && git commit -m 'The evidence as it was'"
    if branch == "HEAD":
        return back
    name = branch[branch.index(BRANCHES) :]
    to = f"{name}:refs/{name}" if name == f"{BRANCHES}/{Mode.STAGING}" else name
    return (
        f"git worktree add {_BESIDE} {name} && (cd {_BESIDE} && {back})"
        f" && git worktree remove {_BESIDE} && {PUSH} {to}"
    )
