"""All parts of one process at work without a server: a clock that tests move, a notifier that does as it is told, sockets in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import msgspec

from notifiers import csv_report, html_report
from realtime import app
from realtime.accounts import SignedIn
from realtime.app import Parts, make_storage, running
from realtime.frames import texts
from realtime.hookspecs import AccountNotice, JoinFacts, Notifier, Outcome, OutgoingDelivery, Sent, StoreClosed, TicketNotice, hookimpl
from realtime.live import Granted
from realtime.messages import Join, Joined, OpenStore, Party, QueueDraft, ScanCode
from realtime.model import Delivery, Event
from realtime.operations import accounts, codes, stores
from realtime.registry import Registry
from realtime.settings import Settings
from tests.plugins.office import GROUP
from tests.support.waiting import until_async

BASE = "http://127.0.0.1:8000"
PASSWORD = "four red lanterns"
SECRET = "k" * 40
PHONE = "key of one phone"


class Clock:
    """The time of day, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead_ms = 0
        self._real = app.now_ms

    def __call__(self) -> int:
        return self._real() + self.ahead_ms


class Post:
    """A notifier that keeps what it is given, and answers with what stands in `answers`, then with `Sent`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.given: list[OutgoingDelivery] = []
        self.answers: list[Outcome] = []
        self.open = asyncio.Event()
        self.open.set()
        """Cleared: it hangs."""

    async def deliver(self, delivery: OutgoingDelivery) -> Outcome:
        self.given.append(delivery)
        await self.open.wait()
        return self.answers.pop(0) if self.answers else Sent()

    def to(self, recipient: str) -> list[OutgoingDelivery]:
        return [each for each in self.given if each.delivery.recipient == recipient]


class Office:
    """A plugin with two notifiers: `mail` for owners and parties with an address, `text` for parties with a phone. It refuses Mallory."""

    def __init__(self, *, carries_report: bool = True) -> None:
        self.mail, self.text = Post("mail"), Post("text")
        self._carries_report = carries_report

    @hookimpl
    def register_notifiers(self) -> list[Notifier]:
        return [self.mail, self.text]

    @hookimpl
    def check_join(self, join: JoinFacts) -> str | None:
        return "Not you again." if join.name == "Mallory" else None

    @hookimpl
    def compose_ticket_notice(self, notice: TicketNotice) -> list[Delivery]:
        ticket = notice.ticket
        body: dict[str, str | int | bool] = {"label": ticket.label, "ahead": ticket.ahead, "link": notice.link}
        ways = (("text", ticket.phone), ("mail", ticket.email))
        return [Delivery(way, recipient, notice.moment, body) for way, recipient in ways if recipient]

    @hookimpl
    def compose_account_notice(self, notice: AccountNotice) -> Delivery:
        return Delivery("mail", notice.email, notice.moment, {"link": notice.link})

    @hookimpl
    def compose_store_closed(self, closed: StoreClosed) -> Delivery | None:
        if not self._carries_report:
            return None
        return Delivery("mail", closed.owner_email, "store_closed", {"tickets": closed.counts.tickets}, needs_report=True)


class Phone:
    """A socket in memory: what was written to it, as JSON."""

    fd = -1

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.closed: int | None = None

    def write(self, data: bytes) -> None:
        if self.closed is None:
            self.data.append(data)

    def buffered_bytes(self) -> int:
        return 0

    def close(self, code: int, reason: str = "") -> None:
        self.closed = self.closed or code

    def abort(self) -> None:
        self.closed = self.closed or 1006

    @property
    def said(self) -> list[dict[str, Any]]:
        """Everything but who looks, the first being what it was sent when it subscribed."""
        said = (msgspec.json.decode(text) for data in self.data for text in texts(data))
        return [text for text in said if "presence" not in text]

    @property
    def pushes(self) -> list[dict[str, Any]]:
        return self.said[1:]

    async def hears(self, count: int) -> list[dict[str, Any]]:
        """Waits for so many pushes, and returns them."""
        await until_async(lambda: len(self.pushes) >= count, what=f"{count} pushes")
        return self.pushes


class Owned:
    """An owner and the store they opened."""

    def __init__(self, account_id: str, store_id: str, email: str, signed_in: SignedIn) -> None:
        self.account_id = account_id
        self.store_id = store_id
        self.email = email
        self.signed_in = signed_in

    @property
    def token(self) -> str:
        return self.signed_in.tokens.access_token


def topic(owned: Owned, audience: str = "owner") -> str:
    return f"store/{owned.store_id}/{audience}"


class Evening:
    def __init__(self, parts: Parts, clock: Clock, office: Office) -> None:
        self.parts = parts
        self.clock = clock
        self.office = office
        self.storage = parts.storage
        self.live = parts.live
        self.reception = parts.reception
        self.accounts = parts.accounts
        self.closing = parts.closing
        self.keys = parts.keys

    async def open(self, email: str = "luigi@example.com", *, confirmed: bool = False, **store: Any) -> Owned:
        """Somebody signs up and opens a store with two queues."""
        wanted = {"timezone": "Europe/Rome", "queues": [QueueDraft("Table for two"), QueueDraft("Bar")], **store}
        request = OpenStore("Luigi's", email=email, password=PASSWORD, **wanted)
        store_id, signed_in = await self.accounts.sign_up_and_open(request, base=BASE)
        owned = Owned(signed_in.account.id, store_id, email, signed_in)
        if confirmed:
            await self.accounts.confirm(await self.link(email, "confirm_email"))
        return owned

    async def link(self, email: str, moment: str) -> str:
        """The token in the newest link that was mailed to an address."""
        sent = await until_async(lambda: [each for each in self.office.mail.to(email) if each.delivery.moment == moment], what="the mail")
        return str(sent[-1].delivery.body["link"]).partition("#")[2]

    async def code(self, owned: Owned) -> str:
        """The code on show."""
        code = await self.storage.read(codes.current, owned.store_id)
        assert code is not None, "the store shows no code"
        return self.keys.code(owned.store_id, code.number)

    async def join(self, owned: Owned, *names: str, key: str = PHONE, queue: str = "A", **party: Any) -> Joined:
        """A phone scans the code on show and joins with it."""
        code = await self.code(owned)
        await self.reception.scan(code, ScanCode(key), (), base=BASE)
        parties = [Party(name, queue, **party) for name in names or ("Ann",)]
        return await self.reception.join(Join(code, key, parties), base=BASE)

    async def granted(self, owned: Owned) -> Granted:
        """What the owner's socket may hear."""
        return await self.live.authenticate(owned.token)

    async def listen(self, granted: Granted, topic: str, since: tuple[str, int] | None = None, phone: Phone | None = None) -> Phone:
        """A socket that subscribed."""
        phone = phone or Phone()
        await self.live.subscribe(granted, topic, since, phone, lambda body: body, BASE)
        return phone

    async def is_confirmed(self, owned: Owned) -> bool:
        return bool((await self.storage.read(accounts.one, owned.account_id)).confirmed)


