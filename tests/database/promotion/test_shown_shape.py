"""The shape of the own tables, where it was shown in another database of the very same schema."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.model import Mode
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.postgres.own_tables.tables import make_tables
from pytest_housekeeping.postgres.primary import identified
from pytest_housekeeping.promotion.production.backup.backup import Backup
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.production.target_address import Address
from pytest_housekeeping.server import StagingDatabase
from support.staged_project import make_project, staged_copy

# It would write down whatever it likes of what was applied.
UNTRUE = """
CREATE FUNCTION housekeeping.untrue() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN NEW.sha256 := NULL; RETURN NEW; END';
CREATE TRIGGER untrue BEFORE INSERT ON housekeeping.history
FOR EACH ROW EXECUTE FUNCTION housekeeping.untrue()"""
DECLARED = ("trigger untrue on housekeeping.history", "function housekeeping.untrue()")
ASKED = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'hk_own_%'"


@pytest.fixture
def target(
    database: StagingDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ProductionTarget]:
    """The own tables are there, without a row; the schema is read, and nothing is begun."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    make_project(tmp_path / "p")
    with (
        staged_copy(tmp_path / "p", tmp_path / "copy", monkeypatch) as staged,
        connect(database.superuser_conninfo) as connection,
    ):
        make_tables(connection, "housekeeping")
        context = staged.context(Mode.PROD)
        config = replace(context.config, may_move=dict.fromkeys(DECLARED, "it may"))
        context = replace(context, config=config)
        address = Address(host="", port=0, database="", user="", sslmode="", password="")
        begun_at = context.run.started_at
        backup = Backup(root=tmp_path, audit="", started_at=begun_at, secrets=Secrets())
        made = ProductionTarget(context, address, connection, identified(connection), backup)
        made.has_shape = lambda: True
        made.fingerprint()
        yield made
        connection.execute("ROLLBACK; DROP SCHEMA housekeeping CASCADE")


def asked(target: ProductionTarget) -> bool:
    """Whether the catalogs were asked for the shape when the transaction has begun."""
    connection = target.connection.get()
    connection.execute("BEGIN")
    target.after_begin(connection, first=True)
    return connection.execute(ASKED).fetchone() != (0,)


def test_it_is_not_asked_for_again(target: ProductionTarget) -> None:
    assert not asked(target)


def test_it_is_asked_for_where_it_was_not_shown(target: ProductionTarget) -> None:
    target.has_shape = lambda: False
    assert asked(target)


def test_what_may_move_makes_another_schema_than_it_was_shown_for(
    target: ProductionTarget, database: StagingDatabase
) -> None:
    """Somebody has made, between the reading and BEGIN, what is declared to come and go."""
    with connect(database.superuser_conninfo) as other:
        other.execute(UNTRUE.encode())
    with pytest.raises(ProofFailed, match="not as they have to be"):
        asked(target)


def test_what_moves_otherwise_is_refused(
    target: ProductionTarget, database: StagingDatabase
) -> None:
    with connect(database.superuser_conninfo) as other:
        other.execute("ALTER TABLE housekeeping.history ADD COLUMN by_hand text")
    with pytest.raises(ProofFailed, match="changed after its backup"):
        asked(target)
