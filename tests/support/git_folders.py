"""Git repositories for tests: plain git, with nobody's configuration and an identity of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")


def git(folder: Path, *command: str, stdin: bytes | None = None) -> str:
    """What a git command prints, without the line end. Raises where it fails."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    ran = subprocess.run(
        ["git", *_WHO, *command],
        cwd=folder,
        check=True,
        capture_output=True,
        input=stdin,
        env={**given, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
    )
    return ran.stdout.decode(errors="surrogateescape").rstrip("\n")


def init(folder: Path) -> Path:
    """A new repository on the branch ``main``, without a commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    return folder


def commit_all(folder: Path, message: str) -> str:
    """Commit whatever the work tree holds; the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")
