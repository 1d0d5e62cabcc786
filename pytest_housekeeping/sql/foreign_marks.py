"""The marks of other migration tools in a SQL file: what only they understand is not plain SQL.

To PostgreSQL a mark is a comment. A file that has its way up and its way down in one would be run
as a whole, and the table that the first half makes, with all its rows, would be dropped by the
second. So a file with such a mark is refused by the tool's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_housekeeping.sql.layouts.layout import Layout
from pytest_housekeeping.sql.problems import Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mark:
    """How a tool marks its files, and what is to be done with such a file."""

    tool: str
    pattern: re.Pattern[str]
    fix: str


_HALVES = (
    "keep the way up in this file, move the way down to sql/rollback/ under the same name, and"
    " take the marks out"
)
# Those that a layout reads: where the whole folder is theirs, none of it has to be written anew.
_READ = ("goose", "sql-migrate", "dbmate", "tern", "node-pg-migrate", "rambler")
_OUTSIDE = (
    "take the mark out; for a statement that no transaction can hold: -- hk: transaction=none"
)


def _mark(tool: str, pattern: str, fix: str = _HALVES) -> _Mark:
    if tool in _READ:
        fix = f'of a folder of such files, in the settings: layout = "{tool}"; of one: {fix}'
    return _Mark(tool=tool, pattern=re.compile(pattern, re.IGNORECASE | re.MULTILINE), fix=fix)


_MARKS = (
    _mark("goose", r"^[ \t]*--[ \t]*\+goose\b.*$"),
    _mark("sql-migrate", r"^[ \t]*--[ \t]*\+migrate\b.*$"),
    _mark("dbmate", r"^[ \t]*--[ \t]*migrate:(?:up|down)\b.*$"),
    _mark("rambler", r"^[ \t]*--[ \t]*rambler[ \t]+(?:up|down)\b.*$"),
    _mark("tern", r"^-{2,}[ \t]*create above[ \t]*/[ \t]*drop below[ \t]*-*[ \t]*$"),
    _mark("node-pg-migrate", r"^[ \t]*--[ \t]*(?:up|down) migration\b.*$"),
    _mark("shmig", r"^[ \t]*--[ \t]*=+[ \t]*(?:up|down)[ \t]*=+.*$"),
    _mark("Play", r"^[ \t]*(?:#|--)[ \t-]*![ \t]*(?:ups|downs)\b.*$"),
    _mark("MyBatis Migrations", r"^[ \t]*--[ \t]*//[ \t]*@undo\b.*$"),
    _mark(
        "Liquibase",
        r"^[ \t]*--[ \t]*(?:liquibase formatted sql|changeset [^\s:]+:[^\s:]\S*)\b.*$",
        'of a folder of such files, in the settings: layout = "liquibase"; of one: take the'
        " marks out, and move what stands behind --rollback to sql/rollback/",
    ),
    _mark("Sqitch", r"^-- (?:deploy|revert|verify) \S+(?: (?:to|from|on) pg)\b.*$"),
    _mark(
        "graphile-migrate",
        # What chains its files (previous, hash), or says what a part was called, runs nothing else.
        r"^--![ \t]*(?:include[ \t]|no-transaction\b).*$",
        "take the mark out: for a file that no transaction can hold -- hk: transaction=none, and in"
        " the place of what is included its text",
    ),
    _mark("yoyo", r"^[ \t]*--[ \t]*depends:.*$", "take the mark out: the numbers give the order"),
    _mark("sqlx", r"^--[ \t]*no-transaction\b.*$", _OUTSIDE),
    _mark("Atlas", r"^--[ \t]*atlas:(?:txmode|txtar|checkpoint|delimiter)\b.*$", _OUTSIDE),
    _mark("bun", r"^[ \t]*--[ \t]*bun:split\b.*$", "take the mark out"),
)
# The lines of a text in which any of them can stand: mostly few, or none.
_COMMENT = re.compile(r"^[ \t]*(?:--|#).*$", re.MULTILINE)
# Flyway replaces it wherever it stands, in a string as well.
_PLACEHOLDER = re.compile(r"\$\{[A-Za-z][\w.:-]*\}")


def foreign_marks(text: str, *, plain: bool, layout: Layout) -> Iterator[Problem]:
    """What only another tool understands: the first mark of each, by line.

    Those that the ``layout`` reads are understood. A ``plain`` file says in its header that what
    looks like a placeholder is meant as it is.
    """
    if comments := "\n".join(_COMMENT.findall(text)):
        yield from _marks_of_tools(text, comments, layout)
    found = None if plain or layout.placeholders else _PLACEHOLDER.search(text)
    if found is not None:
        yield _problem(
            text,
            found,
            f"{found[0]!r} looks like a placeholder of Flyway",
            "nothing replaces it here: it would be stored, or run, as it stands",
            "write the value; if it is meant as it stands, begin the file with:"
            " -- hk: placeholders=none",
        )


def _marks_of_tools(text: str, comments: str, layout: Layout) -> Iterator[Problem]:
    """Looked for among the ``comments``, which are few, and placed in the text."""
    for mark in _MARKS:
        if mark.tool in layout.marks or not mark.pattern.search(comments):
            continue
        if found := mark.pattern.search(text):
            yield _problem(
                text,
                found,
                f"{found[0].strip()!r} is a mark of {mark.tool}",
                "to PostgreSQL it is a comment: all of the file would run, also what is meant as"
                " the way back",
                mark.fix,
            )


def _problem(text: str, found: re.Match[str], what: str, why: str, fix: str) -> Problem:
    line = text.count("\n", 0, found.start()) + 1
    column = found.start() - (text.rfind("\n", 0, found.start()) + 1) + 1
    return Problem(line=line, column=column, found=what, why=why, fix=fix)
