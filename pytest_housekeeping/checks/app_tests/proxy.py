"""A loopback port that leads to the staging server, and notes each refusal that the server answers.

What the server says is seen here before the application sees it, so a refusal that the application
swallows is on record all the same. It speaks just enough of the protocol to follow its messages:
https://www.postgresql.org/docs/16/protocol-message-formats.html
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

REFUSED = "42501"
_HOST = "127.0.0.1"
# Requests for encryption come before the startup message and are answered with no.
_SSL, _GSS = 80877103, 80877104
_CHUNK = 65536
_HEADER = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One answer 42501, insufficient_privilege, and the statement before it."""

    message: str
    statement: str


class Wire:
    """One listening port. ``close`` ends it with every connection that is still open."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._lock = threading.Lock()
        self._refusals: list[Refusal] = []
        self._statements = 0
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((_HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="hk-wire", daemon=True).start()

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        with self._lock:
            return tuple(self._refusals)

    @property
    def statements(self) -> int:
        """How many statements went through."""
        return self._statements

    def forget_last(self) -> None:
        """The last refusal was planted."""
        with self._lock:
            self._refusals.pop()

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
                    talk = _Talk(self)
                    back = threading.Thread(
                        target=_pump, args=(server, client, talk.answered), daemon=True
                    )
                    back.start()
                    _pump(client, server, talk.asked)
                    back.join()
                finally:
                    with self._lock:
                        self._open -= pair

    def note(self, message: str, statement: str) -> None:
        with self._lock:
            self._refusals.append(Refusal(message=message, statement=statement))

    def count(self) -> None:
        with self._lock:
            self._statements += 1


class _Talk:
    """One connection: the statement that was asked last, and what came back."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._statement = ""

    def asked(self, kind: bytes, body: bytes) -> None:
        if kind == b"Q":
            self._statement = _text(body)
        elif kind == b"P":  # name of the prepared statement, then its text
            self._statement = _text(body.partition(b"\0")[2])
        else:
            return
        self._wire.count()

    def answered(self, kind: bytes, body: bytes) -> None:
        if kind != b"E":
            return
        fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
        if fields.get(b"C") == REFUSED:
            self._wire.note(fields.get(b"M", ""), self._statement)


def _text(body: bytes) -> str:
    return body.partition(b"\0")[0].decode(errors="replace")


def _connect(host: str, port: int) -> socket.socket:
    if host.startswith(("/", "@")):
        server = socket.socket(socket.AF_UNIX)
        name = str(Path(host) / f".s.PGSQL.{port}") if host.startswith("/") else f"\0{host[1:]}"
        server.connect(name)
        return server
    return socket.create_connection((host, port))


def _first_message(client: socket.socket) -> bytes:
    """The startup or cancel request; encryption is answered with no, as the DSN asks for none."""
    while True:
        head = _exactly(client, 8)
        if not head:
            return b""
        length, code = struct.unpack("!II", head)
        if code not in (_SSL, _GSS):
            return head + _exactly(client, length - 8)
        client.sendall(b"N")


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = source.recv(size - len(data))
        if not more:
            return b""
        data += more
    return data


def _pump(
    source: socket.socket, target: socket.socket, seen: Callable[[bytes, bytes], None]
) -> None:
    """Show each whole message, then hand on what came, until one side ends."""
    rest = b""
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            rest = _show(rest + data, seen)
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _show(data: bytes, seen: Callable[[bytes, bytes], None]) -> bytes:
    """Show the whole messages in it; what is left is the beginning of the next one."""
    at = 0
    while len(data) - at >= _HEADER:
        (length,) = struct.unpack_from("!I", data, at + 1)
        end = at + 1 + length
        if end > len(data):
            break
        seen(data[at : at + 1], data[at + _HEADER : end])
        at = end
    return data[at:]
