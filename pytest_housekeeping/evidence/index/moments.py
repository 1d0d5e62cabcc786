"""From when to when: what a person writes of a moment, and whether something falls into it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pytest_housekeeping.errors import MisuseError

_YEARS = range(1970, 9999)


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """Moments in UTC, as audits write them; "" for no bound. The end belongs to it."""

    since: str = ""
    until: str = ""

    def has(self, began: str, ended: str) -> bool:
        """Whether any of that time falls into it."""
        return (not self.since or ended >= self.since) and (not self.until or began <= self.until)


def period(since: str | None, until: str | None) -> Period:
    """What ``--from`` and ``--to`` say. Raises MisuseError for what is no moment, or backwards."""
    found = Period(
        since=moment(since, "--from") if since else "",
        until=moment(until, "--to", end=True) if until else "",
    )
    if found.since and found.until and found.since > found.until:
        raise MisuseError(
            f"--from {since} is later than --to {until}",
            why="no run can have taken place in between",
            fix="exchange them",
        )
    return found


def moment(text: str, option: str, *, end: bool = False) -> str:
    """A day, or a moment, as audits write moments; of a day its beginning, or its ``end``."""
    try:
        found = datetime.fromisoformat(text)
        in_utc = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        if in_utc.year not in _YEARS:
            raise ValueError
        if end and len(text) == len("2027-03-01"):
            in_utc += timedelta(days=1, seconds=-1)
    except (ValueError, OverflowError):
        raise MisuseError(
            f"{option} {text!r} is no day and no moment",
            why="which runs are meant cannot be told",
            fix=f"write it as 2027-03-01, or 2027-03-01T13:45:00Z: {option} 2027-03-01",
        ) from None
    return f"{in_utc:%Y-%m-%dT%H:%M:%SZ}"
