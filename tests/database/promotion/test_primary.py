"""Production, its standby and its copies have one system identifier: what tells them apart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.pq import TransactionStatus

from pytest_housekeeping.config import Target
from pytest_housekeeping.errors import HousekeepingError, MisuseError, ProofFailed
from pytest_housekeeping.evidence.leftovers import SentTo
from pytest_housekeeping.model import Mode, TargetIdentity
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.postgres import same_server
from pytest_housekeeping.postgres.connection import LentConnection, connect, locate
from pytest_housekeeping.postgres.primary import identified, is_standby, timeline_of
from pytest_housekeeping.postgres.same_server import how_they_are_one
from pytest_housekeeping.promotion.production.clone.opening import Clone
from pytest_housekeeping.promotion.production.planning import start_plan
from pytest_housekeeping.promotion.production.target_address import Address, open_production
from pytest_housekeeping.promotion.repository.target_pin import Pin, misplaced
from pytest_housekeeping.promotion.run_options import RunOptions
from pytest_housekeeping.promotion.target_connection import AnotherServer, TargetConnection
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.server.embedded import find_embedded
from support.fault_proxy import FaultProxy
from support.postgres_service import service
from support.server_pair import Family, server_family

PASSWORD = "correct-horse-7"
ORDINARY = "CREATE ROLE promoter LOGIN NOSUPERUSER PASSWORD 'correct-horse-7'"


@pytest.fixture(scope="module")
def family() -> Iterator[Family]:
    with _a_family() as found:
        yield found


@pytest.fixture
def ending_family() -> Iterator[Family]:
    """For the test that ends with its standby promoted: the others have none then."""
    with _a_family() as found:
        yield found


@contextmanager
def _a_family() -> Iterator[Family]:
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


def clone_at(url: str, promoter: str = "promoter", *, primary: int) -> Clone:
    production = TargetIdentity(
        host="127.0.0.1",
        port=primary,
        database="postgres",
        user="promoter",
        server_version="16.0",
        system_identifier="",
    )
    return Clone(
        url=url,
        address=address(primary),
        production=production,
        promoter=promoter,
        settings={},
    )


def url_to(port: int, host: str = "127.0.0.1", user: str = "promoter", database: str = "") -> str:
    return f"postgresql://{user}:{PASSWORD}@{host}:{port}/{database}"


def test_a_clone_is_told_from_production_however_that_is_reached(family: Family) -> None:
    """It has production's identifier, timeline, roles and password."""
    with closing(opened(family.primary)) as production, FaultProxy(family.primary) as proxy:
        production.execute("SET default_transaction_read_only = on")
        for url, said in (
            (url_to(family.primary), "127.0.0.1:"),
            (url_to(family.primary, "localhost", "postgres", "template1"), "127.0.0.1:"),
            (url_to(proxy.port), "were started at"),
            (url_to(proxy.port, "localhost", "postgres", "template1"), "were started at"),
            (f"postgresql://postgres:{PASSWORD}@localhost:1,localhost:{proxy.port}/", "started"),
        ):
            with pytest.raises(MisuseError, match="leads to production itself") as raised:
                clone_at(url, primary=family.primary).connect(production)
            assert said in raised.value.found
            assert PASSWORD not in str(raised.value)
        for given in ("promoter", "postgres"):
            clone = clone_at(url_to(family.copy, user=given), primary=family.primary)
            with closing(clone.connect(production)) as there:
                assert there.execute("SELECT current_user").fetchone() == ("promoter",)
                there.execute("RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL")
                assert there.execute("SELECT current_user").fetchone() == ("promoter",)
                there.execute("BEGIN")
                clone.refuse_production(there, production)
        with pytest.raises(MisuseError, match="is a standby"):
            clone_at(url_to(family.standby, user="postgres"), primary=family.primary).connect(
                production
            )
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        assert production.execute(locks).fetchone() == (0,)


# Of a superuser, who may set what the role itself may not.
AT_LOGIN = """
CREATE FUNCTION at_login() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    SET search_path = evil; SET DateStyle = 'SQL, DMY'; SET session_replication_role = replica;
    CREATE TEMP TABLE history (id int);
END $$;
CREATE EVENT TRIGGER at_login ON login EXECUTE FUNCTION at_login();
"""


