"""Digests and the chain of audits: why an audit that was edited or taken away is noticed.

Every audit holds a sha256 over all of its own content and the digest of the audit before it. An
edit no longer fits the audit's own digest; an edit that brings a new digest along, or a file that
is gone, leaves the next audit pointing at a digest that nobody has. The newest audit has no
successor yet, and a whole chain can be written anew: against both stands git, which keeps every
audit on a branch that is only added to and never pushed by force (git_branch.py).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.git import Repository
from pytest_housekeeping.model import Finding, Level, Mode, Verdict

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.audit_model import Audit

_FIXES = {
    "audit-edited": "restore the file from git; `git log -p` shows who changed it",
    "audit-missing": "restore it from git; fetch the branches housekeeping/audit/*",
    "audit-forked": "none, where two runs overlapped",
}


def digest(audit: Audit) -> str:
    """sha256 over the canonical JSON of all but ``chain.digest``.

    Canonical: UTF-8, keys sorted, no blanks, fields that hold their default left out, so that a
    later version, which knows more fields, computes the same. A default can therefore never change.
    """
    document = audit.model_dump(mode="json", exclude_defaults=True)
    document.get("chain", {}).pop("digest", None)
    if not document.get("chain"):
        document.pop("chain", None)
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def latest_digest(repository: Repository, mode: Mode, folder: Path) -> str | None:
    """The digest of the newest committed audit of a mode, to which the next one is chained."""
    newest = None
    for _, data in repository.evidence(mode, repository.relative(folder)):
        newest = data
    return json.loads(newest)["chain"]["digest"] if newest else None


def verify_chain(audits: Sequence[Audit]) -> Verdict:
    """Whether no audit was edited, and none is missing that another one builds on.

    Errors: ``audit-edited``, ``audit-missing``. Two audits on one predecessor, or a second
    beginning, come from runs side by side: a warning, ``audit-forked``. No audits: no pass.
    """
    return Verdict(examined=len(audits), findings=tuple(_chain_faults(audits)), unit="audits")


def _chain_faults(audits: Sequence[Audit]) -> Iterator[Finding]:
    known = {audit.chain.digest for audit in audits}
    for audit in audits:
        previous = audit.chain.previous
        if audit.chain.digest != digest(audit):
            detail = "its text does not have its digest"
            yield _fault(audit, "audit-edited", Level.ERROR, detail)
        if previous is not None and previous not in known:
            yield _fault(audit, "audit-missing", Level.ERROR, f"its predecessor {previous} is gone")
    successors = Counter(audit.chain.previous for audit in audits)
    for audit in audits:
        if successors[audit.chain.previous] > 1:
            detail = "another audit has its predecessor"
            yield _fault(audit, "audit-forked", Level.WARNING, detail)


def _fault(audit: Audit, rule: str, level: Level, detail: str) -> Finding:
    return Finding(
        rule=rule, level=level, object=f"run {audit.run.id}", detail=detail, fix=_FIXES[rule]
    )
