"""Whether a clone is a copy of this production: schema, history, rows, and how old it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from pytest_housekeeping.checks.rows.asking import reading
from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.postgres.clone_facts import Beside
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.own_tables.chain import CHAINED, ChainedRow, read_rows
from pytest_housekeeping.postgres.own_tables.tables import columns_of
from pytest_housekeeping.postgres.relations_now import RelationNow, first_look, relations_now
from pytest_housekeeping.snapshot.compare.declared_moves import split_declared
from pytest_housekeeping.snapshot.compare.difference import listed
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint

WHOEVER_LOGS_IN = "none"
"""Not the promoter but the login of the URL, who may see more: ``SET ROLE none``."""
_WHY = "what is measured on another database says nothing of this production"
_FIX = "take a new clone of production as it is now, or leave it out: --hk-twin="
_PATIENCE = "5s"
_MB = 1024 * 1024
# How many times as many rows, or bytes, or how many times fewer, are told; and refused.
_APART, _TOO_FAR = 2, 10


def refuse_other_schema(
    clone: Connection, production: Fingerprint, restored: Fingerprint, config: Config
) -> int:
    """How many objects of the schema are the same; what may move may differ.

    What reads as on the copy that was restored from a dump of production is the same as well: a
    clone may have come from a dump. Raises ProofFailed, naming what differs.
    """
    ours = production.with_no_more(Around.NOTHING).without("database")
    theirs = read_fingerprint(clone, exclude_schemas=(), around=Around.NOTHING).without("database")
    texts = restored.texts
    others = split_declared(ours, theirs, config.may_move).others
    differences = [each for each in others if not each.after or texts.get(each.name) != each.after]
    if differences:
        raise ProofFailed(
            f"the clone of --hk-twin is no copy of production: {listed(differences)}",
            why=_WHY,
            fix=_FIX,
        )
    return len(ours.entries)


def refuse_other_history(clone: Connection, production: Connection, schema: str) -> None:
    """What was promoted there is what was promoted here, row by row, with the chain over them.

    Raises ProofFailed with the first row that is not the same.
    """
    for table in CHAINED:
        try:
            ours, theirs = (
                read_rows(each, schema, table, columns_of(each, schema))
                for each in (production, clone)
            )
        except psycopg.errors.InsufficientPrivilege as error:
            raise ProofFailed(
                f"the history cannot be compared: {error.diag.message_primary}",
                why="what was promoted there says whether it is a clone of this production",
                fix="give a login there that may act as the role that promotes",
            ) from None
        if ours != theirs:
            raise ProofFailed(_other_row(ours, theirs), why=_WHY, fix=_FIX)


def _other_row(ours: Sequence[ChainedRow], theirs: Sequence[ChainedRow]) -> str:
    said = "the clone of --hk-twin is no copy of production as it is now"
    for here, there in zip(ours, theirs, strict=False):
        if here != there:
            return f"{said}: {here.name} is another one there, {there.name}"
    if len(theirs) < len(ours):
        return f"{said}: it was taken before {ours[len(theirs)].name}"
    return f"{said}: it has {theirs[len(ours)].name}, which production has not"


@dataclass(frozen=True, kw_only=True, slots=True)
class Age:
    """How old the rows of a clone are, as far as it can be told: see ``CloneFacts``."""

    as_of: str
    since: str
    behind: int | None


def age_of(clone: Connection, production: Connection, history_schema: str) -> Age:
    """What the servers tell: a clone that was recovered knows the last commit that it was given,
    and one with production's system identifier counts transactions as production did."""
    promoted = history.recorded(production, history_schema)
    seen = [each.execute(_AGE).fetchone() or ("", 0, "") for each in (production, clone)]
    (identifier, now, _), (theirs, then, as_of) = seen
    behind = int(now) - int(then) if identifier == theirs else None
    return Age(
        as_of=str(as_of or "").partition(".")[0],
        since=promoted[-1].at.partition(".")[0] if promoted else "",
        behind=behind if behind is not None and behind >= 0 else None,
    )


_AGE = """
SELECT (SELECT system_identifier::text FROM pg_catalog.pg_control_system()),
    pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::int8,
    pg_catalog.pg_last_xact_replay_timestamp()::text
"""


def beside(
    clone: Connection, production: Sequence[RelationNow], names: frozenset[str]
) -> tuple[Beside, ...]:
    """The tables of these names, there and in production."""
    there = {each.relation: each for each in relations_now(clone, names, first_look(clone))}
    here = {each.relation: each for each in production if each.relation in names}
    return tuple(
        Beside(
            relation=name,
            rows=there[name].rows if name in there else None,
            size=there[name].size if name in there else None,
            production_rows=here[name].rows,
            production_size=here[name].size,
        )
        for name in sorted(here)
    )


def row_findings(
    clone: Connection, tables: Sequence[Beside], holding: frozenset[str], config: Config
) -> Iterator[Finding]:
    """Tables that are empty there, and not in production (``holding``), or much smaller or larger:
    how long it takes there is no measure of how long it takes here."""
    for table in tables:
        if table.relation in holding and is_empty(clone, table.relation):
            yield Finding(
                rule="clone-empty",
                level=Level.ERROR,
                object=table.relation,
                detail=f"holds no row on the clone, and in production {_told(table, here=True)}",
                fix="give a clone that has production's rows, or leave it out: --hk-twin=",
            )
            continue
        times = _times_apart(table)
        small = max(table.size or 0, table.production_size or 0) <= config.small_table_mb * _MB
        if times is None or 1 / _APART <= times <= _APART or small:
            continue
        yield Finding(
            rule="clone-differs",
            level=Level.ERROR if times <= 1 / _TOO_FAR else Level.WARNING,
            object=table.relation,
            detail=f"{_told(table)} on the clone, and in production {_told(table, here=True)}",
            fix="take a new clone of production as it is now",
        )


def _times_apart(table: Beside) -> float | None:
    """How many times what is here is there: rows where both are known, else bytes."""
    for here, there in (
        (table.production_rows, table.rows),
        (table.production_size, table.size),
    ):
        if here and there is not None:
            return there / here
    return None


def _told(table: Beside, *, here: bool = False) -> str:
    rows, size = (
        (table.production_rows, table.production_size) if here else (table.rows, table.size)
    )
    told = [] if rows is None else [f"about {rows:,} rows"]
    told += [] if size is None else [f"{size:,} bytes"]
    return ", ".join(told) or "rows that nobody has counted"


def is_empty(clone: Connection, name: str) -> bool:
    """Whether there is no row, by looking: the estimates of a table that was emptied are of before.

    Where nobody may look, or finds none in time, a table that has a page is not empty.
    """
    try:
        with reading(clone, _PATIENCE, WHOEVER_LOGS_IN):
            found = clone.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.SQL(name)))
            return (found.fetchone() or (True,))[0] is False
    except psycopg.Error:
        if clone.closed:
            raise
    row = clone.execute("SELECT pg_catalog.pg_relation_size(%s::regclass) = 0", (name,)).fetchone()
    return row is not None and bool(row[0])
