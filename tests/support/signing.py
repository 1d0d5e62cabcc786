"""Keys that sign commits, and the file of those that may."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from support.fresh_copy import git

needs_ssh_keygen = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen on this machine"
)


def new_key(place: Path, name: str) -> Path:
    """A key without a passphrase; its public half lies beside it as ``<name>.pub``."""
    path = place / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def signing(key: Path) -> tuple[str, ...]:
    """The options with which git signs with a key."""
    return ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key}")


def sign_as(root: Path, key: Path) -> None:
    """From now on git signs with a key in this repository, where it is to sign."""
    git(root, "config", "gpg.format", "ssh")
    git(root, "config", "user.signingkey", str(key))


def signer_line(key: Path, name: str, options: str = "") -> bytes:
    """The line of a file of allowed signers that allows a key."""
    kind, public = key.with_suffix(".pub").read_text(encoding="utf-8").split()[:2]
    words = (name, options, kind, public)
    return f"{' '.join(word for word in words if word)}\n".encode()
