"""What a given URL says, before anybody connects."""

from __future__ import annotations

import pytest

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.given_url import open_url, refuse_old


def test_a_connection_that_leaves_the_machine_is_encrypted() -> None:
    with pytest.raises(ServerError, match="asks for sslmode=prefer to 8") as caught:
        open_url("postgresql://u:secret@8.8.8.8/d?sslmode=prefer")
    assert "encrypted or refused" in caught.value.why


@pytest.mark.parametrize("version", [140019, 130000, 90600])
def test_a_server_that_is_too_old_is_refused(version: int) -> None:
    with pytest.raises(ServerError, match=f"the given server is PostgreSQL {version // 10000}"):
        refuse_old(version)
    refuse_old(150000)
