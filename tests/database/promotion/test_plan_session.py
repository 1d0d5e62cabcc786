"""The session of a plan: it reads, and nothing that it is asked can write."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.promotion.production.target_address import (
    Address,
    open_production,
    session_of,
)
from pytest_housekeeping.server import StagingDatabase


def address(database: StagingDatabase) -> Address:
    known = conninfo_to_dict(database.migrator_conninfo)
    return Address(
        host=str(known["host"]),
        port=int(str(known.get("port", 5432))),
        database=str(known["dbname"]),
        user=str(known["user"]),
        sslmode="prefer",
        password=str(known.get("password") or "none"),
    )


@pytest.mark.parametrize("statement", ["CREATE TABLE t (a int)", "DELETE FROM held"])
def test_it_cannot_write(
    database: StagingDatabase, connection: psycopg.Connection, tmp_path: Path, statement: str
) -> None:
    connection.execute("CREATE TABLE held (a int)")
    config = Config(root=tmp_path)
    reads = session_of(config, rules_of(Mode.PLAN))
    with closing(open_production(address(database), reads)) as session:
        session.execute("SELECT count(*) FROM held")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.execute(statement.encode())
    with closing(open_production(address(database), session_of(config, rules_of(Mode.PROD)))) as it:
        it.execute(statement.encode())


def test_what_a_project_chooses_for_its_sessions_does_not_open_it(tmp_path: Path) -> None:
    config = Config(root=tmp_path, session={"default_transaction_read_only": "off"})
    settings = session_of(config, rules_of(Mode.PLAN))
    assert settings["default_transaction_read_only"] == "on"
