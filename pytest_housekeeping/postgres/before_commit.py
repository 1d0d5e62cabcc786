"""What the configuration of the server may not be at COMMIT, whoever has changed it meanwhile.

A reload reaches every session at once, also one that is in a transaction, and changes what the
session itself has not set: https://www.postgresql.org/docs/16/config-setting.html
"""

from __future__ import annotations

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.postgres.activity import read_standbys
from pytest_housekeeping.postgres.connection import Connection

_SETTINGS = """
SELECT pg_catalog.current_setting('session_replication_role'),
    pg_catalog.current_setting('synchronous_standby_names')
"""


def prove_server(connection: Connection) -> None:
    """Triggers and foreign keys work in this session, and a COMMIT in it is answered.

    Raises ProofFailed.
    """
    role, asks_for = connection.execute(_SETTINGS).fetchone() or ("", "")
    if role != "origin":
        raise ProofFailed(
            f"session_replication_role has become {role!r}: the server was configured anew",
            why="no trigger and no foreign key works, so what was written was not checked",
            fix="ALTER SYSTEM RESET session_replication_role; SELECT pg_reload_conf(); then run"
            " again",
        )
    if asks_for and (standbys := read_standbys(connection, asks_for)).unanswered:
        raise ProofFailed(
            f"too few standbys of synchronous_standby_names = {asks_for} are there to answer"
            f" ({standbys.there})",
            why="COMMIT would wait for them, whatever limit is set, and keep all locks of the batch"
            " meanwhile",
            fix="bring the standby back, or take it out for as long as it is gone, and run again",
        )
