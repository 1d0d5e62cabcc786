"""What a run says of a project, a remark each, as machines are told of it: all forms say the same.

A remark is a finding, a step that failed without one, or why a run came to no step at all.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.kinds import GRAVITY
from pytest_housekeeping.model import Level, Outcome, Place, RunOutcome

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.places import Places

FAILED, REFUSED = "step-failed", "refused"
# https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support
MOST = 5_000
"""As many results as GitHub shows of one file; the gravest come first."""

_LINE = re.compile(r":\d+(?::\d+)?(?=[\s,]|$)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """``since`` is when an earlier run saw it first, "" where it is new; ``fingerprint`` is the
    same in every run, whatever lines have moved and whatever else is found."""

    rule: str
    level: Level
    object: str
    detail: str
    fix: str = ""
    role: str = ""
    step: str = ""
    since: str = ""
    place: Place | None = None
    fingerprint: str = ""

    @property
    def text(self) -> str:
        """What was seen of which object, and what repairs it."""
        said = f"{self.object}: {self.detail}" if self.object else self.detail
        return f"{said}\nfix: {self.fix}" if self.fix else said


@dataclass(frozen=True, kw_only=True, slots=True)
class Remarks:
    """At most ``MOST`` of them, the gravest first and of those the new ones, and how many were left
    out."""

    told: tuple[Remark, ...] = ()
    left_out: int = 0

    @property
    def placed(self) -> tuple[tuple[Remark, Place], ...]:
        """Those that have a place in a file, with it."""
        return tuple((each, each.place) for each in self.told if each.place is not None)


def remarks_of(audit: Audit, places: Places) -> Remarks:
    """All that an audit says of the project, with its places."""
    found = sorted(_remarks(audit), key=lambda each: (GRAVITY[each[0].level], each[0].since != ""))
    named = _fingerprints([remark for remark, _ in found])
    told = tuple(
        replace(remark, place=_place(audit, places, number), fingerprint=fingerprint)
        for (remark, number), fingerprint in zip(found[:MOST], named, strict=False)
    )
    return Remarks(told=told, left_out=max(0, len(found) - MOST))


def _remarks(audit: Audit) -> Iterator[tuple[Remark, int]]:
    """Each with the number of its finding; of its step, behind the findings; -1 for a refusal."""
    for number, each in enumerate(audit.findings):
        yield (
            Remark(
                rule=each.rule,
                level=each.level,
                object=each.object,
                detail=each.detail,
                fix=each.fix,
                role=each.role,
                step=each.step,
                since=each.since,
            ),
            number,
        )
    explained = audit.explained
    for number, step in enumerate(audit.steps, len(audit.findings)):
        if step.outcome is Outcome.FAILED and step.id not in explained:
            said, fix = _with_fix(step.message or "it failed and left no message")
            remark = Remark(
                rule=FAILED, level=Level.ERROR, object=step.id, detail=said, fix=fix, step=step.id
            )
            yield remark, number
    failed = any(each.outcome is Outcome.FAILED for each in audit.steps)
    if audit.run.outcome is RunOutcome.REFUSED and audit.run.message and not failed:
        said, fix = _with_fix(audit.run.message)
        yield Remark(rule=REFUSED, level=Level.ERROR, object="", detail=said, fix=fix), -1


def _with_fix(message: str) -> tuple[str, str]:
    """What an error says, and its fix; of several errors each keeps its own where it stands."""
    said, fix, what = message.partition("\n  fix: ")
    alone = fix and fix not in what
    return (said, what) if alone else (message, "")


def _place(audit: Audit, places: Places, number: int) -> Place | None:
    if number < 0:
        return places.of_refusal(audit.run.message)
    if number < len(audit.findings):
        return places.of_finding(audit.findings[number])
    return places.of_failure(audit.steps[number - len(audit.findings)])


def _fingerprints(remarks: Sequence[Remark]) -> list[str]:
    """Of rule, object and role: not of the line, nor of what was seen, which counts and quotes."""
    seen: Counter[str] = Counter()
    found = []
    for each in remarks:
        name = "\0".join([each.rule, _LINE.sub("", each.object), each.role])
        seen[name] += 1
        digest = hashlib.sha256(f"{name}\0{seen[name]}".encode(errors="replace"))
        found.append(digest.hexdigest()[:32])
    return found
