"""What the server says beside its answers: a notice, a warning, what a CASCADE took along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.errors import Diagnostic

from pytest_housekeeping.model import ServerMessage
from pytest_housekeeping.postgres.connection import Connection


@contextmanager
def heard(connection: Connection) -> Iterator[list[ServerMessage]]:
    """The messages that come until the end of the block, as far as client_min_messages lets them.

    https://www.postgresql.org/docs/16/runtime-config-client.html#GUC-CLIENT-MIN-MESSAGES
    """
    messages: list[ServerMessage] = []

    def hear(said: Diagnostic) -> None:
        lines = (said.message_primary or "", said.message_detail or "")
        messages.append(
            ServerMessage(
                level=said.severity_nonlocalized or said.severity or "",
                text="\n".join(line for line in lines if line),
            )
        )

    connection.add_notice_handler(hear)
    try:
        yield messages
    finally:
        connection.remove_notice_handler(hear)
