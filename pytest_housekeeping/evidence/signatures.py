"""Who has signed a commit of evidence: git's SSH signatures, against a file of allowed signers.

https://git-scm.com/docs/git-config#Documentation/git-config.txt-gpgsshallowedSignersFile
https://man.openbsd.org/ssh-keygen#ALLOWED_SIGNERS
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from pytest_housekeeping.errors import EvidenceError, MisuseError
from pytest_housekeeping.evidence.git.objects import GitCommands
from pytest_housekeeping.evidence.git.signing import FIX

PROGRAM = "ssh-keygen"
_HEADERS = (b"gpgsig ", b"gpgsig-sha256 ")
_ARMOUR = b"-----BEGIN SSH SIGNATURE-----"
_GOOD = re.compile(r'^Good "git" signature for (.+) with \S+ key SHA256:(\S+)$', re.MULTILINE)
_OPTION = (
    r'(?:cert-authority|namespaces="[^"]+"|valid-(?:after|before)="?\d{8}(?:\d{4}(?:\d\d)?)?Z?"?)'
)
_SIGNER = re.compile(
    rf'(?P<names>"[^"]+"|\S+)[ \t]+(?:{_OPTION}(?:,{_OPTION})*[ \t]+)?'
    r"(?P<type>[a-z0-9@.-]+)[ \t]+(?P<key>[A-Za-z0-9+/]+=*)(?:[ \t].*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """Who has signed: the principal, the sha256 of the key as ``ssh-keygen -l`` shows it, and every
    name that the file gives to whoever has it, the names of his other keys included."""

    name: str
    key: str
    names: frozenset[str]


def signer_of(git: GitCommands, commit: str, allowed_signers: bytes) -> str:
    """The principal in whose name a commit is signed. See `signature_of`."""
    return signature_of(git, commit, allowed_signers).name


def refuse_stranger(
    git: GitCommands, commit: str, allowed_signers: bytes, *, who: str, why: str
) -> None:
    """Raises EvidenceError where a commit is signed by nobody ``who`` names, with ``why`` that is
    asked for, and how to sign as one of them."""
    try:
        signer_of(git, commit, allowed_signers)
    except EvidenceError as error:
        raise EvidenceError(
            f"git signs with a key of nobody {who}: {error.found.partition(': ')[2]}",
            why=why,
            fix=f"as one of them: {FIX}",
        ) from None


def signature_of(git: GitCommands, commit: str, allowed_signers: bytes) -> Signer:
    """The signer in whose name a commit is signed, by a key that the file allows.

    ``allowed_signers`` is the content of the file. A key that had expired at the commit's own date
    does not count, nor does one that is allowed for other namespaces than ``git``. Nothing that
    git is configured with is believed but its list of revoked keys. Raises EvidenceError that says
    what is wrong with the signature, or that there is no ``ssh-keygen`` to ask.
    """
    name = git.commit(commit)
    if name is None:
        raise _unsigned(commit, "there is no such commit")
    signatures = list(_signatures(git.run("cat-file", "commit", name)))
    if not signatures:
        raise _unsigned(name, "it is not signed")
    # Git would ask gpg about one of another kind, whose keyring is not this file.
    if len(signatures) > 1 or not signatures[0].startswith(_ARMOUR):
        raise _unsigned(name, "its signature is none that was made with an SSH key")
    require_program()
    with tempfile.NamedTemporaryFile(prefix="hk-signers-") as file:
        file.write(allowed_signers)
        file.flush()
        status, out, complaint = git.attempt(
            *("-c", "gpg.format=ssh", "-c", f"gpg.ssh.program={PROGRAM}"),
            *("-c", f"gpg.ssh.allowedSignersFile={file.name}"),
            *("verify-commit", "--raw", name),
        )
    said = f"{out.decode(errors='replace')}\n{complaint}"
    found = _GOOD.search(said)
    if status != 0 or found is None:
        raise _unsigned(name, _reason(said))
    names = _names_of(found[2], allowed_signers) | {found[1]}
    return Signer(name=found[1], key=found[2], names=names)


def require_program() -> None:
    """Raises EvidenceError where the program that proves and makes signatures is missing."""
    if shutil.which(PROGRAM) is None:
        raise EvidenceError(
            f"there is no {PROGRAM} on PATH",
            why="git makes and proves SSH signatures with it, and evidence_signers asks for them",
            fix="install OpenSSH's client (Debian, Ubuntu: apt-get install openssh-client)",
        )


def refuse_unusable_signers(data: bytes, path: str, *, setting: str = "evidence_signers") -> None:
    """Raises MisuseError for a file of allowed signers that names nobody, or not in its format."""
    lines = _lines(data)
    wrong = [str(number) for number, line in lines if not _is_signer(line)]
    if not lines or wrong:
        found = f"line {', '.join(wrong)} names no signer" if wrong else "it names nobody"
        raise MisuseError(
            f"{setting} = {path!r}: {found}",
            why="nothing that they sign could be told from what anybody makes",
            fix="write a line for each: <name> ssh-ed25519 <key>, the latter two as they stand in"
            " the signer's .pub file (man ssh-keygen, ALLOWED SIGNERS)",
        )


def persons_in(allowed_signers: bytes) -> tuple[frozenset[str], ...]:
    """The names of each person whom a file of allowed signers knows: lines that share a name, or a
    key, are of one."""
    persons: list[tuple[frozenset[str], frozenset[str]]] = []
    for names, key in _entries(allowed_signers):
        mine = [each for each in persons if each[0] & names or key in each[1]]
        persons = [each for each in persons if each not in mine]
        persons.append(
            (names.union(*(n for n, _ in mine)), frozenset({key}).union(*(k for _, k in mine)))
        )
    return tuple(names for names, _ in persons)


def unclear_lines(allowed_signers: bytes) -> tuple[int, ...]:
    """The lines that stand for whoever fits a pattern, or has a certificate, and for no person."""
    found = ((number, _SIGNER.fullmatch(line)) for number, line in _lines(allowed_signers))
    return tuple(
        number
        for number, match in found
        if match and (set("*?!") & set(match["names"]) or "cert-authority" in match[0].lower())
    )


def _names_of(key: str, allowed_signers: bytes) -> frozenset[str]:
    """All names of the person whose key this is; none where the key is a certificate's."""
    mine = {name for names, held in _entries(allowed_signers) if held == key for name in names}
    return frozenset().union(*(each for each in persons_in(allowed_signers) if each & mine))


