"""Production, its standby and its copies have one system identifier: what tells them apart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from psycopg import sql
from psycopg.pq import TransactionStatus

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.postgres.connection import LentConnection, connect, locate
from pytest_housekeeping.postgres.primary import is_standby, timeline_of
from pytest_housekeeping.promotion.production.target_address import Address, open_production
from pytest_housekeeping.promotion.target_pin import Pin, misplaced
from pytest_housekeeping.server import StagingDatabase
from support.server_pair import Family, server_family

PASSWORD = "correct-horse-7"
ORDINARY = "CREATE ROLE promoter LOGIN NOSUPERUSER PASSWORD 'correct-horse-7'"


@pytest.fixture(scope="module")
def family() -> Iterator[Family]:
    with server_family(PASSWORD) as found:
        with closing(opened(found.primary, "postgres")) as primary:
            primary.execute(ORDINARY)
        with closing(opened(found.copy, "postgres")) as copy:
            copy.execute(ORDINARY)
        yield found


def address(port: int, user: str = "promoter") -> Address:
    return Address(
        host="127.0.0.1",
        port=port,
        database="postgres",
        user=user,
        password=PASSWORD,
        sslmode="prefer",
        sslrootcert="",
    )


def opened(port: int, user: str = "promoter") -> LentConnection:
    return open_production(address(port, user))


def test_production_its_standby_and_its_copies(family: Family) -> None:
    """One test, for it ends with the standby promoted."""
    with closing(opened(family.primary)) as primary:
        identity, timeline = locate(primary), timeline_of(primary)
    pin = Pin(system_identifier=identity.system_identifier, database="postgres", timeline=timeline)
    assert timeline == 1
    assert misplaced(pin, identity, timeline) == []

    with pytest.raises(ProofFailed, match="is a standby") as raised:
        opened(family.standby, "postgres")
    assert "PGHOST_PROD" in raised.value.fix

    # A copy that was taken while the pin held is the same to the letter.
    with closing(opened(family.copy)) as copy:
        assert not is_standby(copy)
        assert misplaced(pin, locate(copy), timeline_of(copy)) == []

    promote(family.standby)
    with closing(opened(family.standby)) as promoted:
        identity, timeline = locate(promoted), timeline_of(promoted)
    assert identity.system_identifier == pin.system_identifier
    assert timeline == 2
    ((said, fix),) = misplaced(pin, identity, timeline)
    assert said.startswith("the timeline is 2, and the last promotion went to 1")
    assert '"timeline": 2' in fix
    assert misplaced(replace(pin, timeline=2), identity, timeline) == []
    # The pin of an earlier version does not know.
    assert misplaced(replace(pin, timeline=None), identity, timeline) == []


def promote(port: int) -> None:
    import psycopg

    conninfo = address(port, "postgres").conninfo()
    with psycopg.connect(conninfo, autocommit=True) as standby:
        standby.execute("SELECT pg_promote(wait => true)")
        deadline = time.monotonic() + 20
        while standby.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
            assert time.monotonic() < deadline
            time.sleep(0.02)


_POSITION = "pg_catalog.pg_current_wal_lsn()"
_CONTROL = "pg_catalog.pg_control_checkpoint()"


@pytest.mark.parametrize(
    ("refused", "told"), [((_POSITION,), 1), ((_CONTROL,), 1), ((_POSITION, _CONTROL), None)]
)
def test_a_server_that_does_not_tell(
    superuser: LentConnection, database: StagingDatabase, refused: tuple[str, ...], told: int | None
) -> None:
    """Aurora has no position in the WAL; the second place is asked, and the transaction goes on."""
    migrator = sql.Identifier(database.migrator)
    superuser.execute("BEGIN")
    for function in refused:
        superuser.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC".encode())
    superuser.execute(sql.SQL("SET LOCAL ROLE {}").format(migrator))
    assert timeline_of(superuser) == told
    assert superuser.info.transaction_status is TransactionStatus.INTRANS
    assert superuser.execute("SELECT 1").fetchone() == (1,)
    superuser.execute("ROLLBACK")


def test_outside_of_a_transaction(superuser: LentConnection, database: StagingDatabase) -> None:
    superuser.execute(f"REVOKE EXECUTE ON FUNCTION {_POSITION} FROM PUBLIC".encode())
    superuser.execute(f"REVOKE EXECUTE ON FUNCTION {_CONTROL} FROM PUBLIC".encode())
    try:
        with closing(connect(database.migrator_conninfo)) as connection:
            assert timeline_of(connection) is None
            assert connection.info.transaction_status is TransactionStatus.IDLE
            connection.close()
            with pytest.raises(ProofFailed, match="the connection was lost"):
                timeline_of(connection)
    finally:
        superuser.execute(f"GRANT EXECUTE ON FUNCTION {_POSITION} TO PUBLIC".encode())
        superuser.execute(f"GRANT EXECUTE ON FUNCTION {_CONTROL} TO PUBLIC".encode())
