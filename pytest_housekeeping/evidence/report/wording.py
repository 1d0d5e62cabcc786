"""What a run means, in words for a person: the same in the report, the summary and the terminal."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from pytest_housekeeping.model import Level, Mode, Outcome, Phase, RunOutcome

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.audit_model import Audit, FindingRecord, StepRecord

LEVELS = {Level.ERROR: 0, Level.WARNING: 1, Level.NOTICE: 2}
# Control characters, those that reorder text, and lone surrogates: shown as what they are.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """``tone`` is good, bad or unsure; ``next`` says what to do now."""

    tone: str
    headline: str
    meaning: str
    next: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseCount:
    """The steps of a phase, by how they ended."""

    phase: Phase
    passed: int
    failed: int
    skipped: int
    examined: int
    duration_s: float

    @property
    def steps(self) -> int:
        return self.passed + self.failed + self.skipped


def verdict(audit: Audit) -> Verdict:
    """The outcome in the words of its mode."""
    mode, outcome = audit.run.mode, audit.run.outcome
    if mode is Mode.VERIFY and outcome in (RunOutcome.ROLLED_BACK, RunOutcome.NOTHING_TO_PROMOTE):
        outcome = RunOutcome.ROLLED_BACK if failures(audit) else RunOutcome.NOTHING_TO_PROMOTE
    if outcome is RunOutcome.ROLLED_BACK and mode is Mode.STAGING and not failures(audit):
        return Verdict(tone="unsure", headline=_CHECKED[0], meaning=_CHECKED[1], next=())
    tone, headline, meaning, todo = _WORDS.get((mode, outcome)) or _COMMON[outcome]
    steps = tuple(todo)
    if audit.source.dirty:
        steps += ("Commit the changed files and run again: this audit attests no commit.",)
    return Verdict(tone=tone, headline=headline, meaning=meaning, next=steps)


_CHECKED = (
    "Checked, not promoted",
    "What ran has passed; not everything that is required ran, so all of it was rolled back.",
)
_REPAIR = "Repair what is listed here, the first one first, and run again."
_COMMON: dict[RunOutcome, tuple[str, str, str, tuple[str, ...]]] = {
    RunOutcome.PROMOTED: (
        "good",
        "Promoted",
        "Every required step passed, and the transaction was committed.",
        ("Merge the audit, so that the next run builds on it.",),
    ),
    RunOutcome.PROMOTED_IN_PART: (
        "unsure",
        "Promoted in part",
        "Some segments of the batch are committed, the rest is not. Neither is half applied.",
        (_REPAIR, "The next run goes on with the first segment that is missing."),
    ),
    RunOutcome.NOTHING_TO_PROMOTE: (
        "good",
        "Nothing to promote",
        "Everything is applied already, and every check passed.",
        (),
    ),
    RunOutcome.ROLLED_BACK: (
        "bad",
        "Not promoted: rolled back",
        "A required step did not pass, so nothing was committed. The database is as it was.",
        (_REPAIR,),
    ),
    RunOutcome.REFUSED: (
        "bad",
        "Refused: nothing was begun",
        "A condition for starting was not met. The database was not changed.",
        (_REPAIR,),
    ),
    RunOutcome.UNKNOWN: (
        "unsure",
        "Unknown: ask the database",
        "COMMIT was sent, and its answer did not arrive. All of it is in, or nothing is.",
        (
            "Do not run again yet: ask the server as the message above says.",
            "Then run again: what is applied is found in the history and not repeated.",
        ),
    ),
}
_WORDS: dict[tuple[Mode, RunOutcome], tuple[str, str, str, tuple[str, ...]]] = {
    (Mode.STAGING, RunOutcome.PROMOTED): (
        "good",
        "Proved in staging",
        (
            "Every required step passed on a throwaway database, up to the COMMIT. "
            "Production was not touched."
        ),
        ("Merge, then promote: pytest --hk-mode=prod --hk-confirm=PROMOTE",),
    ),
    (Mode.STAGING, RunOutcome.NOTHING_TO_PROMOTE): (
        "good",
        "Nothing to promote",
        "Production has everything already, and every check passed on a throwaway database.",
        (),
    ),
    (Mode.STAGING, RunOutcome.ROLLED_BACK): (
        "bad",
        "Not proved",
        (
            "A required step did not pass on the throwaway database. Production was not touched, "
            "and will refuse this plan."
        ),
        (_REPAIR,),
    ),
    (Mode.STAGING, RunOutcome.PROMOTED_IN_PART): (
        "bad",
        "Not proved: only a part passed",
        (
            "Some segments passed on the throwaway database, the rest did not. Production was not "
            "touched, and will refuse this plan."
        ),
        (_REPAIR,),
    ),
    (Mode.STAGING, RunOutcome.UNKNOWN): (
        "bad",
        "Not proved",
        (
            "The run ended before it had an answer. The throwaway database is gone; production was "
            "not touched."
        ),
        ("Run again.",),
    ),
    (Mode.VERIFY, RunOutcome.NOTHING_TO_PROMOTE): (
        "good",
        "Verified",
        "Production keeps every promise that was checked. Nothing was changed.",
        (),
    ),
    (Mode.VERIFY, RunOutcome.ROLLED_BACK): (
        "bad",
        "Production breaks a promise",
        "At least one check did not pass. Nothing was changed by checking.",
        (_REPAIR,),
    ),
    (Mode.ROLLBACK, RunOutcome.PROMOTED): (
        "good",
        "Undone",
        (
            "The rollback files ran in one transaction, the schema was shown to be the one of "
            "before the promotion, and it was committed."
        ),
        ("Merge the audit and complete the incident report.",),
    ),
    (Mode.ROLLBACK, RunOutcome.PROMOTED_IN_PART): (
        "bad",
        "Undone in part",
        (
            "Some segments of the promotion are undone, the others are still in place. None is "
            "half undone."
        ),
        (_REPAIR, "The same command goes on with what is still in place."),
    ),
    (Mode.ROLLBACK, RunOutcome.NOTHING_TO_PROMOTE): (
        "good",
        "Nothing to undo",
        "What was named had changed nothing.",
        (),
    ),
    (Mode.ROLLBACK, RunOutcome.ROLLED_BACK): (
        "bad",
        "Not undone",
        "A required step did not pass, so nothing was committed. The promotion is still in place.",
        (_REPAIR,),
    ),
    (Mode.ROLLBACK, RunOutcome.REFUSED): (
        "bad",
        "Refused: nothing was undone",
        "A condition for starting was not met. The promotion is still in place.",
        (_REPAIR,),
    ),
}


def failures(audit: Audit) -> list[StepRecord]:
    return [step for step in audit.steps if step.outcome is Outcome.FAILED]


def findings(audit: Audit) -> list[FindingRecord]:
    """The gravest first, otherwise as they were seen."""
    return sorted(audit.findings, key=lambda finding: LEVELS[finding.level])


def by_phase(audit: Audit) -> list[PhaseCount]:
    """One entry for every phase that has steps, in the order in which phases run."""
    return [
        PhaseCount(
            phase=phase,
            passed=count[Outcome.PASSED],
            failed=count[Outcome.FAILED],
            skipped=count[Outcome.SKIPPED],
            examined=sum(step.examined for step in steps),
            duration_s=sum(step.duration_s for step in steps),
        )
        for phase in Phase
        if (steps := [step for step in audit.steps if step.phase is phase])
        for count in [Counter(step.outcome for step in steps)]
    ]


def duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def seen(text: str) -> str:
    """The text with what a screen would not show, or would obey, written out."""
    return _UNSEEN.sub(lambda char: ascii(char[0])[1:-1], text.replace("\r\n", "\n"))


def html(text: str) -> str:
    """The text as HTML that can be nothing but text."""
    return escape(seen(text))


def shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
