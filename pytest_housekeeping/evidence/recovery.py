"""Turn the journal that a killed run left behind into an audit of what is true.

The audit claims no more than is known. A COMMIT is journaled before it is sent and after it is
answered, so a run that was killed in between has an open question, which only the server can
answer: pg_xact_status says of a transaction whether it was committed, as long as the server still
remembers it. https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
A run reads the schema again behind its COMMIT, and the step behind the promote step says what it
saw: where it failed, what is committed is not what was proved, and where it had no end, nobody is
known to have looked. In a plan without such steps, of an earlier version, it was the promote step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.evidence.fields import end_fields
from pytest_housekeeping.evidence.leftovers import Event, SentTo, read_events, unreadable
from pytest_housekeeping.model import Kind, Mode, Outcome, Phase, RunOutcome
from pytest_housekeeping.plan.steps import SCHEMA

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit

AskServer = Callable[[SentTo, str], str | None]
"""Of a transaction, by where it was sent and its xid: committed, aborted, or None where it is not
known."""

PreviousOf = Callable[[Mode], str | None]
"""The digest of the audit that the next one of a mode builds on."""

_NOT_READ = (
    "That the schema was read again behind COMMIT is not recorded: --hk-mode=verify says"
    " what stands there."
)
_COMMIT_EVENTS = ("committing", "committed", "rolled_back")


def recover(
    path: Path, *, ask: AskServer | None = None, previous: PreviousOf = lambda _: None
) -> Audit:
    """Turn the journal of a dead run into an audit, which builds on the ``previous`` one.

    The outcome is what the run itself had recorded when it had finished. Otherwise ``rolled_back``
    when no commit had begun or the last one is known not to have happened; ``promoted`` or
    ``promoted_in_part`` when commits were answered, ``promoted_unproved`` when the schema behind
    one was found to be another, or is not recorded to have been read again; ``unknown`` when one
    had begun and its answer is neither recorded nor known to ``ask``, or when a line in the middle
    cannot be read. Raises EvidenceError when not even the first line can be read, and when an event
    is none that this version of the tool writes.
    """
    (start, *events), damaged = read_events(path)
    try:
        return _audit(start, events, ask, previous, damaged=damaged)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = f"an event of it is none of this version ({type(error).__name__}: {error})"
        raise unreadable(path, said) from None


def _audit(
    start: Event,
    events: list[Event],
    ask: AskServer | None,
    previous: PreviousOf,
    *,
    damaged: bool,
) -> Audit:
    from pytest_housekeeping.evidence.audit import seal

    events += _late_answer(events, ask)
    plan = start["plan"]
    outcome, message = _outcome(events, plan, damaged=damaged)
    begun = datetime.fromisoformat(start["run"]["started_at"])
    last = datetime.fromisoformat(events[-1]["at"] if events else start["at"])
    run = {
        **start["run"],
        "outcome": outcome.value,
        **end_fields(begun, last),
        "message": f"{_how_it_ended(events)} {message}".rstrip(),
    }
    ended = _named(events, "ended")
    document = {
        "run": run,
        "source": start["source"],
        "target": _target(events),
        "plan": plan,
        "steps": [*_ended_steps(ended), *_committed_steps(plan, events)],
        "changes": [each for event in _named(events, "measured") for each in event["changes"]],
        "batch": [event["batch"] for event in _named(events, "measured")],
        "findings": [finding for event in ended for finding in event["findings"]],
        "lock_conflicts": [event["conflict"] for event in _named(events, "conflicted")],
        "chain": {"previous": previous(Mode(start["run"]["mode"]))},
    }
    return seal(document, reason="not run, or cut off: the run ended before")


def _ended_steps(ended: Sequence[Event]) -> list[dict[str, Any]]:
    """One record a step, as the run itself keeps them: of several, the first that did not pass."""
    steps: dict[str, dict[str, Any]] = {}
    for event in ended:
        step = event["step"]
        before = steps.get(step["id"])
        if before is None or before["outcome"] == Outcome.PASSED:
            steps[step["id"]] = step
    return list(steps.values())


def _named(events: Sequence[Event], *names: str) -> list[Event]:
    return [event for event in events if event["event"] in names]


def _target(events: Sequence[Event]) -> dict[str, Any] | None:
    connected = _named(events, "connected")
    return connected[-1]["target"] if connected else None


def _sent_to(events: Sequence[Event]) -> SentTo | None:
    target = _target(events)
    if target is None:
        return None
    return SentTo(
        system_identifier=target["system_identifier"],
        database=target["database"],
        timeline=target.get("timeline"),
    )


def _late_answer(events: Sequence[Event], ask: AskServer | None) -> list[Event]:
    """The answer to a COMMIT that the dead run did not live to see, asked for afterwards."""
    commits, sent_to = _named(events, *_COMMIT_EVENTS), _sent_to(events)
    if ask is None or sent_to is None or not commits or not commits[-1].get("xid"):
        return []
    status = ask(sent_to, commits[-1]["xid"])
    answer = {"committed": "committed", "aborted": "rolled_back"}.get(status or "")
    return [{**commits[-1], "event": answer, "at": events[-1]["at"]}] if answer else []


def _outcome(
    events: Sequence[Event], plan: dict[str, Any], *, damaged: bool
) -> tuple[RunOutcome, str]:
    commits = _named(events, *_COMMIT_EVENTS)
    committed = {event["segment"] for event in _named(commits, "committed")}
    if commits and commits[-1]["event"] == "committing":
        return RunOutcome.UNKNOWN, _open_question(commits[-1], committed, _sent_to(events))
    if damaged:
        return RunOutcome.UNKNOWN, "Its journal is damaged: look into the history table."
    # An answer that came in later stands behind the run's own "finished", and overrules it.
    finished = _named(events, "finished", "committed", "rolled_back")[-1:]
    if finished and finished[0]["event"] == "finished":
        return RunOutcome(finished[0]["outcome"]), finished[0]["message"]
    if not committed:
        return RunOutcome.ROLLED_BACK, "Nothing was committed."
    return _outcome_of_commits(events, plan, committed)


def _outcome_of_commits(
    events: Sequence[Event], plan: dict[str, Any], committed: set[int]
) -> tuple[RunOutcome, str]:
    """The outcome of commits that were answered, by what the run has seen behind them."""
    ended = {event["step"]["id"]: event["step"]["outcome"] for event in _named(events, "ended")}
    looks = [ended.get(step["id"]) for step in _looking_steps(plan, committed)]
    if Outcome.FAILED in looks:
        return RunOutcome.PROMOTED_UNPROVED, "Committed, and behind COMMIT something is not right."
    segments, said = plan["segments"], "The batch was committed."
    in_part = len(committed) < segments
    if in_part:
        names = ", ".join(str(segment) for segment in sorted(committed))
        said = f"Committed: segment {names} of {segments}; nothing else."
    if None in looks:
        return RunOutcome.PROMOTED_UNPROVED, f"{said} {_NOT_READ}"
    if in_part:
        return RunOutcome.PROMOTED_IN_PART, f"{said} The next run goes on from there."
    return RunOutcome.PROMOTED, said


def _promote_steps(plan: dict[str, Any], committed: set[int]) -> list[dict[str, Any]]:
    return [
        step
        for step in plan["steps"]
        if step["kind"] == Kind.PROMOTE and step["segment"] in committed
    ]


def _looking_steps(plan: dict[str, Any], committed: set[int]) -> list[dict[str, Any]]:
    """The steps that say what was seen behind each COMMIT; those of promote in an older plan."""
    looking = [
        step
        for step in plan["steps"]
        if step["kind"] == Kind.AFTER
        and step["id"].startswith(f"{Phase.AFTER}::{SCHEMA}")
        and step["segment"] - 1 in committed
    ]
    return looking or _promote_steps(plan, committed)


def _open_question(commit: Event, committed: set[int], sent_to: SentTo | None) -> str:
    """What a person has to ask the server, where the run's last COMMIT has no known answer."""
    done = f" Segments {sorted(committed)} are in." if committed else ""
    if commit["xid"] is None:
        return (
            f"Segment {commit['segment']}, which runs outside of a transaction, may be in: "
            f"look into the history table; running again is safe.{done}"
        )
    only = f" ({sent_to}; no other one, and no copy of it, knows)" if sent_to else ""
    return (
        f"COMMIT of segment {commit['segment']} was being sent, and its answer is not recorded. "
        f"SELECT pg_xact_status('{commit['xid']}') on the server says which it was{only}.{done}"
    )


