"""What people decide about promotions: signed records in git, on a branch that is only added to.

A record is a small file, brought by a commit of its own on ``housekeeping/audit/decisions``. Whose
it is says the signature of that commit, and nothing in the file. The branch lies among those of the
evidence, so that what fetches, protects and proves those does the same with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from secrets import token_hex
from typing import Any

from pytest_housekeeping.evidence.git.branch import commit_files
from pytest_housekeeping.evidence.git.evidence_log import changes_behind
from pytest_housekeeping.evidence.git.objects import (
    BRANCHES,
    DECISION_NAME,
    GitCommands,
    evidence_refs,
    files_below,
    has_origin,
    objects,
)
from pytest_housekeeping.evidence.git.origin import all_origins
from pytest_housekeeping.evidence.git.shared_branch import begin_again, contains, take_over
from pytest_housekeeping.evidence.run_facts import utc_stamp

LOG = "decisions"
BRANCH = f"{BRANCHES}/{LOG}"
_FORMAT = 1
_ATTEMPTS = 3
# https://git-scm.com/docs/git-cat-file: an object of a commit, as it is.
_AUTHOR = re.compile(r"^author (.*>) \d+ [+-]\d{4}$", re.MULTILINE)
_COMMITTED = re.compile(r"^committer .*> (\d+) [+-]\d{4}$", re.MULTILINE)
# For what has no date, or one that Python does not know: it is after every run.
_LATEST = 2**33


class Deed(StrEnum):
    """What is decided: that a promotion may be made, or that one made in an emergency is looked
    through. The name of its file begins with it."""

    APPROVAL = "approval"
    REVIEW = "review"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A decision about ``subject``: the digest of a promotion, or the id of a run.

    ``at`` is what the record says, ``committed_at`` the date of the ``commit`` that has brought it,
    whose ``author`` is as git was configured. ``fault`` says why the record counts for nothing.
    """

    deed: Deed
    subject: str
    said: str
    at: datetime
    path: str
    commit: str
    committed_at: datetime
    author: str
    fault: str = ""


def decisions(git: GitCommands, folder: str, deed: Deed) -> Iterator[Decision]:
    """Every decision of a kind that this clone has of the project whose audits lie in ``folder``.

    A record that was changed after it was made, or that nobody can read, has a fault; one whose
    beginning is not in a shallow clone as well.
    """
    tips = git.run("for-each-ref", "--format=%(objectname)", *evidence_refs(LOG)).decode().split()
    places = {
        (f"{folder}/{name}".lstrip("/"), oid)
        for files in files_below(git, [f"{tip}:{folder}" for tip in tips])
        for name, oid in files.items()
        if name.startswith(f"{deed}_") and DECISION_NAME.fullmatch(name)
    }
    if not places:
        return
    edited = {change.path: change.commit for change in changes_behind(git, tips, [folder])}
    origins = all_origins(git, LOG, places)
    contents = dict(objects(git, sorted({oid for _, oid in places})))
    commits = dict(objects(git, sorted({o.commit for found in origins.values() for o in found})))
    for path, oid in sorted(places):
        for origin in origins[path, oid]:
            fault = "" if origin.whole else "who has brought it is not known in a shallow clone"
            if path in edited:
                fault = f"commit {edited[path][:12]} has edited it, and a record is never changed"
            commit = commits[origin.commit].partition(b"\n\n")[0].decode(errors="replace")
            decision = _read(deed, path, contents.get(oid, b""), commit)
            yield replace(decision, commit=origin.commit, fault=fault or decision.fault)


def decide(
    git: GitCommands,
    folder: str,
    deed: Deed,
    subject: str,
    *,
    said: str = "",
    sign: bool,
    prove: Callable[[str], None] = lambda _: None,
) -> tuple[str, str]:
    """Commit a decision upon what the remote has of them, and push it; the commit, and what became
    of the push, "" where there is no remote.

    ``prove`` is given the commit before the branch is moved to it, and raises where it must not be.
    Raises EvidenceError, SigningFailed among them, with nothing changed.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    record = {"format": _FORMAT, "kind": deed, "of": subject, "said": said, "at": now.isoformat()}
    path = f"{folder}/{deed}_{utc_stamp(now)}_{token_hex(4)}.json".lstrip("/")
    data = f"{json.dumps(record, indent=1, ensure_ascii=False)}\n".encode()
    message = f"{deed} of {subject[:12]}\n"
    ref = f"refs/heads/{BRANCH}"
    made = complaint = ""
    for _ in range(_ATTEMPTS):
        theirs = take_over(git, BRANCH)
        base = git.commit(ref)
        made = commit_files(git, BRANCH, {path: data}, message, None, sign=sign, prove=prove)
        if not has_origin(git):
            return made, ""
        push = ("push", "--quiet", "--no-verify", "origin", f"{ref}:{ref}")
        status, _, complaint = git.attempt(*push)
        if status == 0:
            return made, "pushed to origin"
        # Somebody else was faster: once more upon his, and nothing of ours is left behind.
        if not begin_again(git, BRANCH, made=made, base=base, theirs=theirs):
            break
    return made, f"NOT PUSHED: {' '.join(complaint.split())}; {_push_fix(git)}"


def _push_fix(git: GitCommands) -> str:
    own, other = git.commit(f"refs/heads/{BRANCH}"), git.commit(f"refs/remotes/origin/{BRANCH}")
    if own and other and not contains(git, own, other):
        # A branch that is only added to is not merged by hand in the middle of the night.
        return f"git branch --force {BRANCH} origin/{BRANCH}, and decide once more"
    return f"push it: git push origin {BRANCH}"


def _read(deed: Deed, path: str, data: bytes, commit: str) -> Decision:
    """The record, with the author and the date of the commit that has brought it."""
    author, committed_at = _AUTHOR.search(commit), _COMMITTED.search(commit)
    seconds = int(committed_at[1]) if committed_at else _LATEST
    moment = datetime.fromtimestamp(min(seconds, _LATEST), UTC)
    known: Any = {}
    at, fault = moment, ""
    try:
        known = json.loads(data)
        at = datetime.fromisoformat(known["at"]).astimezone(UTC)
        if known["format"] != _FORMAT or known["kind"] != deed:
            raise ValueError
    except (ValueError, KeyError, TypeError, OverflowError):
        fault = "it is no record of this kind that can be read"
    told = known if isinstance(known, dict) else {}
    return Decision(
        deed=deed,
        subject=str(told.get("of", "")),
        said=str(told.get("said", "")),
        at=at,
        path=path,
        commit="",
        committed_at=moment,
        author=author[1] if author else "",
        fault=fault,
    )
