"""One live connection as the browser holds it: signs in, subscribes, answers pings, comes back with `since` after every break."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import time
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from realtime.rehearse.evening import MAILS, MARK, PHONES
from realtime.rehearse.http_client import Lost, Refused
from realtime.rehearse.record import Record
from realtime.rehearse.view import Json, View

SILENCE_SECONDS = 37.5
"""The server pings every 25 s, give or take a tenth, and gives 10 s to answer; after that the connection is lost."""
REPLY_SECONDS = 10.0
STABLE_SECONDS = 30.0
FIRST_SECONDS, MOST_SECONDS = 0.5, 20.0
RENEW_EARLY_MS = 45_000
OVERLOADED, SIGN_IN_AGAIN, WENT = 1013, 4401, 1000
PERSONAL = re.compile("|".join(map(re.escape, (f"{MARK} ", PHONES, MAILS))).encode())

Token = Callable[[], Awaitable[str]]
_decode = msgspec.json.Decoder().decode


class Live:
    """One client. `run` keeps it connected until `close()` or a final answer."""

    def __init__(self, url: str, name: str, token: Token, record: Record) -> None:
        self.name = name
        """What it is called where something is wrong with it."""
        self.views: dict[str, View] = {}
        self.final = 0
        """The close code that ended it for good."""
        self.refused = False
        """The server had no room for it when it last tried."""
        self.heard: Callable[[View, Json], None] = _nothing
        """Told every push that was applied as it came."""
        self._url = url.replace("http", "ws", 1) + "/live"
        self._token = token
        self._record = record
        self._loop = asyncio.get_running_loop()
        self._socket: ClientConnection | None = None
        self._signed_in = False
        self._awake = asyncio.Event()
        self._awake.set()
        self._closed = False
        self._ended = asyncio.Event()
        self._last_id = 0
        self._calls: dict[int, Callable[[Json], Awaitable[None]]] = {}
        self._replies: set[asyncio.Future[Json]] = set()
        self._waiters: dict[asyncio.Future[bool], Callable[[], bool]] = {}
        self._not_before = 0.0
        self._renewing: asyncio.Task[None] | None = None
        self._chance = random.Random(name)

    # ---- what its user does

    @property
    def caught_up(self) -> bool:
        """Connected, and every topic is up to date as far as can be known."""
        return self._signed_in and bool(self.views) and all(view.caught_up for view in self.views.values())

    @property
    def connected(self) -> bool:
        return self._socket is not None

    def view(self, audience: str) -> View | None:
        """The topic `store/ID/audience`, or the party's own for "own"."""
        for topic, view in self.views.items():
            if topic.endswith("/" + audience) or (audience == "own" and view.sparse):
                return view
        return None

    async def lock(self) -> None:
        """The screen goes dark: the page says goodbye and stays away until `wake`."""
        self._awake.clear()
        if self._socket is not None:
            await self._socket.close(WENT)

    def lose(self) -> None:
        """The network is gone: nobody says goodbye."""
        self._awake.clear()
        if self._socket is not None:
            self._socket.transport.abort()

    def wake(self) -> None:
        self._awake.set()

    async def close(self) -> None:
        """The page is closed."""
        self._closed = True
        self._ended.set()
        self._awake.set()
        if self._socket is not None:
            await self._socket.close(WENT)

    async def ask(self, command: Json) -> Json:
        """Sends a command; its reply's `ok`. Raises: Refused, Lost."""
        if self._socket is None or not self._signed_in:
            raise Lost("Not connected.")
        reply: asyncio.Future[Json] = self._loop.create_future()

        async def take(message: Json) -> None:
            if not reply.done():
                reply.set_result(message)

        self._replies.add(reply)
        try:
            await self._send(command, take)
            message = await asyncio.wait_for(reply, REPLY_SECONDS)
        except TimeoutError as error:
            raise Lost("No reply.") from error
        finally:
            self._replies.discard(reply)
        if refusal := message.get("error"):
            raise Refused(0, refusal["code"], refusal["message"])
        ok: Json = message["ok"]
        return ok

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Waits until something it heard makes the condition true; False when that took too long."""
        if condition():
            return True
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiters[waiter] = condition
        try:
            return await asyncio.wait_for(waiter, max(0.0, seconds))
        except TimeoutError:
            return False
        finally:
            del self._waiters[waiter]

    # ---- staying connected

    async def run(self) -> None:
        attempt = 0
        while await self._is_wanted():
            began = self._loop.time()
            try:
                code = await self._converse()
            except Refused as error:
                # Without a token there is nothing to come back for.
                self.final = SIGN_IN_AGAIN
                self._record.differs(f"{self.name} could not come back: {error}")
                return
            except (OSError, InvalidHandshake, Lost, TimeoutError) as error:
                self.refused = isinstance(error, InvalidStatus) and error.response.status_code == 503
                self._record.counts["connections refused"] += 1
                code = OVERLOADED if self.refused else 0
            if self._is_away():
                continue
            lasted = self._loop.time() - began
            if code >= 4400 and not (code == SIGN_IN_AGAIN and lasted > STABLE_SECONDS):
                self.final = code
                self._tell_waiters()
                return
            attempt = 0 if lasted > STABLE_SECONDS else max(attempt, 6 * (code == OVERLOADED))
            now = self._loop.time()
            pause = self._chance.random() * min(MOST_SECONDS, FIRST_SECONDS * 2**attempt)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), self._not_before - now if self._not_before > now else pause)
            attempt += 1

    async def _is_wanted(self) -> bool:
        """Waits while the phone is locked; False once the page is closed."""
        await self._awake.wait()
        return not self._closed

    def _is_away(self) -> bool:
        return self._closed or not self._awake.is_set()

    async def _converse(self) -> int:
        """One connection from its start to its end; the close code."""
        token = await self._token()
        options: dict[str, Any] = {"compression": None, "ping_interval": None, "proxy": None, "close_timeout": 2, "max_size": None}
        async with connect(self._url, subprotocols=[Subprotocol("nowserving.v1")], user_agent_header=None, **options) as socket:
            if self._is_away():
                return WENT
            self._socket = socket
            self.refused = False
            self._record.counts["connections"] += 1
            try:
                await self._send({"authenticate": {"token": token}}, self._on_signed_in)
                async with asyncio.timeout(SILENCE_SECONDS) as patience:
                    heard = self._loop.time()
                    while True:
                        raw = await socket.recv(decode=False)
                        if (now := self._loop.time()) > heard + 1:
                            heard = now
                            patience.reschedule(now + SILENCE_SECONDS)
                        await self._take(raw)
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 0
            finally:
                self._socket, self._signed_in = None, False
                self._calls.clear()
                for reply in self._replies:
                    if not reply.done():
                        reply.set_exception(Lost("The connection ended before the reply."))
                if self._renewing:
                    self._renewing.cancel()
                for view in self.views.values():
                    view.syncing = False

    async def _send(self, command: Json, take: Callable[[Json], Awaitable[None]]) -> None:
        if self._socket is None:
            raise Lost("Not connected.")
        self._last_id += 1
        self._calls[self._last_id] = take
        with contextlib.suppress(ConnectionClosed):  # the reader is told as well, and sees to it
            await self._socket.send(msgspec.json.encode({"id": self._last_id, **command}), text=True)

    async def _take(self, raw: bytes) -> None:
        message: Json = _decode(raw)
        topic = message.get("topic") or message.get("ok", {}).get("topic", "")
        if topic.endswith(("/public", "/board")) and (found := PERSONAL.search(raw)):
            self._record.differs(f"{self.name} was told {found[0].decode()!r} on {topic}")
        if "id" in message:
            take = self._calls.pop(message["id"], None)
            if take:
                await take(message)
        elif topic:
            await self._take_push(self.views[topic], message)
        elif "disconnect" in message:
            self._not_before = self._loop.time() + message["disconnect"]["after_ms"] / 1000
        elif self._socket is not None:
            await self._socket.send("{}")
        self._tell_waiters()

    async def _take_push(self, view: View, push: Json) -> None:
        self._record.counts["messages"] += 1
        if "snapshot" in push:
            self._record.counts["conflated"] += 1
            view.replace(push)
            return
        done = view.take(push)
        if done == "apply":
            if not view.sparse:
                self._record.arrived(push, perf_counter())
            self.heard(view, push)
        elif done == "gap":
            await self._subscribe(view)

    def _tell_waiters(self) -> None:
        for waiter, condition in self._waiters.items():
            if not waiter.done() and condition():
                waiter.set_result(True)

    # ---- signing in

    async def _on_signed_in(self, message: Json) -> None:
        if "error" in message:
            return  # its close code follows
        ok = message["ok"]
        known, self.views = self.views, {}
        for topic in ok["topics"]:
            self.views[topic] = known.get(topic) or View(topic, self._tell)
        self._signed_in = True
        self._renew_before(ok["expires_ms"])
        for view in self.views.values():
            await self._subscribe(view)

    def _tell(self, sentence: str) -> None:
        self._record.differs(f"{self.name}, {sentence}")

    async def _subscribe(self, view: View) -> None:
        async def take(message: Json) -> None:
            if "error" in message:
                self._record.differs(f"{self.name} could not subscribe to {view.topic}: {message['error']['code']}")
                return
            self._record.counts["recovered" if message["ok"]["recovered"] else "snapshots"] += 1
            view.stand(message["ok"])

        await self._send({"subscribe": view.begin()}, take)

    def _renew_before(self, expires_ms: int) -> None:
        if expires_ms:
            self._renewing = asyncio.create_task(self._renew(max(RENEW_EARLY_MS, expires_ms - RENEW_EARLY_MS - _now_ms()) / 1000))

    async def _renew(self, after: float) -> None:
        async def take(message: Json) -> None:
            if "ok" in message:
                self._renew_before(message["ok"]["expires_ms"])

        await asyncio.sleep(after)
        with contextlib.suppress(Refused, Lost):  # then the server closes with 4401
            await self._send({"authenticate": {"token": await self._token()}}, take)


def _nothing(view: View, push: Json) -> None:
    """Nobody listens."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
