"""Tests of promotion/production/prechecks/promised_roles.py: what is known, and of what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_housekeeping.model import Mode
from pytest_housekeeping.promotion.production.prechecks.promised_roles import promised_roles
from support.staged_project import FILES, Staged, make_project, staged_copy

ROLES = {"app": {"LOGIN", "NOSUPERUSER"}, "it's": {"NOLOGIN"}}
BOOTSTRAP = "sql/bootstrap/001_roles.sql"


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staged]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    make_project(tmp_path / "template", {**FILES, BOOTSTRAP: "CREATE ROLE app LOGIN;\n"})
    with staged_copy(tmp_path / "template", tmp_path / "project", monkeypatch) as made:
        yield made


def test_what_was_tried_is_known_to_the_next_run(staged: Staged) -> None:
    first = promised_roles(staged.context(Mode.PROD), ("embedded", 16))
    assert first.known is None
    first.keep(ROLES)
    assert promised_roles(staged.context(Mode.PROD), ("embedded", 16)).known == ROLES
    assert promised_roles(staged.context(Mode.PROD), ("embedded", 18)).known is None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (BOOTSTRAP, "CREATE ROLE app;\n"),
        ("sql/bootstrap/002_more.sql", "CREATE ROLE more;\n"),
        ("pyproject.toml", '[tool.housekeeping]\nmigrator = "somebody"\n'),
    ],
)
def test_what_would_be_made_otherwise_is_tried_again(staged: Staged, path: str, text: str) -> None:
    promised_roles(staged.context(Mode.PROD), ("embedded", 16)).keep(ROLES)
    staged.write({path: text})
    assert promised_roles(staged.context(Mode.PROD), ("embedded", 16)).known is None


def test_no_file_promises_no_role(staged: Staged) -> None:
    (staged.root / BOOTSTRAP).unlink()
    assert promised_roles(staged.context(Mode.PROD), ("embedded", 16)).known == {}
