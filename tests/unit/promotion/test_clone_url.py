"""Which clone is meant: that of the command line, of the environment or of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.promotion.production.clone.opening import clone_url
from pytest_housekeeping.promotion.run_options import RunOptions


@pytest.mark.parametrize(
    ("option", "variable", "in_place", "meant"),
    [
        (None, None, False, "settings"),
        (None, "", False, "settings"),
        (None, "variable", False, "variable"),
        ("option", "variable", False, "option"),
        ("", "variable", False, ""),
        ("option", "variable", True, ""),
    ],
)
def test_it_is_the_nearest_one_and_an_empty_option_leaves_it_out(
    monkeypatch: pytest.MonkeyPatch,
    option: str | None,
    variable: str | None,
    in_place: bool,
    meant: str,
) -> None:
    monkeypatch.delenv("HK_TWIN", raising=False)
    if variable is not None:
        monkeypatch.setenv("HK_TWIN", variable)
    options = RunOptions(
        root=Path(), mode=Mode.PROD, tests=TestNames(), twin=option, in_place=in_place
    )
    assert clone_url(options, Config(root=Path(), twin="settings")) == meant
    assert "option" not in repr(options), "it may hold a password"
