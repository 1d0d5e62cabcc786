"""Two databases with one schema, as a copy and a production: is what is said of rows true?

Both are changed in transactions that are rolled back, so that hundreds of cases cost little more
than their statements.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from pytest_housekeeping.checks.rows.asking import Answer, NotChecked, ask
from pytest_housekeeping.checks.rows.demands import BatchTexts, questions_of
from pytest_housekeeping.checks.rows.question import Question, Unasked
from pytest_housekeeping.checks.rows.read_catalog import read_row_catalog
from pytest_housekeeping.server import Server

PATH = "sql/migrations/0002_next.sql"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was answered, and what PostgreSQL has made of the batch: "" where it took it."""

    answers: tuple[Answer | NotChecked, ...]
    refused: str

    @property
    def asked(self) -> list[Answer]:
        """What would refuse the batch; what only loses something would not."""
        return [e for e in self.answers if isinstance(e, Answer) and not e.question.lossy]

    @property
    def lost(self) -> list[Answer]:
        return [e for e in self.answers if isinstance(e, Answer) and e.question.lossy]

    @property
    def unchecked(self) -> list[NotChecked]:
        return [e for e in self.answers if isinstance(e, NotChecked)]

    @property
    def violations(self) -> int:
        return sum(each.violations for each in self.asked)

    def __str__(self) -> str:
        lines = [
            f"{e.question.object}: {e.violations} / {e.rows} {e.keys} {e.error}"
            if isinstance(e, Answer)
            else f"{e.object}: not checked: {e.why}"
            for e in self.answers
        ]
        return "\n".join([*lines, f"refused: {self.refused!r}"])


@dataclass(frozen=True, kw_only=True)
class RowGround:
    """A copy without rows, and a production with them."""

    copy: psycopg.Connection[Any]
    production: psycopg.Connection[Any]

    def outcome(
        self, schema: str, rows: str, batch: str, *, timeout: str = "5s", role: str = ""
    ) -> Outcome:
        """Ask before the batch, then apply it. Raises psycopg.Error where the copy refuses it."""
        with _begun(self.copy), _begun(self.production):
            self.copy.execute(schema.encode())
            self.production.execute(f"{schema};\n{rows}".encode())
            self.copy.execute("SET CONSTRAINTS ALL IMMEDIATE")
            self.production.execute("SET CONSTRAINTS ALL IMMEDIATE")
            answers = self._asked(batch, timeout, role)
            try:
                self.production.execute(batch.encode())
                self.production.execute("SET CONSTRAINTS ALL IMMEDIATE")
                refused = ""
            except psycopg.Error as error:
                refused = f"{error.sqlstate} {error}"
            return Outcome(answers=answers, refused=refused)

    def questions(self, schema: str, batch: str) -> tuple[Question | Unasked, ...]:
        """What would be asked, without any production."""
        with _begun(self.copy):
            self.copy.execute(schema.encode())
            return self._questions(batch)

    def _questions(self, batch: str) -> tuple[Question | Unasked, ...]:
        copy = self.copy
        before = read_row_catalog(copy, excluded=())
        held = _written(copy)
        copy.execute(batch.encode())
        texts = BatchTexts(files={PATH: batch}, locked=_written(copy) - held)
        return questions_of(copy, before, read_row_catalog(copy, excluded=()), texts)

    def _asked(self, batch: str, timeout: str, role: str) -> tuple[Answer | NotChecked, ...]:
        questions = self._questions(batch)
        self.production.execute("SAVEPOINT asked; SET TRANSACTION READ ONLY")
        if role:
            self.production.execute(f"SET LOCAL ROLE {role}".encode())
        self.production.execute(
            f"SET LOCAL row_security = off; SET LOCAL statement_timeout = '{timeout}'".encode()
        )
        try:
            return tuple(ask(self.production, questions, timeout=timeout))
        finally:
            self.production.execute("ROLLBACK TO SAVEPOINT asked")


def _written(connection: psycopg.Connection[Any]) -> frozenset[int]:
    """The tables that a statement of this transaction has written to, be it no row."""
    found = connection.execute(
        "SELECT relation::int8 FROM pg_locks WHERE pid = pg_backend_pid()"
        " AND mode = 'RowExclusiveLock' AND locktype = 'relation'"
    )
    return frozenset(oid for (oid,) in found)


@contextmanager
def _begun(connection: psycopg.Connection[Any]) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


@contextmanager
def row_ground(server: Server) -> Iterator[RowGround]:
    """Two empty databases of a server, and a superuser's connection to each."""
    copy, production = server.database(), server.database()
    try:
        with (
            psycopg.connect(copy.superuser_conninfo, autocommit=True) as one,
            psycopg.connect(production.superuser_conninfo, autocommit=True) as other,
        ):
            yield RowGround(copy=one, production=other)
    finally:
        server.drop(copy)
        server.drop(production)
