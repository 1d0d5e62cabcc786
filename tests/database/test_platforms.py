"""What a provider's server has from the beginning: files that can be run, and run again."""

from __future__ import annotations

import pytest

from pytest_housekeeping.promotion.init.platforms import PLATFORMS, platform_text
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.server.staging_database import connect

CLAIMS = '{"sub": "11111111-1111-4111-8111-111111111111"}'


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_platform_can_be_made_twice(database: StagingDatabase, name: str) -> None:
    text = platform_text(name, migrator=database.migrator)
    with connect(database.superuser_conninfo) as connection:
        connection.execute("BEGIN")  # the roles belong to the server
        for _ in range(2):
            connection.execute(text.encode())
        if name == "supabase":
            connection.execute("SET LOCAL ROLE authenticated")
            connection.execute("SELECT set_config('request.jwt.claims', %s, true)", [CLAIMS])
            found = connection.execute(
                "SELECT auth.uid()::text, storage.foldername('a/b/c.png'),"
                " storage.filename('a/b/c.png'), storage.extension('a/b/c.png')"
            ).fetchone()
            assert found == (CLAIMS[9:45], ["a", "b"], "c.png", "png")
        connection.execute("ROLLBACK")
