"""Requests to addresses that somebody else chose: checked before they are connected to, timed as a whole, and read only so far."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import httpcore
from msgspec import Struct

ANSWER_BYTES = 65_536
_EMBEDDED = ip_network("64:ff9b::/96")
"""NAT64 (RFC 6052): the last four bytes are an IPv4 address."""


class Answer(Struct, frozen=True):
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    """At most the first `ANSWER_BYTES`."""


class NotReachable(Exception):
    """The other side could not be spoken to; the text says how, without its answer."""


class Forbidden(Exception):
    """The address is none that may be called."""


def is_public(address: str, allowed: Iterable[str] = ()) -> bool:
    """Whether an IP address is on the public internet, or in one of the networks that are allowed all the same."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if any(ip in ip_network(network, strict=False) for network in allowed):
        return True
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _EMBEDDED else None)
        if inner is not None:
            return is_public(str(inner), allowed)
    return ip.is_global and not ip.is_multicast


class _Checked(httpcore.AsyncNetworkBackend):
    """Resolves a name once, checks every address it has, and connects to one of those: the name cannot mean another one by then."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = tuple(allowed)
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
        except OSError as error:
            raise httpcore.ConnectError("its name is not known") from error
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        if not all(is_public(address, self._allowed) for address in addresses):
            raise Forbidden("This address leads into a private network.")
        last: Exception = httpcore.ConnectError("its name has no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class Outbound:
    """Posts to addresses that may be called, without following redirects, and through no proxy.

    Reads files when it is made: not for the event loop.

    Args:
        allowed: networks that may be called although they are private.
        deadline_s: how long one request may take from the look-up of the name to the end of the answer.
    """

    def __init__(self, allowed: Sequence[str], deadline_s: float, context: ssl.SSLContext | None = None) -> None:
        self._deadline_s = deadline_s
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context or httpcore.default_ssl_context(),
            max_connections=64,
            max_keepalive_connections=16,
            keepalive_expiry=15.0,
            network_backend=_Checked(allowed),
        )

    async def post(self, url: str, body: bytes, headers: Sequence[tuple[str, str]]) -> Answer:
        """Raises: NotReachable, Forbidden."""
        check(url)
        try:
            async with (
                asyncio.timeout(self._deadline_s),
                self._pool.stream("POST", url, headers=list(headers), content=body) as response,
            ):
                parts, size = [], 0
                async for part in response.aiter_stream():
                    parts.append(part[: ANSWER_BYTES - size])
                    size += len(part)
                    if size >= ANSWER_BYTES:
                        break
                said = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                return Answer(response.status, said, b"".join(parts))
        except TimeoutError:
            raise NotReachable(f"No answer within {self._deadline_s:g} seconds.") from None
        except httpcore.ConnectError as error:
            raise NotReachable("No connection could be made.") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, ssl.SSLError, OSError) as error:
            raise NotReachable("The connection broke.") from error

    async def close(self) -> None:
        await self._pool.aclose()


def check(url: str) -> str:
    """The host and port that an address names, "example.org" or "example.org:8080". Raises: Forbidden."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if (
        parts.scheme not in ("http", "https")
        or not host
        or parts.username is not None
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise Forbidden("This is no http:// or https:// address without a user name.")
    return f"{host}:{port}" if port else host
