"""The hours in which production may be promoted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pytest_housekeeping.declarations.window import read_window


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "now", "is_open"),
    [
        ("02:00-05:00 UTC", "2026-11-29 02:00", True),
        ("02:00-05:00 UTC", "2026-11-29 04:59", True),
        ("02:00-05:00 UTC", "2026-11-29 05:00", False),
        ("02:00-05:00 UTC", "2026-11-29 01:59", False),
        # Over midnight.
        ("22:00-02:00 UTC", "2026-11-29 23:30", True),
        ("22:00-02:00 UTC", "2026-11-29 00:30", True),
        ("22:00-02:00 UTC", "2026-11-29 12:00", False),
        # By the clock of a place, in winter and in summer.
        ("02:00-05:00 Europe/Berlin", "2026-11-29 01:30", True),
        ("02:00-05:00 Europe/Berlin", "2026-07-29 01:30", True),
        ("02:00-05:00 Europe/Berlin", "2026-07-29 00:30", True),
        ("02:00-05:00 Europe/Berlin", "2026-11-29 00:30", False),
    ],
)
def test_when_it_is_open(window: str, now: str, is_open: bool) -> None:
    assert read_window(window).is_open(at(now)) is is_open
    # The zone of the clock that is asked does not matter.
    elsewhere = at(now).astimezone(read_window("00:00-01:00 Asia/Kathmandu").zone)
    assert read_window(window).is_open(elsewhere) is is_open


def test_every_minute_of_the_day_lies_in_one_of_two_halves() -> None:
    day, night = read_window("06:00-18:00 UTC"), read_window("18:00-06:00 UTC")
    start = at("2026-11-29 00:00")
    for minute in range(24 * 60):
        now = start + timedelta(minutes=minute)
        assert day.is_open(now) is not night.is_open(now)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("at night", "is no window"),
        ("02:00-05:00", "is no window"),
        ("2:00-5:00 UTC", "is no window"),
        ("02:00-24:00 UTC", "an hour that no clock shows"),
        ("02:00-02:00 UTC", "opens when it closes"),
        ("02:00-05:00 Mars/Olympus", "not known here: Mars/Olympus"),
        ("02:00-05:00 ../etc/passwd", "not known here"),
    ],
)
def test_what_is_no_window(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_window(text)
