"""Requests to addresses that somebody else chose: checked before they are connected to, timed as a whole, and read only so far."""

from __future__ import annotations

import asyncio
import email.utils
import ssl
from collections.abc import Sequence
from typing import Any

import httpcore
from msgspec import Struct

from realtime.targets import Forbidden as Forbidden
from realtime.targets import check as check
from realtime.targets import is_public as is_public

ANSWER_BYTES = 65_536


class Answer(Struct, frozen=True):
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    """At most the first `ANSWER_BYTES`."""

    def retry_after_s(self, now_s: float) -> float | None:
        """What Retry-After says (RFC 9110 section 10.2.3), seconds or a date; None where it says nothing that can be understood."""
        said = self.headers.get("retry-after", "")
        if said.isascii() and said.isdigit():
            return float(said[:9])
        try:
            return max(email.utils.parsedate_to_datetime(said).timestamp() - now_s, 0.0)
        except (ValueError, TypeError, OverflowError):
            return None


class NotReachable(Exception):
    """The other side could not be spoken to; the text says how, without its answer."""


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
