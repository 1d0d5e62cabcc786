"""Round trips of files that only define: what they make hangs on nothing but the schema.

So what the migration makes of equal schemas is equal, and whether the schema was the same after the
rollback shows afterwards, in the rows and counts of the catalogs (`come_and_gone`): one reading
instead of three.
"""

from __future__ import annotations

from pytest_housekeeping.plan.rollback_files import RollbackLink
from pytest_housekeeping.postgres.transaction import Transaction
from pytest_housekeeping.snapshot.catalog_search import counted
from pytest_housekeeping.snapshot.come_and_gone import as_many_rows
from pytest_housekeeping.snapshot.incremental import Reading


def only_define(link: RollbackLink, before: Reading) -> bool:
    """Whether both files do, and no event trigger runs with them."""
    triggers = before.rows.catalogs["pg_event_trigger"]
    files = link.migration.only_defines and link.rollback.only_defines
    return files and not (triggers.settled or triggers.young)


def may_be_back(transaction: Transaction, before: Reading) -> bool:
    """Whether the catalogs have as many rows as when ``before`` was read, in this session."""
    put_back = transaction.put_back
    written = counted(transaction.connection, before.catalogs, put_back=put_back)
    return as_many_rows(before.rows, written)
