"""One SQL file of the project: its header, digest, and what PostgreSQL's parser sees in it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind, Phase, Step
from pytest_housekeeping.sql.parse import Facts, SyntaxRefused, constants, examine, parse

FOLDERS = {
    Kind.MIGRATION: "migrations",
    Kind.VIEW: "views",
    Kind.POLICY: "policies",
    Kind.SEED: "seeds",
    Kind.ROLLBACK: "rollback",
}
_NUMBERED_KINDS = (Kind.MIGRATION, Kind.ROLLBACK)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.sql")
_NUMBERED = re.compile(r"(\d{3,})_[A-Za-z0-9_]+\.sql")
_HEADER = re.compile(r"--\s*hk:\s*(.*)")
_IRREVERSIBLE = re.compile(r"irreversible\s*,\s*(\S.*)")
_OPTIONS = {"row-security": ("on", "off"), "transaction": ("batch", "own", "none")}
_INLINE_COMMAND = re.compile(r"\\[A-Za-z!?]+")
_META_COMMAND = re.compile(r"^[ \t]*\\[A-Za-z!?]+.*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Why a file cannot be part of a plan, and where: line and column count from 1."""

    line: int
    column: int
    found: str
    why: str
    fix: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SqlFile:
    """What is known of a file without running it. Its text is read again when it is applied."""

    path: str
    kind: Kind
    sha256: str
    number: int | None = None
    statements: int = 0
    row_security: bool = False
    transaction: str = "batch"
    irreversible: str = ""
    keeps_session: bool = True
    locks: int = 0
    enums_made: tuple[str, ...] = ()
    values_added: tuple[tuple[str, str], ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def step_of(
    file: SqlFile, name: str, phase: Phase, *, kind: Kind | None = None, segment: int = 0
) -> Step:
    """What is done with a file: a step of its own kind, unless another one is given."""
    return Step(
        id=f"{file.path}::{name}",
        phase=phase,
        kind=kind or file.kind,
        path=file.path,
        name=name,
        sha256=file.sha256,
        segment=segment,
    )


def read(root: Path, path: str, kind: Kind) -> SqlFile:
    """Read and parse one file. What is wrong inside it becomes ``problems``.

    Raises SqlFileError when its name does not fit, for then it has no place in the order.
    """
    name = path.rpartition("/")[2]
    numbered = _NUMBERED.fullmatch(name)
    if (kind in _NUMBERED_KINDS and numbered is None) or not _NAME.fullmatch(name):
        raise SqlFileError(
            f"{path}: the name does not fit",
            why="the number at its start is its place in the order",
            fix="name it like 0007_add_customer_email.sql"
            if kind in _NUMBERED_KINDS
            else "use letters, digits, '_', '-' and '.', and the ending .sql",
        )
    try:
        data = (root / path).read_bytes()
    except OSError as error:
        raise SqlFileError(
            f"{path} cannot be read: {error.strerror}",
            why="it has its place in the order, and nobody knows what it would do",
            fix="make it readable, or remove it",
        ) from None
    try:
        text = decode(data, path)
    except SqlFileError as error:
        problem = Problem(line=1, column=1, found=error.found, why=error.why, fix=error.fix)
        number = _number(path, kind)
        return SqlFile(
            path=path, kind=kind, sha256=digest(data), number=number, problems=(problem,)
        )
    return examined(path, kind, text, digest(data))


def examined(path: str, kind: Kind, text: str, sha256: str) -> SqlFile:
    """The facts of a file whose text is at hand."""
    number = _number(path, kind)
    return SqlFile(path=path, kind=kind, sha256=sha256, number=number, **_facts(text, kind))


def _number(path: str, kind: Kind) -> int | None:
    """Its place in the order, which a migration has whatever it holds, and what undoes it."""
    numbered = _NUMBERED.fullmatch(path.rpartition("/")[2])
    return int(numbered[1]) if numbered and kind in _NUMBERED_KINDS else None


def digest(data: bytes) -> str:
    """sha256 of the bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def decode(data: bytes, path: str) -> str:
    """The text of a file. Raises SqlFileError when it is not UTF-8, or holds a NUL byte."""
    if (at := data.find(b"\0")) >= 0:
        raise SqlFileError(
            f"{path} holds a NUL byte (byte {at + 1})",
            why="for PostgreSQL the text ends there: what follows would be left out and not said",
            fix="remove it; a file of two bytes a character has to be saved as UTF-8",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SqlFileError(
            f"{path} is not UTF-8 (byte {error.start + 1})",
            why="PostgreSQL would store something else than what was reviewed",
            fix="save the file as UTF-8",
        ) from None


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of a character offset that counts from 0."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def excerpt(text: str, line: int, column: int, *, around: int = 2) -> str:
    """The lines around a place, numbered, with a caret under the column."""
    lines = text.splitlines() or [""]
    shown = []
    for number in range(max(1, line - around), min(len(lines), line + around) + 1):
        mark = ">" if number == line else " "
        shown.append(f"{mark} {number:4} | {lines[number - 1]}")
        if number == line:
            shown.append(f"       | {' ' * (column - 1)}^")
    return "\n".join(shown)


def _facts(text: str, kind: Kind) -> dict[str, Any]:
    options, problems = _header(text)
    known: dict[str, Any] = {
        "row_security": options.get("row-security") == "on",
        "transaction": options.get("transaction", "batch"),
        "irreversible": options.get("irreversible", ""),
    }
    try:
        statements = parse(text)
    except SyntaxRefused as error:
        return {**known, "problems": (*problems, _refused(text, error))}
    if not statements:
        problems.append(_problem(text, 0, "the file holds no statement", *_EMPTY))
    facts = examine(statements)
    problems += _misfits(text, facts, known["transaction"], len(statements), kind)
    return {
        **known,
        "statements": len(statements),
        "keeps_session": not facts.touches_session,
        "locks": facts.locks,
        "enums_made": tuple(facts.enums_made),
        "values_added": tuple(facts.values_added),
        "problems": tuple(problems),
    }


def _header(text: str) -> tuple[dict[str, str], list[Problem]]:
    """The ``-- hk: key=value`` lines among the comments at the top, and ``irreversible, why``."""
    options: dict[str, str] = {}
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("--"):
            break
        found = _HEADER.match(line.strip())
        if found is None:
            continue
        if reason := _IRREVERSIBLE.fullmatch(found[1].strip()):
            options["irreversible"] = reason[1]
            continue
        key, _, value = (part.strip() for part in found[1].partition("="))
        if value in _OPTIONS.get(key, ()):
            options[key] = value
            continue
        problems.append(
            Problem(
                line=number,
                column=1,
                found=f"unknown header {found[1].strip()!r}",
                why="a header that is misread would change how the file runs",
                fix="known: "
                + ", ".join(f"{k}={'|'.join(v)}" for k, v in _OPTIONS.items())
                + "; irreversible, REASON",
            )
        )
    return options, problems


def _refused(text: str, error: SyntaxRefused) -> Problem:
    meta = _INLINE_COMMAND.match(text, error.offset) or _META_COMMAND.search(text)
    if meta is not None:
        return _problem(
            text,
            meta.end() - len(meta[0].lstrip()),
            f"the psql command {meta[0].split()[0]}",
            "files go to the server as they are, and it does not know psql's own commands",
            "write it in SQL, or move it out of the file",
        )
    return _problem(
        text,
        error.offset,
        f"{error.message} (SQLSTATE 42601)",
        "PostgreSQL's parser refuses the file, so nothing of the batch was started",
        "correct the statement at the caret",
    )


def _misfits(
    text: str, facts: Facts, transaction: str, statements: int, kind: Kind
) -> list[Problem]:
    problems = [
        _problem(text, statement.offset, f"{command} in the file", *_CONTROL)
        for statement, command in facts.control
    ]
    problems += [
        _problem(text, statement.offset, "COPY through the client", *_COPY)
        for statement in facts.client_copy
    ]
    if transaction != "none":
        problems += [
            _problem(text, statement.offset, f"{command} cannot run in a transaction", *_ALONE)
            for statement, command in facts.alone
        ]
    elif statements != 1:
        problems.append(_problem(text, 0, f"transaction=none with {statements} statements", *_ONE))
    if transaction != "batch" and kind not in _NUMBERED_KINDS:
        problems.append(_problem(text, 0, f"transaction={transaction} outside migrations", *_CUT))
    return problems


_EMPTY = (
    "it would be recorded as applied although it did nothing",
    "write the statements, or remove the file",
)
_CONTROL = (
    "the whole batch is one transaction; this would end it before anything was proved",
    "remove the statement; the promotion begins and commits",
)
_COPY = (
    "the data would have to come from a client, and there is none",
    "write the rows as INSERT ... VALUES",
)
_ALONE = (
    "PostgreSQL refuses it inside a transaction block, and the batch is one",
    "give it a file of its own whose first line is: -- hk: transaction=none",
)
_ONE = (
    "without a transaction a failure in the middle would leave half of the file behind",
    "one statement a file",
)
_CUT = (
    "only a migration can cut the batch into segments",
    "remove the header, or make the file a migration",
)


def _problem(text: str, offset: int, found: str, why: str, fix: str) -> Problem:
    line, column = place(text, offset)
    return Problem(line=line, column=column, found=found, why=why, fix=fix)


def uses_constant(root: Path, path: str, value: str) -> bool:
    """Whether a string constant of the file, or a text inside a function body, is ``value``."""
    try:
        statements = parse(decode((root / path).read_bytes(), path))
    except (SqlFileError, SyntaxRefused):
        return False
    text = constants([entry for entry in statements if entry.name != "AlterEnumStmt"])
    literal = json.dumps(value, ensure_ascii=False)
    return f'"sval": {literal}' in text or f"'{literal[1:-1]}'" in text


def value_added_at(root: Path, path: str, value: str) -> tuple[int, int]:
    """Line and column of the statement that adds an enum value."""
    text = decode((root / path).read_bytes(), path)
    for statement in parse(text):
        if statement.name == "AlterEnumStmt" and statement.body.get("newVal") == value:
            return place(text, statement.offset)
    return 1, 1
