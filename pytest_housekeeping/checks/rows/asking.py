"""The questions put to production: read only, each for a limited time, and no lock kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import errors, sql

from pytest_housekeeping.checks.rows.question import SHOWN, Question, Unasked, all_rows, each_row
from pytest_housekeeping.postgres.connection import Connection, rolled_back


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """How many rows there are, None where counting them takes too long; how many are in the way,
    and the primary keys of some.

    ``at_least``: there may be more in the way. ``error`` is what the server called it, where the
    question itself ended at a row.
    """

    question: Question
    rows: int | None
    violations: int
    keys: tuple[str, ...] = ()
    at_least: bool = False
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class NotChecked:
    """What nobody could tell, and why. ``denied`` is the question that the role may not ask."""

    object: str
    why: str
    denied: Question | None = None


# What a row does to an expression, and not what the question lacks: data_exception,
# integrity_constraint_violation, raise_exception, cardinality_violation.
_OF_A_ROW = ("22", "23", "P0", "21")
_SETTING = "hk_rows.found"
# Since PostgreSQL 17: https://www.postgresql.org/docs/17/sql-createindex.html
_AS_AN_INDEX_IS_BUILT = "SET LOCAL search_path = pg_catalog, pg_temp"


@contextmanager
def reading(connection: Connection, timeout: str, role: str = "") -> Iterator[None]:
    """A transaction that cannot write, in which a question has ``timeout``, and a silent "0 rows"
    of a policy is an error; as ``role``, where one is given.

    Raises psycopg.Error, and nothing is open then.
    """
    connection.execute(
        sql.SQL(
            "BEGIN READ ONLY; SET LOCAL row_security = off; SET LOCAL client_min_messages = error;"
            " SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}"
        ).format(sql.Literal(timeout), sql.Literal(timeout))
    )
    try:
        if role:
            connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        yield
    finally:
        if not connection.closed:
            connection.execute("ROLLBACK")


def ask(
    connection: Connection, questions: Iterable[Question | Unasked], *, timeout: str
) -> Iterator[Answer | NotChecked]:
    """An answer to each, in order. Inside a transaction that ends in a rollback; each question has
    a savepoint of its own, so that no lock is held longer than it takes.

    Raises psycopg.OperationalError when the connection is lost.
    """
    asking = _Asking(connection=connection, timeout=timeout)
    failed: set[tuple[str, str]] = set()
    for question in questions:
        if isinstance(question, Unasked):
            yield NotChecked(object=question.object, why=question.why)
        else:
            answer = asking.answer(question)
            error = answer.error if isinstance(answer, Answer) else ""
            # Where the conversion itself ends in an error, so does whatever looks at its value.
            if error and question.converts:
                failed.add((question.table, error))
            elif error and (question.lossy or (question.table, error) in failed):
                continue
            yield answer


@dataclass(kw_only=True)
class _Asking:
    """One round of questions; the rows of a table are counted once in it."""

    connection: Connection
    timeout: str
    _rows: dict[str, int | None] = field(default_factory=dict)

    def answer(self, question: Question) -> Answer | NotChecked:
        try:
            with self._apart(question):
                row = self.connection.execute(question.forms.counted).fetchone()
        except psycopg.Error as error:
            self._refuse_lost()
            if (error.sqlstate or "").startswith(_OF_A_ROW):
                return self._at_a_row(question, error)
            return _not_checked(error, question, self.timeout)
        violations = int(row[0]) if row else 0
        return Answer(
            question=question,
            rows=self._all_rows(question),
            violations=violations,
            keys=self._keys(question) if violations else (),
        )

    @contextmanager
    def _apart(self, question: Question) -> Iterator[None]:
        with rolled_back(self.connection):
            if question.indexed and self.connection.info.server_version >= 170000:
                self.connection.execute(_AS_AN_INDEX_IS_BUILT)
            yield

    def _refuse_lost(self) -> None:
        """Raises psycopg.OperationalError, where there is nobody left to ask."""
        if self.connection.closed:
            raise psycopg.OperationalError("the connection is lost")

    def _keys(self, question: Question) -> tuple[str, ...]:
        """Of some rows in the way; what is known stays known where that takes too long."""
        try:
            with self._apart(question):
                found = self.connection.execute(question.forms.shown).fetchall()
        except psycopg.Error:
            self._refuse_lost()
            return ()
        return tuple(key for (key,) in found if key is not None)

    def _all_rows(self, question: Question) -> int | None:
        """How many there are, if that is told in time: an index may have answered the question."""
        if question.table not in self._rows:
            try:
                with rolled_back(self.connection):
                    row = self.connection.execute(all_rows(question.source)).fetchone()
            except psycopg.Error:
                self._refuse_lost()
                row = None
            self._rows[question.table] = int(row[0]) if row else None
        return self._rows[question.table]

    def _at_a_row(self, question: Question, error: psycopg.Error) -> Answer | NotChecked:
        """The question ended at a row: that is what would refuse the batch, unless it is the
        question that cannot be planned. Which rows, is tried one by one."""
        try:
            with self._apart(question):
                self.connection.execute(sql.SQL("EXPLAIN {}").format(question.forms.counted))
        except psycopg.Error as refused:
            self._refuse_lost()
            return _not_checked(refused, question, self.timeout)
        try:
            with self._apart(question):
                violations, keys = _one_by_one(self.connection, question)
        except psycopg.Error:
            self._refuse_lost()
            violations, keys = 0, []
        return Answer(
            question=question,
            rows=self._all_rows(question),
            violations=max(1, violations),
            keys=tuple(keys),
            at_least=not violations,
            error=type(error).__name__,
        )


def _one_by_one(connection: Connection, question: Question) -> tuple[int, list[str]]:
    source = question.source
    every = sql.SQL("SELECT {} AS hk_place, {} AS hk_key FROM {}").format(
        source.place, source.key(), source.rows
    )
    body = sql.SQL(_LOOP).format(
        every=every,
        each=sql.Literal(each_row(source, question.forms.evaluated).as_string(connection)),
        setting=sql.Literal(_SETTING),
        shown=sql.Literal(SHOWN),
    )
    connection.execute(sql.SQL("DO {}").format(sql.Literal(body.as_string(connection))))
    row = connection.execute(
        sql.SQL("SELECT pg_catalog.current_setting({})").format(sql.Literal(_SETTING))
    ).fetchone()
    violations, keys = json.loads(row[0]) if row else (0, [])
    return violations, [key for key in keys if key is not None]


_LOOP = """
DECLARE
    hk_row record;
    hk_count bigint := 0;
    hk_keys text[] := '{{}}';
    hk_value text;
