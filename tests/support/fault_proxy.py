"""A proxy that understands PostgreSQL's message framing, and goes wrong at the k-th message.

https://www.postgresql.org/docs/16/protocol-message-formats.html
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, Self

from pytest_housekeeping.postgres.locks.in_the_way import APPLICATION
from pytest_housekeeping.postgres.wire_messages import (
    CANCEL_REQUEST,
    ENCRYPTION_REQUESTS,
    GSSENC_REQUEST,
    SSL_REQUEST,
    backend_pid,
    kind_and_body,
    message_end,
    startup_code,
    text_at_start,
)

How = Literal["before", "middle", "after", "terminate", "kill", "interrupt"]
_REQUESTS = {SSL_REQUEST: "ssl", GSSENC_REQUEST: "gss", CANCEL_REQUEST: "cancel"}
# A row among rows tells nobody anything new: a run of these from the server is one point.
_RUNS = b"DdSN"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong at message ``at``, counted from 1 over all connections.

    ``before``, ``middle``, ``after``: every connection is cut when so much of the message has
    passed. ``terminate``: the backend is terminated, then the message passes. ``kill`` and
    ``interrupt``: it passes, then the runner is told. ``later`` is how many messages each
    connection made behind the cut may exchange: None for all of them, 0 for a server that is gone.
    """

    at: int
    how: How
    later: int | None = None


@dataclass(frozen=True, kw_only=True)
class Message:
    """One point of the traffic: who said it, on which connection, and how it begins."""

    connection: int
    client: bool
    kind: str
    text: str

    def __str__(self) -> str:
        way = "->" if self.client else "<-"
        return f"{self.connection}{way}{self.kind} {self.text[:60]!r}"


@dataclass(kw_only=True, eq=False)
class _Pair:
    """One connection through the proxy: both sockets, and what has arrived of each side.

    One that is ``watching`` gives the run's signs of life. It comes by the clock, where a machine
    is slow, so it is passed on and neither counted nor struck.
    """

    number: int
    client: socket.socket
    server: socket.socket
    behind: bool
    pending: dict[bool, bytearray] = field(
        default_factory=lambda: {True: bytearray(), False: bytearray()}
    )
    started: bool = False
    asked_for_tls: bool = False
    watching: bool = False
    backend: int | None = None
    last: str = ""
    passed: int = 0


class FaultProxy:
    """Listens on 127.0.0.1:``port`` in a thread of its own for as long as it is entered."""

    def __init__(
        self,
        target: int,
        fault: Fault | None = None,
        *,
        terminate: Callable[[int], None] | None = None,
        tell: Callable[[How], None] | None = None,
    ) -> None:
        self.trace: list[Message] = []
        self.struck = False
        self.error: BaseException | None = None
        self._target, self._fault = target, fault
        self._terminate, self._tell = terminate, tell
        self._pairs: list[_Pair] = []
        self._made = 0
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._waker, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="fault-proxy")

    def __enter__(self) -> Self:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._waker.close()
        self._thread.join()
        for pair in list(self._pairs):
            self._cut(pair)
        for thing in (self._listener, self._woken, self._selector):
            thing.close()
        if self.error is not None:
            raise self.error

    @property
    def count(self) -> int:
        """How many points have passed or been struck."""
        return len(self.trace)

    def _serve(self) -> None:
        try:
            while True:
                for key, _ in self._selector.select():
                    if key.fileobj is self._woken:
                        return
                    if key.fileobj is self._listener:
                        self._accept()
                    else:
                        pair, from_client = key.data
                        self._receive(pair, from_client)
        except BaseException as error:
            self.error = error

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        later = self._fault.later if self._fault and self.struck else None
        if later == 0:
            client.close()
            return
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        for side in (client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._made += 1
        pair = _Pair(number=self._made, client=client, server=server, behind=self.struck)
        self._pairs.append(pair)
        self._selector.register(client, selectors.EVENT_READ, (pair, True))
        self._selector.register(server, selectors.EVENT_READ, (pair, False))

    def _receive(self, pair: _Pair, from_client: bool) -> None:
        if pair not in self._pairs:
            return
        source = pair.client if from_client else pair.server
        try:
            data = source.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._cut(pair)
            return
        pair.pending[from_client] += data
        while pair in self._pairs and (length := self._whole(pair, from_client)):
            message = bytes(pair.pending[from_client][:length])
            del pair.pending[from_client][:length]
            self._pass(pair, from_client, message)

    def _whole(self, pair: _Pair, from_client: bool) -> int:
        """The length of the first message, or 0 while some of it is missing."""
        pending = pair.pending[from_client]
        if not from_client and pair.asked_for_tls:
            return min(len(pending), 1)
        return message_end(pending, first=from_client and not pair.started)

    def _pass(self, pair: _Pair, from_client: bool, message: bytes) -> None:
        kind = self._kind(pair, from_client, message)
        if pair.watching:
            self.trace[:] = [each for each in self.trace if each.connection != pair.number]
            self._send(pair, pair.server if from_client else pair.client, message)
            return
        run = not from_client and kind == pair.last and kind.encode() in _RUNS
        pair.last = "" if from_client else kind
        strikes = False
        if not run:
            text = text_at_start(kind_and_body(message)[1][:160])
            # An answer to a password is nobody's business.
            said = "" if kind in ("p", "R", "startup", "ssl", "gss", "cancel") else text
            self.trace.append(
                Message(connection=pair.number, client=from_client, kind=kind, text=said)
            )
            fault = self._fault
            strikes = fault is not None and not self.struck and len(self.trace) == fault.at
            pair.passed += 1
        later = self._fault.later if self._fault and pair.behind else None
        if later is not None and pair.passed > later:
            self._cut(pair)
            return
        target = pair.server if from_client else pair.client
        if strikes and self._fault is not None:
            self._strike(self._fault, pair, target, message)
        else:
            self._send(pair, target, message)

    def _kind(self, pair: _Pair, from_client: bool, message: bytes) -> str:
        if not from_client:
            if pair.asked_for_tls:
                pair.asked_for_tls = False
                return "tls refused"
            if message[:1] == b"K":
                pair.backend = backend_pid(message)
            return message[:1].decode()
        if pair.started:
            return message[:1].decode()
        code = startup_code(message)
        pair.asked_for_tls = code in ENCRYPTION_REQUESTS
        pair.started = code not in _REQUESTS
        pair.watching = pair.started and APPLICATION.encode() in message
        return _REQUESTS.get(code, "startup")

    def _strike(self, fault: Fault, pair: _Pair, target: socket.socket, message: bytes) -> None:
        self.struck = True
        if fault.how == "terminate":
            if pair.backend is not None and self._terminate is not None:
                self._terminate(pair.backend)
            self._send(pair, target, message)
            return
        if fault.how in ("kill", "interrupt"):
            self._send(pair, target, message)
            if self._tell is not None:
                self._tell(fault.how)
            return
        part = {"before": 0, "middle": len(message) // 2, "after": len(message)}[fault.how]
        if part:
            self._send(pair, target, message[:part])
        for each in list(self._pairs):
            self._cut(each)

    def _send(self, pair: _Pair, target: socket.socket, data: bytes) -> None:
        try:
            target.sendall(data)
        except OSError:
            self._cut(pair)

    def _cut(self, pair: _Pair) -> None:
        if pair not in self._pairs:
            return
        self._pairs.remove(pair)
        for side in (pair.client, pair.server):
            with suppress(KeyError, ValueError):
                self._selector.unregister(side)
            side.close()
