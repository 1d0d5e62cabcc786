"""The tool's own tables during one run: only the tool writes to them, and what it wrote stays.

Which version of a row is there is a fact of PostgreSQL's (``xmin`` and ``ctid``): an UPDATE, or a
DELETE with the same row inserted again, makes another one. So no digest has to be believed inside
the transaction, and a statement that was put together at run time is seen as well.
https://www.postgresql.org/docs/16/ddl-system-columns.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from pytest_housekeeping.errors import ProofFailed, listed
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.own_tables.catalog import Planned
from pytest_housekeeping.postgres.own_tables.chain import (
    Fault,
    Version,
    faults,
    read_rows,
    read_versions,
    unchained_faults,
)
from pytest_housekeeping.postgres.own_tables.shape import misfits
from pytest_housekeeping.postgres.own_tables.tables import (
    TABLES,
    are_chained,
    are_whole,
    columns_of,
    is_expected,
)

_WHY = "the history says what is applied: nobody but this tool writes to its tables"
_SHOWN = 5


def content_faults(
    connection: Connection, schema: str, columns: Mapping[str, frozenset[str]] | None = None
) -> tuple[Fault, ...]:
    """Rows that do not fit to each other; none where columns are missing: the shape says that.

    ``columns`` are those of the tables that are there, where somebody has asked for them.
    """
    there = columns_of(connection, schema) if columns is None else columns
    if not all(is_expected(table, names) for table, names in there.items()):
        return ()
    rows = read_rows(connection, schema, "history", there)
    promotions = read_rows(connection, schema, "promotion", there)
    if not are_chained(there):
        return tuple(unchained_faults(rows, promotions))
    return tuple(faults(rows, promotions))


@dataclass(kw_only=True)
class HistoryGuard:
    """The own tables in ``schema``, watched from BEGIN on. Each method raises ProofFailed.

    ``applications`` are roles that may not write there by any membership; where nothing
    ``promotes`` (in staging), history rows stand without the row of a promotion.
    """

    schema: str
    applications: Sequence[str] = ()
    promotes: bool = True
    _known: tuple[Version, ...] = ()
    _shown: bool = False
    # Of the tables, while this transaction keeps everybody from altering them.
    _columns: Mapping[str, frozenset[str]] | None = None

    def begin(
        self, connection: Connection, *, first: bool, ours: bool = False, shown: bool = False
    ) -> None:
        """At the beginning of a transaction: shape and rows are whole; what an earlier
        transaction of this run has written (not ``first``) is there. The session is ``ours``
        where nothing but this tool has prepared anything in it.

        The shape is not asked for where it was ``shown`` for the schema that whoever begins finds
        here, and is what was shown behind the same batch: he compares both, theirs included.
        """
        self._columns, self._shown = None, shown
        if not shown:
            self.prove_shape(connection, Planned.FIRST if ours else Planned.NOW)
        there = columns_of(connection, self.schema)
        found = content_faults(connection, self.schema, there)
        if wrong := [fault for fault in found if self.promotes or not fault.stray]:
            raise _changed([f"{each.row} {each.said}" for each in wrong])
        if not first:
            self.prove_kept(connection)
        self._known = self._versions(connection, there)

    def write(self, connection: Connection, rows: Sequence[history.Row]) -> None:
        """Before anything is verified: what was applied, on record.

        From here to the end of the transaction nobody else can write to the tables or alter them;
        and nobody has since BEGIN, the files of this transaction included.
        """
        there = columns_of(connection, self.schema)
        self._lock(connection, there)
        # Of whole tables it stays so, whoever was quicker than the lock: their shape is proved.
        whole = are_whole(there)
        self._columns = there if whole else None
        # Behind a file that may have prepared something, nothing is prepared any more.
        if not self._shown:
            self.prove_shape(connection, Planned.BEFORE)
        self.prove_rows(connection)
        history.record(connection, self.schema, rows, whole=whole)
        self._columns = there if whole else columns_of(connection, self.schema)
        self._known = self._versions(connection)

    def note(self, connection: Connection, writing: Callable[[], None]) -> None:
        """Let the tool write, behind ``write``, and take down what is there then."""
        writing()
        self._known = self._versions(connection)

    def prove(self, connection: Connection) -> None:
        """The tables are as they have to be, and hold the very rows that are known of."""
        self.prove_shape(connection)
        self.prove_rows(connection)

    def prove_rows(self, connection: Connection) -> None:
        """The tables hold the very rows that are known of; whoever asks proves their shape."""
        now = self._versions(connection)
        if now != self._known:
            raise _changed(_moves(self._known, now))

    def prove_kept(self, connection: Connection) -> None:
        """What was written is there; another promotion may have come behind it."""
        self._columns = None
        now = frozenset(self._versions(connection))
        if lost := [each for each in self._known if each not in now]:
            raise _changed(_moves(lost, ()))

    def prove_shape(self, connection: Connection, planned: Planned = Planned.NOT) -> None:
        """Those tables and nothing else, closed to everybody else."""
        wrong = misfits(connection, self.schema, applications=self.applications, planned=planned)
        if wrong:
            shown = listed([f"{each.object} {each.said}: {each.fix}" for each in wrong], _SHOWN)
            raise ProofFailed(
                f"the tables of this tool's own are not as they have to be:{shown}",
                why=_WHY,
                fix="look for the file, or the person, that does it; no file may touch them",
            )

    def _lock(self, connection: Connection, there: Mapping[str, frozenset[str]]) -> None:
        """Readers go on; who writes or alters waits."""
        if there:
            names = sql.SQL(", ").join(
                sql.Identifier(self.schema, table) for table in TABLES if table in there
            )
            connection.execute(sql.SQL("LOCK TABLE ONLY {} IN EXCLUSIVE MODE").format(names))

    def _versions(
        self, connection: Connection, columns: Mapping[str, frozenset[str]] | None = None
    ) -> tuple[Version, ...]:
        columns = self._columns if columns is None else columns
        if columns is None:
            columns = columns_of(connection, self.schema)
        try:
            return read_versions(connection, self.schema, columns)
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            raise _changed([error.diag.message_primary or str(error)]) from error


def _changed(said: Sequence[str]) -> ProofFailed:
    return ProofFailed(
        f"the history was changed, and not by this tool:{listed(said, _SHOWN)}",
        why=_WHY,
        fix="look for the file, or the person, that does it; no file may touch the history",
    )


def _moves(before: Sequence[Version], after: Sequence[Version]) -> list[str]:
    old, new = ({(row.table, row.id): row for row in rows} for rows in (before, after))
    found = [f"{table} row {number} is gone" for table, number in sorted(old.keys() - new.keys())]
    found += [
        f"{table} row {number} was put in" for table, number in sorted(new.keys() - old.keys())
    ]
    found += [
        f"{table} row {number} was written again"
        for table, number in sorted(old.keys() & new.keys())
        if old[table, number] != new[table, number]
    ]
    return found or ["its rows are in another order"]