def _how_it_ended(events: Sequence[Event]) -> str:
    last = _named(events, "began", "ended", "finished")[-1:]
    during = f", during {last[0]['step']}" if last and last[0]["event"] == "began" else ""
    return f"The run ended without writing its record{during}; this is made of its journal."


def _committed_steps(plan: dict[str, Any], events: Sequence[Event]) -> list[dict[str, Any]]:
    """The steps of promote, and of the look behind it, that were cut off after the COMMIT was
    answered, and did not end."""
    committed = {event["segment"] for event in _named(events, "committed")}
    ended = {event["step"]["id"] for event in _named(events, "ended")}
    promotes, looking = _promote_steps(plan, committed), _looking_steps(plan, committed)
    steps = [*promotes, *(step for step in looking if step not in promotes)]
    return [_cut_off(step, looks=step in looking) for step in steps if step["id"] not in ended]


def _cut_off(step: dict[str, Any], *, looks: bool) -> dict[str, Any]:
    """A step that is known to have committed; one that was to look, and is not known to have."""
    said = "committed, as the journal says."
    return {
        "id": step["id"],
        "phase": step["phase"],
        "kind": step["kind"],
        "segment": step["segment"],
        "outcome": (Outcome.FAILED if looks else Outcome.PASSED).value,
        "duration_s": 0.0,
        "examined": 1,
        "message": f"{said} {_NOT_READ}" if looks else said,
    }
