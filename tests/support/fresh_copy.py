"""The repository as somebody else would get it: a copy of its files, committed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
_AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "a contributor"), ("EMAIL", "contributor@example.invalid"))
}


def git(folder: Path, *arguments: str) -> str:
    """What git prints, without the newline at its end."""
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **_AUTHOR, "GIT_CONFIG_NOSYSTEM": "1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()


def fresh_repository(folder: Path) -> Path:
    """A new repository at ``folder``, branch main: every file that git tracks or would track."""
    names = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    for name in filter(None, names):
        source, copy = ROOT / name, folder / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit_all(folder, "the work tree as it is")
    return folder


def commit_all(folder: Path, message: str) -> str:
    """Commit everything in ``folder``; the new commit's name."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")
