"""Where PostgreSQL's messages end, however they arrive, and what their fields say."""

from __future__ import annotations

import struct

import pytest

from pytest_housekeeping.postgres.wire_messages import (
    CANCEL_REQUEST,
    ENCRYPTION_REQUESTS,
    FIRST_HEAD_BYTES,
    GSSENC_REQUEST,
    SSL_REQUEST,
    backend_pid,
    error_fields,
    first_length,
    kind_and_body,
    message_end,
    startup_code,
    text_at_start,
)

QUERY = b"Q" + struct.pack("!I", 13) + b"SELECT 1\0"
EMPTY = b"S" + struct.pack("!I", 4)
SSL = struct.pack("!II", 8, SSL_REQUEST)
STARTUP = struct.pack("!II", 20, 3 << 16) + b"user\0app\0\0\0\0"


@pytest.mark.parametrize("message", [QUERY, EMPTY])
def test_a_message_ends_where_its_length_says(message: bytes) -> None:
    assert message_end(message) == len(message)
    assert message_end(message + QUERY) == len(message)
    assert message_end(b"xyz" + message, 3) == 3 + len(message)
    assert [message_end(message[:size]) for size in range(len(message))] == [0] * len(message)


@pytest.mark.parametrize("message", [SSL, STARTUP])
def test_the_first_of_a_client_has_no_kind(message: bytes) -> None:
    assert message_end(message + b"N", first=True) == len(message)
    assert message_end(message[:-1], first=True) == 0
    assert first_length(message[:FIRST_HEAD_BYTES]) == len(message)


def test_what_a_client_asks_for_first() -> None:
    assert startup_code(SSL) in ENCRYPTION_REQUESTS
    assert startup_code(struct.pack("!II", 8, GSSENC_REQUEST)) in ENCRYPTION_REQUESTS
    assert startup_code(STARTUP) == 3 << 16
    assert CANCEL_REQUEST not in ENCRYPTION_REQUESTS


def test_kind_body_and_texts() -> None:
    kind, body = kind_and_body(QUERY)
    assert (kind, text_at_start(body)) == (b"Q", "SELECT 1")
    assert kind_and_body(EMPTY) == (b"S", b"")
    assert text_at_start(b"\xff\0rest") == "\ufffd"
    assert backend_pid(b"K" + struct.pack("!III", 12, 4711, 99)) == 4711


def test_the_fields_of_an_error() -> None:
    body = b"SERROR\0C42501\0Mpermission denied for schema vault\0\0"
    assert error_fields(body) == {
        "S": "ERROR",
        "C": "42501",
        "M": "permission denied for schema vault",
    }
    assert error_fields(b"\0") == {}
