"""The hours in which production may be promoted: ``window = "22:00-02:00 Europe/Berlin"``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from zoneinfo import ZoneInfo

_FORM = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d) (\S+)")


@dataclass(frozen=True, kw_only=True)
class Window:
    """From ``opens`` to before ``closes`` on the clock of a zone, each day; over midnight where it
    opens later than it closes."""

    opens: time
    closes: time
    zone: tzinfo

    def is_open(self, now: datetime) -> bool:
        """Whether this moment lies in it, by the wall clock there: in the nights in which the clock
        is changed it is an hour longer or shorter."""
        clock = now.astimezone(self.zone).time()
        if self.opens < self.closes:
            return self.opens <= clock < self.closes
        return clock >= self.opens or clock < self.closes


def read_window(text: str) -> Window:
    """The window that a setting tells. Raises ValueError, with what is wrong of it."""
    parts = _FORM.fullmatch(text)
    if parts is None:
        raise ValueError('is no window, such as "02:00-05:00 UTC"')
    try:
        opens, closes = (time(int(parts[at]), int(parts[at + 1])) for at in (1, 3))
    except ValueError:
        raise ValueError("has an hour that no clock shows; the last is 23:59") from None
    if opens == closes:
        raise ValueError("opens when it closes; to promote at any time, leave it out")
    return Window(opens=opens, closes=closes, zone=_zone(parts[5]))


def _zone(name: str) -> tzinfo:
    if name == "UTC":  # known without a database of time zones
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, LookupError, OSError):
        raise ValueError(f"has a time zone that is not known here: {name}") from None
