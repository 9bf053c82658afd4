"""An HTTP server of its own threads that keeps what it is sent, and answers, or fails to, as it is told."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

PATIENCE_S = 20.0
_CHUNK = b"x" * 65_536
_TICK_S = 0.05


class SinkRequest(Struct, frozen=True):
    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Answer(Struct, frozen=True):
    """A whole answer, as HTTP wants it."""

    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()


class Hang(Struct, frozen=True):
    """The request is read and never answered."""


class Reset(Struct, frozen=True):
    """The connection is reset, before a byte of the request was read or after all of it."""

    after_request: bool = True


class Trickle(Struct, frozen=True):
    """200, and a body that comes byte by byte and never ends."""


class Huge(Struct, frozen=True):
    """200, and as much of a body as is read."""

    bytes: int = 64 << 20


class Garbage(Struct, frozen=True):
    """Something that is not HTTP."""


Behaviour = Answer | Hang | Reset | Trickle | Huge | Garbage


class Sink:
    """Start with `with`. `behaviours` are used up in order, one a request; then `otherwise` is.

    Its threads serve a notifier that blocks as well as one that awaits, and end with it.
    """

    def __init__(self, otherwise: Behaviour = Answer()) -> None:  # noqa: B008 - frozen
        self.requests: list[SinkRequest] = []
        self.behaviours: list[Behaviour] = []
        self.otherwise = otherwise
        self.connections = 0
        """Open now."""
        self.sent_bytes = 0
        """Of huge bodies."""
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_TICK_S)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._begin(self._listen)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End its connections and listen no more. Waits for its threads."""
        self._over.set()
        for thread in list(self._threads):
            thread.join(PATIENCE_S)
        self._listener.close()

    def wait_until(self, condition: Callable[[], bool], what: str = "") -> None:
        """Wait, on this thread, until something is true of the sink. Raises: AssertionError."""
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE_S), f"waited in vain for {what or 'the sink'}"

    def _begin(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name="sink", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._note(1)
            self._begin(lambda taken=connection: self._serve(taken))  # type: ignore[misc]  # mypy infers no type for a default

    def _note(self, more: int = 0) -> None:
        with self._changed:
            self.connections += more
            self._changed.notify_all()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_TICK_S)
        try:
            unread = b""
            while not self._over.is_set():
                with self._changed:
                    next_one = self.behaviours[0] if self.behaviours else self.otherwise
                if next_one == Reset(after_request=False):
                    if not self._arrives(connection):
                        return
                    self._take()
                    _reset(connection)
                    return
                read = self._read(connection, unread)
                if read is None:
                    return
                request, unread = read
                behaviour = self._take(request)
                if not self._behave(connection, behaviour):
                    return
        except OSError:
            pass  # the other side went away, as it may
        finally:
            connection.close()
            self._note(-1)

    def _take(self, request: SinkRequest | None = None) -> Behaviour:
        with self._changed:
            if request:
                self.requests.append(request)
            behaviour = self.behaviours.pop(0) if self.behaviours else self.otherwise
            self._changed.notify_all()
            return behaviour

    def _arrives(self, connection: socket.socket) -> bool:
        while not self._over.is_set():
            try:
                return connection.recv(1, socket.MSG_PEEK) != b""
            except TimeoutError:
                continue
        return False

    def _more(self, connection: socket.socket) -> bytes:
        """What comes next; nothing when the other side, or the sink, has ended."""
        while not self._over.is_set():
            try:
                return connection.recv(65_536)
            except TimeoutError:
                continue
        return b""

    def _read(self, connection: socket.socket, unread: bytes) -> tuple[SinkRequest, bytes] | None:
        while b"\r\n\r\n" not in unread:
            if not (more := self._more(connection)):
                return None
            unread += more
        head, _, rest = unread.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while not rest.endswith(b"0\r\n\r\n"):
                if not (more := self._more(connection)):
                    return None
                rest += more
            return SinkRequest(method, path, headers, _unchunked(rest)), b""
        length = int(headers.get("content-length", "0"))
        while len(rest) < length:
            if not (more := self._more(connection)):
                return None
            rest += more
        return SinkRequest(method, path, headers, rest[:length]), rest[length:]

    def _behave(self, connection: socket.socket, behaviour: Behaviour) -> bool:
        """Whether the connection may go on."""
        if isinstance(behaviour, Answer):
            connection.sendall(_answer(behaviour))
            return True
        if isinstance(behaviour, Reset):
            _reset(connection)
        elif isinstance(behaviour, Garbage):
            connection.sendall(b"\x16\x03\x01 this is not HTTP\r\n\r\n\0\0\0")
        elif isinstance(behaviour, Huge):
            connection.sendall(f"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {behaviour.bytes}\r\n\r\n".encode())
            self._pour(connection, behaviour.bytes)
        else:
            if isinstance(behaviour, Trickle):
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1000000\r\n\r\n")
            self._until_left(connection, b"x" if isinstance(behaviour, Trickle) else b"")
        return False

    def _pour(self, connection: socket.socket, size: int) -> None:
        left = size
        while left and not self._over.is_set():
            try:
                sent = connection.send(_CHUNK[:left])
            except TimeoutError:
                continue
            left -= sent
            with self._changed:
                self.sent_bytes += sent
        self._until_left(connection, b"")

    def _until_left(self, connection: socket.socket, drop: bytes) -> None:
        while not self._over.is_set():
            if drop:
                connection.sendall(drop)
            try:
                if not connection.recv(65_536):
                    return
            except TimeoutError:
                continue


def _answer(answer: Answer) -> bytes:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    empty = answer.status in (204, 304)
    headers = [*answer.headers, *(() if empty else (("content-length", str(len(answer.body))), ("content-type", "application/json")))]
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {answer.status} {phrase}\r\n{lines}\r\n".encode("latin-1") + (b"" if empty else answer.body)


def _unchunked(rest: bytes) -> bytes:
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        body, rest = body + rest[:length], rest[length + 2 :]
        if not length:
            break
    return body


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