def _refuse_what_ran_at_login(port: int) -> None:
    with closing(opened(port, "postgres")) as superuser:
        superuser.execute(AT_LOGIN)
    with closing(opened(port)) as connection:
        settings = ("search_path", "DateStyle", "session_replication_role")
        found = [connection.execute(f"SHOW {each}".encode()).fetchone() for each in settings]
        assert found == [('"$user", public',), ("ISO, MDY",), ("origin",)]
        assert connection.execute("SELECT to_regclass('history')").fetchone() == (None,)


def test_a_clone_of_another_major_version_or_one_that_others_follow(family: Family) -> None:
    with closing(opened(family.primary)) as production:
        with service(PASSWORD, binaries=find_embedded(18).folder) as newer:
            with closing(opened(newer.port, "postgres")) as there:
                there.execute(ORDINARY)
            _refuse_what_ran_at_login(newer.port)
            with pytest.raises(MisuseError, match="is PostgreSQL 18, production is 16"):
                clone_at(url_to(newer.port), primary=family.primary).connect(production)
        # Seen from the copy, the primary is a clone; a standby follows it.
        with (
            closing(opened(family.copy)) as copy,
            pytest.raises(MisuseError, match="standbys or subscribers follow the clone"),
        ):
            clone_at(url_to(family.primary), primary=family.copy).connect(copy)


