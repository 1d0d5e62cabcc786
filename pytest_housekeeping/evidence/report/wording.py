"""The outcome of a run in words for a person: the same on a page, in a summary and a terminal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_housekeeping.config import Target
from pytest_housekeeping.evidence.report.tally import as_it_was, failures
from pytest_housekeeping.evidence.run_outcomes import PROVED, UNDONE
from pytest_housekeeping.model import Mode, Outcome, RunOutcome

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit

COLOURS = {"good": "green", "bad": "red", "unsure": "yellow"}  # of a tone, on a terminal


@dataclass(frozen=True, kw_only=True, slots=True)
class OutcomeText:
    """``tone`` is good, bad or unsure; ``next_steps`` say what to do now."""

    tone: str
    headline: str
    meaning: str
    next_steps: tuple[str, ...] = ()


def outcome_text(audit: Audit) -> OutcomeText:
    """The outcome in the words of its mode."""
    mode, outcome = audit.run.mode, audit.run.outcome
    failed = bool(failures(audit))
    if mode is Mode.VERIFY and outcome in (RunOutcome.ROLLED_BACK, RunOutcome.NOTHING_TO_PROMOTE):
        # A watch always rolls back: only what failed tells the two apart.
        outcome = RunOutcome.ROLLED_BACK if failed else RunOutcome.NOTHING_TO_PROMOTE
    if mode is Mode.STAGING and outcome is RunOutcome.ROLLED_BACK and not failed:
        return _CHECKED_ONLY
    lacking = any(step.outcome is not Outcome.PASSED for step in audit.steps)
    if mode is Mode.STAGING and outcome in PROVED and lacking:
        return _BEHIND_COMMIT
    text = text_of(mode, outcome)
    option = Target(name=audit.run.target).option
    before = f" (before {audit.run.target})" * bool(audit.production.begins)
    commands = {"promotion": _promotion(audit), "before": before}
    commands |= {"target": option, "run": audit.run.id}
    steps = tuple(each.format(**commands) for each in text.next_steps)
    text = replace(text, meaning=_counted(text.meaning, audit), next_steps=steps)
    if audit.opens_review:
        review = _REVIEW.format(run=audit.run.id)
        text = replace(text, next_steps=(*text.next_steps, review))
    source, proved = audit.source, text.tone == "good" and mode is Mode.STAGING
    if (source.dirty and mode is not Mode.PLAN) or (proved and not source.commit):
        asked = (_UNCOMMITTED, *steps) if proved else (*text.next_steps, _UNCOMMITTED)
        return replace(text, next_steps=asked)
    if mode in (Mode.PROD, Mode.ROLLBACK) and not any("erge the audit" in each for each in steps):
        steps = (*text.next_steps, _NOTHING_TO_MERGE if outcome in UNDONE else _MERGE)
        return replace(text, next_steps=steps)
    return text


def _counted(meaning: str, audit: Audit) -> str:
    """Of a batch of several transactions, that it was several; of one that is undone what stays."""
    if (segments := audit.plan.segments) != 1:
        meaning = meaning.replace("in one transaction", f"in {segments} transactions")
        meaning = meaning.replace("the transaction was", f"its {segments} transactions were")
    return as_it_was(meaning, audit)


def _promotion(audit: Audit) -> str:
    return f"pytest --hk-mode=prod{begins_with(audit)} --hk-confirm={audit.production.confirm}"


def begins_with(audit: Audit) -> str:
    """The option of what is promoted to first of what staging has proved, a blank before it; what
    is proved for one of a fleet is promoted to all of it."""
    begins = audit.production.begins
    return f" {begins}" if begins else Target(name=audit.run.target).everywhere


def text_of(mode: Mode, outcome: RunOutcome) -> OutcomeText:
    """An outcome in the words of a mode, whatever else an audit says."""
    return _BY_MODE[mode].get(outcome) or _IN_ANY_MODE[outcome]


def outcome_word(mode: str, outcome: str) -> str:
    """The outcome in a word or two: promoted is called what has changed production for good."""
    return _CALLED.get(mode, {}).get(outcome, outcome.replace("_", " "))


def _good(headline: str, meaning: str, *next_steps: str) -> OutcomeText:
    return OutcomeText(tone="good", headline=headline, meaning=meaning, next_steps=next_steps)


def _bad(headline: str, meaning: str, *next_steps: str) -> OutcomeText:
    return OutcomeText(tone="bad", headline=headline, meaning=meaning, next_steps=next_steps)


def _unsure(headline: str, meaning: str, *next_steps: str) -> OutcomeText:
    return OutcomeText(tone="unsure", headline=headline, meaning=meaning, next_steps=next_steps)


_REPAIR = "Repair what is listed here, from the first one on, and run again."
_UNCOMMITTED = "Commit the files to git and run again: this audit attests no commit."
_MERGE = "Merge the audit, so that the next run builds on it."
_NOTHING_TO_MERGE = (
    "There is nothing to merge, unless this run wrote an incident report: complete the report and"
    " merge it."
)
_REVIEW = (
    "Review what this emergency did, and record the result:"
    " python -m pytest_housekeeping review {run} '…'. Until then audit and verify fail."
)
_CHECKED_ONLY = _unsure(
    "Checked, not promoted",
    "Everything that ran has passed, but not every required step ran, so it was rolled back.",
)
_BEHIND_COMMIT = _bad(
    "Not proved: a step after COMMIT failed",
    "The batch itself was committed on the throwaway database. Production was not touched, and will"
    " refuse this plan.",
    _REPAIR,
)
_IN_ANY_MODE: dict[RunOutcome, OutcomeText] = {
    RunOutcome.PROMOTED: _good(
        "Promoted",
        "Every required step passed, and the transaction was committed.",
        _MERGE,
    ),
    RunOutcome.PROMOTED_IN_PART: _unsure(
        "Promoted in part",
        "Some segments of the batch are committed, each of them whole. Nothing of the others is.",
        "Repair what is listed here, merge the audit, and prove the rest in staging:"
        " pytest --hk-mode=staging",
        "Then run again: it continues with the first segment that is not committed yet.",
        "Or undo what is committed:"
        " pytest --hk-mode=rollback{target} --hk-confirm=ROLLBACK --hk-to={run}",
    ),
    RunOutcome.PROMOTED_UNPROVED: _unsure(
        "Committed, but not proved after COMMIT",
        "The batch is in the database. Its schema differs from the one that was checked, or could"
        " not be read again: the failed step says which.",
        "First run every check: pytest --hk-mode=verify{target}",
        "If the batch caused a difference, repair it with a new migration or go back: if the schema"
        " could be read again, the incident report has a proposal for the way back.",
    ),
    RunOutcome.NOTHING_TO_PROMOTE: _good(
        "Nothing to promote", "Everything is applied already, and every check passed."
    ),
    RunOutcome.PLANNED: _good("Planned", "Nothing was changed."),
    RunOutcome.ROLLED_BACK: _bad(
        "Not promoted: rolled back",
        "A required step did not pass, so nothing was committed. The database is as it was.",
        _REPAIR,
    ),
    RunOutcome.REFUSED: _bad(
        "Refused: nothing was begun",
        "A condition for starting was not met, or something did not pass on the copy of the"
        " database. The database itself was not changed.",
        _REPAIR,
    ),
    RunOutcome.UNKNOWN: _unsure(
        "Unknown: ask the database",
        "COMMIT was sent, or may have been, and no answer arrived. All of it is in, or none of it.",
        "Run again as soon as the server answers: the run asks it whether that COMMIT succeeded.",
        "Nothing is applied twice: the history says what is in.",
    ),
}
_STAGING: dict[RunOutcome, OutcomeText] = {
    RunOutcome.PROMOTED: _good(
        "Proved in staging",
        "Every required step passed on a throwaway database, up to the COMMIT. Production was not"
        " touched.",
        "Merge, then promote{before}: {promotion}",
    ),
    RunOutcome.NOTHING_TO_PROMOTE: _good(
        "Nothing to promote",
        "Production has everything already, and every check passed on a throwaway database.",
    ),
    RunOutcome.ROLLED_BACK: _bad(
        "Not proved",
        "A required step did not pass on the throwaway database. Production was not touched, and"
        " will refuse this plan.",
        _REPAIR,
    ),
    RunOutcome.PROMOTED_IN_PART: _bad(
        "Not proved: only a part passed",
        "Some segments passed on the throwaway database, the rest did not. Production was not"
        " touched, and will refuse this plan.",
        _REPAIR,
    ),
    RunOutcome.PROMOTED_UNPROVED: _bad(
        "Not proved: the COMMIT went wrong",
        "On the throwaway database the schema after COMMIT differed from the proved one or could"
        " not be read again, or a check forced a COMMIT. Production was not touched, and will"
        " refuse this plan.",
        _REPAIR,
    ),
    RunOutcome.UNKNOWN: _bad(
        "Not proved",
        "The run ended before it had an answer. The throwaway database is gone; production was not"
        " touched.",
        "Run again.",
    ),
}
_PLAN: dict[RunOutcome, OutcomeText] = {
    RunOutcome.PLANNED: _good(
        "Planned",
        "The batch ran on a copy of production, and every check of the schema passed there. Nothing"
        " was changed.",
    ),
    RunOutcome.NOTHING_TO_PROMOTE: _good(
        "Nothing pending",
        "Production has every file, and every check of the schema passed on a copy of it. Nothing"
        " was changed.",
    ),
    RunOutcome.ROLLED_BACK: _unsure(
        "Planned in part",
        "Only a selection of the plan was run, on a copy of production. Nothing was changed.",
    ),
    RunOutcome.REFUSED: _bad(
        "Cannot be promoted like this",
        "The batch could not be rehearsed on a copy of production, or a check did not pass there."
        " Nothing was changed.",
        _REPAIR,
    ),
}
_VERIFY: dict[RunOutcome, OutcomeText] = {
    RunOutcome.NOTHING_TO_PROMOTE: _good(
        "Verified",
        "Every check of production passed. Nothing was changed.",
    ),
    RunOutcome.ROLLED_BACK: _bad(
        "Production failed a check",
        "At least one check of production did not pass. Nothing was changed.",
        _REPAIR,
    ),
}
_ROLLBACK: dict[RunOutcome, OutcomeText] = {
    RunOutcome.PROMOTED: _good(
        "Rolled back",
        "The rollback files ran in one transaction, the schema was shown to be what it was before"
        " the promotion, and the transaction was committed.",
        "Merge the audit and complete the incident report.",
    ),
    RunOutcome.PROMOTED_IN_PART: _bad(
        "Rolled back in part",
        "Some segments of the promotion are rolled back, the others are still in place. No segment"
        " is half rolled back.",
        _REPAIR,
        "The same command continues with what is still in place.",
    ),
    RunOutcome.PROMOTED_UNPROVED: _unsure(
        "Rolled back, but not proved after COMMIT",
        "The rollback is in the database. Its schema differs from the one that was compared with"
        " the backup, or could not be read again: the failed step says which.",
        "First run every check: pytest --hk-mode=verify{target}",
    ),
    RunOutcome.NOTHING_TO_PROMOTE: _good(
        "Nothing to roll back", "The promotion had changed nothing."
    ),
    RunOutcome.ROLLED_BACK: _bad(
        "Not rolled back",
        "A required step did not pass, so nothing was committed. The promotion is still in place.",
        _REPAIR,
    ),
    RunOutcome.REFUSED: _bad(
        "Refused: nothing was rolled back",
        "A condition for starting was not met, or something did not pass on the copy of the"
        " database. The promotion is still in place.",
        _REPAIR,
    ),
}
_CALLED: dict[str, dict[str, str]] = {
    Mode.STAGING: {
        **{each.value: "not proved" for each in RunOutcome},
        RunOutcome.PROMOTED: "proved",
        RunOutcome.NOTHING_TO_PROMOTE: "nothing to promote",
    },
    Mode.VERIFY: {
        RunOutcome.NOTHING_TO_PROMOTE: "found nothing wrong",
        RunOutcome.ROLLED_BACK: "found something wrong",
    },
    Mode.ROLLBACK: {
        RunOutcome.PROMOTED: "rolled back",
        RunOutcome.PROMOTED_IN_PART: "rolled back in part",
        RunOutcome.PROMOTED_UNPROVED: "rolled back, not proved",
        RunOutcome.ROLLED_BACK: "not rolled back",
        RunOutcome.NOTHING_TO_PROMOTE: "nothing to roll back",
    },
}
_BY_MODE: dict[Mode, dict[RunOutcome, OutcomeText]] = {
    Mode.STAGING: _STAGING,
    Mode.PLAN: _PLAN,
    Mode.PROD: {},
    Mode.VERIFY: _VERIFY,
    Mode.ROLLBACK: _ROLLBACK,
}
