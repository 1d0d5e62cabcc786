"""Where a SQL file reaches out of its database while it runs: the server's machine, other servers.

Read in statements and, word by word, in DO blocks. What a function does that a file defines is done
by whoever calls it, and is not looked for here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pytest_housekeeping.sql.parse import Statement, SyntaxRefused, parse, strings
from pytest_housekeeping.sql.parser import ParseError, scan

# https://www.postgresql.org/docs/16/functions-admin.html#FUNCTIONS-ADMIN-GENFILE
_OF_THE_MACHINE = frozenset(
    (
        *("pg_read_file", "pg_read_binary_file", "pg_stat_file", "lo_import", "lo_export"),
        *("pg_ls_dir", "pg_ls_logdir", "pg_ls_waldir", "pg_ls_tmpdir", "pg_ls_archive_statusdir"),
    )
)
# https://www.postgresql.org/docs/16/dblink.html
_OF_ANOTHER = frozenset(
    f"dblink{end}" for end in ("", "_connect", "_connect_u", "_exec", "_open", "_send_query")
)
_WORDS = ("copy", "pg_read_", "pg_stat_file", "pg_ls_", "lo_import", "lo_export", "dblink")
_CALL = re.compile(rf"\b({'|'.join(sorted(_OF_THE_MACHINE | _OF_ANOTHER))})\"?\s*\(")
_COPY = re.compile(r"\bcopy\b[^;]*?\b(from|to)\s+(?:program\b|e?'|%|\|\|)")
_DEFINING = (
    *("CreateFunctionStmt", "ViewStmt", "CreatePolicyStmt", "RuleStmt", "CreateTrigStmt"),
    *("GrantStmt", "CommentStmt"),
)


def reached_outside(text: str) -> Iterator[tuple[int, str]]:
    """Of each statement that does: its offset, and by what."""
    low = text.lower()
    if not any(word in low for word in _WORDS):
        return  # nearly every file: nothing has to be parsed
    try:
        statements = parse(text)
    except SyntaxRefused:
        return  # told as such
    for statement in statements:
        if (what := next(_ways(statement), None)) is not None:
            yield statement.offset, what


def _ways(statement: Statement) -> Iterator[str]:
    if statement.name == "CopyStmt" and statement.body.get("filename"):
        yield _copy("from" if statement.body.get("is_from") else "to")
    if statement.name == "DoStmt":
        (body,) = [
            text
            for option in statement.body["args"]
            if option["DefElem"]["defname"] == "as"
            for text in strings([option["DefElem"]["arg"]])
        ]
        yield from _in_text(_without_comments(body).lower())
    elif statement.name not in _DEFINING:
        yield from _calls(statement.body)


def _calls(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if name := strings(node.get("funcname", ()))[-1:]:
            yield from _call(name[0])
        for value in node.values():
            yield from _calls(value)
    elif isinstance(node, list):
        for each in node:
            yield from _calls(each)


def _in_text(code: str) -> Iterator[str]:
    if (copy := _COPY.search(code)) is not None:
        yield _copy(copy[1])
    if (call := _CALL.search(code)) is not None:
        yield from _call(call[1])


def _copy(way: str) -> str:
    return f"COPY {way} a file or a program of the machine"


def _call(name: str) -> Iterator[str]:
    if name in _OF_THE_MACHINE:
        yield f"{name}(), which is about files of the machine"
    elif name in _OF_ANOTHER:
        yield f"{name}(), which is a connection of its own"


def _without_comments(body: str) -> str:
    try:
        tokens = scan(body)
    except ParseError:
        return body
    return " ".join(
        body[token.start : token.end] for token in tokens if not token.name.endswith("COMMENT")
    )
