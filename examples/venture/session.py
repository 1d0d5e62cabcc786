"""A transaction on behalf of one tenant: what it is not told, the policies do not show it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def acting_for(tenant: UUID, url: str) -> Iterator[Connection]:
    """Commits at the end of the block. The identity is the transaction's and ends with it."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", (str(tenant),))
        yield connection
