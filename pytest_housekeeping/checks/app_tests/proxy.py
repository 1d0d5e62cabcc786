"""A loopback port that leads to the staging server and records each refusal that it answers.

Why the record is complete: every error that reaches a client is an ErrorResponse with its SQLSTATE
(https://www.postgresql.org/docs/16/protocol-error-fields.html), and each whole message is looked
at before its bytes are handed on. So it is recorded before the application can swallow it. The
traffic is plain text, since a request for encryption is answered with no
(https://www.postgresql.org/docs/16/protocol-flow.html#PROTOCOL-FLOW-SSL). Not seen is an error
that a function catches on the server: it is never sent.

Which statement was refused is a hint only: a client may send the next one before the answer.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_housekeeping.postgres.wire_messages import (
    ENCRYPTION_REQUESTS,
    FIRST_HEAD_BYTES,
    error_fields,
    first_length,
    kind_and_body,
    message_end,
    startup_code,
    text_at_start,
)

INSUFFICIENT_PRIVILEGE = "42501"
_HOST = "127.0.0.1"
_CHUNK_BYTES = 65536


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One answer 42501, insufficient_privilege, and the statement that was sent before it."""

    message: str
    statement: str


class RefusalProxy:
    """One listening port. ``close`` ends it with every connection that is still open."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._lock = threading.Lock()
        self._refusals: list[Refusal] = []
        self._statements = 0
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((_HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="hk-refusal-proxy", daemon=True).start()

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """What the server has refused so far, in the order of its answers."""
        with self._lock:
            return tuple(self._refusals)

    @property
    def statements(self) -> int:
        """How many statements went through."""
        return self._statements

    def add_refusal(self, refusal: Refusal) -> None:
        with self._lock:
            self._refusals.append(refusal)

    def drop_last_refusal(self) -> None:
        """Forget the last one, which was provoked to see that refusals are recorded."""
        with self._lock:
            self._refusals.pop()

    def count_statement(self) -> None:
        with self._lock:
            self._statements += 1

    def close(self) -> None:
        self._listener.close()
        with self._lock:
            left = list(self._open)
        for each in left:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            first = _first_message(client)
            if not first:
                return
            with _connect(*self._upstream) as server:
                pair = {client, server}
                with self._lock:
                    self._open |= pair
                try:
                    server.sendall(first)
                    session = _Session(self)
                    back = threading.Thread(
                        target=_forward, args=(server, client, session.on_response), daemon=True
                    )
                    back.start()
                    _forward(client, server, session.on_request)
                    back.join()
                finally:
                    with self._lock:
                        self._open -= pair


class _Session:
    """One connection: the statement that was sent last, for the answer that refuses it."""

    def __init__(self, proxy: RefusalProxy) -> None:
        self._proxy = proxy
        self._statement = ""

    def on_request(self, kind: bytes, body: bytes) -> None:
        if kind == b"Q":  # a simple query: its text
            self._statement = text_at_start(body)
        elif kind == b"P":  # Parse: the name of the prepared statement, then its text
            self._statement = text_at_start(body.partition(b"\0")[2])
        else:
            return
        self._proxy.count_statement()

    def on_response(self, kind: bytes, body: bytes) -> None:
        if kind != b"E":
            return
        fields = error_fields(body)
        if fields.get("C") == INSUFFICIENT_PRIVILEGE:
            refusal = Refusal(message=fields.get("M", ""), statement=self._statement)
            self._proxy.add_refusal(refusal)


def _connect(host: str, port: int) -> socket.socket:
    if host.startswith(("/", "@")):  # a folder of sockets, or Linux' abstract name space
        server = socket.socket(socket.AF_UNIX)
        name = str(Path(host) / f".s.PGSQL.{port}") if host.startswith("/") else f"\0{host[1:]}"
        server.connect(name)
        return server
    return socket.create_connection((host, port))


def _first_message(client: socket.socket) -> bytes:
    """The startup message or a cancel request; requests for encryption are refused until then."""
    while True:
        head = _exactly(client, FIRST_HEAD_BYTES)
        if not head:
            return b""
        if startup_code(head) not in ENCRYPTION_REQUESTS:
            return head + _exactly(client, first_length(head) - len(head))
        client.sendall(b"N")


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = source.recv(size - len(data))
        if not more:
            return b""
        data += more
    return data


def _forward(
    source: socket.socket, target: socket.socket, on_message: Callable[[bytes, bytes], None]
) -> None:
    """Pass on what one side sends until it ends, each whole message to ``on_message`` first."""
    rest = b""
    with suppress(OSError):
        while data := source.recv(_CHUNK_BYTES):
            rest = _read_messages(rest + data, on_message)
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _read_messages(data: bytes, on_message: Callable[[bytes, bytes], None]) -> bytes:
    """Call ``on_message`` for each whole message; returns the beginning of the next one."""
    start = 0
    while end := message_end(data, start):
        on_message(*kind_and_body(data[start:end]))
        start = end
    return data[start:]