BEGIN
    FOR hk_row IN {every} LOOP
        BEGIN
            EXECUTE {each} INTO hk_value USING hk_row.hk_place;
        EXCEPTION WHEN OTHERS THEN
            hk_count := hk_count + 1;
            IF hk_count <= {shown} THEN
                hk_keys := hk_keys || hk_row.hk_key;
            END IF;
        END;
    END LOOP;
    PERFORM pg_catalog.set_config({setting},
        pg_catalog.json_build_array(hk_count, hk_keys)::text, true);
END
"""


def _not_checked(error: psycopg.Error, question: Question, timeout: str) -> NotChecked:
    denied = question if isinstance(error, errors.InsufficientPrivilege) else None
    return NotChecked(object=question.object, why=_why(error, question, timeout), denied=denied)


def _why(error: psycopg.Error, question: Question, timeout: str) -> str:
    """Why a question has no answer. What the server says of it names objects, and no values."""
    if isinstance(error, errors.QueryCanceled):
        return f"the question ran into its limit of {timeout} (question_timeout)"
    if isinstance(error, errors.LockNotAvailable):
        return f"somebody else held a lock on {question.table} for longer than {timeout}"
    said = (error.diag.message_primary or type(error).__name__).splitlines()[0]
    if isinstance(error, errors.InsufficientPrivilege) and "row-level security" in said:
        return (
            f"policies hide rows of {question.table} from the role that asks, be it the owner where"
            " row-level security is forced; one with BYPASSRLS could (question_role)"
        )
    if isinstance(error, errors.InsufficientPrivilege):
        return f"the role that asks may not read what it asks for: {said}"
    return f"production cannot answer it: {said}"
