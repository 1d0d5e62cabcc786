"""Sign a commit of evidence with the key that git is configured with.

https://git-scm.com/docs/git-config#Documentation/git-config.txt-usersigningKey
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence.git.objects import GitCommands

FIX = "git config gpg.format ssh; git config user.signingkey <path of the .pub file>"


class SigningFailed(EvidenceError):
    """The commit of evidence could not be signed; nothing was committed."""


def why_unsigned(git: GitCommands) -> str:
    """Why git would not sign with an SSH key, "" where it would."""
    known = {name: _setting(git, name) for name in ("gpg.format", "user.signingkey")}
    if known["gpg.format"] != "ssh":
        given = known["gpg.format"] or "openpgp, as it is by default"
        return f"git is configured to sign with {given}, and not with ssh"
    # https://git-scm.com/docs/git-config#Documentation/git-config.txt-gpgsshdefaultKeyCommand
    if not known["user.signingkey"] and not _setting(git, "gpg.ssh.defaultKeyCommand"):
        return "git is configured with no user.signingkey"
    return ""


def signed(git: GitCommands, commit: str, author: str, parents: Sequence[str]) -> str:
    """A commit like this one, signed. Raises SigningFailed with git's words."""
    data = git.run("cat-file", "commit", commit)
    header, _, message = data.partition(b"\n\n")
    tree = header.split(b"\n", 1)[0].decode().removeprefix("tree ")
    name, _, email = author.rstrip(">").partition(" <")
    status, out, complaint = git.attempt(
        *("-c", f"user.name={name}", "-c", f"user.email={email}", "commit-tree", "-S"),
        *(word for parent in parents for word in ("-p", parent)),
        tree,
        stdin=message,
    )
    if status != 0:
        raise SigningFailed(
            f"git cannot sign the evidence: {' '.join(complaint.split())}",
            why="production takes only evidence that a signer has signed",
            fix=FIX,
        )
    return out.decode().strip()


def _setting(git: GitCommands, name: str) -> str:
    status, out, _ = git.attempt("config", "--get", name)
    return out.decode(errors="replace").strip() if status == 0 else ""
