"""The shop that is rehearsed in: an account and a store of its own, its counter and its board; and its end."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from realtime.rehearse.http_client import Http, Lost, Refused
from realtime.rehearse.live_client import Live
from realtime.rehearse.record import Record
from realtime.rehearse.view import Json, View

PASSWORD_BYTES = 18
NAME = "A rehearsal"
DOMAIN = "example.org"
"""Nobody reads mail there (RFC 2606)."""
RENEW_SECONDS = 60.0
"""A token that lasts no longer than this is replaced."""
NEXT_CODE_SECONDS = 10.0
SCANNING = 3
"""So many hold their phones up to the screen at once; the others stand behind them."""
CLOSING_SECONDS = 60.0
LOOK_SECONDS = 0.1

COUNTED = {"joined", "called", "recalled", "serving", "done", "no_show", "returned", "left", "removed"}


class Shop:
    """The owner's side. `open` first."""

    def __init__(self, http: Http, record: Record) -> None:
        self.http = http
        self.store_id = ""
        self.deleted = False
        self.used: list[str] = []
        """Codes that somebody has joined with."""
        self.events: dict[int, Json] = {}
        """Every push to the counter, by seq."""
        self.at_screen = asyncio.Semaphore(SCANNING)
        self._record = record
        self._email = f"rehearsal+{secrets.token_hex(6)}@{DOMAIN}"
        self._password = secrets.token_urlsafe(PASSWORD_BYTES)
        self._token = ""
        self._good_until = 0.0
        self.counter = self.screen("the counter")
        self.board = Live(http.url, "the board", self._board_token, record)
        self.counter.heard = self._note
        self._link = ""

    @property
    def path(self) -> str:
        return f"/v1/stores/{self.store_id}"

    def screen(self, name: str) -> Live:
        """Another screen of the staff."""
        return Live(self.http.url, name, self.token, self._record)

    @property
    def view(self) -> View | None:
        return self.counter.view("owner")

    async def open(self, queues: tuple[str, ...]) -> None:
        """Sign up and open the store. Raises: Refused, Lost."""
        opened = await self.http.ask(
            "POST",
            "/v1/stores",
            {
                "name": NAME,
                "queues": [{"name": name} for name in queues],
                "timezone": "Europe/Berlin",
                "email": self._email,
                "password": self._password,
                "board_code": True,
            },
        )
        self.store_id = opened["store_id"]
        self._take(opened["tokens"])
        self._link = (await self.snapshot())["store"]["board_link"]

    async def token(self) -> str:
        """The owner's access token, a new one when it is time."""
        if time.monotonic() > self._good_until:
            self._take(await self.http.ask("POST", "/v1/login", {"email": self._email, "password": self._password}))
        return self._token

    def _take(self, tokens: Json) -> None:
        self._token = tokens["access_token"]
        self._good_until = time.monotonic() + max(tokens["expires_in"] / 2, tokens["expires_in"] - RENEW_SECONDS)

    async def _board_token(self) -> str:
        return self._link.partition("#")[2]

    async def ask(self, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        """A request in the owner's name; `path` begins after the store's. Raises: Refused, Lost."""
        return await self.http.ask(method, self.path + path, body, token=await self.token(), key=key)

    async def snapshot(self) -> Json:
        found: Json = await self.ask("GET", "")
        return found

    def _note(self, view: View, push: Json) -> None:
        self.events[push["seq"]] = push
        change = push.get("change", "")
        if change in COUNTED:
            self._record.counts[change] += 1
        self._record.counts["events"] += 1

    # ---- the code

    def code(self) -> str:
        """What the QR code on the screens says now: the later of the counter's and the board's."""
        found = [view.code for view in (self.view, self.board.view("board")) if view and view.code]
        shown: str = max(found, key=lambda code: code["number"])["link"] if found else ""
        return shown.rpartition("/")[2]

    async def next_code(self, after: str) -> None:
        """Waits until another code is on the screens."""
        await self.counter.until(lambda: self.code() not in ("", after), NEXT_CODE_SECONDS)

    # ---- the end

    async def close(self) -> str:
        """Close the store; the report, as text. Raises: Refused, Lost, TimeoutError."""
        await self.ask("DELETE", "")
        await self._closing(lambda view: view["state"] == "reported")
        answer = await self.http.send("GET", f"{self.path}/report", token=await self.token())
        return answer.body.decode("utf-8-sig")

    async def delete(self) -> Json:
        """Delete without delivery: nobody reads this shop's mail. The last ClosingView, with the receipt."""
        await self.ask("POST", "/delete")
        view = await self._closing(lambda view: view["state"] == "purged" and view["receipt"])
        self.deleted = True
        return view

    async def abandon(self) -> None:
        """Nothing is left behind, however far the evening came."""
        if not self.store_id or self.deleted:
            return
        try:
            await self.ask("DELETE", "")
        except Refused as error:
            if error.code != "store_closed":
                raise
        await self._closing(lambda view: view["state"] != "closing")
        await self.delete()

    async def closing(self) -> Json:
        view: Json = await self.ask("GET", "/closing")
        return view

    async def _closing(self, reached: Callable[[Json], Any]) -> Json:
        async with asyncio.timeout(CLOSING_SECONDS):
            while not reached(view := await self.closing()):  # noqa: ASYNC110 - over HTTP one has to ask
                await asyncio.sleep(LOOK_SECONDS)
        return view


Ask = Callable[[], Awaitable[Json]]


async def expect(record: Record, what: str, ask: Ask, code: str) -> None:
    """Notes a difference unless the server says no, with this code."""
    try:
        await ask()
    except Refused as refusal:
        if refusal.code == code:
            record.refusals[code] += 1
        else:
            record.differs(f"{what} was refused with {refusal.code}, not with {code}")
    except Lost as error:
        record.differs(f"{what} got no answer: {error}")
    else:
        record.differs(f"{what} was allowed, and should be refused with {code}")
