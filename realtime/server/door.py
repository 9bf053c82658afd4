"""The door: who comes for the live socket is let in by one look at the whole request; everybody else is shown to the ordinary way."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from functools import partial
from typing import Any, cast

from starlette.types import ASGIApp, Scope
from uvicorn.config import Config
from uvicorn.server import ServerState

from realtime.server.faults import FaultLog
from realtime.server.listener import allow_files
from realtime.server.request import MOST_HEAD_BYTES, RequestProtocol
from realtime.server.wire import BadHandshake, Upgrade, key_of

_HEAD = re.compile(
    rb"GET (/live)(?:\?([!-~]*))? HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)+)\r\n"
)
"""A whole request for the live socket, in the plainest form that RFC 9112 allows; any other form of it is read by uvicorn's parser."""

_BODY = frozenset({b"content-length", b"transfer-encoding"})


class Silent:
    """The connections that have said nothing yet, the longest silent first. One timer serves them all.

    When there are more than `most`, the longest silent makes room: each holds a file of the process.
    """

    __slots__ = ("_count", "_doors", "_most", "_timer")

    def __init__(self, most: int) -> None:
        self._most = most
        self._doors: deque[Door] = deque()
        """Some have left meanwhile, and hold nothing any more."""
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, door: Door, loop: asyncio.AbstractEventLoop) -> None:
        self._doors.append(door)
        self._count += 1
        while self._count > self._most:
            self._doors.popleft().abort()
        if self._timer is None:
            self._timer = loop.call_at(door.due, self._look, loop)

    def left(self) -> None:
        """One of them has."""
        self._count -= 1

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now, doors = loop.time(), self._doors
        while doors and (doors[0].left or doors[0].due <= now):
            doors.popleft().close()
        if doors:
            self._timer = loop.call_at(doors[0].due, self._look, loop)


class Door(asyncio.Protocol):
    """A connection that has said nothing yet. Thousands of phones that come back at once pass here, so it does little.

    A connection that says nothing is closed after `head_seconds`.
    """

    __slots__ = ("_app_state", "_config", "_faults", "_head_seconds", "_loop", "_silent", "_state", "_transport", "due")

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        head_seconds: float,
        faults: FaultLog,
        silent: Silent,
    ) -> None:
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._head_seconds = head_seconds
        self._faults = faults
        self._silent = silent
        self._transport: asyncio.Transport | None = None
        self.due = self._loop.time() + head_seconds

    @property
    def left(self) -> bool:
        """It has said something, or is gone."""
        return self._transport is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._silent.add(self, self._loop)
        cast("set[Any]", self._state.connections).add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def data_received(self, data: bytes) -> None:
        transport = self._leave()
        if transport is not None and not self._let_in(transport, data):
            way = RequestProtocol(
                self._config, self._state, self._app_state, self._loop, head_seconds=self._head_seconds, faults=self._faults, due=self.due
            )
            way.connection_made(transport)
            transport.set_protocol(way)
            way.data_received(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    shutdown = close
    """uvicorn's word for going away."""

    def abort(self) -> None:
        if transport := self._leave():
            transport.abort()

    def _leave(self) -> asyncio.Transport | None:
        cast("set[Any]", self._state.connections).discard(self)
        transport, self._transport = self._transport, None
        if transport is not None:
            self._silent.left()
        return transport

    def _let_in(self, transport: asyncio.Transport, data: bytes) -> bool:
        """Begins the handshake, if this is one, whole, and nothing about it is strange."""
        config = self._config
        if len(data) > MOST_HEAD_BYTES or config.ws_protocol_class is not cast(Any, Upgrade) or (head := _HEAD.fullmatch(data)) is None:
            return False
        path, query, lines = head.groups()
        headers = []
        for line in lines.split(b"\r\n")[:-1]:
            name, _, value = line.partition(b":")
            headers.append((name.lower(), value.strip(b" \t")))
        if not _wants_websocket(headers):
            return False
        scope: Scope = {
            "type": "websocket",
            "asgi": {"version": config.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https" if config.is_ssl else "http",
            "server": _address(transport, "sockname"),
            "client": _address(transport, "peername"),
            "root_path": config.root_path,
            "path": config.root_path + path.decode(),
            "raw_path": config.root_path.encode() + path,
            "query_string": query or b"",
            "headers": headers,
            "state": self._app_state.copy(),
        }
        try:
            key = key_of(scope)
        except BadHandshake:
            return False
        Upgrade(transport, scope, key, self._state, self._faults, config.ws_max_size).begin(cast(ASGIApp, config.loaded_app))
        return True


def _address(transport: asyncio.Transport, name: str) -> tuple[str, int] | None:
    found = transport.get_extra_info(name)
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None


def _wants_websocket(headers: list[tuple[bytes, bytes]]) -> bool:
    """RFC 6455 §4.2.1, and no body, which would be read as frames."""
    connection = upgrade = b""
    for name, value in headers:
        if name == b"connection":
            connection = value.lower()
        elif name == b"upgrade":
            upgrade = value.lower()
        elif name in _BODY:
            return False
    return upgrade == b"websocket" and b"upgrade" in [token.strip() for token in connection.split(b",")]


def opened(head_seconds: float, faults: FaultLog) -> Any:
    """What uvicorn makes for each connection."""
    return partial(Door, head_seconds=head_seconds, faults=faults, silent=Silent(allow_files() // 2))
