"""The step ``rehearse::seeded``: the batch on a second copy, whose touched tables hold rows.

An empty copy shows nothing of what needs a row to go wrong, and nothing of what becomes of values.
Each table that the batch touches, and that production says is not empty, gets made-up rows there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from psycopg import sql

from pytest_housekeeping.checks.rls.rows.table_shape import TableShape, read_shapes
from pytest_housekeeping.checks.seeded.seeding import Seeded, seed
from pytest_housekeeping.checks.seeded.values import Loss, TableRows, losses, read_rows
from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.model import Finding, Kind, Level, Verdict
from pytest_housekeeping.postgres.batch_facts import DROPPED, MADE
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.transaction import begin
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.rehearsal.refused_values import refused_for_values
from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal
from pytest_housekeeping.promotion.rehearsal.standing_rows import StandingTable, tables_with_rows
from pytest_housekeeping.promotion.target_connection import TargetConnection
from pytest_housekeeping.promotion.transaction import autocommit
from pytest_housekeeping.snapshot.copies.spare import SPARE
from pytest_housekeeping.snapshot.copies.twin import Twin
from pytest_housekeeping.sql.identifiers import unquoted

# The batch has been here before: what it makes of the whole server is there already.
_OF_SERVER = ("42710", "42P04")
_MINOR = ("dropped, with its rows", "dropped, with its values", "values are others now")


@dataclass(kw_only=True)
class _Tried:
    """What came of it: the rows, what has become of them, or the file that did not go through."""

    seeded: Seeded
    columns: frozenset[tuple[str, str]] = frozenset()
    values: frozenset[str] = frozenset()
    lost: tuple[Loss, ...] = ()
    path: str = ""
    text: str = ""
    refused: SqlFailed | None = None
    files: int = field(default=0)


def seeded_batch(
    context: RunContext, rehearsal: Rehearsal, production: TargetConnection
) -> Judgement:
    """What the batch does where there are rows; each table that could not get any is named.

    Raises ProofFailed where nothing was rehearsed.
    """
    facts = rehearsal.facts.values()
    names = {lock.relation for each in facts for lock in each.locks}
    names |= {name for each in facts for name in each.rewritten}
    names |= {gone.relation for each in facts for gone in each.destroyed}
    standing = tables_with_rows(production.get(), names, but=context.config.history_schema)
    tables = [table for table in standing if table.holds]
    if not tables:
        said = f"none of the {len(standing)} tables that the batch touches holds rows in production"
        return Verdict(examined=max(1, len(standing)), unit="tables"), said
    twin = rehearsal.target.twin
    gone = [each.object for f in facts for each in f.changes if _is_role(each.kind, each.change)]
    spare = twin.spare
    if gone or spare is None:
        reason = f"the batch drops the role {gone[0]}" if gone else "there is no second copy"
        tried = _Tried(seeded=Seeded(rows={}, reasons={t.name: reason for t in tables}))
    else:
        made = [
            unquoted(each.object)
            for f in facts
            for each in f.changes
            if each.kind == "role" and each.change == MADE
        ]
        with _roles_aside(twin, made):
            tried = _try(context, rehearsal, spare, tables)
    findings = tuple(_findings(tried, tables))
    rows = ", ".join(f"{name} ({count})" for name, count in sorted(tried.seeded.rows.items()))
    said = f"rows were made up for {rows}" if rows else "no rows were made up"
    if rows and tried.refused is None:
        said += f"; {tried.files} files went through, {len(tried.lost)} losses"
    return Verdict(examined=len(tables), unit="tables", findings=findings), said


def _is_role(kind: str, change: str) -> bool:
    return kind == "role" and change == DROPPED


def _try(
    context: RunContext, rehearsal: Rehearsal, spare: Twin, tables: Iterable[StandingTable]
) -> _Tried:
    known = {table.name: (table.schema, table.table) for table in tables}
    with spare.connect() as superuser:
        superuser.execute("BEGIN")
        before = read_shapes(superuser, list(known.values()))
        with rehearsal.printing() as result:
            after = read_shapes(result, list(known.values()))
        tried = _Tried(seeded=seed(superuser, before, after, known), columns=_columns(before))
        superuser.execute("COMMIT")
        if not tried.seeded.rows:
            return tried
        oids = _oids(superuser, tried.seeded.rows)
        held = read_rows(superuser, oids)
        tried.values = _values(held)
        _apply(context, rehearsal, spare, tried)
        if tried.refused is None:
            tried.lost = tuple(losses(held, read_rows(superuser, oids)))
    return tried


def _columns(shapes: Mapping[str, TableShape]) -> frozenset[tuple[str, str]]:
    return frozenset((shape.name, each.name) for shape in shapes.values() for each in shape.columns)


def _values(held: Mapping[int, TableRows]) -> frozenset[str]:
    columns = (column for rows in held.values() for _, column in rows.columns.values())
    return frozenset(value for column in columns for value in column if value)


def _oids(connection: Connection, names: Iterable[str]) -> list[int]:
    query = "SELECT pg_catalog.to_regclass(t)::oid::int8 FROM pg_catalog.unnest(%s::text[]) AS t"
    return [oid for (oid,) in connection.execute(query, (sorted(names),)).fetchall() if oid]


def _apply(context: RunContext, rehearsal: Rehearsal, spare: Twin, tried: _Tried) -> None:
    """The files as production's own role, segment by segment, as far as they go through."""
    user = rehearsal.role
    with spare.connect(user, context.config.session) as connection:
        try:
            for segment in context.plan.segments:
                batch = (file for file in segment.files if file.kind is not Kind.SEED)
                files = [(file, context.files.text(file)) for file in batch]
                if any(file.transaction == "none" for file, _ in files):
                    for file, text in files:
                        tried.path, tried.text = file.path, text
                        autocommit.apply(connection, file, text)
                        tried.files += 1
                    continue
                transaction = begin(connection, context.config)
                for file, text in files:
                    tried.path, tried.text = file.path, text
                    transaction.apply(file, text)
                    tried.files += 1
                transaction.seal()
                connection.execute("COMMIT")
        except SqlFailed as error:
            tried.refused = error


