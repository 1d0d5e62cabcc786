"""What a report shows beside an audit: no secret of the run, and no password of a text."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.promotion.recording.shown_beside import shown_beside
from pytest_housekeeping.sql.password_literals import UNSHOWN

if TYPE_CHECKING:
    from pytest_housekeeping.evidence import Secrets
    from pytest_housekeeping.promotion.context import RunContext
    from pytest_housekeeping.promotion.target import KeptFiles

TEXTS = {
    "plain": "SELECT 'hush', 1",
    "role": "CREATE ROLE a PASSWORD 'word'",
    "broken": "CREATE ROLE a PASSWORD 'word",
}


def text_of(file: SimpleNamespace) -> str:
    if file.sha256 not in TEXTS:
        raise MisuseError("it is no text", why="why", fix="fix")
    return TEXTS[file.sha256]


def test_no_page_shows_a_secret() -> None:
    files = [SimpleNamespace(sha256=name) for name in (*TEXTS, "bytes")]
    context = SimpleNamespace(
        plan=SimpleNamespace(steps=files), files=SimpleNamespace(of=lambda step: step, text=text_of)
    )
    kept = SimpleNamespace(files={Path("a.diff"): b"+hush \xff"})
    beside = shown_beside(
        cast("RunContext", context),
        cast("KeptFiles", kept),
        None,
        cast("Secrets", SimpleNamespace(redact=lambda text: text.replace("hush", "***"))),
        {"step": "it says hush"},
    )
    assert list(beside.texts) == [*TEXTS, "bytes"]
    assert beside.texts["plain"] == "SELECT '***', 1"
    assert beside.texts["role"] == beside.texts["broken"] == UNSHOWN
    with pytest.raises(KeyError):
        beside.texts["bytes"]
    assert beside.difference == "+*** \ufffd"
    assert beside.logs == {"step": "it says ***"}
