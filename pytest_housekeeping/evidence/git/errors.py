"""What is said of a repository that cannot be used, and of a git that fails."""

from __future__ import annotations

from pathlib import Path

from pytest_housekeeping.errors import EvidenceError


def broken(top: Path) -> EvidenceError:
    return EvidenceError(
        f"{top} has a .git that is no repository",
        why="what is committed and what is not cannot be told",
        fix="repair or remove it; `git status` there says more",
    )


def failed(found: str, complaint: str) -> EvidenceError:
    text = complaint.strip()
    if "dubious ownership" in text:
        return EvidenceError(
            f"{found}: it belongs to another user, and git does not trust it",
            why="its configuration could run programs of that user's choice",
            fix="if you do: " + text.splitlines()[-1].strip(),
        )
    return EvidenceError(
        f"{found}: {text}",
        why="the evidence of the run depends on it",
        fix="mend what git says, such as a disk that is full, and run again: the files of the audit"
        " are written in any case, and the next run commits them",
    )
