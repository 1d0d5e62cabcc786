"""A planted line is found in each language, and a line beside it that names nothing is not."""

from __future__ import annotations

import pytest

from pytest_housekeeping.checks.code.verdict import tripwire as module
from pytest_housekeeping.postgres.connection import Connection
from support.guarded import BOUNDARIES, STAY_OUT


def test_it_fires_in_each_language_and_nowhere_else(
    ground: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = module.trip_code(ground, BOUNDARIES, STAY_OUT)
    assert verdict.findings == ()
    assert verdict.evidence[0].endswith(
        "planted.py, planted.ts, planted.sql, and was quiet without it"
    )

    monkeypatch.setattr(module, "_QUIET", "SELECT 1 FROM office.paper;\n")
    loud = module.trip_code(ground, BOUNDARIES, STAY_OUT)
    assert "it fires where nothing is planted; it said: " in loud.findings[0].detail

    monkeypatch.undo()
    monkeypatch.setitem(module._PLANTED, "planted.sql", "SELECT 1; -- {}\n")
    dead = module.trip_code(ground, BOUNDARIES, STAY_OUT)
    assert "in planted.sql; it said: " in dead.findings[0].detail
