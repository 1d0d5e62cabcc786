"""A file that no transaction can hold as a whole, cut into parts that run one after another.

Another tool sends its statements one by one, and a failure in the middle leaves what was before it.
Each part is a step here, and on record when it is done: what runs again begins with the next one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.effects import effects_of
from pytest_housekeeping.sql.layouts.layout import Reading
from pytest_housekeeping.sql.parse import MAINTAIN, Statement, extents, parse
from pytest_housekeeping.sql.parser import scan
from pytest_housekeeping.sql.problems import Problem
from pytest_housekeeping.sql.text import Woven, blanked

_NUMBER = re.compile(r"#(\d+)of(\d+)\Z")
# They bound how long something may take, which the settings of this tool do.
_LIMITS = frozenset(
    (
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "client_min_messages",
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Statements that run together: ``alone`` is one that no transaction can hold."""

    text: str
    alone: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """The parts of a file, in order; ``told`` is what of it does not run, ``problems`` what would
    mean something else in parts."""

    parts: tuple[Part, ...]
    told: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()


def cut(text: str) -> Cut:
    """A text in parts: each statement that no transaction can hold, and what stands together
    between two of them. Every line keeps its number, and the comments at the top stand over each.

    Raises SyntaxRefused.
    """
    statements = parse(text)
    told: list[Problem] = []
    problems: list[Problem] = []
    groups: list[tuple[bool, list[tuple[int, int]]]] = []
    for statement, end in extents(statements, text):
        alone = bool(effects_of([statement]).alone)
        if _is_limit(statement):
            told.append(_problem(text, statement, "is left out", _BOUNDED, ""))
        elif _changes_session(statement):
            problems.append(_problem(text, statement, "would not last", _FORGOTTEN, _NAME_IT))
        elif alone or not groups or groups[-1][0]:
            groups.append((alone, [(statement.offset, end)]))
        else:
            groups[-1][1].append((statement.offset, end))
    head = statements[0].offset if statements else 0
    parts = (Part(text=_only(text, head, spans), alone=alone) for alone, spans in groups)
    return Cut(parts=tuple(parts), told=tuple(told), problems=tuple(problems))


def with_part(found: Reading, path: str) -> Reading:
    """What was read of a file, of a path that names a part of it: that part alone.

    Raises SqlFileError where it has other parts by now.
    """
    named = _NUMBER.search(path)
    if named is None:
        return found
    parts = cut(found.text).parts
    if len(parts) != int(named[2]):
        raise SqlFileError(
            f"{path}: the file is {len(parts)} parts by now",
            why="what was run of it cannot be told from what is left",
            fix="bring its text of then back",
        )
    return replace(found, text=parts[int(named[1]) - 1].text)


def in_one_transaction(found: Reading) -> Reading:
    """What was read of a way back, in the form that a transaction can hold.

    Nothing is half undone then: what builds or drops an index does so without CONCURRENTLY, and
    what only maintains is left out.
    """
    statements = parse(found.text)
    effects = effects_of(statements)
    if len(statements) < 2 or not effects.alone:
        return found
    text, told = found.text, list(found.told)
    for statement, end in extents(statements, text):
        if statement.name in MAINTAIN:
            text = blanked(text, statement.offset, end)
            told.append(
                _problem(found.text, statement, "is left out of the way back", _MAINTAINS, "")
            )
        elif statement.body.get("concurrent"):
            words = [t for t in scan(text[statement.offset : end]) if t.name == "CONCURRENTLY"]
            for word in words[:1]:
                at = statement.offset + word.start
                text = blanked(text, at, statement.offset + word.end)
            said = "runs without CONCURRENTLY on the way back"
            told.append(_problem(found.text, statement, said, _WHOLE, ""))
    return replace(found, text=text, told=tuple(told), outside=False)


_BOUNDED = (
    "each part begins with the same session, and this tool's settings bound how long it takes"
)
_FORGOTTEN = "each part of the file begins with the same session, as it is on record by itself"
_NAME_IT = "write it out in the statements that need it: the schema in front of the name, say"
_MAINTAINS = "it changes nothing of the schema, and no transaction can hold it"
_WHOLE = "it is one transaction, so that nothing is half undone; others wait for it meanwhile"


def _is_limit(statement: Statement) -> bool:
    """A setting that bounds what runs, or one that is put back: each part begins with that."""
    body = statement.body
    put_back = str(body.get("kind")) in ("VAR_RESET", "VAR_RESET_ALL", "VAR_SET_DEFAULT")
    return statement.name == "VariableSetStmt" and (put_back or body.get("name") in _LIMITS)


def _changes_session(statement: Statement) -> bool:
    """By SET, for what follows; a SET LOCAL would be none in its tool either."""
    return statement.name == "VariableSetStmt" and not statement.body.get("is_local")


def _only(text: str, head: int, spans: Sequence[tuple[int, int]]) -> str:
    """The text with nothing but its beginning and these spans, every line in its place."""
    kept, done = text[:head], head
    for start, end in spans:
        kept += re.sub(r"[^\n]", " ", text[done:start]) + text[start:end]
        done = end
    return Woven(kept, text.origins) if isinstance(text, Woven) else kept


def _problem(text: str, statement: Statement, said: str, why: str, fix: str) -> Problem:
    words = " ".join(text[statement.offset :].partition(";")[0].split()[:6])
    return Problem.at(text, statement.offset, f"{words} {said}", why, fix)
