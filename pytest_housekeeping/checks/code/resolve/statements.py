"""What the server says of a statement: what it depends on, or why it would refuse it.

Why the answer is the server's own: each statement is made the body of an SQL function, BEGIN
ATOMIC, in the transaction that holds the uncommitted schema. Such a body is parsed and analysed
when the function is created, as it would be at run time: names by the search_path, overloads by
their arguments. What it depends on, columns included, is recorded in pg_depend
(https://www.postgresql.org/docs/16/ddl-depend.html,
https://www.postgresql.org/docs/16/sql-createfunction.html). Nothing of it is executed, and the
function goes with its savepoint.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg

from pytest_housekeeping.checks.code.resolve.resolution import Rejection
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.sql.parse import SyntaxRefused, parse

_PREPARABLE = {"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}
# The type of a parameter that the driver would have told: no fault of the statement.
TYPES_UNKNOWN = {"42P18", "42P08", "42P38", "42725", "42846"}
# Syntax or access, an invalid schema, invalid data. Anything else is no fault of the code.
# https://www.postgresql.org/docs/16/errcodes-appendix.html
_FAULTS = ("42", "3F", "22")
_INSUFFICIENT_PRIVILEGE = "42501"
BATCH = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class StatementAnswer:
    """``depends_on``: relation or not, OID and column number of each object, None when refused.

    ``prepared``: it could be prepared, and only not be made a function of.
    """

    depends_on: tuple[tuple[bool, int, int], ...] | None
    prepared: bool
    sqlstate: str
    message: str

    @property
    def is_fault(self) -> bool:
        """Whether the statement itself is to blame that it was refused."""
        return (
            self.depends_on is None
            and not self.prepared
            and self.sqlstate.startswith(_FAULTS)
            and self.sqlstate not in TYPES_UNKNOWN
            # The migrating role may lack what the application's role has.
            and self.sqlstate != _INSUFFICIENT_PRIVILEGE
        )


def ask_statements(connection: Connection, texts: Sequence[str]) -> dict[str, StatementAnswer]:
    """What the server says of each text: one round trip for some hundred of them."""
    answers: dict[str, StatementAnswer] = {}
    if texts:
        connection.execute(_function().encode())
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        rows = connection.execute(
            "SELECT pg_temp.hk_resolve(%s::jsonb)", [json.dumps(list(enumerate(batch)))]
        )
        for (row,) in rows:
            reached = row["reached"]
            answers[batch[row["id"]]] = StatementAnswer(
                depends_on=None if reached is None else tuple(map(tuple, reached)),
                prepared=row["prepared"],
                sqlstate=str(row["state"]),
                message=str(row["message"]),
            )
    return answers


def reject(connection: Connection, text: str, answer: StatementAnswer) -> Rejection:
    """Why a statement was refused, and where.

    It is asked once more, alone: inside a function PostgreSQL does not tell the position.
    """
    prefix = "PREPARE hk_code_reference AS "
    position = 0
    with rolled_back(connection):
        try:
            connection.execute((prefix + text).encode())
        except psycopg.Error as error:
            position = int(error.diag.statement_position or 0) - len(prefix)
    return rejection_at(text, position, sqlstate=answer.sqlstate, message=answer.message)


def rejection_at(text: str, position: int, *, sqlstate: str, message: str) -> Rejection:
    """The rejection of a text at a character of it, counted from 1; below that at none."""
    if position < 1:
        return Rejection(sqlstate=sqlstate, message=message)
    word = _word(text, position - 1)
    before = text.count(word, 0, position - 1) if word else 0
    return Rejection(sqlstate=sqlstate, message=message, word=word, occurrence=before)


@cache
def statement_node(text: str) -> str:
    """The parse tree's name for the one statement of a text, empty for anything else."""
    try:
        statements = parse(text)
    except (SyntaxRefused, ValueError):
        return ""
    if len(statements) != 1 or "intoClause" in statements[0].body:
        return ""
    return statements[0].name


def can_be_asked(text: str) -> bool:
    """Whether it is a statement that PREPARE takes."""
    return statement_node(text) in _PREPARABLE


def _word(text: str, at: int) -> str:
    end = at
    while end < len(text) and (text[end].isalnum() or text[end] in '_."$'):
        end += 1
    return text[at:end]


@cache
def _function() -> str:
    return Path(__file__).with_name("resolve_statements.sql").read_text(encoding="utf-8")
