"""The client: it keeps one connection alive, comes back after every break, and tells what changed."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import random
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeAlias
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException

from realtime.client import refusals
from realtime.client.changes import Change, Changes
from realtime.client.connection import Connection, Hearer
from realtime.client.retry import Retry
from realtime.client.view import Json, View
from realtime.errors import Dropped, InvalidInput, NotSignedIn, NowServingError

RENEW_EARLY_SECONDS = 45.0

Token: TypeAlias = str | Callable[[], str | Awaitable[str]]


class Client:
    """A connection to one server's `/live` that keeps itself alive. Use with `async with`, or run `run` in a task of your own.

    It signs in, subscribes, answers pings, subscribes again to a topic that has a gap, and comes back after every
    break with what it knows, as the server asks or after a random time that grows. What cannot be mended by coming back ends it
    with an error of realtime.errors: NotSignedIn, NotAllowed, StoreNotFound, StoreClosed, BadMessage.

    Args:
        url: the server's address, `https://waitlist.example.org`.
        token: an access, live or board token, or what gives a fresh one, at once or awaited. A function is asked before each connection and
            before a sign-in ends. An error of realtime.errors from it whose `retry` is false ends the client; others, and OSError, are tried again.
        topics: what to subscribe to; left out, all that the token is for.
        view: makes the view of a topic.
        hearer: told everything that comes, for whoever needs more than views and changes.
        troubled: told what each connection ended with, and each attempt that failed.
        chance: a random number from 0 to 1 each time, for the pauses between attempts.
    """

    def __init__(
        self,
        url: str,
        token: Token,
        topics: Sequence[str] = (),
        *,
        view: Callable[[str], View] = View,
        hearer: Hearer | None = None,
        troubled: Callable[[NowServingError], None] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.views: dict[str, View] = {topic: view(topic) for topic in topics}
        """By topic. They stay when the connection ends."""
        self.signed_in: Json = {}
        """The server's last answer to the token: `as`, `store_id`, `topics`, `expires_ms`."""
        self.error: NowServingError | None = None
        """What ended it for good."""
        self.trouble: NowServingError | None = None
        """What the last connection, or attempt at one, ended with; None while connected."""
        self._url = live_url(url)
        self._token = token
        self._named = bool(topics)
        self._view = view
        self._hearer = hearer
        self._troubled = troubled
        self._loop = asyncio.get_running_loop()
        self._retry = Retry(chance)
        self._connection: Connection | None = None
        self._opened = False
        self._ready = False
        self._refused = 0
        self._awake = asyncio.Event()
        self._awake.set()
        self._closed = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._waiters: dict[asyncio.Future[None], Callable[[], bool]] = {}
        self._changes: weakref.WeakSet[Changes] = weakref.WeakSet()

    # ---- what its user does

    async def __aenter__(self) -> Self:
        """Connects, and waits until every topic is up to date. Raises: what ends the client for good."""
        self._running = asyncio.create_task(self._run_quietly())
        try:
            await self.when(lambda: self.caught_up)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    @property
    def connected(self) -> bool:
        """The handshake succeeded, and the socket is not known to be gone."""
        return self._connection is not None

    @property
    def caught_up(self) -> bool:
        """Connected, and every topic is up to date as far as can be known."""
        return self._ready and bool(self.views) and all(view.caught_up for view in self.views.values())

    async def ask(self, command: Json) -> Json:
        """Sends a command, `{"call_next": {...}}`; the `ok` of its reply. It is sent once at most, never again by itself.

        Raises:
            Dropped: there is no connection; nothing was sent.
            Unanswered: it was sent, and the connection was lost before the reply.
            TooMany: 32 commands wait for their replies already.
            NowServingError: the server refused, in its own words.
        """
        self._raise_if_over()
        if self._connection is None or not self._ready:
            raise Dropped("There is no connection at the moment, so nothing was sent.")
        return await self._connection.ask(command)

    async def subscribe(self, topic: str, since: tuple[str, int] | None = None) -> View:
        """Hears one more topic from now on, and waits until it is up to date.

        Args:
            since: the epoch and seq up to which it is known from elsewhere. If every event since can be given they come as
                changes, and the view knows only them.

        Raises: the server's refusal; Dropped: there is no connection.
        """
        self._raise_if_over()
        if topic not in self.views:
            if self._connection is None or not self._ready:
                raise Dropped("There is no connection at the moment, so nothing was sent.")
            view = self.views[topic] = self._view(topic)
            if since is not None:
                view.epoch, view.seq = since
            try:
                await (await self._connection.subscribe(view))
            except NowServingError as error:
                if not error.retry:
                    del self.views[topic]
                raise
            finally:
                # From now on the list is its user's, and no longer the token's.
                self._named = True
        await self.until(topic, lambda view: True)
        return self.views[topic]

    async def unsubscribe(self, topic: str) -> None:
        """Hears a topic no longer. Raises: as `ask`."""
        self._named = True
        self.views.pop(topic, None)
        await self.ask({"unsubscribe": {"topic": topic}})

    def changes(self, topic: str, most: int = 1000) -> Changes:
        """The changes of a topic from now on, to iterate over with `async for`. What it holds is bounded: see Changes."""
        found = Changes(topic, most)
        self._changes.add(found)
        if self.error is not None or self._closed.is_set():
            found.end(self.error)
        return found

    async def until(self, topic: str, predicate: Callable[[View], bool]) -> View:
        """Waits until a topic is up to date and its view is as the predicate wants it. For a limit use asyncio.timeout.

        Raises: what ended the client for good, or Dropped when it was closed.
        """
        await self.when(lambda: (view := self.views.get(topic)) is not None and view.caught_up and predicate(view))
        return self.views[topic]

    async def when(self, condition: Callable[[], bool]) -> None:
        """Waits until something that was heard, or the loss of the connection, makes the condition true. Raises: as `until`."""
        if condition():
            return
        self._raise_if_over()
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters[waiter] = condition
        try:
            await waiter
        finally:
            del self._waiters[waiter]

    async def pause(self, *, goodbye: bool = True) -> None:
        """Leaves and stays away until `resume`; without a goodbye as when the network is gone."""
        self._awake.clear()
        if self._connection is None:
            return
        if goodbye:
            await self._connection.close()
        else:
            self._connection.abort()

    def resume(self) -> None:
        """Comes back after `pause`."""
        self._awake.set()

    def lose(self) -> None:
        """Breaks the connection as a lost network does, and comes back by itself."""
        if self._connection is not None:
            self._connection.abort()

    async def close(self) -> None:
        """Ends it. Raises: what the token function, the hearer or the view broke with, where that ended it before."""
        self._closed.set()
        self._awake.set()
        if self._connection is not None:
            await self._connection.close()
        if self._running is not None:
            self._running.cancel()
            (broken,) = await asyncio.gather(self._running, return_exceptions=True)
            if isinstance(broken, Exception):
                raise broken
        self._finish()

    # ---- staying connected

    async def run(self) -> None:
        """Keeps it connected until `close`. Raises: what ends it for good."""
        try:
            while True:
                await self._awake.wait()
                if self._closed.is_set():
                    return
                began = self._loop.time()
                error = await self._converse()
                if self._closed.is_set() or not self._awake.is_set():
                    continue
                if self._retry.held(self._loop.time() - began):
                    self._refused = 0
                if isinstance(error, NotSignedIn) and self._opened and callable(self._token) and self._refused == 0:
                    self._refused += 1
                    continue
                self.trouble = error
                if self._troubled is not None:
                    self._troubled(error)
                if not error.retry:
                    self.error = error
                    raise error
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closed.wait(), self._retry.pause(self._loop.time(), error))
        finally:
            self._finish()

    async def _run_quietly(self) -> None:
        """Whoever waits or iterates is told the error."""
        with contextlib.suppress(NowServingError):
            await self.run()

    async def _converse(self) -> NowServingError:
        """One connection from its start to its end; what the end means."""
        connection = Connection(self.views, self)
        self._opened = False
        try:
            token = await self._fresh_token()
            await connection.open(self._url)
            if self._closed.is_set() or not self._awake.is_set():
                return Dropped()
            self._connection, self._opened, self.trouble = connection, True, None
            await connection.send({"authenticate": {"token": token}}, self._on_signed_in)
            ended = await connection.read()
        except NowServingError as error:
            return error
        except (OSError, TimeoutError, WebSocketException) as error:
            return Dropped(f"The server could not be reached: {error}")
        finally:
            self._connection, self._ready = None, False
            connection.abort()
            if self._renewing is not None:
                self._renewing.cancel()
            if connection.after_ms is not None:
                self._retry.told(self._loop.time(), connection.after_ms / 1000)
            self._look()
        return refusals.ended(*ended)

    async def _fresh_token(self) -> str:
        if isinstance(self._token, str):
            return self._token
        token = self._token()
        return await token if inspect.isawaitable(token) else token

    async def _on_signed_in(self, message: Json) -> None:
        if "error" in message:
            raise refusals.refusal(message["error"])
        self.signed_in = message["ok"]
        if not self._named:
            for topic in set(self.views) - set(self.signed_in["topics"]):
                del self.views[topic]
            for topic in self.signed_in["topics"]:
                if topic not in self.views:
                    self.views[topic] = self._view(topic)
        self._ready = True
        self._renew_before(self.signed_in["expires_ms"])
        if self._connection is not None:
            for view in list(self.views.values()):
                # Nobody waits for it, so its refusal ends the reading.
                (await self._connection.subscribe(view)).cancel()

    def _renew_before(self, expires_ms: int) -> None:
        if expires_ms and callable(self._token):
            self._renewing = asyncio.create_task(
                self._renew(max(RENEW_EARLY_SECONDS, expires_ms / 1000 - RENEW_EARLY_SECONDS - time.time()))
            )

    async def _renew(self, after: float) -> None:
        """If it fails, the server closes with 4401 when the old sign-in ends."""

        async def take(message: Json) -> None:
            if "ok" in message:
                self._renew_before(message["ok"]["expires_ms"])

        await asyncio.sleep(after)
        with contextlib.suppress(NowServingError, OSError):
            token = await self._fresh_token()
            if self._connection is not None:
                await self._connection.send({"authenticate": {"token": token}}, take)

    # ---- what the connection tells

    def opened(self) -> None:
        """For the connection."""
        if self._hearer is not None:
            self._hearer.opened()

    def text(self, raw: bytes, message: Json) -> None:
        """For the connection."""
        if self._hearer is not None:
            self._hearer.text(raw, message)

    def stands(self, view: View, reply: Json) -> None:
        """For the connection."""
        if self._hearer is not None:
            self._hearer.stands(view, reply)
        if reply.get("recovered"):
            for push in reply["events"]:
                self._put(Change(view.topic, push["seq"], push))
        else:
            self._put(Change(view.topic, reply["seq"], {}, whole=True))
        self._look()

    def changed(self, view: View, push: Json) -> None:
        """For the connection."""
        if self._hearer is not None:
            self._hearer.changed(view, push)
        self._put(Change(view.topic, push["seq"], push))
        self._look()

    def _put(self, change: Change) -> None:
        for changes in self._changes:
            if changes.topic == change.topic:
                changes.put(change)

    def _look(self) -> None:
        for waiter, condition in self._waiters.items():
            if waiter.done():
                continue
            try:
                if condition():
                    waiter.set_result(None)
            except Exception as error:  # noqa: BLE001 - another's predicate; it is told its own error, and the connection goes on
                waiter.set_exception(error)

    def _raise_if_over(self) -> None:
        if self.error is not None:
            raise self.error
        if self._closed.is_set():
            raise Dropped("The client is closed.")

    def _finish(self) -> None:
        """Nothing comes any more: whoever waits is told."""
        self._closed.set()
        self._look()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(self.error or Dropped("The client is closed."))
        for changes in self._changes:
            changes.end(self.error)


def live_url(url: str) -> str:
    """The address of the socket of a server: `http` becomes `ws`, and `/live` is put behind. Raises: InvalidInput."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.netloc:
        raise InvalidInput("Give the server's address with http:// or https://.", field="url")
    path = parts.path.rstrip("/")
    return f"{scheme}://{parts.netloc}{path if path.endswith('/live') else path + '/live'}"
