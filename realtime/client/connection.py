"""One live connection, from its handshake to its close: commands and their replies, pings, and the views that its texts keep up to date."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from realtime.client import refusals
from realtime.client.refusals import Unanswered
from realtime.client.view import Json, View
from realtime.errors import Dropped, TooMany
from realtime.live_messages import SUBPROTOCOL

SILENCE_SECONDS = 37.5
"""The server pings every 25 s, give or take a tenth, and gives 10 s to answer; after that the connection is lost."""
OPEN_SECONDS, REPLY_SECONDS, CLOSE_SECONDS = 20.0, 20.0, 2.0
MOST_BYTES = 64 * 1024 * 1024
"""Of one text. The largest is the whole state of a store."""
MOST_WAITING = 32
"""Commands that wait for their replies; the server closes a socket with more."""
GOODBYE = 1000

Take = Callable[[Json], Awaitable[None]]
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Ended(NamedTuple):
    """How a connection ended."""

    code: int
    """0: without a word."""
    reason: str


class Hearer(Protocol):
    """Told what happens on a connection, at once and in order. Must not wait."""

    def opened(self) -> None:
        """The handshake succeeded."""
        ...

    def text(self, raw: bytes, message: Json) -> None:
        """A text came; nothing was made of it yet."""
        ...

    def stands(self, view: View, reply: Json) -> None:
        """A view took a whole state or a replay in."""
        ...

    def changed(self, view: View, push: Json) -> None:
        """A view took a push in."""
        ...


class Connection:
    """One socket. `open`, then `read` until it ends; meanwhile `say` and `subscribe`.

    Args:
        views: kept up to date, by topic. A gap makes it subscribe to that topic again.
    """

    def __init__(self, views: Mapping[str, View], hearer: Hearer) -> None:
        self.socket: ClientConnection | None = None
        """Of websockets; None before `open`."""
        self.after_ms: int | None = None
        """How long the server asked to stay away, once it has."""
        self._views = views
        self._hearer = hearer
        self._loop = asyncio.get_running_loop()
        self._last_id = 0
        self._takes: dict[int, Take] = {}
        self._replies: set[asyncio.Future[Json]] = set()
        self._subscribing: dict[asyncio.Future[None], float] = {}
        """Until when their replies must be there."""
        self._over = False

    async def open(self, url: str) -> None:
        """Raises: the error of a refused handshake, or OSError, TimeoutError, websockets.exceptions.WebSocketException."""
        options: dict[str, Any] = {"compression": None, "ping_interval": None, "proxy": None, "user_agent_header": None}
        try:
            self.socket = await connect(
                url,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                open_timeout=OPEN_SECONDS,
                close_timeout=CLOSE_SECONDS,
                max_size=MOST_BYTES,
                **options,
            )
        except InvalidStatus as answer:
            response = answer.response
            headers = {name.lower(): value for name, value in response.headers.raw_items()}
            raise refusals.refused(response.status_code, headers, bytes(response.body or b"")) from answer
        self._hearer.opened()

    async def read(self) -> Ended:
        """Takes in what comes until the end.

        Raises:
            NowServingError: a subscription was refused, or got no reply. The socket is closed by `abort` then.
        """
        assert self.socket is not None
        try:
            async with asyncio.timeout(SILENCE_SECONDS) as patience:
                heard = self._loop.time()
                while True:
                    raw = await self.socket.recv(decode=False)
                    if (now := self._loop.time()) > heard + 1:
                        heard = now
                        patience.reschedule(now + SILENCE_SECONDS)
                        if self._subscribing and now > min(self._subscribing.values()):
                            raise Dropped("A subscription got no reply.")
                    for text in raw.split(b"\n"):
                        await self._take(text)
        except ConnectionClosed as closed:
            return Ended(closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else Ended(0, "")
        except (TimeoutError, msgspec.DecodeError):
            # Silent, or not our server any more.
            self.abort()
            return Ended(0, "")
        finally:
            self._let_go()

    async def close(self) -> None:
        """Says goodbye."""
        if self.socket is not None:
            await self.socket.close(GOODBYE)

    def abort(self) -> None:
        """Ends it without a word, as a lost network does."""
        if self.socket is not None:
            self.socket.transport.abort()

    # ---- what is asked

    async def ask(self, command: Json) -> Json:
        """Sends a command; its reply's `ok`. Raises: as `say`, or the server's refusal."""
        message = await self.say(command)
        if "error" in message:
            raise refusals.refusal(message["error"])
        ok: Json = message["ok"]
        return ok

    async def say(self, command: Json) -> Json:
        """Sends a command, `{verb: {...}}`; its whole reply, a refusal too.

        Raises:
            Dropped: the connection was lost before; nothing was sent.
            Unanswered: it was sent, and nobody knows whether it was done.
            TooMany: too many commands wait for their replies.
        """
        if len(self._takes) >= MOST_WAITING:
            raise TooMany("Wait for replies before sending more commands.")
        reply: asyncio.Future[Json] = self._loop.create_future()

        async def take(message: Json) -> None:
            if not reply.done():
                reply.set_result(message)

        self._replies.add(reply)
        try:
            await self.send(command, take)
            return await asyncio.wait_for(reply, REPLY_SECONDS)
        except TimeoutError as error:
            raise Unanswered("No reply came in time, so nobody knows whether it was done. Look first, then send it again.") from error
        finally:
            self._replies.discard(reply)

    async def send(self, command: Json, take: Take) -> None:
        """Sends a command; `take` is given its whole reply before anything that comes after it. Raises: Dropped."""
        if self.socket is None or self._over:
            raise Dropped("There is no connection, so nothing was sent.")
        self._last_id += 1
        self._takes[self._last_id] = take
        with contextlib.suppress(ConnectionClosed):  # the reader is told as well, and sees to it
            await self.socket.send(_encode({"id": self._last_id, **command}), text=True)

    async def subscribe(self, view: View, *, since: bool = True) -> asyncio.Future[None]:
        """Asks for a topic's state, or for what its view has missed. The future ends with the reply, or with its refusal.

        Raises: Dropped.
        """
        done: asyncio.Future[None] = self._loop.create_future()

        async def take(message: Json) -> None:
            del self._subscribing[done]
            if "error" in message:
                view.syncing = False
                error = refusals.refusal(message["error"])
                if done.cancelled():
                    raise error
                done.set_exception(error)
                return
            view.stand(message["ok"])
            self._hearer.stands(view, message["ok"])
            if not done.done():
                done.set_result(None)

        if self.socket is None or self._over:
            raise Dropped("There is no connection, so nothing was sent.")
        self._subscribing[done] = self._loop.time() + REPLY_SECONDS
        await self.send({"subscribe": view.begin(since=since)}, take)
        return done

    # ---- what comes

    async def _take(self, raw: bytes) -> None:
        message: Json = _decode(raw)
        self._hearer.text(raw, message)
        if "id" in message:
            take = self._takes.pop(message["id"], None)
            if take:
                await take(message)
        elif "topic" in message:
            await self._take_push(message)
        elif "disconnect" in message:
            self.after_ms = message["disconnect"]["after_ms"]
        elif not message and self.socket is not None:
            with contextlib.suppress(ConnectionClosed):  # what came behind the ping is read all the same
                await self.socket.send("{}")

    async def _take_push(self, push: Json) -> None:
        view = self._views.get(push["topic"])
        if view is None:
            return
        if "snapshot" in push:
            if not view.syncing:
                view.replace(push)
                self._hearer.stands(view, push)
            return
        done = view.take(push)
        if done == "apply":
            self._hearer.changed(view, push)
        elif done == "gap":
            # Nobody waits for it, so its refusal ends the reading.
            (await self.subscribe(view)).cancel()

    def _let_go(self) -> None:
        self._over = True
        self._takes.clear()
        for done in self._subscribing:
            if not done.done():
                done.set_exception(Dropped())
        for reply in self._replies:
            if not reply.done():
                reply.set_exception(Unanswered())
        for view in self._views.values():
            view.syncing = False
