"""Two sessions that share the queries of one reading: each takes the next one that is left.

That takes half as long where two processors are free. Nobody may write to the database meanwhile.
"""

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
    """The statements that are ``asked``, and those ``left`` that no session has taken yet; the next
    one is the last of the list."""

    asked: tuple[Statement, ...]
    left: list[Statement]
    _rows: dict[int, list[Row]] = field(default_factory=dict)
    _other: Future[None] | None = None

    def answers(self, connection: Connection) -> Answers:
        """The rows of all statements. Where the other session has failed, this one asks again."""
        self._ask(connection)
        wait(filter(None, [self._other]))
        self.left += [each for each in self.asked if each.place not in self._rows]
        self._ask(connection)
        return [(each, self._rows[each.place]) for each in self.asked]

    def begin(self, worker: ThreadPoolExecutor, beside: OpenedBeside) -> None:
        """Open the other session in a thread, and let it take statements."""

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
    """The queries about relations, which take most of the time, the dearest first, shared with the
    session ``beside``, which has begun; None without such a session."""
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
