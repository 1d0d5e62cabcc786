"""A reading of a database that nobody writes to, by two sessions: the one takes what the other has
not come to, so that it takes half as long where two processors have nothing else to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.catalog.session import Row, reading
from pytest_housekeeping.snapshot.catalog.statements import Answers, Scope, Statement, statements

OpenedBeside: TypeAlias = Callable[[], AbstractContextManager[Connection]]


@dataclass(kw_only=True)
class InTurn:
    """``asked`` are the statements, ``left`` those that no session has taken, the next one last."""

    asked: tuple[Statement, ...]
    left: list[Statement]
    _rows: dict[int, list[Row]] = field(default_factory=dict)
    _other: Future[None] | None = None

    def answers(self, connection: Connection) -> Answers:
        """What all of them find. What the other session could not ask, this one does."""
        self._ask(connection)
        wait(filter(None, [self._other]))
        self.left += [each for each in self.asked if each.place not in self._rows]
        self._ask(connection)
        return [(each, self._rows[each.place]) for each in self.asked]

    def begin(self, worker: ThreadPoolExecutor, beside: OpenedBeside) -> None:
        """Let the other session begin, in a thread that it belongs to."""

        def ask() -> None:
            with beside() as other:
                reading(other, lambda: self._ask(other))

        self._other = worker.submit(ask)

    def _ask(self, connection: Connection) -> None:
        while self.left:
            try:
                each = self.left.pop()
            except IndexError:  # the other session has taken it
                return
            self._rows[each.place] = connection.execute(each.whole.encode()).fetchall()


@contextmanager
def in_turn(scope: Scope, beside: OpenedBeside | None) -> Iterator[InTurn | None]:
    """What is asked in turn with the session ``beside``, which has begun: what is asked of
    relations takes most of the time, and the dearest of it comes first."""
    if beside is None:
        yield None
        return
    asked = tuple(each for each in statements(scope) if each.query.each == "pg_class")
    shared = InTurn(asked=asked, left=[*reversed(asked)])
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="hk-in-turn") as worker:
        shared.begin(worker, beside)
        try:
            yield shared
        finally:
            shared.left.clear()
