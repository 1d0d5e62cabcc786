"""What a run has found beside what runs before it had: what is new, what stands since when, what is
fixed, and what an exemption lets stand.

Of each step the newest earlier run counts in which that step has judged anything. What a step says
of the batch itself stands in no earlier run, and nothing of it is ever fixed: it is of this batch.
What no contract judges is of the whole schema, and told by another step in each mode.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.model import Kind, Mode, Outcome, Phase
from pytest_housekeeping.plan.steps import REHEARSE, RESULT

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.findings import FindingRecord

_Fields = Mapping[str, Any]
# What they say is about the files of this batch, or about this one run.
_OF_THE_BATCH = frozenset(
    [Kind.REHEARSAL, Kind.MIGRATION, Kind.VIEW, Kind.POLICY, Kind.SEED, Kind.PROMOTE]
)
# Told by the step that comes last in its mode, whichever that is.
_UNJUDGED = "rls-unjudged"
_RESULT, _DRIFT = f"{REHEARSE}::{RESULT}", f"{Phase.PRECHECK}::drift"
_PLACE = re.compile(r":\d+(?::\d+)?(?= |$)")
_NUMBER = re.compile(r"\d+")
_KEPT = ("rule", "level", "object", "detail", "fix", "leak", "role", "because", "step")
# How many runs are looked through for steps that the newest ones had not: what is asked the first
# time has no earlier run at all.
_RUNS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """``since`` has one entry for each finding: when it was seen first, "" where that is now.

    ``run`` is the newest run of those that it was held against; "" for none, and ``why_not`` says
    why. ``fixed`` are findings of those runs, as their audits have them, each with its ``since``.
    """

    run: str = ""
    at: str = ""
    commit: str = ""
    why_not: str = ""
    since: tuple[str, ...] = ()
    fixed: tuple[dict[str, str], ...] = ()
    exempted: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SortedFindings:
    """The findings of an audit; all of them are ``new`` where they were compared with nothing."""

    new: tuple[FindingRecord, ...]
    standing: tuple[FindingRecord, ...]
    fixed: tuple[FindingRecord, ...]


@dataclass(kw_only=True, slots=True)
class _Earlier:
    """What earlier runs have found, as far as this run has asked again."""

    runs: list[_Fields] = field(default_factory=list)
    findings: list[dict[str, str]] = field(default_factory=list)
    exempted: dict[tuple[str, str], str] = field(default_factory=dict)


def compared(document: _Fields, earlier: Iterable[_Fields], why_not: str = "") -> Compared:
    """``document`` and what is in ``earlier``, the newest first, are audits as plain JSON."""
    judged = _judged(document)
    known = _known(judged, earlier)
    exempted = tuple(_exempted(document, known))
    let_stand = {(each["rule"], each["object"]) for each in exempted}
    with_text = _same_version(document, known)
    left = Counter(_identity(each, with_text=with_text) for each in document["findings"])
    since = _since(document["findings"], known, with_text=with_text)
    # Told of the same object at another level, or otherwise, it is another one now, and not fixed.
    seen = zip(document["findings"], since, strict=True)
    other = Counter(_subject(each) for each, at in seen if not at)
    fixed = []
    for old in known.findings:
        name = _identity(old, with_text=with_text)
        left[name] -= 1
        if left[name] < 0 and (old["rule"], _PLACE.sub("", old["object"])) not in let_stand:
            other[_subject(old)] -= 1
            if other[_subject(old)] < 0:
                fixed.append(old)
    newest = known.runs[0] if known.runs else None
    return Compared(
        run=str(newest["run"]["id"]) if newest else "",
        at=_started(newest) if newest else "",
        commit=str(newest["source"].get("commit") or "") if newest else "",
        why_not="" if newest else why_not,
        since=since,
        fixed=tuple(fixed),
        exempted=exempted,
    )


def sorted_findings(audit: Audit) -> SortedFindings:
    """The findings of an audit, told apart."""
    return SortedFindings(
        new=tuple(each for each in audit.findings if not each.since),
        standing=tuple(each for each in audit.findings if each.since),
        fixed=audit.compared.fixed,
    )


def rules_of(audit: Audit) -> list[str]:
    """The rules that an audit tells something of, each once."""
    found = [each.rule for each in (*audit.findings, *audit.compared.fixed)]
    return list(dict.fromkeys([*found, *(each.rule for each in audit.compared.exempted)]))


def identity_of(finding: _Fields) -> tuple[str, ...]:
    """What makes two findings of two runs one: rule, level, object and role; of a place in a file,
    the file, for lines move."""
    return (
        str(finding["rule"]),
        str(finding["level"]),
        _PLACE.sub("", str(finding["object"])),
        str(finding.get("role", "")),
    )


def _identity(finding: _Fields, *, with_text: bool) -> tuple[str, ...]:
    """With what was seen, but for numbers, which grow: another version may word it otherwise."""
    text = _NUMBER.sub("#", str(finding["detail"])) if with_text else ""
    return (*identity_of(finding), text)


def _subject(finding: _Fields) -> tuple[str, ...]:
    """What a finding is of, whatever it says."""
    return str(finding["rule"]), str(finding["object"]), str(finding.get("role", ""))


def _judged(document: _Fields) -> dict[str, _Fields]:
    """The steps that have judged something that outlasts the batch, by id."""
    told = {_asked(each) for each in document["findings"]}
    judged = {
        step["id"]: step
        for step in document["steps"]
        if step["kind"] not in _OF_THE_BATCH
        and (step["outcome"] == Outcome.PASSED or step["id"] in told)
    }
    whole = [step for step in document["steps"] if _looks_at_all(step, document["run"]["mode"])]
    if _UNJUDGED in told or {step["outcome"] for step in whole} == {Outcome.PASSED}:
        judged[_UNJUDGED] = {}
    return judged


def _asked(finding: _Fields) -> str:
    """What was asked: the step, but of what no contract judges the rule."""
    return str(finding["rule" if finding["rule"] == _UNJUDGED else "step"])


def _looks_at_all(step: _Fields, mode: str) -> bool:
    """Whether the step, or one of its like, says what no contract judges."""
    if mode == Mode.VERIFY:
        return str(step["id"]) == _DRIFT
    return Kind(step["kind"]) is Kind.PROMOTE or str(step["id"]).startswith(_RESULT)


def _known(judged: Mapping[str, _Fields], earlier: Iterable[_Fields]) -> _Earlier:
    known = _Earlier()
    left = set(judged)
    for audit in earlier:
        asked = left & _judged(audit).keys()
        if not asked:
            continue
        known.runs.append(audit)
        left -= asked
        started = _started(audit)
        for each in audit["findings"]:
            if _asked(each) in asked:
                kept = {name: str(each.get(name, "")) for name in _KEPT}
                known.findings.append({**kept, "since": str(each.get("since") or started)})
        for each in audit.get("compared", {}).get("exempted", ()):
            known.exempted.setdefault((each["rule"], each["object"]), each["since"])
        if not left or len(known.runs) == _RUNS:
            break
    return known


def _since(findings: Sequence[_Fields], known: _Earlier, *, with_text: bool) -> tuple[str, ...]:
    """Of several that are alike the oldest are those that were there already."""
    first: dict[tuple[str, ...], list[str]] = {}
    for each in sorted(known.findings, key=lambda finding: str(finding["since"])):
        first.setdefault(_identity(each, with_text=with_text), []).append(str(each["since"]))
    found = []
    for seen in findings:
        there = first.get(_identity(seen, with_text=with_text))
        found.append(there.pop(0) if there else "")
    return tuple(found)


def _exempted(document: _Fields, known: _Earlier) -> Iterator[dict[str, str]]:
    """What is let stand, with the reason that its exemption gives, and since when it has stood."""
    started = _started(document)
    stood = {
        (each["rule"], _PLACE.sub("", each["object"])): str(each["since"])
        for each in known.findings
    }
    told = [each for step in document["steps"] for each in step["exempted"]]
    for let in {tuple(each.values()): each for each in told}.values():
        key = (let["rule"], let["object"])
        yield {**let, "since": known.exempted.get(key) or stood.get(key) or started}


def _started(document: _Fields) -> str:
    """As an audit writes a moment."""
    return str(document["run"]["started_at"]).replace("+00:00", "Z")


def _same_version(document: _Fields, known: _Earlier) -> bool:
    version = document["run"]["tool_version"]
    return all(each["run"].get("tool_version") == version for each in known.runs)
