"""A transaction for each test, rolled back behind it, on a database that a worker's tests share."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from pytest_housekeeping.errors import ProofFailed

_OURS = "hk_transaction"
_BEGIN = f"BEGIN; SAVEPOINT {_OURS}"
_KEEP = f"RELEASE SAVEPOINT {_OURS}; SAVEPOINT {_OURS}"
_BACK = f"ROLLBACK TO SAVEPOINT {_OURS}"
# The first of them fails in any other transaction than the one that was begun.
_END = f"{_BACK}; ROLLBACK"


class LentTransaction(psycopg.Connection[tuple[Any, ...]]):
    """A connection in a transaction that is not the test's to end.

    ``commit()`` and ``rollback()`` end a savepoint in it, so that code which commits can be tested.
    """

    def begin(self) -> None:
        self.execute(_BEGIN, prepare=False)

    def end(self) -> None:
        """Roll back what was done since `begin`. Raises ProofFailed where it was committed."""
        try:
            self.execute(_END, prepare=False)
        except psycopg.Error as error:
            raise ProofFailed(
                f"the test ended the transaction of hk_transaction: {str(error).splitlines()[0]}",
                why="what it wrote may stay, and the next test would find it",
                fix="connection.commit() and rollback() may be called, a COMMIT or ROLLBACK that is"
                " sent as SQL and close() end the transaction: use hk_database for that test",
            ) from None

    def commit(self) -> None:
        """Keep what was done since the last one, for the rest of the test."""
        failed = self.info.transaction_status is TransactionStatus.INERROR
        self.execute(_BACK if failed else _KEEP, prepare=False)

    def rollback(self) -> None:
        """Back to the last commit() of the test, or to its beginning."""
        self.execute(_BACK, prepare=False)
