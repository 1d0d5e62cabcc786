"""Files applied outside of a promotion: history replayed, bootstrap, a baseline compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import LiteralString, Protocol

import psycopg
from psycopg import sql

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.toml import toml_key
from pytest_housekeeping.errors import HousekeepingError, SqlFailed
from pytest_housekeeping.model import Kind, Verdict
from pytest_housekeeping.postgres.connection import Connection, LentConnection
from pytest_housekeeping.postgres.statement_errors import explain
from pytest_housekeeping.postgres.transaction import begin
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.sql import file as sqlfile
from pytest_housekeeping.sql.bootstrap import bootstrap_texts
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.layouts.known import OWN, layout_of
from pytest_housekeeping.sql.layouts.layout import Entry
from pytest_housekeeping.sql.parse import statements_of

File = tuple[SqlFile, str]


class ThrowawayDatabase(Protocol):
    """Where files of history run: it has a superuser, and knows which server would do what its own
    one could not."""

    def advised(self, error: HousekeepingError) -> HousekeepingError: ...

    def superuser(self) -> AbstractContextManager[LentConnection]: ...


def run_bootstrap(context: RunContext, throwaway: Throwaway) -> Judgement:
    """sql/bootstrap/ and the preset of the platform make, as superuser, what the real server
    already has; once, for it need not be written so that it can be run again."""
    once = not throwaway.bootstrapped
    texts = bootstrap_texts(context.config, context.plan.sources) if once else ()
    throwaway.bootstrapped = True
    with throwaway.superuser() as connection:
        run_each(connection, texts, throwaway)
    said = f"{len(context.plan.bootstrap)} files"
    if len(texts) > len(context.plan.bootstrap):
        said = f"{texts[0][0]}, {said}"
    return Verdict(examined=len(texts), unit="bootstrap files"), said


def replay_applied(
    context: RunContext,
    connection: LentConnection,
    throwaway: Throwaway,
    before_file: Callable[[Connection, str], None],
    *,
    after: int,
) -> None:
    """What was promoted before, segment by segment and unverified: it was proved when it was made.

    What stands already, up to the segment ``after``, is left out. Raises what PostgreSQL refuses,
    and ProofFailed for a text that is nowhere to be found.
    """
    past = [
        entry
        for entry in context.plan.past
        if entry.segment > after and entry.kind is not Kind.SEED
    ]
    layout = layout_of(context.config)
    for segment in sorted({entry.segment for entry in past}):
        files: list[File] = []
        for entry in (entry for entry in past if entry.segment == segment):
            found = context.applied(entry)
            # Parsed, so that it runs under the same headers as it did.
            placed = Entry(path=entry.path, kind=entry.kind)
            file = sqlfile.from_reading(placed, found, entry.sha256, layout=layout)
            files.append((file, found.text))
        replay_segment(context.config, connection, files, throwaway, before_file)


def replay_segment(
    config: Config,
    connection: LentConnection,
    files: Sequence[File],
    throwaway: ThrowawayDatabase,
    before_file: Callable[[Connection, str], None] = lambda *_: None,
) -> None:
    """Files of history that stand together: as one transaction, as this tool has run them; those of
    another tool each by itself, and so where one could be no part of a batch, and was recorded."""
    own = layout_of(config).name == OWN
    if own and not any(file.problems or file.path in config.as_superuser for file, _ in files):
        apply_segment(config, connection, files, throwaway, before_file)
        return
    for file, text in files:
        replay_file(config, connection, file, text, throwaway, before_file)


def replay_file(
    config: Config,
    connection: LentConnection,
    file: SqlFile,
    text: str,
    throwaway: ThrowawayDatabase,
    before_file: Callable[[Connection, str], None] = lambda *_: None,
) -> None:
    """A file as the tool that keeps it has run it: in a transaction of its own, under the policies
    that hold for its role, which is a superuser where the settings say `as_superuser`.

    One that could be no part of a batch, for it holds more than one transaction or what none can
    hold, runs statement by statement, as it did there. One that the settings know as `rows_only`
    does not run. Raises SqlFailed for one of which nobody knows what its tool would have run.
    """
    if file.path in config.rows_only:
        return
    if unreadable := [each for each in file.problems if each.unreadable]:
        places = (f"{file.path}:{each.line}:{each.column}: {each.found}" for each in unreadable)
        raise SqlFailed("\n".join(places), why=unreadable[0].why, fix=unreadable[0].fix)
    raised = file.path in config.as_superuser
    with _superuser(config.migrator, throwaway) if raised else nullcontext():
        _as_it_ran(config, connection, file, text, throwaway, before_file)


def _as_it_ran(
    config: Config,
    connection: LentConnection,
    file: SqlFile,
    text: str,
    throwaway: ThrowawayDatabase,
    before_file: Callable[[Connection, str], None],
) -> None:
    try:
        if not file.problems and not file.parts:
            there = replace(file, row_security=True)
            apply_segment(config, connection, [(there, text)], throwaway, before_file)
            return
        before_file(connection, file.path)
        for statement in statements_of(text):
            run_plain(connection, file.path, statement, throwaway)
    except SqlFailed as error:
        raise _on_no_rows(file.path, error) from None
    connection.execute("RESET ROLE")
    connection.execute("RESET ALL")


@contextmanager
def _superuser(role: str, throwaway: ThrowawayDatabase) -> Iterator[None]:
    """The role as a superuser; what only one may own belongs to another one then."""
    name = sql.Identifier(role)
    with throwaway.superuser() as connection:
        connection.execute(sql.SQL("ALTER ROLE {} SUPERUSER").format(name))
        try:
            yield
        finally:
            connection.execute(sql.SQL("ALTER ROLE {} NOSUPERUSER").format(name))
            for (statement,) in connection.execute(_OF_SUPERUSERS, (role,)).fetchall():
                connection.execute(statement.encode())


_OF_SUPERUSERS: LiteralString = """
SELECT pg_catalog.format('ALTER %%s %%I OWNER TO CURRENT_USER', owned.kind, owned.name)
FROM (
    SELECT 'EVENT TRIGGER' AS kind, evtname AS name, evtowner AS owner
    FROM pg_catalog.pg_event_trigger
    UNION ALL
    SELECT 'FOREIGN DATA WRAPPER', fdwname, fdwowner FROM pg_catalog.pg_foreign_data_wrapper
    UNION ALL
    SELECT 'PUBLICATION', p.pubname, p.pubowner FROM pg_catalog.pg_publication AS p
    WHERE p.puballtables OR EXISTS (
        SELECT FROM pg_catalog.pg_publication_namespace AS n WHERE n.pnpubid = p.oid
    )
) AS owned
WHERE pg_catalog.pg_get_userbyid(owned.owner) = %s
ORDER BY owned.kind, owned.name
"""


def _on_no_rows(path: str, error: SqlFailed) -> SqlFailed:
    """What a file says of rows that are not here; another error as it is."""
    if error.sqlstate not in _OF_ROWS or error.fix:
        return error
    return SqlFailed(
        error.found,
        why="what is history is run on an empty database, to know what it makes of the schema; this"
        " file counts on rows",
        fix="where it changes nothing but rows, it need not run; what it would make of the schema"
        " is compared with production all the same: under [tool.housekeeping.rows_only]:"
        f' {toml_key(path)} = "REASON"',
        sqlstate=error.sqlstate,
    )


# A RAISE or an ASSERT of the file's own, no row or too many for INTO, a value that is missing.
_OF_ROWS = ("P0001", "P0002", "P0003", "P0004", "23502", "23503", "23514")


def apply_segment(
    config: Config,
    connection: LentConnection,
    files: Sequence[File],
    throwaway: ThrowawayDatabase,
    before_file: Callable[[Connection, str], None] = lambda *_: None,
) -> None:
    """Files that share a transaction, or the one that no transaction can hold; committed."""
    if any(file.transaction == "none" for file, _ in files):
        for file, text in files:
            run_plain(connection, file.path, text, throwaway)
        return
    transaction = begin(connection, config)
    try:
        for file, text in files:
            before_file(connection, file.path)
            transaction.apply(file, text)
        transaction.seal()
        connection.execute("COMMIT")
    except HousekeepingError as error:
        # A connection that was lost has rolled back as well.
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")
        raise throwaway.advised(error) from None


def segments_of(files: Iterable[File]) -> Iterable[list[File]]:
    """Files in order, cut where one has a transaction of its own or can be in none."""
    batch: list[File] = []
    for file, text in files:
        if file.transaction == "batch":
            batch.append((file, text))
            continue
        if batch:
            yield batch
        yield [(file, text)]
        batch = []
    if batch:
        yield batch


def run_each(
    connection: Connection, texts: Iterable[tuple[str, str]], throwaway: ThrowawayDatabase
) -> None:
    """What stands under sql/bootstrap/, each file from the same session: a dump empties the
    search_path, and a role that one has taken on is not meant for the next."""
    for path, text in texts:
        run_plain(connection, path, text, throwaway)
        connection.execute("RESET ROLE; RESET ALL")


def run_plain(connection: Connection, path: str, text: str, throwaway: ThrowawayDatabase) -> None:
    """A text in no transaction but its own, as a file under sql/bootstrap/ runs."""
    try:
        connection.execute(text.encode())
    except psycopg.Error as error:
        raise throwaway.advised(explain(path, text, error)) from None
