"""Where a SQL file reaches out of its transaction while it runs: to the server's machine, to other
servers, to what no rollback takes back.

Read in statements and, word by word, in DO blocks. What a function does that a file defines is done
by whoever calls it, and is not looked for here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pytest_housekeeping.sql.parse import Statement, nodes_of, parsed, strings
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
# https://www.postgresql.org/docs/16/functions-sequence.html and functions-admin.html
_AT_ONCE = frozenset(
    (
        *("setval", "pg_terminate_backend", "pg_cancel_backend", "pg_reload_conf", "pg_switch_wal"),
        *("pg_create_physical_replication_slot", "pg_create_logical_replication_slot"),
        *("pg_drop_replication_slot", "pg_replication_slot_advance", "pg_logical_emit_message"),
    )
)
_WORDS = ("copy", "pg_read_", "pg_stat_file", "pg_ls_", "lo_import", "lo_export", "dblink")
_CALL = re.compile(rf"\b({'|'.join(sorted(_OF_THE_MACHINE | _OF_ANOTHER | _AT_ONCE))})\"?\s*\(")
_COPY = re.compile(r"\bcopy\b[^;]*?\b(from|to)\s+(?:program\b|e?'|%|\|\|)")
_DEFINING = (
    *("CreateFunctionStmt", "ViewStmt", "CreatePolicyStmt", "RuleStmt", "CreateTrigStmt"),
    *("GrantStmt", "CommentStmt"),
)


def reached_outside(text: str) -> Iterator[tuple[int, str]]:
    """Of each statement that reaches out of the database: its offset, and by what."""
    for offset, ways in _found(text, _WORDS):
        if what := next((each for name, each in ways if name not in _AT_ONCE), ""):
            yield offset, what


def done_at_once(text: str) -> Iterator[tuple[int, str]]:
    """Of each statement that does in the database what no rollback takes back: its offset, and by
    which function."""
    for offset, ways in _found(text, _AT_ONCE):
        if what := next((name for name, _ in ways if name in _AT_ONCE), ""):
            yield offset, what


def _found(text: str, words: Iterable[str]) -> Iterator[tuple[int, Iterator[tuple[str, str]]]]:
    low = text.lower()
    if not any(word in low for word in words):
        return  # nearly every file: nothing has to be parsed
    for statement in parsed(text):
        yield statement.offset, _ways(statement)


def _ways(statement: Statement) -> Iterator[tuple[str, str]]:
    """By name, and in words."""
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
        for key, value in nodes_of(statement.body):
            if key == "funcname":
                for name in strings(value)[-1:]:
                    yield from _call(name)


def _in_text(code: str) -> Iterator[tuple[str, str]]:
    if (copy := _COPY.search(code)) is not None:
        yield _copy(copy[1])
    for call in _CALL.finditer(code):
        yield from _call(call[1])


def _copy(way: str) -> tuple[str, str]:
    return "copy", f"COPY {way} a file or a program of the machine"


def _call(name: str) -> Iterator[tuple[str, str]]:
    if name in _OF_THE_MACHINE:
        yield name, f"{name}(), which is about files of the machine"
    elif name in _OF_ANOTHER:
        yield name, f"{name}(), which is a connection of its own"
    elif name in _AT_ONCE:
        yield name, f"{name}(), which is done at once"


def _without_comments(body: str) -> str:
    try:
        tokens = scan(body)
    except ParseError:
        return body
    return " ".join(
        body[token.start : token.end] for token in tokens if not token.name.endswith("COMMENT")
    )
