"""What keeps staging from restoring its result keeps its own advice, unless PostgreSQL refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_housekeeping.errors import HousekeepingError, ServerError
from pytest_housekeeping.promotion.staging import result
from pytest_housekeeping.snapshot.problems import (
    BackupFailed,
    BackupNotProved,
    RestoreRefused,
    SnapshotError,
)
from pytest_housekeeping.snapshot.proof import BackupProof

Met = HousekeepingError | None
TARGET: Any = SimpleNamespace(connection=SimpleNamespace(get=lambda: None))
THROWAWAY: Any = SimpleNamespace()


def judged(monkeypatch: pytest.MonkeyPatch, *met: Met) -> tuple[HousekeepingError, int]:
    """The error where each attempt in turn meets that, and how often was tried."""
    tried: list[bool] = []

    def prove(*_: object, rows: bool) -> BackupProof:
        tried.append(rows)
        error = met[len(tried) - 1]
        if error is not None:
            raise error
        return BackupProof(objects=1, server_major=16)

    monkeypatch.setattr(result, "read_fingerprint", lambda *_, **__: None)
    monkeypatch.setattr(result, "_prove", prove)
    with pytest.raises(HousekeepingError) as raised:
        result.result_restores(TARGET, THROWAWAY)
    return raised.value, len(tried)


@pytest.mark.parametrize("kind", [BackupFailed, ServerError, SnapshotError, BackupNotProved])
def test_what_is_not_the_batch_keeps_its_advice(
    monkeypatch: pytest.MonkeyPatch, kind: type[HousekeepingError]
) -> None:
    met = kind("no space", why="it is full", fix="make room")
    assert judged(monkeypatch, met) == (met, 1)


@pytest.mark.parametrize(
    ("said", "fix"), [("function f does not exist", "search_path"), ("violates c", "own row")]
)
def test_what_postgresql_refused_is_the_batch(
    monkeypatch: pytest.MonkeyPatch, said: str, fix: str
) -> None:
    refused = RestoreRefused(said, fix="repair in production")
    error, tried = judged(monkeypatch, refused, refused)
    assert tried == 2
    assert (error.found, error.why) == (said, result._WHY)
    assert fix in error.fix
    error, _ = judged(monkeypatch, refused, None)
    assert error.why == result._WHY_OF_ROWS
