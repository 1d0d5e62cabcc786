"""Every setting is decided on: it belongs to what staging proves, or it does not."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping.config import Config, Stub
from pytest_housekeeping.model import CodeFile
from pytest_housekeeping.plan.proved_settings import is_proved, proved_settings
from pytest_housekeeping.plan.steps import digest_of

# Another value of each setting that is proved.
OTHER: dict[str, Any] = {
    "session": {"DateStyle": "ISO, DMY"},
    "history_schema": "elsewhere",
    "platform": "supabase",
    "baseline": "7",
    "stubs": (Stub(name="http", types=("answer",)),),
    "trusted_extensions": ("vector",),
    "layout": "goose",
    "placeholders": {"schema": "shop"},
    "irreversible": {"sql/migrations/0001_a.sql": "its rows are gone"},
    "rows_only": {"sql/migrations/0001_a.sql": "it counts rows"},
    "as_superuser": {"sql/migrations/0001_a.sql": "it disables triggers"},
    "mutation_score": 0.5,
    "require_rollback": True,
}
KEYS = [field.name for field in fields(Config)]


def digest(**settings: Any) -> str:
    return digest_of(Config(root=Path("/"), **settings), (), (), ())


@pytest.mark.parametrize("key", KEYS)
def test_every_setting_is_decided_on(key: str) -> None:
    assert is_proved(key) is (key in OTHER)


@pytest.mark.parametrize("key", OTHER)
def test_another_value_is_another_plan(key: str) -> None:
    assert digest(**{key: OTHER[key]}) != digest()


def test_all_settings_that_differ_count_each_for_itself() -> None:
    assert len({digest(**{key: value}) for key, value in OTHER.items()}) == len(OTHER)
    assert digest(session={"DateStyle": "ISO, DMY", "TimeZone": "UTC"}) == digest(
        session={"TimeZone": "UTC", "DateStyle": "ISO, DMY"}
    )


def test_what_only_waits_or_lies_elsewhere_does_not() -> None:
    patient = Config(root=Path("/other"), lint=False, lock_timeout="1min", max_locks_held=2.0)
    assert list(proved_settings(patient)) == []
    assert digest_of(patient, (), (), ()) == digest()


def test_what_is_proved_holds_whatever_the_pins_say() -> None:
    """Which database it is, each run asks for itself; Python that runs is another plan."""
    config = Config(root=Path("/"))
    pin, code = (CodeFile(path=path, sha256="0") for path in (*config.pins, "conftest.py"))
    assert digest_of(config, (), (), (pin,)) == digest()
    assert digest_of(config, (), (), (code,)) != digest()
