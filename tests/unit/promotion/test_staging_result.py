"""What keeps staging from restoring its result keeps its own advice, unless PostgreSQL refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_housekeeping.errors import HousekeepingError, ServerError
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.staging import result
from pytest_housekeeping.snapshot.copies.proof import BackupProof
from pytest_housekeeping.snapshot.problems import (
    BackupFailed,
    BackupNotProved,
    RestoreRefused,
    SnapshotError,
)

Met = HousekeepingError | None
PROVED: Judgement = (Verdict(examined=1), "dumped and restored")
THROWAWAY: Any = SimpleNamespace(migrator=nullcontext)


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
        result.result_restores(THROWAWAY)
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


def proving(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[Callable[[], None]], Judgement]
) -> None:
    monkeypatch.setattr(result, "result_restores", lambda *given, **_: work(given[-1]))


def test_the_schema_that_was_committed_is_what_has_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the run has read it by then: not as the database is when it is dumped."""
    given: list[object] = []

    def work(*arguments: object, **_: object) -> Judgement:
        given.extend(arguments[:2])
        return PROVED

    monkeypatch.setattr(result, "result_restores", work)
    committed: Any = SimpleNamespace(of="the run")
    proof = result.ResultProof(THROWAWAY, lambda: committed)
    assert proof.judgement() == PROVED
    assert given == [THROWAWAY, committed]


def test_who_writes_waits_for_the_dump_and_nobody_for_the_restore(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dump, restore, seen = Event(), Event(), list[str]()

    def work(dumped: Callable[[], None]) -> Judgement:
        assert dump.wait(9)
        seen.append("dumped")
        dumped()
        assert restore.wait(9)
        seen.append("restored")
        return PROVED

    proving(monkeypatch, work)
    proof = result.ResultProof(THROWAWAY)
    proof.dumped()  # nothing has begun: nothing to wait for
    proof.begin()
    dump.set()
    proof.dumped()
    assert seen == ["dumped"]
    restore.set()
    assert proof.judgement() == proof.judgement() == PROVED
    assert seen == ["dumped", "restored"]


@pytest.mark.parametrize("error", [RestoreRefused("no"), OSError("no"), KeyboardInterrupt()])
def test_what_the_thread_meets_is_raised_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def work(_: Callable[[], None]) -> Judgement:
        raise error

    proving(monkeypatch, work)
    proof = result.ResultProof(THROWAWAY)
    proof.begin()
    proof.dumped()
    proof.close()
    with pytest.raises(type(error)):
        proof.judgement()


def test_it_is_shown_when_nobody_has_begun_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    proving(monkeypatch, lambda _: PROVED)
    assert result.ResultProof(THROWAWAY).judgement() == PROVED
