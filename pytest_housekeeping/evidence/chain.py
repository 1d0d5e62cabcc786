"""Digests and the chain of audits: why an audit that was edited or taken away is noticed.

Every audit holds a sha256 over all of its own content and the digest of the audit before it. An
edit no longer fits the audit's own digest; an edit that brings a new digest along, or a file that
is gone, leaves the next audit pointing at a digest that nobody has. The newest audit has no
successor yet, and a whole chain can be written anew: against both stands git, which keeps every
audit on a branch that is only added to and never pushed by force (git/branch.py), and whose commits
tell which audit they have brought. proof/ looks at all of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.git.objects import newest_audits
from pytest_housekeeping.evidence.git.repository import Repository
from pytest_housekeeping.evidence.plain_audit import plain_audit
from pytest_housekeeping.model import Mode

if TYPE_CHECKING:
    from pydantic import BaseModel


def digest(record: BaseModel) -> str:
    """sha256 over the canonical JSON of all but ``chain.digest``, of an audit or a fleet.

    Canonical: UTF-8, keys sorted, no blanks, fields that hold their default left out, so that a
    later version, which knows more fields, computes the same. A default can therefore never change.
    """
    document = record.model_dump(mode="json", exclude_defaults=True)
    document.get("chain", {}).pop("digest", None)
    if not document.get("chain"):
        document.pop("chain", None)
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def latest_digest(
    repository: Repository, mode: Mode, folder: Path, *, along: Iterable[bytes] = ()
) -> str | None:
    """The digest of the newest audit of a mode, to which the next one is chained: of those that are
    committed, and of those that are going to be, ``along`` with the next one. One of these may have
    begun before it, and builds on it: what another one builds on is not the newest.

    A file that cannot be read has none: the proof of the evidence names it.
    """
    committed = newest_audits(repository, [mode], repository.relative(folder))
    newest = next(_begun(committed, mode), ("", None, None))
    found = [newest, *_begun(along, mode)]
    followed = {previous for _, _, previous in found}
    ends = [each for each in found if each[1] not in followed]
    return max(ends, key=itemgetter(0), default=newest)[1]


def _begun(audits: Iterable[bytes], mode: Mode) -> Iterator[tuple[str, str | None, str | None]]:
    """When each run of the mode began, the digest of its audit, and that of the one before it."""
    for known in filter(None, map(plain_audit, audits)):
        found = known["chain"].get("digest")
        if isinstance(found, str) and known["run"].get("mode") == mode:
            previous = known["chain"].get("previous")
            before = previous if isinstance(previous, str) else None
            yield str(known["run"].get("started_at")), found, before
