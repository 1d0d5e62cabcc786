"""The pin of a server that does not tell its timeline: it is not compared, and that is said."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_housekeeping.config import Config, Target
from pytest_housekeeping.model import Level, TargetIdentity
from pytest_housekeeping.promotion.production.prechecks.table import _identity
from pytest_housekeeping.promotion.repository.target_pin import Pin, misplaced, pin_content
from pytest_housekeeping.sql.project_files import ProjectFiles

IDENTITY = TargetIdentity(
    host="db",
    port=5432,
    database="shop",
    user="promoter",
    server_version="16.4",
    system_identifier="7",
)


def pinned(timeline: int | None) -> Pin:
    return Pin(system_identifier="7", database="shop", timeline=timeline)


@pytest.mark.parametrize("timeline", [None, 3])
def test_what_is_not_told_is_not_pinned(timeline: int | None) -> None:
    content = json.loads(pin_content(IDENTITY, timeline))
    assert content.get("timeline") == timeline
    assert ("timeline" in content) is (timeline is not None)


@pytest.mark.parametrize(
    ("pin", "told", "fix"),
    [
        (3, 3, ""),
        (3, None, "GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_checkpoint() TO promoter;"),
        (None, None, "GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_checkpoint() TO promoter;"),
        (None, 3, 'add "timeline": 3 to it in a reviewed commit'),
    ],
)
def test_what_is_not_compared_is_a_notice(pin: int | None, told: int | None, fix: str) -> None:
    assert misplaced(pinned(pin), IDENTITY, told, Target()) == []
    context: Any = SimpleNamespace(
        read_pin=lambda: pinned(pin),
        config=Config(root=Path()),
        plan=SimpleNamespace(sources=ProjectFiles(Path("nowhere"))),
    )
    target: Any = SimpleNamespace(
        timeline=told, connection=SimpleNamespace(identity=lambda: IDENTITY)
    )
    verdict, said = _identity(context, target)
    assert [each.fix for each in verdict.findings] == [fix] * bool(fix)
    assert {each.level for each in verdict.findings} <= {Level.NOTICE}
    assert "None" not in said
    assert verdict.passed


def test_another_timeline_is_refused() -> None:
    ((said, _),) = misplaced(pinned(3), IDENTITY, 4, Target())
    assert said.startswith("the timeline is 4, and the last promotion went to 3")
