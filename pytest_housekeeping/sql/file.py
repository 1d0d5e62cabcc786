"""One SQL file of the project: its header, digest, and what PostgreSQL's parser sees in it."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.effects import Effects, effects_of
from pytest_housekeeping.sql.foreign_marks import foreign_marks
from pytest_housekeeping.sql.header import Acceptance, Header, read_header
from pytest_housekeeping.sql.layouts.known import OWN, layout_named, layout_of
from pytest_housekeeping.sql.layouts.layout import Entry, Layout, Reading
from pytest_housekeeping.sql.layouts.parts import cut
from pytest_housekeeping.sql.layouts.read import reading
from pytest_housekeeping.sql.parse import SyntaxRefused, parse
from pytest_housekeeping.sql.password_literals import UNSHOWN, holds_password
from pytest_housekeeping.sql.path_names import part_of
from pytest_housekeeping.sql.problems import Problem, syntax_problem, transaction_problems
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.text import digest

FOLDERS = {
    Kind.MIGRATION: "migrations",
    Kind.VIEW: "views",
    Kind.POLICY: "policies",
    Kind.SEED: "seeds",
    Kind.ROLLBACK: "rollback",
}
_NUMBERED_KINDS = (Kind.MIGRATION, Kind.ROLLBACK)


@dataclass(frozen=True, kw_only=True, slots=True)
class SqlFile:
    """What is known of a file without running it. The plan holds its bytes.

    ``version`` is its place in the order as its name says it, ``rollback`` the path of what would
    undo it, ``undoes`` the path of the migration that it takes back. ``locks`` is how many locks
    it leaves in the lock table at the least. ``keeps_session`` says that no statement can change
    the session: no role, setting or temporary table is left behind; ``only_defines``, that what it
    makes of a schema hangs on nothing but the schema, and ``only_drops``, that of no table that
    it leaves is anything gone. ``values_added`` are the values that enums
    get in it, ``accepts`` the findings that it lets stand, ``told`` what of its text
    does not run. ``of_tool``: a repeatable file that another tool keeps as well; one of ``every``
    batch is applied behind each. ``parts`` are what runs of one that no transaction can hold as a
    whole.
    """

    path: str
    kind: Kind
    sha256: str
    version: str = ""
    rollback: str = ""
    undoes: str = ""
    statements: int = 0
    row_security: bool = False
    transaction: str = "batch"
    irreversible: str = ""
    accepts: tuple[Acceptance, ...] = ()
    keeps_session: bool = True
    only_defines: bool = False
    only_drops: bool = False
    locks: int = 0
    insists_on_batch: bool = False
    values_added: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    told: tuple[Problem, ...] = ()
    of_tool: bool = False
    every: bool = False
    parts: tuple[SqlFile, ...] = ()

    @property
    def steps(self) -> tuple[SqlFile, ...]:
        """What of it runs at once, in order: its parts, or itself."""
        return self.parts or (self,)

    @property
    def number(self) -> int | None:
        """The version of one that is a number."""
        return int(self.version) if self.version.isdecimal() else None

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def read(
    config: Config, files: ProjectFiles, entry: Entry, *, applied: Container[tuple[str, str]] = ()
) -> SqlFile:
    """Read and parse one file. What is wrong inside it becomes ``problems``.

    Of one that was ``applied``, by its path and digest, only the header is read. Raises
    SqlFileError when it cannot be read, for nobody knows then what it would do in its place.
    """
    try:
        data = files.read(entry.path)
    except OSError as error:
        raise SqlFileError(
            f"{entry.path} cannot be read: {error.strerror}",
            why="it has its place in the order, and nobody knows what it would do",
            fix="make it readable, or remove it",
        ) from None
    sha256 = digest(data)
    try:
        found = reading(config, files, entry.path, data)
    except SqlFileError as error:
        problem = Problem(line=1, column=1, found=error.found, why=error.why, fix=error.fix)
        return _as_headed(entry, Reading(text=""), sha256, read_header(""), (problem,))
    if entry.outside:
        found = replace(found, outside=True)
    parsed = (entry.path, sha256) not in applied
    file = from_reading(entry, found, sha256, layout=layout_of(config), parsed=parsed)
    if said := config.irreversible.get(entry.path):
        parts = tuple(replace(part, irreversible=said) for part in file.parts)
        file = replace(file, irreversible=said, parts=parts)
    return file


def from_text(path: str, kind: Kind, text: str, sha256: str) -> SqlFile:
    """The same of a text that runs as it is, whatever the layout."""
    entry = Entry(path=path, kind=kind)
    return from_reading(entry, Reading(text=text), sha256, layout=layout_named(OWN))


def from_reading(
    entry: Entry, found: Reading, sha256: str, *, layout: Layout, parsed: bool = True
) -> SqlFile:
    """What is known of a file whose text was read as its layout reads it.

    Of one that is not ``parsed`` the least is believed: it may do anything to the session.
    """
    text = found.text
    header = read_header(text)
    if not parsed:
        return _as_headed(entry, found, sha256, header, keeps_session=False)
    marks = foreign_marks(text, plain=header.plain, layout=layout)
    problems = _told(text, *header.problems, *found.problems, *marks)
    try:
        effects = effects_of(parse(text))
    except SyntaxRefused as error:
        # A name that no value has replaced is no SQL, and told already.
        more = () if any(each.unreadable for each in problems) else (error,)
        syntax = (syntax_problem(text, each) for each in more)
        problems = (*problems, *_told(text, *syntax))
        return _as_headed(entry, found, sha256, header, problems)
    file = _as_headed(entry, found, sha256, header, problems)
    if _runs_in_parts(layout, entry.kind, header, effects, outside=found.outside):
        return _in_parts(file, text, effects)
    return _with_effects(file, found, effects, header, layout)


def _as_headed(
    entry: Entry,
    found: Reading,
    sha256: str,
    header: Header,
    problems: tuple[Problem, ...] = (),
    *,
    keeps_session: bool = True,
) -> SqlFile:
    """A file in its place, as its header says; what its statements do is left open."""
    return SqlFile(
        path=entry.path,
        kind=entry.kind,
        sha256=sha256,
        version=entry.version,
        rollback=entry.rollback,
        undoes=entry.undoes,
        of_tool=entry.of_tool,
        every=entry.every,
        row_security=header.row_security,
        transaction=header.transaction,
        insists_on_batch=header.insists,
        irreversible=header.irreversible,
        accepts=header.accepts,
        problems=problems,
        told=found.told,
        keeps_session=keeps_session,
    )


def _with_effects(
    file: SqlFile, found: Reading, effects: Effects, header: Header, layout: Layout
) -> SqlFile:
    """With what its statements do, and what does not fit its transaction."""
    transaction = header.transaction
    if not header.transaction_said and file.kind in _NUMBERED_KINDS:
        transaction = _transaction(layout, effects, outside=found.outside)
    misfits = transaction_problems(
        found.text,
        effects,
        transaction=transaction,
        may_cut=file.kind in _NUMBERED_KINDS,
        mark=layout.outside_mark,
        empty=header.empty or _no_work(layout, effects),
    )
    return replace(
        file,
        transaction=transaction,
        statements=effects.statements,
        keeps_session=not effects.touches_session,
        only_defines=effects.only_defines,
        only_drops=effects.only_drops,
        locks=effects.locks,
        values_added=tuple(effects.values_added),
        problems=(*file.problems, *misfits),
    )


def _transaction(layout: Layout, effects: Effects, *, outside: bool) -> str:
    """Which transaction a file of another tool has, whose header says nothing of it.

    No other tool asks for a header; what its marks say, and what PostgreSQL refuses, is enough.
    """
    if layout.name == OWN:
        return "batch"
    if effects.statements == 1 and (effects.alone or (outside and effects.may_be_alone)):
        return "none"
    return "own" if outside and not effects.alone else "batch"


def _runs_in_parts(
    layout: Layout, kind: Kind, header: Header, effects: Effects, *, outside: bool
) -> bool:
    """Whether a file of another tool is several statements, of which no transaction can hold all,
    and its tool would run them so."""
    said = header.transaction == "none" if header.transaction_said else outside
    several = effects.statements > 1 and effects.alone and not effects.control
    of_itself = layout.one_by_one or (
        layout.looks_itself and len(effects.alone) == effects.statements
    )
    wanted = said or (of_itself and not header.transaction_said)
    return bool(layout.name != OWN and kind is Kind.MIGRATION and several and wanted)


def _in_parts(file: SqlFile, text: str, effects: Effects) -> SqlFile:
    """The file with its parts; what is wrong with it is told with the first of them."""
    found = cut(text)
    problems = (*file.problems, *_told(text, *found.problems))
    told = (*file.told, *_told(text, *found.told))
    count = len(found.parts)
    parts = []
    for number, part in enumerate(found.parts, start=1):
        does = effects_of(parse(part.text))
        parts.append(
            replace(
                file,
                path=part_of(file.path, number, count),
                transaction="none" if part.alone else "own",
                statements=does.statements,
                keeps_session=not does.touches_session,
                locks=does.locks,
                values_added=tuple(does.values_added),
                problems=problems if number == 1 else (),
                told=told if number == 1 else (),
            )
        )
    return replace(
        file,
        statements=effects.statements,
        keeps_session=False,
        locks=effects.locks,
        values_added=tuple(effects.values_added),
        problems=problems,
        told=told,
        parts=tuple(parts),
    )


def _no_work(layout: Layout, effects: Effects) -> str:
    """Why a file may hold no statement: another tool takes one, and has recorded it."""
    return "" if effects.statements or layout.name == OWN else f"{layout.tool} takes it as it is"


def _told(text: str, *problems: Problem) -> tuple[Problem, ...]:
    """Problems whose words quote the file; of one that holds a password, without the words."""
    if problems and holds_password(text):
        return tuple(
            replace(each, found=f"something is wrong here; {UNSHOWN}") for each in problems
        )
    return problems
