"""``python -m pytest_housekeeping comment``: the text of a plan's comment, and where it belongs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.evidence.audit_file import from_json
from pytest_housekeeping.evidence.report.plan_comment import (
    Posted,
    no_plan,
    plan_comment,
    superseded,
    unplanned,
)
from pytest_housekeeping.model import Mode
from pytest_housekeeping.promotion.commands.needed_files import needed_files
from pytest_housekeeping.promotion.commands.own_repository import own_repository
from pytest_housekeeping.promotion.repository.applied import promoted_before
from pytest_housekeeping.promotion.run_facts import ci_url

# As whom a workflow's own token writes: nobody else's comment is touched, whatever it begins with.
AUTHOR = "github-actions[bot]"
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_WHY = "a comment that tells of another commit, or stands twice, is worse than none"


@dataclass(frozen=True, kw_only=True, slots=True)
class PullRequest:
    """Its number, its newest commit, and the plan's comment if it has one."""

    number: int
    newest: str
    posted: Posted | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """The text, and ``POST 5/comments`` or ``PATCH comments/17`` below ``issues/``; empty: nothing
    is to be done."""

    body: str = ""
    place: str = ""


def read_request(request: Path, comments: Path, *, project: str = "") -> PullRequest:
    """A pull request and its comments, as GitHub's API tells them; of these the one of the project
    in this folder. Raises MisuseError."""
    try:
        (told,) = _values(request)
        number, newest = int(told["number"]), str(told["head"]["sha"])
        posted = next((each for each in _own(comments) if each.project == project), None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MisuseError(
            f"{request} and {comments} are no answers of GitHub's API: {type(error).__name__}",
            why=_WHY,
            fix="gh api repos/…/pulls/5, gh api --paginate repos/…/issues/5/comments",
        ) from None
    return PullRequest(number=number, newest=_commit(newest), posted=posted)


def superseded_comment(request: PullRequest | None) -> Comment:
    """The comment of an older commit, which says so; nothing where there is none."""
    if request is None:
        raise MisuseError(
            "--superseded, and no pull request",
            why=_WHY,
            fix="say of which: --pull-request REQUEST COMMENTS, as `gh api` tells them",
        )
    posted = request.posted
    if posted is None or posted.commit == request.newest:
        return Comment()
    return Comment(
        body=superseded(posted.body, request.newest), place=f"PATCH comments/{posted.number}"
    )


def planned_comment(
    commit: str,
    audit: Path | None,
    request: PullRequest | None,
    *,
    private: bool,
    project: str = "",
) -> Comment:
    """The comment of a plan of this commit; without an audit, of a run that has left none.

    A run that was late says of itself that it is superseded, and does not take the place of the
    newest. Raises MisuseError, EvidenceError for an audit that was edited, and OSError.
    """
    body = _body(audit, _commit(commit), private=private, project=project)
    if request is None:
        return Comment(body=body)
    posted, late = request.posted, commit != request.newest
    if late:
        body = superseded(body, request.newest)
    if posted is None:
        return Comment(body=body, place=f"POST {request.number}/comments")
    if late and posted.commit == request.newest:
        return Comment(body=body)
    return Comment(body=body, place=f"PATCH comments/{posted.number}")


def without_production(root: Path) -> Comment:
    """What the evidence of the clone knows of HEAD, where production may not be asked."""
    with own_repository(root) as repository:
        config = load_config(root)
        folder = config.root / config.audit
        known = promoted_before(repository, folder, config.accepted_evidence_faults)
        lacking = needed_files(repository, config, "HEAD").lacking(known)
    return Comment(body=unplanned(lacking, known=bool(known)))


def _body(audit: Path | None, commit: str, *, private: bool, project: str) -> str:
    if audit is None:
        return no_plan(commit, ci_url(), private=private, project=project)
    record = from_json(audit.read_bytes(), name=audit.name, intact=True)
    if record.run.mode is not Mode.PLAN:
        raise MisuseError(
            f"{audit.name} is the audit of {record.run.mode}, and no plan",
            why=_WHY,
            fix="give ops/audit/plan_….json",
        )
    return plan_comment(record, commit, private=private, project=project)


def _own(comments: Path) -> Iterator[Posted]:
    for page in _values(comments):
        for each in page:
            posted = Posted(number=int(each["id"]), body=str(each["body"] or ""))
            # Of an account that is gone GitHub tells no user.
            if posted.commit and (each["user"] or {}).get("login") == AUTHOR:
                yield posted


def _values(file: Path) -> Iterator[Any]:
    """All values of a file: gh writes one page behind the other. Raises ValueError."""
    text, decoder = file.read_text(encoding="utf-8").strip(), json.JSONDecoder()
    if not text:
        raise ValueError("nothing at all")
    while text:
        value, end = decoder.raw_decode(text)
        yield value
        text = text[end:].lstrip()


def _commit(given: str) -> str:
    if _COMMIT.fullmatch(given) is None:
        raise MisuseError(f"{given!r} is no commit", why=_WHY, fix="give all of its digits")
    return given
