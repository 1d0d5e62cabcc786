"""A file sent in one round trip, with a look at the server's clock and its WAL between statements.

The looks are statements of their own, so that each takes what nobody counts, and neither the way to
the server nor its answer is counted for a statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from pytest_housekeeping.postgres.clone_facts import StatementRun
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.simple_query import exchanged, rows_written
from pytest_housekeeping.postgres.statement_errors import explain
from pytest_housekeeping.sql.parse import Statement, parse

_TICK = b"hk_tick"
_CLOCK = (
    "SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) AS hk_tick, {wal}::text"
)
# What is written so far, flushed or not; other sessions write as well.
_WAL = (
    "(pg_catalog.pg_current_wal_insert_lsn() OPERATOR(pg_catalog.-) '0/0'::pg_catalog.pg_lsn)"
    "::pg_catalog.int8"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """A moment of the server's clock, in seconds, and how many bytes of WAL were written by then;
    None where the server does not tell."""

    at: float
    wal: int | None


@dataclass(kw_only=True)
class Stopwatch:
    """Sends files, and keeps what each of their statements took."""

    tells_wal: bool
    runs: list[StatementRun] = field(default_factory=list)

    @property
    def _clock(self) -> str:
        return _CLOCK.format(wal=_WAL if self.tells_wal else "''")

    def look(self, connection: LentConnection) -> Tick:
        """What the clock shows now."""
        (found,) = ticks(exchanged(connection, self._clock.encode()))
        return found

    def send(
        self,
        connection: LentConnection,
        path: str,
        text: str,
        *,
        before: Sequence[str] = (),
        after: str,
    ) -> list[PGresult]:
        """As ``simple_query.send`` does, and its results with those of the clock between them.

        Raises SqlFailed with file, line and column when a statement is refused, or the connection
        is lost meanwhile.
        """
        statements = parse(text)
        pieces = [*(f"{each}; " for each in before), f"{self._clock};"]
        sent, shifts = sum(map(len, pieces)), list[int]()
        for start, end in _slices(statements, len(text)):
            shifts.append(sent - start)
            pieces.append(f"{text[start:end]}\n;{self._clock};")
            sent += len(pieces[-1])
        try:
            results = exchanged(connection, "".join((*pieces, f"\n;{after}")).encode())
        except psycopg.OperationalError as error:
            raise explain(path, text, error) from None
        self.runs += _runs(statements, text, results)
        if results[-1].status == ExecStatus.FATAL_ERROR:
            refusal = psycopg.errors.error_from_result(results[-1])
            done = max(0, len(list(ticks(results))) - 1)
            refused = done < len(statements)
            raise explain(
                path,
                text,
                refusal,
                shifts[done] if refused else 0,
                statement=statements[done].offset if refused else None,
            )
        return results


def ticks(results: Sequence[PGresult]) -> Iterator[Tick]:
    """What the clock has shown, in order."""
    for each in results:
        if _is_tick(each):
            at, wal = (each.get_value(0, column) or b"" for column in (0, 1))
            yield Tick(at=float(at), wal=int(wal) if wal else None)


def wal_between(before: Tick, after: Tick) -> int | None:
    """How many bytes of WAL came in between."""
    if before.wal is None or after.wal is None:
        return None
    return max(0, after.wal - before.wal)


def _is_tick(result: PGresult) -> bool:
    return result.status == ExecStatus.TUPLES_OK and result.fname(0) == _TICK


def _slices(statements: Sequence[Statement], length: int) -> Iterator[tuple[int, int]]:
    """The text of each statement, with what stands before the next one."""
    if statements:
        starts = [0, *(each.offset for each in statements[1:])]
        yield from zip(starts, [*starts[1:], length], strict=True)


def _runs(
    statements: Sequence[Statement], text: str, results: Sequence[PGresult]
) -> Iterator[StatementRun]:
    """Of each statement behind which the clock was asked."""
    seen = list(ticks(results))
    at = [number for number, each in enumerate(results) if _is_tick(each)]
    line, start = 1, 0
    for number, statement in enumerate(statements[: len(seen) - 1]):
        own = results[at[number] + 1 : at[number + 1]]
        words = (own[0].command_status or b"").decode() if own else ""
        line, start = line + text.count("\n", start, statement.offset), statement.offset
        yield StatementRun(
            line=line,
            command=words.rstrip(" 0123456789"),
            duration_s=max(0.0, seen[number + 1].at - seen[number].at),
            rows=rows_written(own),
            wal=wal_between(seen[number], seen[number + 1]),
        )
