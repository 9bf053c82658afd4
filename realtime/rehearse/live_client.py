"""One live connection as the browser holds it, with every message counted and whatever is wrong with one noted."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections.abc import Awaitable, Callable
from time import perf_counter

from realtime import client
from realtime.errors import Dropped, NotSignedIn, NowServingError, Overloaded
from realtime.rehearse.evening import MAILS, MARK, PHONES
from realtime.rehearse.http_client import Lost, Refused
from realtime.rehearse.record import Record
from realtime.rehearse.view import Json, View

PERSONAL = re.compile("|".join(map(re.escape, (f"{MARK} ", PHONES, MAILS))).encode())

Token = Callable[[], Awaitable[str]]


class Live:
    """One client. `run` keeps it connected until `close()` or a final answer."""

    def __init__(self, url: str, name: str, token: Token, record: Record) -> None:
        self.name = name
        """What it is called where something is wrong with it."""
        self.views: dict[str, View] = {}
        self.heard: Callable[[View, Json], None] = _nothing
        """Told every push that was applied as it came."""
        self._token = token
        self._record = record
        self._open = False
        chance = random.Random(name).random
        self._client = client.Client(url, self._fresh_token, view=self._view, hearer=self, troubled=self._troubled, chance=chance)

    # ---- what its user does

    @property
    def final(self) -> int:
        """The close code that ended it for good; 0 before."""
        error = self._client.error
        return (error.close_code or NotSignedIn.close_code or 0) if error else 0

    @property
    def refused(self) -> bool:
        """The server had no room for it when it last tried."""
        return isinstance(self._client.trouble, Overloaded)

    @property
    def caught_up(self) -> bool:
        """Connected, and every topic is up to date as far as can be known."""
        return self._client.caught_up

    @property
    def connected(self) -> bool:
        return self._client.connected

    def view(self, audience: str) -> View | None:
        """The topic `store/ID/audience`, or the party's own for "own"."""
        for topic, view in self.views.items():
            if topic.endswith("/" + audience) or (audience == "own" and view.sparse):
                return view
        return None

    async def lock(self) -> None:
        """The screen goes dark: the page says goodbye and stays away until `wake`."""
        await self._client.pause()

    async def lose(self) -> None:
        """The network is gone: nobody says goodbye."""
        await self._client.pause(goodbye=False)

    def wake(self) -> None:
        self._client.resume()

    async def close(self) -> None:
        """The page is closed."""
        await self._client.close()

    async def ask(self, command: Json) -> Json:
        """Sends a command; its reply's `ok`. Raises: Refused, Lost."""
        try:
            return await self._client.ask(command)
        except Dropped as error:
            raise Lost(error.message) from error
        except NowServingError as error:
            raise Refused(0, error.code, error.message) from error

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Waits until something it heard makes the condition true; False when that took too long."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._client.when(condition)
        except TimeoutError:
            return False
        except NowServingError:
            # It is over; the evening is not.
            return condition()
        return True

    async def run(self) -> None:
        with contextlib.suppress(NowServingError):
            await self._client.run()

    # ---- what the client asks and tells

    async def _fresh_token(self) -> str:
        try:
            return await self._token()
        except Refused as error:
            # Without a token there is nothing to come back for.
            self._record.differs(f"{self.name} could not come back: {error}")
            raise NotSignedIn(str(error)) from error
        except Lost as error:
            raise Dropped(str(error)) from error

    def _view(self, topic: str) -> View:
        view = self.views[topic] = View(topic, self._tell)
        return view

    def _tell(self, sentence: str) -> None:
        self._record.differs(f"{self.name}, {sentence}")

    def _troubled(self, error: NowServingError) -> None:
        if not self._open:
            self._record.counts["connections refused"] += 1
        self._open = False

    def opened(self) -> None:
        self._open = True
        self._record.counts["connections"] += 1

    def text(self, raw: bytes, message: Json) -> None:
        topic = message.get("topic") or message.get("ok", {}).get("topic", "")
        if topic.endswith(("/public", "/board")) and (found := PERSONAL.search(raw)):
            self._record.differs(f"{self.name} was told {found[0].decode()!r} on {topic}")
        if "id" not in message and topic:
            self._record.counts["messages"] += 1

    def stands(self, view: client.View, reply: Json) -> None:
        how = "conflated" if "conflated" in reply else "recovered" if reply["recovered"] else "snapshots"
        self._record.counts[how] += 1

    def changed(self, view: client.View, push: Json) -> None:
        if not view.sparse:
            self._record.arrived(push, perf_counter())
        self.heard(self.views[view.topic], push)


def _nothing(view: View, push: Json) -> None:
    """Nobody listens."""