@contextmanager
def _roles_aside(twin: Twin, made: Iterable[str]) -> Iterator[None]:
    """Roles belong to the whole server: those that the batch has made there already are called
    otherwise meanwhile. The second copy is gone afterwards, and what it has made of the server."""
    pairs = [
        (sql.Identifier(name), sql.Identifier(f"hk_aside_{number}"))
        for number, name in enumerate(made)
    ]
    renaming = sql.SQL("ALTER ROLE {} RENAME TO {}")
    with twin.connect() as superuser:
        for name, aside in pairs:
            superuser.execute(renaming.format(name, aside))
        try:
            yield
        finally:
            spare = sql.Identifier(SPARE)
            superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(spare))
            for name, aside in pairs:
                superuser.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(name))
                superuser.execute(renaming.format(aside, name))


def _findings(tried: _Tried, tables: Iterable[StandingTable]) -> Iterator[Finding]:
    if tried.refused is not None:
        yield _refusal(tried, tried.refused)
    for loss in tried.lost:
        minor = loss.how.startswith(_MINOR)
        yield Finding(
            rule="values-lost",
            level=Level.NOTICE if minor else Level.WARNING,
            object=loss.object,
            detail=f"{loss.how}, in {loss.rows} of the made-up rows",
            fix="see whether that is what the batch is for",
        )
    seeded = tried.seeded
    for name, reason in sorted(seeded.reasons.items()):
        yield Finding(
            rule="not-seeded",
            level=Level.WARNING,
            object=name,
            detail=f"no row could be made up for it: {reason}",
            fix="try the batch on a database that has rows of yours there: a seed file in staging",
        )
    if not seeded.rows:
        shown = ", ".join(table.name for table in tables)
        yield Finding(
            rule="nothing-seeded",
            level=Level.WARNING,
            object=shown,
            detail="the batch touches tables that hold rows in production, and was tried on none",
            fix="see why under not-seeded",
        )


def _refusal(tried: _Tried, error: SqlFailed) -> Finding:
    """It went through on the empty copy. Made-up values may be refused where no others would be."""
    if error.sqlstate in _OF_SERVER:
        detail = "what it makes of the whole server is there from the first copy; not tried further"
        level = Level.WARNING
    elif refused_for_values(error, tried.text, tried.columns, tried.values):
        detail = "made-up values were refused; production's own may be others"
        level = Level.WARNING
    else:
        detail = "it goes through on empty tables, and fails where there are rows"
        level = Level.ERROR
    rows = ", ".join(sorted(tried.seeded.rows))
    return Finding(
        rule="fails-with-rows",
        level=level,
        object=tried.path,
        detail=f"{detail}: {error.found}",
        fix="write the file so that it goes through with rows in the tables that it touches; they"
        f" were made up for {rows}",
    )
