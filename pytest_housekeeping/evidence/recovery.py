"""Turn the journal that a killed run left behind into an audit of what is true."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import records
from pytest_housekeeping.evidence.secrets import Secrets
from pytest_housekeeping.model import Kind, Outcome, RunOutcome

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.audit_model import Audit

Ask = Callable[[str, str], str | None]
"""What the server with this system identifier says of a transaction: committed, aborted, None."""


def leftovers(folder: Path) -> tuple[Path, ...]:
    """The journals below whose run is dead, oldest first: nobody holds their lock."""
    return tuple(path for path in sorted(folder.glob(f"*{records.JOURNAL}")) if _is_dead(path))


def recover(path: Path, *, ask: Ask | None = None, secrets: Secrets | None = None) -> Audit:
    """Turn the journal of a dead run into an audit that claims no more than it knows.

    ``rolled_back`` when no commit had begun or the last one is known not to have happened;
    ``unknown`` when one had begun and its answer is neither recorded nor known to ``ask``, or
    when a line in the middle cannot be read; ``promoted`` or ``promoted_in_part`` when so
    recorded. A last line that was torn off is ignored. Raises EvidenceError when not even the
    first line can be read.
    """
    from pytest_housekeeping.evidence.audit import seal

    events, damaged = _read(path)
    events += _answered(events, ask)
    opening, *rest = events
    plan = opening["plan"]
    outcome, message = _outcome(rest, plan["segments"], damaged)
    last = events[-1]["at"]
    begun = datetime.fromisoformat(opening["run"]["started_at"])
    length = (datetime.fromisoformat(last) - begun).total_seconds()
    run = {
        **opening["run"],
        "outcome": outcome.value,
        "finished_at": last,
        "duration_s": max(0.0, records.seconds(length)),
        "message": f"{_ending(rest)} {message}",
    }
    ended = [event for event in rest if event["event"] == "ended"]
    target = [event["target"] for event in rest if event["event"] == "connected"]
    document = {
        "run": run,
        "source": opening["source"],
        "target": target[-1] if target else None,
        "plan": plan,
        "steps": [*(event["step"] for event in ended), *_promotes(plan, rest)],
        "findings": [finding for event in ended for finding in event["findings"]],
    }
    return seal(document, secrets=secrets, gap="not run, or cut off: the run ended before")


def _answered(events: list[dict[str, Any]], ask: Ask | None) -> list[dict[str, Any]]:
    """The answer to a COMMIT that the dead run did not live to see, asked for afterwards."""
    commits = [e for e in events if e["event"] in ("committing", "committed", "rolled_back")]
    target = [event["target"] for event in events if event["event"] == "connected"]
    if ask is None or not target or not commits or not commits[-1].get("xid"):
        return []
    status = ask(target[-1]["system_identifier"], commits[-1]["xid"])
    event = {"committed": "committed", "aborted": "rolled_back"}.get(status or "")
    return [{**commits[-1], "event": event, "at": events[-1]["at"]}] if event else []


def _outcome(events: list[dict[str, Any]], segments: int, damaged: bool) -> tuple[RunOutcome, str]:
    committed = {event["segment"] for event in events if event["event"] == "committed"}
    commits = [e for e in events if e["event"] in ("committing", "committed", "rolled_back")]
    if commits and commits[-1]["event"] == "committing":
        return RunOutcome.UNKNOWN, _ask(commits[-1], committed)
    if damaged:
        return (
            RunOutcome.UNKNOWN,
            "Its journal is damaged: look into the history table.",
        )
    finished = [event for event in events if event["event"] == "finished"]
    if finished:
        return RunOutcome(finished[-1]["outcome"]), finished[-1]["message"]
    if not committed:
        return (
            RunOutcome.ROLLED_BACK,
            "Nothing was committed: the database is as it was.",
        )
    if len(committed) >= segments:
        return RunOutcome.PROMOTED, "The batch was committed."
    names = ", ".join(str(segment) for segment in sorted(committed))
    return (
        RunOutcome.PROMOTED_IN_PART,
        f"Committed: segment {names} of {segments}; nothing else. The next run goes on from there.",
    )


def _promotes(plan: dict[str, Any], events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The promote steps that were cut off after their COMMIT was answered: they have passed."""
    committed = {event["segment"] for event in events if event["event"] == "committed"}
    ended = {event["step"]["id"] for event in events if event["event"] == "ended"}
    return [
        {
            "id": step["id"],
            "phase": step["phase"],
            "kind": step["kind"],
            "segment": step["segment"],
            "outcome": Outcome.PASSED.value,
            "duration_s": 0.0,
            "examined": 1,
            "message": "COMMIT was answered, as the journal says",
        }
        for step in plan["steps"]
        if step["kind"] == Kind.PROMOTE and step["segment"] in committed and step["id"] not in ended
    ]


def _ask(commit: Mapping[str, Any], committed: set[int]) -> str:
    done = f" Segments {sorted(committed)} are in." if committed else ""
    if commit["xid"] is None:
        return (
            f"Segment {commit['segment']}, which runs outside of a transaction, may be in: "
            f"look into the history table; running again is safe.{done}"
        )
    return (
        f"COMMIT of segment {commit['segment']} was being sent, and its answer is not recorded. "
        f"SELECT pg_xact_status('{commit['xid']}') on the server says which it was.{done}"
    )


def _ending(events: list[dict[str, Any]]) -> str:
    over = {event["step"]["id"] for event in events if event["event"] == "ended"}
    open_ = [e["step"] for e in events if e["event"] == "began" and e["step"] not in over]
    during = f", during {open_[-1]}" if open_ else ""
    return f"The run ended without writing its record{during}; this is made of its journal."


def _read(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """The events, and whether a line other than the last could not be read."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise _unreadable(path, error.strerror or "") from None
    if lines[-1] == b"":
        lines.pop()
    events = [_parse(line) for line in lines]
    while len(events) > 1 and events[-1] is None:
        events.pop()
    known = [event for event in events if event is not None]
    if not events or events[0] is None or events[0].get("event") != "started":
        raise _unreadable(path, "its first line is no beginning of a run")
    return known, len(known) < len(events)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and {"event", "at"} <= event.keys() else None


def _is_dead(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    # A run that ended between the two has removed it itself.
    return path.exists()


def _unreadable(path: Path, reason: str) -> EvidenceError:
    return EvidenceError(
        f"the journal {path} cannot be read: {reason}",
        why="it is what a run that was killed left behind; what that run did is not known",
        fix="compare the history table with sql/, then move the file away",
    )
