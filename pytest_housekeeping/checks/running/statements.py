"""From what the readers found to what is asked of the server."""

from __future__ import annotations

from functools import cache

from pytest_housekeeping.checks.code.facts import CodeReference, ReferenceKind
from pytest_housekeeping.checks.code.resolve.statements import can_be_asked, statement_node
from pytest_housekeeping.checks.running.answers import Question
from pytest_housekeeping.sql import parser
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.parse import printed

# Besides what PREPARE takes, the protocol has these analysed as well when they are prepared.
_ANALYSED = ("CallStmt", "DeclareCursorStmt", "ExplainStmt", "CreateTableAsStmt")


def question_of(reference: CodeReference) -> Question | None:
    """What is asked of a statement; None for what the server does not decide before it runs, and
    for what is put together at run time."""
    if reference.kind is not ReferenceKind.STATEMENT or not reference.exact or reference.foreign:
        return None
    return _question(reference.text)


def is_dynamic(reference: CodeReference) -> bool:
    """Whether a part of the statement is known at run time only."""
    return reference.kind is ReferenceKind.STATEMENT and not reference.exact


@cache
def _question(text: str) -> Question | None:
    if can_be_asked(text) or statement_node(text) in _ANALYSED:
        return Question(text=text)
    return _as_rows(text) if statement_node(text) == "CopyStmt" else None


def _as_rows(text: str) -> Question:
    """COPY as the statement that reads or writes the same columns."""
    (statement,) = parser.parse(text)
    copy = statement.stmt
    if copy.query is not None:
        return Question(text=printed(copy.query))
    relation = copy.relation
    table = quoted(*(part for part in (relation.schemaname, relation.relname) if part))
    columns = [quoted(each.sval) for each in copy.attlist]
    if not columns:
        # Each row has as many values as the table has columns, in their order.
        return Question(text=f"SELECT * FROM {table}", by_position=True)
    if copy.is_from:
        values = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        return Question(text=f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})")
    return Question(text=f"SELECT {', '.join(columns)} FROM {table}")
