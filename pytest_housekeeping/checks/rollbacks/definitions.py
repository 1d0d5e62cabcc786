"""Round trips of files that only define: what they make hangs on nothing but the schema.

So what the migration makes of equal schemas is equal, and whether the schema was the same after the
rollback shows afterwards, in the rows and counts of the catalogs (`come_and_gone`): one reading
instead of three.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_housekeeping.plan.rollback_files import RollbackLink
from pytest_housekeeping.postgres.transaction import Transaction
from pytest_housekeeping.snapshot.catalog.search import counted
from pytest_housekeeping.snapshot.reading_again.come_and_gone import as_many_rows, shows_return
from pytest_housekeeping.snapshot.reading_again.incremental import Reading
from pytest_housekeeping.sql.file import SqlFile

_AGAIN = "SAVEPOINT hk_again"


def only_define(link: RollbackLink, before: Reading) -> bool:
    """Whether both files do, and no event trigger runs with them."""
    triggers = before.rows.catalogs["pg_event_trigger"]
    files = link.migration.only_defines and link.rollback.only_defines
    return files and not (triggers.settled or triggers.young)


def applied_at_once(
    transaction: Transaction, up: tuple[SqlFile, str], before: Reading, read: Callable[[], Reading]
) -> Reading | None:
    """The schema after the migration, applied once more, where that also shows that it was as
    ``before`` in between; None, and nothing done, where it does not."""
    connection = transaction.connection
    written = counted(connection, before.catalogs, put_back=transaction.put_back)
    # Only where the catalogs have as many rows as before it may be back.
    if not as_many_rows(before.rows, written):
        return None
    connection.execute(_AGAIN)
    transaction.apply(*up)
    now = read()
    if shows_return(before, now):
        return now
    connection.execute(f"ROLLBACK TO {_AGAIN}; RELEASE {_AGAIN}")
    return None
