"""What keeps a SQL file out of a plan: each problem with its place, the reason and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_housekeeping.sql.effects import Effects
from pytest_housekeeping.sql.parse import SyntaxRefused
from pytest_housekeeping.sql.text import place

_INLINE_COMMAND = re.compile(r"\\[A-Za-z!?]+")
_VARIABLE = re.compile(r""":(?:'\w+'|"\w+"|\w+|\{\?\w+\})""")
_META_COMMAND = re.compile(r"^[ \t]*\\[A-Za-z!?]+.*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Why a file cannot be part of a plan, and where: line and column count from 1. With
    ``unreadable`` nobody knows what its tool would have run, of a file that is history as well."""

    line: int
    column: int
    found: str
    why: str
    fix: str
    unreadable: bool = False

    @classmethod
    def at(
        cls, text: str, offset: int, found: str, why: str, fix: str, *, unreadable: bool = False
    ) -> Problem:
        """The same of the place at an offset of the text."""
        line, column = place(text, offset)
        return cls(line=line, column=column, found=found, why=why, fix=fix, unreadable=unreadable)


def syntax_problem(text: str, error: SyntaxRefused) -> Problem:
    """What PostgreSQL's parser refuses; a command of psql's own is told as one."""
    return replace(_syntax_problem(text, error), unreadable=True)


def _syntax_problem(text: str, error: SyntaxRefused) -> Problem:
    meta = _INLINE_COMMAND.match(text, error.offset) or _META_COMMAND.search(text)
    if meta is not None:
        return Problem.at(
            text,
            meta.end() - len(meta[0].lstrip()),
            f"the psql command {meta[0].split()[0]}",
            "files go to the server as they are, and it does not know psql's own commands",
            "write it in SQL, or move it out of the file; where another tool has applied the file,"
            " and it makes nothing in the schema of this database: its path under"
            " [tool.housekeeping.rows_only]",
        )
    variable = _VARIABLE.match(text, error.offset)
    if variable is not None:
        return Problem.at(
            text,
            error.offset,
            f"the psql variable {variable[0]}",
            "psql would replace it before it asks the server; here the server gets the file as it"
            " is",
            "write the value itself; in this tool's own layout and in Sqitch's files it may stand"
            " in the settings: under [tool.housekeeping.placeholders]",
        )
    return Problem.at(
        text,
        error.offset,
        f"{error.message} (SQLSTATE 42601)",
        "PostgreSQL's parser refuses the file, so nothing of the batch was started",
        "correct the statement at the caret",
    )


def transaction_problems(
    text: str,
    effects: Effects,
    *,
    transaction: str,
    may_cut: bool,
    empty: str,
    mark: str,
) -> Iterator[Problem]:
    """What does not fit the transaction that the file runs in: ``batch``, ``own`` or ``none``.

    ``may_cut`` says that the file may have another transaction than the batch, ``empty`` why it
    holds no statement, ``mark`` how its tool is told that no transaction is to hold it.
    """
    if not effects.statements and not empty:
        yield Problem.at(text, 0, "the file holds no statement", *_EMPTY)
    if effects.statements and empty:
        found = "the header 'empty' over a file that holds statements"
        yield Problem.at(text, 0, found, *_NOT_EMPTY)
    yield from _of_the_transaction(text, effects)
    for statement in effects.client_copy:
        yield Problem.at(text, statement.offset, "COPY through the client", *_COPY)
    if transaction != "none":
        for statement, command in effects.alone:
            found = f"{command} cannot run in a transaction"
            yield Problem.at(text, statement.offset, found, *_alone(mark))
    elif effects.statements != 1:
        found = f"transaction=none with {effects.statements} statements"
        yield Problem.at(text, 0, found, *_ONE)
    elif not effects.alone and not effects.may_be_alone and not effects.control:
        found = "transaction=none with a statement that a transaction can hold"
        yield Problem.at(text, 0, found, *_NOT_ALONE)
    if transaction != "batch" and not may_cut:
        yield Problem.at(text, 0, f"transaction={transaction} outside migrations", *_CUT)


def _of_the_transaction(text: str, effects: Effects) -> Iterator[Problem]:
    """What would begin or end the transaction, or make it another one."""
    for statement, command in effects.control:
        yield Problem.at(text, statement.offset, f"{command} in the file", *_CONTROL)
    for statement in effects.modes:
        yield Problem.at(text, statement.offset, "a mode of the transaction in the file", *_MODE)


_HISTORY = (
    'baseline = "VERSION" in [tool.housekeeping], the last one that production has, takes it as'
    " history, and it stays as it is"
)
# Why, and what to do.
_EMPTY = (
    "it would be recorded as applied although it did nothing",
    (
        "write the statements, or remove the file; if it is to do nothing: -- hk: empty, REASON."
        f" Where production has applied it, {_HISTORY}"
    ),
)
_NOT_EMPTY = (
    "whoever reads that it does nothing will not look at what it does",
    "remove the header, or the statements",
)
_CONTROL = (
    "the whole batch is one transaction; this would end it before anything was proved",
    (
        "remove the statement; the promotion begins and commits. Where production has applied the"
        f" file, {_HISTORY}"
    ),
)
_MODE = (
    "the whole batch is one transaction, READ COMMITTED, and has begun before this file",
    f"remove the statement. Where production has applied the file, {_HISTORY}",
)
_COPY = (
    "the data would have to come from a client, and there is none",
    "write the rows as INSERT ... VALUES",
)
_ALONE = (
    "PostgreSQL refuses it inside a transaction block, and the batch is one",
    (
        "give it a file of its own whose first line is: -- hk: transaction=none. Where production"
        f" has applied the file, {_HISTORY}"
    ),
)
_ONE = (
    "without a transaction a failure in the middle would leave half of the file behind",
    "one statement a file",
)
_NOT_ALONE = (
    "outside of the transaction it would be in the database before anything was proved",
    "remove the header; it is for what PostgreSQL refuses inside a transaction, as VACUUM",
)
_CUT = (
    "only a migration can cut the batch into segments",
    "remove the header, or make the file a migration",
)


def _alone(mark: str) -> tuple[str, str]:
    why, fix = _ALONE
    if mark:
        fix = (
            "give it a file of its own, or have the tool run this one in no transaction"
            f" ({mark}): each such statement is a step of its own then"
        )
    return why, fix
