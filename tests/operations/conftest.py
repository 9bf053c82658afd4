"""A shop to try operations on: an account, an open store with two queues, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from realtime.app import make_storage
from realtime.keys import Keys, digest
from realtime.model import Delivery, Ticket
from realtime.operations import accounts, codes, joining, stores, tickets
from realtime.operations.changes import Change, Moment
from realtime.settings import Settings
from realtime.storage.statement import Storage
from tests.support.desk import Desk

FAR_MS = 10**13


class Owes:
    """Rules that owe an SMS to whoever left a phone number, and refuse whoever is called Mallory."""

    def check(self, moment: Moment) -> str | None:
        return "Not you again." if moment.ticket.name == "Mallory" else None

    def compose(self, moment: Moment) -> Sequence[Delivery]:
        phone = moment.ticket.phone
        return [Delivery("sms", phone, moment.kind, {"ticket": moment.ticket.label, "ahead": moment.ahead})] if phone else []


class Shop:
    store_id = "shop"
    account_id = "owner"

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.keys = Keys("k" * 40)
        self.rules = Owes()

    async def open(self, store_id: str = store_id, account_id: str = account_id) -> Change:
        session = accounts.Session(f"token of {account_id}", f"family of {account_id}", FAR_MS)
        await self.storage.write(accounts.make, account_id, f"{account_id}@example.org", "hash", session, 1)
        queues = [stores.NewQueue("Table for two"), stores.NewQueue("Bar")]
        new = stores.NewStore("Luigi's", "", "Europe/Rome", "#0B6E4F", 3, False, queues)
        return await self.storage.write(stores.open_store, store_id, account_id, "epoch", new, self.keys.code_hash, 1_000, FAR_MS, FAR_MS)

    async def add(self, name: str = "Ann", queue: str = "A", phone: str = "", now_ms: int = 2_000) -> Ticket:
        """A walk-in."""
        guest = joining.Guest(queue, name, phone, "", 2)
        change = await self.storage.write(joining.join, self.store_id, (guest,), None, self.rules, now_ms)
        ticket: Ticket = change.value[0]
        return ticket

    async def call_next(self, desk: str = "Desk 1", queue: str = "A", now_ms: int = 3_000) -> Change:
        return await self.storage.write(tickets.call_next, self.store_id, queue, desk, self.rules, now_ms)

    def code(self, number: int) -> str:
        return digest(self.keys.code(self.store_id, number))

    async def scan(self, number: int, phone: str, now_ms: int = 2_000) -> Change:
        args = self.store_id, self.code(number), phone, self.keys.code_hash, now_ms, now_ms + 1_000, FAR_MS
        return await self.storage.write(codes.scan, *args)

    async def join(self, number: int, phone: str, names: Sequence[str] = ("Ann",), now_ms: int = 2_500) -> Change:
        guests = tuple(joining.Guest("A", name, "", "", 1) for name in names)
        proof = joining.Proof(self.code(number), phone)
        return await self.storage.write(joining.join, self.store_id, guests, proof, self.rules, now_ms)


@pytest.fixture
def unopened(database_url: str) -> Storage:
    return make_storage(msgspec.structs.replace(Settings.load({}, None), database_url=database_url, postgres_pool=2))


@pytest.fixture
async def storage(unopened: Storage) -> AsyncIterator[Storage]:
    await unopened.open()
    yield unopened
    await unopened.close()


@pytest.fixture
async def shop(storage: Storage) -> Shop:
    shop = Shop(storage)
    await shop.open()
    return shop


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    settings = await asyncio.to_thread(lambda: Settings.defaults(database_url=database_url, postgres_pool=2))
    storage = await asyncio.to_thread(make_storage, settings)
    await storage.open()
    yield Desk(storage)
    await storage.close()
