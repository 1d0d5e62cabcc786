"""PostgreSQL's messages on the wire: where each one ends, and the few fields that a proxy reads.

A message is one byte for its kind, four for its length, and its body; the length counts itself
and the body, not the kind. Only what a client sends first has no kind:
https://www.postgresql.org/docs/16/protocol-message-formats.html
"""

from __future__ import annotations

import struct

# What stands in a client's first message in the place of a protocol version.
CANCEL_REQUEST, SSL_REQUEST, GSSENC_REQUEST = 80877102, 80877103, 80877104
# The server answers these with one byte that is no message, and the client begins once more.
ENCRYPTION_REQUESTS = frozenset({SSL_REQUEST, GSSENC_REQUEST})
# The length and the code of a first message: enough to know what it is.
FIRST_HEAD_BYTES = 8
_LENGTH = struct.Struct("!I")
_KIND = 1


def message_end(data: bytes | bytearray, start: int = 0, *, first: bool = False) -> int:
    """Where the message that begins at ``start`` ends, or 0 while a part of it is missing.

    ``first``: it is the first of a client, which has no kind.
    """
    head = start if first else start + _KIND
    if len(data) < head + _LENGTH.size:
        return 0
    end = head + int(_LENGTH.unpack_from(data, head)[0])
    return end if len(data) >= end else 0


def first_length(head: bytes) -> int:
    """How many bytes a client's first message has in all."""
    return int(_LENGTH.unpack_from(head)[0])


def kind_and_body(message: bytes) -> tuple[bytes, bytes]:
    """The two parts of a whole message that has a kind."""
    return message[:_KIND], message[_KIND + _LENGTH.size :]


def startup_code(first_message: bytes) -> int:
    """The protocol version that a client's first message asks for, or which request it is."""
    return int(_LENGTH.unpack_from(first_message, _LENGTH.size)[0])


def backend_pid(key_data: bytes) -> int:
    """The process that serves the connection, as the server's message ``K`` tells it."""
    return int(_LENGTH.unpack_from(key_data, _KIND + _LENGTH.size)[0])


def text_at_start(body: bytes) -> str:
    """A text as the protocol writes it: up to the zero byte."""
    return body.partition(b"\0")[0].decode(errors="replace")


def error_fields(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse by their letter: ``C`` is the SQLSTATE, ``M`` the message.

    Both are always present: https://www.postgresql.org/docs/16/protocol-error-fields.html
    """
    parts = (part.decode(errors="replace") for part in body.split(b"\0") if part)
    return {part[:1]: part[1:] for part in parts}
