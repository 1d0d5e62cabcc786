"""One SQL file of the project: its header, digest, and what PostgreSQL's parser sees in it."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, replace

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.effects import effects_of
from pytest_housekeeping.sql.foreign_marks import foreign_marks
from pytest_housekeeping.sql.header import Acceptance, read_header
from pytest_housekeeping.sql.parse import SyntaxRefused, parse
from pytest_housekeeping.sql.password_literals import UNSHOWN, holds_password
from pytest_housekeeping.sql.problems import Problem, syntax_problem, transaction_problems
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.text import decode, digest

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


@dataclass(frozen=True, kw_only=True, slots=True)
class SqlFile:
    """What is known of a file without running it. The plan holds its bytes.

    ``locks`` is how many locks it leaves in the lock table at the least. ``keeps_session`` says
    that no statement can change the session: no role, setting or temporary table is left behind.
    ``values_added`` are the values that enums get in it, ``accepts`` the findings that it lets
    stand.
    """

    path: str
    kind: Kind
    sha256: str
    number: int | None = None
    statements: int = 0
    row_security: bool = False
    transaction: str = "batch"
    irreversible: str = ""
    accepts: tuple[Acceptance, ...] = ()
    keeps_session: bool = True
    locks: int = 0
    insists_on_batch: bool = False
    values_added: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def read(
    files: ProjectFiles, path: str, kind: Kind, *, applied: Container[tuple[str, str]] = ()
) -> SqlFile:
    """Read and parse one file. What is wrong inside it becomes ``problems``.

    Of one that was ``applied``, by its path and digest, only the header is read. Raises
    SqlFileError when its name does not fit, for then it has no place in the order, and when it
    cannot be read.
    """
    _refuse_name(path, kind)
    try:
        data = files.read(path)
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
        return SqlFile(
            path=path,
            kind=kind,
            sha256=digest(data),
            number=_number(path, kind),
            problems=(problem,),
        )
    sha256 = digest(data)
    return from_text(path, kind, text, sha256, parsed=(path, sha256) not in applied)


def from_text(path: str, kind: Kind, text: str, sha256: str, *, parsed: bool = True) -> SqlFile:
    """The same of a file whose text is at hand.

    Of one that is not ``parsed`` the least is believed: it may do anything to the session.
    """
    header = read_header(text)
    file = SqlFile(
        path=path,
        kind=kind,
        sha256=sha256,
        number=_number(path, kind),
        row_security=header.row_security,
        transaction=header.transaction,
        insists_on_batch=header.insists,
        irreversible=header.irreversible,
        accepts=header.accepts,
    )
    if not parsed:
        return replace(file, keeps_session=False)
    marks = foreign_marks(text, plain=header.plain)
    file = replace(file, problems=_told(text, *header.problems, *marks))
    try:
        effects = effects_of(parse(text))
    except SyntaxRefused as error:
        return replace(file, problems=(*file.problems, *_told(text, syntax_problem(text, error))))
    misfits = transaction_problems(
        text,
        effects,
        transaction=file.transaction,
        may_cut=kind in _NUMBERED_KINDS,
        empty=header.empty,
    )
    return replace(
        file,
        statements=effects.statements,
        keeps_session=not effects.touches_session,
        locks=effects.locks,
        values_added=tuple(effects.values_added),
        problems=(*file.problems, *misfits),
    )


def _told(text: str, *problems: Problem) -> tuple[Problem, ...]:
    """Problems whose words quote the file; of one that holds a password, without the words."""
    if problems and holds_password(text):
        return tuple(
            replace(each, found=f"something is wrong here; {UNSHOWN}") for each in problems
        )
    return problems


def _refuse_name(path: str, kind: Kind) -> None:
    name = path.rpartition("/")[2]
    numbered = kind in _NUMBERED_KINDS
    if _NAME.fullmatch(name) and (_NUMBERED.fullmatch(name) or not numbered):
        return
    raise SqlFileError(
        f"{path}: the name does not fit",
        why="the number at its start is its place in the order",
        fix="name it like 0007_add_customer_email.sql"
        if numbered
        else "use letters, digits, '_', '-' and '.', and the ending .sql",
    )


def _number(path: str, kind: Kind) -> int | None:
    """Its place in the order: of a migration, whatever it holds, and of what undoes it."""
    numbered = _NUMBERED.fullmatch(path.rpartition("/")[2])
    return int(numbered[1]) if numbered and kind in _NUMBERED_KINDS else None
