"""The runs before this one that its findings are held against, as git has their audits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pytest_housekeeping.evidence.git.objects import GitCommands, newest_audits
from pytest_housekeeping.evidence.plain_audit import SCHEMA_VERSION, plain_audit, target_of
from pytest_housekeeping.model import Level, Mode, TargetIdentity

# Runs that have judged a real database, whether they changed it or not.
_OF_THE_TARGET = (Mode.PROD, Mode.ROLLBACK, Mode.VERIFY)
# How many audits are looked at: those of other branches and databases lie between.
_LOOKED_AT = 50
# What an audit says of the commit that it attests; in no text of it can that stand so.
_ATTESTS = re.compile(rb'"source":\s*\{\s*"commit":\s*"([0-9a-f]+)"')
_FINDING = ("rule", "level", "object", "detail", "step")


@dataclass(frozen=True, kw_only=True, slots=True)
class ThisRun:
    """What decides which earlier runs are its own past: of staging the ``commit``, of any other
    the ``target``. ``folder`` holds the audits, from the root of the repository."""

    mode: Mode
    folder: str
    commit: str | None
    target: TargetIdentity | None


def earlier_runs(git: GitCommands, this: ThisRun) -> Iterator[dict[str, Any]]:
    """Their audits as plain JSON, the newest first.

    A staging run is held against runs of what its commit builds on: on a branch, of what the
    default branch has as well, so that what a branch brings stays new until it is merged. Any
    other is held against what was seen of the same database.
    """
    if this.mode is Mode.STAGING:
        return _of_ancestors(git, this)
    return _of_target(git, this)


def why_none(git: GitCommands, this: ThisRun) -> str:
    """Why there is nothing to hold the findings against."""
    if this.mode is not Mode.STAGING:
        return "no earlier run on this database is on record in this clone"
    if this.commit is None:
        return "what ran is in no commit, and builds on none"
    shallow = git.run("rev-parse", "--is-shallow-repository").strip() == b"true"
    said = "no staging run of a commit that this one builds on is on record in this clone"
    return f"{said}, which is shallow: git fetch --unshallow" if shallow else said


def _of_target(git: GitCommands, this: ThisRun) -> Iterator[dict[str, Any]]:
    if this.target is None:
        return
    here = (this.target.system_identifier, this.target.database)
    for known in _audits(git, _OF_THE_TARGET, this.folder):
        if target_of(known) == here:
            yield known


def _of_ancestors(git: GitCommands, this: ThisRun) -> Iterator[dict[str, Any]]:
    if this.commit is None:
        return
    base = _base(git, this.commit)
    builds_on: dict[str, bool] = {}
    for known in _audits(git, (Mode.STAGING,), this.folder, but_of=this.commit):
        commit = known["source"].get("commit")
        if not isinstance(commit, str) or commit == this.commit:
            continue
        if commit not in builds_on:
            asked = ("merge-base", "--is-ancestor", f"{commit}^{{commit}}", base)
            builds_on[commit] = git.attempt(*asked)[0] == 0
        if builds_on[commit]:
            yield known


def _base(git: GitCommands, commit: str) -> str:
    """The last commit that a branch shares with the default branch; its own where it is on that,
    or nobody knows which it is."""
    named = os.environ.get("GITHUB_BASE_REF", "")
    for branch in ([f"refs/remotes/origin/{named}"] if named else []) + [
        "refs/remotes/origin/HEAD"
    ]:
        status, out, _ = git.attempt("merge-base", commit, branch)
        if status == 0:
            return out.decode().split()[0]
    return commit


def _audits(
    git: GitCommands, modes: tuple[Mode, ...], folder: str, *, but_of: str = ""
) -> Iterator[dict[str, Any]]:
    """The newest first; what is no audit is passed over, for the proof of the evidence names it.
    Of the commit ``but_of``, which may have been run many times, none is taken apart."""
    for data in islice(newest_audits(git, modes, folder), _LOOKED_AT):
        attests = _ATTESTS.search(data) if but_of else None
        if attests is not None and attests[1] == but_of.encode():
            continue
        known = plain_audit(data)
        if known is not None and _is_whole(known):
            yield known


def _is_whole(known: dict[str, Any]) -> bool:
    """Whether it has what is looked at, as this version writes it."""
    try:
        run, held = known["run"], known.get("compared", {}).get("exempted", [])
        texts = [run["id"], run["started_at"], run["tool_version"]]
        texts += [each[name] for each in known["steps"] for name in ("id", "kind", "outcome")]
        texts += [each[name] for each in known["findings"] for name in _FINDING]
        texts += [each[name] for each in held for name in ("rule", "object", "since")]
        levels = {each["level"] for each in known["findings"]}
    except (KeyError, TypeError, AttributeError):
        return False
    version = known.get("schema_version") == SCHEMA_VERSION
    return version and levels <= set(Level) and all(isinstance(each, str) for each in texts)