class Elsewhere:
    """Another process of the same store: it commits, and nobody here is told but by the test."""

    def __init__(self, evening: Evening, owned: Owned) -> None:
        self._evening = evening
        self._owned = owned

    async def edit(self, name: str) -> Event:
        change = stores.StoreChange(name=name)
        evening, owned = self._evening, self._owned
        made = await evening.storage.write(stores.edit, owned.store_id, owned.account_id, change, evening.clock())
        event: Event = made.events[0]
        return event


async def settle_down(evening: Evening) -> None:
    """Lets what is on its way arrive: what was told before this call was published, and read, when it returns."""
    for _ in range(5):
        await evening.storage.read(stores.unfinished)
        await asyncio.sleep(0)


@asynccontextmanager
async def an_evening(
    database_url: str, *, office: Office | None = None, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[Evening]:
    """One process. A second one on the same database knows the same secrets."""
    clock, office = clock or Clock(), office or Office()
    wanted = {"database_url": database_url, "secret_key": SECRET, "drain_seconds": 2, "flush_window_ms": 0, "postgres_pool": 3, **settings}
    chosen = await asyncio.to_thread(partial(Settings.defaults, **wanted))
    plugins = (("office", office), ("csv_report", csv_report), ("html_report", html_report))
    registry = await asyncio.to_thread(partial(Registry.load, chosen, plugins, group=GROUP))
    storage = await asyncio.to_thread(make_storage, chosen)
    with patch.object(app, "now_ms", clock):
        async with running(chosen, storage, registry) as parts:
            yield Evening(parts, clock, office)
