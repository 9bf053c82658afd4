"""Limits on sockets and event streams: so many in this process, and so many from one address; other requests are never refused."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from ipaddress import IPv6Address

from starlette.types import ASGIApp, Receive, Scope, Send

from realtime.crowds import Crowds
from realtime.errors import Overloaded
from realtime.server.refusing import refuse
from realtime.server.wire import EXTENSION

RETRY_AFTER_SECONDS = 10
TOO_MANY = "There are too many connections from this address. Close one of them, then try again."
STREAM_PATH = "/live/sse"
"""Where a request stays for as long as a socket would, and counts as one."""


def of_addresses(most: int) -> Crowds:
    """So many sockets of each address."""
    return Crowds(most, TOO_MANY)


class SocketLimits:
    """ASGI middleware. It belongs inside the one that reads forwarded headers, so that it sees the client's own address.

    Args:
        most: sockets in this process, for whose memory there is room.
        addresses: those of each address, here and elsewhere.
    """

    def __init__(self, app: ASGIApp, most: int, addresses: Crowds, public_url: str = "") -> None:
        self._app = app
        self._most = most
        self._addresses = addresses
        self._tls = public_url.startswith("https://")
        self._count = 0

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        kind = scope["type"]
        counts = kind == "websocket" or (kind == "http" and scope["path"] == STREAM_PATH)
        return self._socket(scope, receive, send) if counts else self._app(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = network(scope["client"][0] if scope.get("client") else "")
        try:
            self._enter(address)
        except Overloaded as error:
            secure = self._tls or scope.get("scheme") in {"https", "wss"}
            await refuse(error, scope, receive, send, [(b"retry-after", b"%d" % RETRY_AFTER_SECONDS)], secure=secure)
            return
        leave = partial(self._leave, address)
        fanout = scope.get("extensions", {}).get(EXTENSION)
        if fanout is not None:
            fanout.at_close(leave)
            await self._app(scope, receive, send)
        else:
            try:
                await self._app(scope, receive, send)
            finally:
                leave()

    def _enter(self, address: str) -> None:
        self._addresses.enter(address)
        if self._count >= self._most:
            self._addresses.leave(address)
            raise Overloaded
        self._count += 1

    def _leave(self, address: str) -> None:
        self._count -= 1
        self._addresses.leave(address)


def network(address: str) -> str:
    """What one customer has to itself: an IPv4 address, or an IPv6 network of 64 bits."""
    if ":" not in address:
        return address
    try:
        whole = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(whole.ipv4_mapped or IPv6Address(int(whole) >> 64 << 64))
