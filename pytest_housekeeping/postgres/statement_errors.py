"""PostgreSQL's refusal of a statement, as a person wants to read it."""

from __future__ import annotations

import re

import psycopg

from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.password_literals import (
    unshown,
    without_passwords,
)
from pytest_housekeeping.sql.text import excerpt, origin, place

# The rewriter looks at row_security also when a function's body is only checked.
_UNSEEN_WHY = (
    "files run with row_security = off, so that a policy which hides rows from a change is an error"
    " and no silent success; PostgreSQL says the same of a function's body that it only checks"
)
_UNSEEN_FIX = (
    "where the policies are meant to count, or nothing but a function is made, begin the file"
    " with: -- hk: row-security=on"
)

# Sentences of PostgreSQL's own, and of a stub, in which no word of a statement stands.
_OWN_WORDS = re.compile(
    r"permission denied to (?:create|alter) role|must be superuser to [a-z ]+"
    r"|extension [\w-]+ is a stub here, and \w+ has no body in it"
    r"|[Oo]nly roles with the [A-Z]+ attribute may [a-z]+ (?:roles with )?the [A-Z]+ attribute"
)


def run_text(connection: Connection, path: str, text: str) -> None:
    """Execute the text of a file as it is. Raises SqlFailed, in the words of `explain`."""
    try:
        connection.execute(text.encode())
    except psycopg.Error as error:
        raise explain(path, text, error) from None


def explain(
    path: str, text: str, error: psycopg.Error, shift: int = 0, *, statement: int | None = None
) -> SqlFailed:
    """The error with its place, the lines around it, detail, hint, context and SQLSTATE.

    ``shift`` characters were sent before ``text``. Where PostgreSQL gives no place, it is the
    offset of the ``statement`` that was refused. A password in the text is cut out; where it
    cannot be told from other words, nothing is shown but the place and the kind of the error.
    """
    diag = error.diag
    message = diag.message_primary or str(error).strip() or type(error).__name__
    where = path
    lines = []
    position = int(diag.statement_position or 0) - shift
    if diag.statement_position is None and statement is not None:
        position = statement + 1
    if 0 < position <= len(text) + 1:
        line, column = place(text, position - 1)
        there, number = origin(text, path, line)
        where = f"{there}:{number}:{column}"
        lines.append(excerpt(text, line, column))
    unseen = diag.sqlstate == "42501" and "affected by row-level security" in message
    told = [message, diag.message_detail, diag.message_hint, diag.context, diag.internal_query]
    lines += [
        f"  {label}: {value}"
        for label, value in (
            ("detail", diag.message_detail),
            # PostgreSQL's there is to take FORCE away, and the protection with it.
            ("hint", None if unseen else diag.message_hint),
            ("context", diag.context),
        )
        if value
    ]
    head = f"{where}: {message} (SQLSTATE {diag.sqlstate or 'none: the connection was lost'})"
    found = without_passwords("\n".join([head, *lines]), text, *filter(None, told))
    if found is None:
        return _without_words(where, error, unshown(text))
    if unseen:
        return SqlFailed(found, sqlstate="42501", why=_UNSEEN_WHY, fix=_UNSEEN_FIX)
    return SqlFailed(found, sqlstate=diag.sqlstate or "")


def _without_words(where: str, error: psycopg.Error, why: str) -> SqlFailed:
    """The place, and what kind of error it is, by the name that PostgreSQL's manual gives it."""
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
    state = error.diag.sqlstate
    said = f"{error.diag.message_primary}\n{error.diag.message_detail}"
    return SqlFailed(
        "\n  ".join(
            (
                f"{where}: {kind} (SQLSTATE {state or 'none: the connection was lost'})",
                *_OWN_WORDS.findall(said),
            )
        ),
        sqlstate=state or "",
        why=why,
        fix="run the file by hand to see the rest; better, take the password out of the file that"
        " holds it: \\password in psql sends a verifier",
    )
