"""Who asked for what was promoted, and who wrote it, as far as git tells; and who is who."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_housekeeping.evidence.git.objects import OBJECT_NAME, GitCommands
from pytest_housekeeping.evidence.run_entry import RunEntry

_PERSON = re.compile(r"([^<\n]*)<([^>\n]*)>")
# "Merge pull request #12", "Countries have a region (#12)", "See merge request shop/schema!7".
_REQUEST = re.compile(r"(?<![\w/])[\w./-]*[#!]\d+\b")
_AUTHORS = "--format=%an <%ae>%n%(trailers:key=Co-authored-by,valueonly)%x00%s%x00"


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Somebody as git or a login names him."""

    name: str
    email: str = ""

    @property
    def names(self) -> frozenset[str]:
        """What he may be called elsewhere: a login is the beginning of most addresses."""
        known = {self.name, self.email, self.email.partition("@")[0], self.name.partition("@")[0]}
        return frozenset(each.strip().casefold() for each in known if each.strip())

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.email else self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What git tells of a promotion: the pull request, as its merge names it, the commits' subjects
    and their authors. ``unknown`` says why it tells nothing."""

    request: str = ""
    authors: tuple[Person, ...] = ()
    subjects: tuple[str, ...] = ()
    unknown: str = ""


def written(git: GitCommands, entry: RunEntry, root: str, since: RunEntry | None) -> Written:
    """What brought the files of a run; ``root`` is the project's folder, from the repository's.

    ``since`` is the promotion before it: what came to the files after its commit counts. Without
    one, all that ever came to them.
    """
    commit = entry.commit
    if not OBJECT_NAME.fullmatch(commit):
        return Written(unknown="it attests no commit")
    if git.commit(commit) is None:
        return Written(unknown=f"commit {commit[:12]} is not in this clone")
    head = git.run("log", "-1", "--no-show-signature", "--format=%s%n%b", commit)
    request = _request(head.decode(errors="replace"))
    paths = [f"{root}/{each.path}".lstrip("/").partition("#")[0] for each in entry.files]
    if not paths:
        return Written(request=request, unknown="it had no files")
    known = [since.commit] if since and OBJECT_NAME.fullmatch(since.commit) else []
    bounds = [f"^{each}" for each in known if git.commit(each) is not None]
    log = ("log", "--no-show-signature", "--no-merges", _AUTHORS)
    text = git.run(*log, commit, *bounds, "--", *paths).decode(errors="replace")
    if not text.strip():
        # Merged before, and promoted now: whoever wrote it last.
        text = git.run(*log, commit, "--", *paths).decode(errors="replace")
    fields = text.split("\0")
    authors = [
        Person(name=name.strip(), email=email.strip())
        for block in fields[::2]
        for name, email in _PERSON.findall(block)
    ]
    return Written(
        request=request,
        authors=tuple(dict.fromkeys(authors)),
        subjects=tuple(dict.fromkeys(each for each in fields[1::2] if each)),
        unknown="" if authors else "no commit here has brought its files",
    )


def told_apart(authors: Sequence[Person], approvers: Sequence[str], runner: str) -> str:
    """Whether those who wrote, approved and ran it are different people, by what they are called.

    Two names that have nothing in common are taken for two people: nothing else is known.
    """
    approving = [Person(name=each) for each in approvers]
    running = [Person(name=runner)] if runner else []
    pairs = (
        ("wrote and approved it", _same(authors, approving)),
        ("wrote and ran it", _same(authors, running)),
        ("approved and ran it", _same(approving, running)),
    )
    same = [f"{names[0]} {did}" for did, names in pairs if names]
    missing = [
        said
        for said, known in (
            ("who wrote it", authors),
            ("who approved it", approving),
            ("who ran it", running),
        )
        if not known
    ]
    if same:
        return "the same: " + ", ".join(same)
    return f"not known: {', '.join(missing)}" if missing else "different"


def _same(some: Iterable[Person], others: Sequence[Person]) -> list[str]:
    return [each.name for each in some if any(each.names & other.names for other in others)]


def _request(message: str) -> str:
    """The line that names a request; "" where none does."""
    for line in message.splitlines():
        if _REQUEST.search(line):
            return line.strip()
    return ""
