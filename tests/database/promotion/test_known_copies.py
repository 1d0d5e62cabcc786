"""What was kept of the schema that a promotion has left is foreseen; of any other, nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables.tables import TABLES
from pytest_housekeeping.promotion.production.backup import known_copies
from pytest_housekeeping.promotion.production.backup.known_copies import (
    foreseen_copy,
    remember_copy,
)

PROMOTED = f"""
CREATE SCHEMA hk;
CREATE TABLE hk.promotion ({", ".join(f"{each.name} text" for each in TABLES["promotion"])});
INSERT INTO hk.promotion (id, fingerprint) VALUES (1, 'first'), (2, 'last')
"""


def test_the_copy_of_what_the_last_promotion_has_left_is_foreseen(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_copies, "default_folder", lambda name: tmp_path / name)
    assert foreseen_copy(connection, "hk") == ""
    remember_copy("first", "copy-1")
    assert foreseen_copy(connection, "hk") == ""
    connection.execute(PROMOTED.encode())
    assert foreseen_copy(connection, "hk") == ""
    remember_copy("last", "copy-2")
    assert foreseen_copy(connection, "hk") == "copy-2"
    remember_copy("last", "copy-3")
    assert foreseen_copy(connection, "hk") == "copy-3"