def _entries(allowed_signers: bytes) -> Iterator[tuple[frozenset[str], str]]:
    """The names and the sha256 of the key of each line."""
    for _, line in _lines(allowed_signers):
        found = _SIGNER.fullmatch(line)
        if found is not None:
            names = frozenset(filter(None, found["names"].strip('"').split(",")))
            with suppress(binascii.Error):
                hashed = hashlib.sha256(base64.b64decode(found["key"], validate=True)).digest()
                yield names, base64.b64encode(hashed).decode().rstrip("=")


def _lines(data: bytes) -> list[tuple[int, str]]:
    """The lines that name a signer, with their numbers."""
    return [
        (number, line.strip())
        for number, line in enumerate(data.decode(errors="replace").splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]


def _signatures(commit: bytes) -> Iterator[bytes]:
    """The values of the headers of a commit object that hold signatures."""
    header = commit.partition(b"\n\n")[0]
    for line in header.split(b"\n"):
        for name in _HEADERS:
            if line.startswith(name):
                yield line.removeprefix(name)


def _is_signer(line: str) -> bool:
    found = _SIGNER.fullmatch(line)
    if found is None:
        return False
    try:
        blob = base64.b64decode(found["key"], validate=True)
    except binascii.Error:
        return False
    # A public key begins with its own type: https://www.rfc-editor.org/rfc/rfc4253#section-6.6
    kind = found["type"].encode()
    return blob.startswith(len(kind).to_bytes(4, "big") + kind) and len(blob) > 4 + len(kind)


def _reason(said: str) -> str:
    if "No principal matched" in said or "no principal" in said.lower():
        key = re.search(r"key (SHA256:\S+)", said)
        by = f" {key[1]}" if key else ""
        return f"its key{by} is none of a signer, or was not valid at the commit's date"
    words = " ".join(line.strip() for line in said.splitlines() if line.strip())
    return f"its signature does not fit it: {words}"


def _unsigned(commit: str, reason: str) -> EvidenceError:
    return EvidenceError(
        f"commit {commit[:12]} is signed by none of the signers: {reason}",
        why="evidence that anybody could have made proves nothing to who trusts the signers alone",
        fix=f"let a signer run staging on this commit, with git configured to sign: {FIX}",
    )