def test_a_lock_tells_one_server_where_nothing_else_does(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = iter(range(100))
    monkeypatch.setattr(same_server, "begun", lambda _: ("7", str(next(begun))))
    with closing(opened(family.primary)) as one:
        with closing(connect(f"{address(family.primary).conninfo()} dbname=template1")) as other:
            other.execute("BEGIN")
            assert "a lock that is taken" in how_they_are_one(one, other)
        with closing(opened(family.copy)) as other:
            assert how_they_are_one(one, other) == ""
        monkeypatch.setattr(same_server, "_held", lambda *_: False)
        with pytest.raises(ProofFailed, match="does not show a session its own locks"):
            how_they_are_one(one, one)


@pytest.mark.parametrize(
    ("user", "promoter", "said"),
    [
        ("promoter", "postgres", "the login of --hk-twin may not act as postgres"),
        ("postgres", "nobody", "the login of --hk-twin may not act as nobody"),
        ("nobody", "promoter", "the clone of --hk-twin: no connection to database 'postgres'"),
    ],
)
def test_a_login_that_cannot_be_used(family: Family, user: str, promoter: str, said: str) -> None:
    clone = clone_at(url_to(family.copy, user=user), promoter, primary=family.primary)
    with (
        closing(opened(family.primary)) as production,
        pytest.raises(HousekeepingError, match=said) as raised,
    ):
        clone.connect(production)
    assert raised.value.fix
    assert PASSWORD not in str(raised.value)


def test_production_its_standby_and_its_copies(
    ending_family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One test, for it ends with the standby promoted."""
    family = ending_family
    with closing(opened(family.primary)) as primary:
        identity, timeline = locate(primary), timeline_of(primary)
    pin = Pin(system_identifier=identity.system_identifier, database="postgres", timeline=timeline)
    assert timeline == 1
    assert misplaced(pin, identity, timeline, Target()) == []

    with pytest.raises(ProofFailed, match="is a standby") as raised:
        opened(family.standby, "postgres")
    assert "the variables of its address" in raised.value.fix
    refuse_to_plan(family.standby, tmp_path, monkeypatch)

    # A copy that was taken while the pin held is the same to the letter.
    with closing(opened(family.copy)) as copy:
        assert not is_standby(copy)
        assert misplaced(pin, locate(copy), timeline_of(copy), Target()) == []

    # What becomes of a transaction here is not replicated; its number is given again there.
    cut_off(family.standby)
    with closing(opened(family.primary)) as primary:
        sent = sent_and_rolled_back(primary, beyond=10)
        assert xact_status(primary, sent) == "aborted"
        asked = TargetConnection(
            lambda: opened(family.standby), opened=primary, identity=identified(primary)
        )
        promote(family.standby)
        with closing(opened(family.standby)) as other:
            commit_up_to(other, sent)
            assert xact_status(other, sent) == "committed"
            elsewhere = TargetConnection(lambda: opened(family.standby), identity=identified(other))
            there = SentTo(
                system_identifier=identity.system_identifier, database="postgres", timeline=1
            )
            assert elsewhere.status_on(there, sent) is None
            assert elsewhere.status_on(replace(there, timeline=2), sent) == "committed"
            elsewhere.close()
        # The same when it takes the place of the server that the run has begun on.
        assert asked.status_now(sent) == "aborted"
        assert asked.status_on(there, sent) is None
        assert asked.status_of(sent) is None
        # Nor does a batch begin there that was proved of the other.
        with pytest.raises(AnotherServer, match=r"timeline 2; it was .* timeline 1") as raised:
            asked.get()
        assert "after a failover the pin is changed" in raised.value.fix
    _refuses_what_was_promoted(pin, family.standby)


def _refuses_what_was_promoted(pin: Pin, standby: int) -> None:
    with closing(opened(standby)) as promoted:
        identity, timeline = locate(promoted), timeline_of(promoted)
    assert identity.system_identifier == pin.system_identifier
    assert timeline == 2
    ((said, fix),) = misplaced(pin, identity, timeline, Target())
    assert said.startswith("the timeline is 2, and the last promotion went to 1")
    assert '"timeline": 2' in fix
    assert misplaced(replace(pin, timeline=2), identity, timeline, Target()) == []
    # The pin of an earlier version does not know.
    assert misplaced(replace(pin, timeline=None), identity, timeline, Target()) == []


def refuse_to_plan(port: int, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan would be of the past, and of another server than the one that is promoted."""
    write_project(root)
    for name, value in {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "DATABASE": "postgres",
        "USER": "postgres",
        "PASSWORD": PASSWORD,
    }.items():
        monkeypatch.setenv(f"PG{name}_PROD", value)
    names = TestNames(files=("test_*.py",), functions=("test",), classes=("Test",))
    with pytest.raises(ProofFailed, match="is a standby"):
        start_plan(RunOptions(root=root, mode=Mode.PLAN, tests=names))


def write_project(root: Path) -> None:
    for path, text in {
        "pyproject.toml": "[tool.housekeeping]\n",
        "sql/migrations/0001_it.sql": "CREATE SCHEMA it;\n",
        "checks/objects.toml": 'schemas = ["it"]\n',
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def sent_and_rolled_back(connection: LentConnection, *, beyond: int) -> str:
    """The number of a transaction that was not committed, some numbers beyond what is known."""
    row = None
    for _ in range(beyond):
        connection.execute("BEGIN")
        row = connection.execute("SELECT pg_catalog.pg_current_xact_id()::text").fetchone()
        connection.execute("ROLLBACK")
    assert row is not None
    return str(row[0])


def commit_up_to(connection: LentConnection, xid: str) -> None:
    """Commit transactions until there is one with this number."""
    for _ in range(10_000):
        row = connection.execute("SELECT pg_catalog.pg_current_xact_id()::text").fetchone()
        assert row is not None
        if int(row[0]) >= int(xid):
            return


def xact_status(connection: LentConnection, xid: str) -> str:
    row = connection.execute("SELECT pg_catalog.pg_xact_status(%s::xid8)", (xid,)).fetchone()
    assert row is not None
    return str(row[0])


def cut_off(port: int) -> None:
    """From now on the standby gets nothing of what the primary writes."""
    with standby_of(port) as standby:
        standby.execute("ALTER SYSTEM SET primary_conninfo = ''")
        standby.execute("SELECT pg_reload_conf()")
        wait_until(standby, "SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)")


def promote(port: int) -> None:
    with standby_of(port) as standby:
        standby.execute("SELECT pg_promote(wait => true)")
        wait_until(standby, "SELECT NOT pg_is_in_recovery()")


def standby_of(port: int) -> psycopg.Connection:
    """A connection that is not refused for leading to a standby."""
    return psycopg.connect(address(port, "postgres").conninfo(), autocommit=True)


def wait_until(connection: psycopg.Connection, query: LiteralString) -> None:
    deadline = time.monotonic() + 20
    while connection.execute(query).fetchone() != (True,):
        assert time.monotonic() < deadline, query
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
