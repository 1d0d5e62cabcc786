"""The files that the server is given ahead of their items wait without their texts."""

from __future__ import annotations

from threading import Event
from types import SimpleNamespace
from typing import Any

from pytest_housekeeping.model import Applied, Kind, Phase, Step
from pytest_housekeeping.promotion.transaction.batch import Batch

APPLIED = Applied(statements=1, rows=0, duration_s=0.0)


def steps(count: int) -> list[Step]:
    return [
        Step(id=f"{n}::apply", phase=Phase.APPLY, kind=Kind.MIGRATION, path=f"{n}", segment=1)
        for n in range(count)
    ]


def test_the_text_of_a_file_is_made_when_its_turn_comes() -> None:
    made, goes_on = list[str](), Event()

    def text(file: Any) -> str:
        made.append(file.path)
        return ""

    def in_its_turn(*_: object) -> Applied:
        assert goes_on.wait(9)
        return APPLIED

    context: Any = SimpleNamespace(
        files=SimpleNamespace(
            of=lambda step: SimpleNamespace(path=step.path, transaction="batch"), text=text
        ),
        options=SimpleNamespace(records_only=False),
        plan=SimpleNamespace(rollbacks=SimpleNamespace(ends=())),
        config=SimpleNamespace(lock_attempts=1),
    )
    target: Any = SimpleNamespace(before_file=lambda *_: None, connection=None)
    transaction: Any = SimpleNamespace(
        connection=None, apply=lambda *_: APPLIED, apply_in_thread=in_its_turn
    )
    first, *behind = steps(9)
    batch = Batch(context=context, target=target, transaction=transaction, upcoming=behind)
    batch.apply(first)
    assert len(batch._ahead) == len(behind)
    assert made in (["0"], ["0", "1"])  # the next one, if the thread has come to it
    goes_on.set()
    for step in behind:
        batch.apply(step)
    assert made == [step.path for step in (first, *behind)]
