"""Keys that sign commits, and the file of those that may."""

from __future__ import annotations

import subprocess
from pathlib import Path


def new_key(place: Path, name: str) -> Path:
    """A key without a passphrase; its public half lies beside it as ``<name>.pub``."""
    path = place / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def signing(key: Path) -> tuple[str, ...]:
    """The options with which git signs with a key."""
    return ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key}")


def signer_line(key: Path, name: str, options: str = "") -> bytes:
    """The line of a file of allowed signers that allows a key."""
    kind, public = key.with_suffix(".pub").read_text(encoding="utf-8").split()[:2]
    words = (name, options, kind, public)
    return f"{' '.join(word for word in words if word)}\n".encode()
