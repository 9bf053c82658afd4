"""The end of a store: closing, report, deliveries settled, deletion, receipt. Every step is done once and can be taken up again after a crash."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec

from realtime.checked_file import CheckedFile
from realtime.clerk import Clerk, Tasks
from realtime.closing_messages import ClosingView, ReportFileView
from realtime.courier import report_chunks
from realtime.errors import NotFound, NotReported, NowServingError, StoreClosed
from realtime.hookspecs import ClosedStore, FileFacts, QueueFacts, StoreFacts
from realtime.hookspecs import StoreClosed as ClosedFacts
from realtime.house import House
from realtime.keys import Keys
from realtime.live import Live
from realtime.model import Account, Delivery, JobState, MadeFile, Receipt, Store, StoreState
from realtime.operations import jobs, reports, snapshots, stores
from realtime.registry import Registry
from realtime.report import Summary
from realtime.storage.statement import Storage

_log = logging.getLogger("nowserving.closing")

PAGE = 500
"""Tickets that are read, and written to the report, at once."""
DELETED_AT_ONCE = 1000
MAIN_FILE = "report.csv"
LONGEST_NAP_S = 10.0
"""However far the next closing is, clocks may jump; stores that began to close elsewhere are looked at as often."""
RETRY_S = 2.0
_DELETED = "The report was deleted together with the store's data."


class Closing:
    """Closes stores by hand and when their time is over, and sees each through to its receipt. One per process; several may work."""

    def __init__(
        self,
        storage: Storage,
        clerk: Clerk,
        keys: Keys,
        registry: Registry,
        live: Live,
        house: House,
        tasks: Tasks,
        wake_courier: Callable[[], None],
        clock_ms: Callable[[], int],
    ) -> None:
        self._storage = storage
        self._clerk = clerk
        self._keys = keys
        self._registry = registry
        self._live = live
        self._house = house
        self._tasks = tasks
        self._wake_courier = wake_courier
        self._now = clock_ms
        self._driven: set[str] = set()
        self._again: set[str] = set()

    # ---- what the owner may do

    async def close(self, account_id: str, store_id: str) -> ClosingView:
        """Close a store. From this moment nobody can join.

        Raises:
            StoreClosed: it is closed already.
            NotAllowed, StoreNotFound
        """
        await self._storage.read(stores.owned, store_id, account_id)
        await self._clerk.change(stores.close, store_id, self._now())
        self.drive(store_id)
        return await self.view(account_id, store_id)

    async def view(self, account_id: str, store_id: str) -> ClosingView:
        """How far the closing is. Raises: NotAllowed, StoreNotFound."""
        store, known, files, standings, receipt = await self._storage.read(reports.overview, store_id, account_id)
        deliveries: list[dict[str, Any]] = [
            {
                "notifier": each.notifier,
                "recipient": each.recipient,
                "state": "held" if each.held else each.state.value,
                "attempts": each.attempts,
                "outcome": each.outcome,
                "due_ms": 0 if each.held else each.due_ms,
            }
            for each in standings
        ]
        return ClosingView(
            store_id,
            store.state,
            known.tickets,
            _main(files).sha256 if files else "",
            deliveries,
            _waits_for(store.state, standings),
            msgspec.json.decode(receipt) if receipt else None,
            [ReportFileView(f.name, f.media_type, f.bytes, f.sha256, f.about) for f in files if store.state is StoreState.REPORTED],
        )

    async def resend(self, account_id: str, store_id: str) -> ClosingView:
        """Try the report's delivery again now. Raises: NotReported, NotAllowed, StoreNotFound."""
        store = await self._storage.read(stores.owned, store_id, account_id)
        _must_be_reported(store)
        files = await self._storage.read(reports.files, store_id)
        if not await self._clerk.change(reports.send_again, store_id, await self._compose(store, files), self._now()):
            raise NotReported
        self._wake_courier()
        return await self.view(account_id, store_id)

    async def delete(self, account_id: str, store_id: str) -> ClosingView:
        """Delete the store's data although its report was not delivered. Raises: NotReported, NotAllowed, StoreNotFound."""
        store = await self._storage.read(stores.owned, store_id, account_id)
        _must_be_reported(store)
        await self._clerk.change(reports.decide, store_id, self._now())
        self.drive(store_id)
        return await self.view(account_id, store_id)

    async def report(self, account_id: str, store_id: str, name: str = "") -> tuple[MadeFile, AsyncIterator[str]]:
        """One of the report's files, to be downloaded, and its text in parts; report.csv where none is named.

        Raises:
            NotReported: it is not made yet.
            NotFound: it was deleted with the store's data, or there is none of this name.
            NotAllowed, StoreNotFound
        """
        store = await self._storage.read(stores.owned, store_id, account_id)
        if store.state in (StoreState.OPEN, StoreState.CLOSING):
            raise NotReported
        files = await self._storage.read(reports.files, store_id)
        if not files or store.state is not StoreState.REPORTED:
            raise NotFound(_DELETED)
        file = next((each for each in files if each.name == name), None) if name else _main(files)
        if file is None:
            raise NotFound(f"The report has no file of this name. It has {_listed([each.name for each in files])}.")
        return file, self._text(store_id, file)

    async def _text(self, store_id: str, file: MadeFile) -> AsyncIterator[str]:
        left = file.bytes
        async for chunk in report_chunks(self._storage, store_id, file.name):
            left -= len(chunk)
            yield chunk.decode()
        if left:  # a report that ends too early must not look whole
            raise NotFound(_DELETED)

    async def receipts(self, account_id: str) -> list[dict[str, Any]]:
        """The account's receipts, newest first."""
        return [msgspec.json.decode(body) for body in await self._storage.read(reports.receipts, account_id)]

    def verify(self, receipt: Receipt, signature: str) -> bool:
        """Whether this installation signed this receipt."""
        return self._keys.signed(msgspec.json.encode(receipt).decode(), signature)

    # ---- by itself

    async def run(self) -> None:
        """Take up what was left unfinished, and close stores whose time is over. Runs until it is cancelled."""
        while True:
            nap_s = LONGEST_NAP_S
            try:
                for store_id in await self._storage.read(stores.due, self._now(), 100):
                    await self._close_due(store_id)
                for store_id in await self._storage.read(stores.unfinished):
                    self.drive(store_id)
                next_ms = await self._storage.read(stores.next_close_ms)
                if next_ms is not None:
                    nap_s = min(max((next_ms - self._now()) / 1000, 0.05), nap_s)
            except NowServingError as error:
                _log.warning("Stores to be closed could not be read, trying again soon: %s", error.message)
                nap_s = RETRY_S
            await asyncio.sleep(nap_s)

    async def _close_due(self, store_id: str) -> None:
        try:
            await self._clerk.change(stores.close, store_id, self._now())
        except StoreClosed:
            return
        _log.info("Store %s closed by itself: its time was over.", store_id)

    async def settled(self, store_id: str) -> None:
        """A delivery of a store's report has ended."""
        self.drive(store_id)

    def drive(self, store_id: str) -> None:
        """Take a closing store as far as it will go now."""
        if store_id in self._driven:
            self._again.add(store_id)
            return
        self._driven.add(store_id)
        self._tasks.start(f"closing store {store_id}", self._drive(store_id))

    async def _drive(self, store_id: str) -> None:
        try:
            while True:
                self._again.discard(store_id)
                try:
                    moved = await self._step(store_id)
                except NowServingError as error:
                    if not error.retry:
                        raise
                    _log.warning("Closing store %s goes on in a moment: %s", store_id, error.message)
                    await asyncio.sleep(RETRY_S)
                    continue
                if not moved and store_id not in self._again:
                    return
        finally:
            self._driven.discard(store_id)

    async def _step(self, store_id: str) -> bool:
        """One step further; False when there is none to take now."""
        store = await self._storage.read(stores.one, store_id)
        match store.state:
            case StoreState.CLOSING:
                await self._make_report(store)
                return True
            case StoreState.REPORTED:
                standings = await self._storage.read(jobs.of_report, store_id)
                if not standings or any(each.state is not JobState.DONE for each in standings):
                    return False
                return await self._clerk.change(reports.settle, store_id, self._now()) is not None
            case StoreState.SETTLED:
                await self._purge(store)
                return True
        return False

    async def _make_report(self, store: Store) -> None:
        queues = tuple(
            QueueFacts(id=queue.id, name=queue.name, waiting_text=queue.waiting_text, end_text=queue.end_text)
            for queue in await self._storage.read(snapshots.queues, store.id)
        )
        known = await self._storage.read(reports.standing, store.id)
        closed = ClosedStore(
            id=store.id,
            name=store.name,
            timezone=store.timezone,
            queues=queues,
            opened_ms=store.opened_ms,
            closed_ms=known.closed_ms,
        )
        composed = await asyncio.to_thread(self._registry.compose_report, closed)
        files = [_File(file, self._storage, store.id) for file in composed]
        summary = Summary()
        for file in files:
            await file.add(await asyncio.to_thread(file.source.header))
        after = 0
        while page := await self._storage.read(reports.page, store.id, after, PAGE):
            after = page[-1].id
            summary.add(page)
            for file in files:
                await file.add(await asyncio.to_thread(file.source.rows, page), len(page))
        for file in files:
            await file.add(await asyncio.to_thread(file.source.footer))
        made = [file.made() for file in files if not file.source.broken]
        counts = summary.counts()
        compose = await self._compose(store, made, summary)
        await self._clerk.change(reports.finish, store.id, counts.tickets, made, compose, self._now())
        self._wake_courier()

    async def _compose(self, store: Store, made: Sequence[MadeFile], summary: Summary | None = None) -> reports.Compose:
        if summary is None:
            summary, after = Summary(), 0
            while page := await self._storage.read(reports.page, store.id, after, PAGE):
                after = page[-1].id
                summary.add(page)
        known = await self._storage.read(reports.standing, store.id)
        counts = summary.counts()

        def compose(account: Account) -> Sequence[Delivery]:
            return self._registry.compose_store_closed(
                ClosedFacts(
                    store=StoreFacts(id=store.id, name=store.name, timezone=store.timezone),
                    owner_email=account.email,
                    confirmed=account.confirmed,
                    opened_ms=store.opened_ms,
                    closed_ms=known.closed_ms,
                    counts=counts,
                    files=tuple(
                        FileFacts(name=f.name, media_type=f.media_type, rows=f.tickets, bytes=f.bytes, sha256=f.sha256, about=f.about)
                        for f in made
                    ),
                    link=f"{self._house.base}/account",
                )
            )

        return compose

    async def _purge(self, store: Store) -> None:
        known = await self._storage.read(reports.standing, store.id)
        files = await self._storage.read(reports.files, store.id)
        while await self._storage.write(reports.delete_some, store.id, DELETED_AT_ONCE):
            _log.debug("Deleting the data of store %s", store.id)
        # Before the receipt says so: nothing of what was deleted is left in the write-ahead log either.
        await self._storage.scrub()
        receipt = Receipt(
            store.id,
            store.opened_ms,
            known.closed_ms,
            self._now(),
            known.tickets,
            {file.name: file.sha256 for file in files},
            known.delivered,
        )
        text = msgspec.json.encode(receipt).decode()
        body = msgspec.json.encode({"receipt": receipt, "signature": self._keys.sign(text)}).decode()
        if await self._clerk.change(reports.purge_and_tell, store.id, store.account_id, body, self._now()):
            _log.info("The data of store %s is deleted; the receipt is kept.", store.id)
        self._live.end(store.id)


class _File:
    """A report file on its way into the database, a part at a time."""

    def __init__(self, source: CheckedFile, storage: Storage, store_id: str) -> None:
        self.source = source
        self._storage = storage
        self._store_id = store_id
        self._parts = self._bytes = self._tickets = 0
        self._sha256 = hashlib.sha256()

    async def add(self, text: str, tickets: int = 0) -> None:
        self._tickets += tickets
        if text and not self.source.broken:
            raw = text.encode()
            self._sha256.update(raw)
            self._bytes += len(raw)
            await self._storage.write(reports.put, self._store_id, self.source.name, self._parts, text)
            self._parts += 1

    def made(self) -> MadeFile:
        return MadeFile(self.source.name, self.source.media_type, self._tickets, self._bytes, self._sha256.hexdigest(), self.source.about)


def _main(files: Sequence[MadeFile]) -> MadeFile:
    """The file that whoever names none means."""
    return next((file for file in files if file.name == MAIN_FILE), files[0])


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _must_be_reported(store: Store) -> None:
    if store.state is StoreState.OPEN:
        raise NotReported("The store is still open. Close it first; then its report is made.")
    if store.state is StoreState.PURGED:
        raise NotReported("This store's data is deleted already; its receipt is all that is left.")
    if store.state is StoreState.CLOSING:
        raise NotReported


def _waits_for(state: StoreState, standings: Sequence[jobs.Standing]) -> str:
    if state is StoreState.CLOSING:
        return "report"
    if state is not StoreState.REPORTED:
        return ""
    if any(each.held for each in standings):
        return "confirmation"
    if not standings or any(
        each.state is not JobState.DONE and each.state is not JobState.WAITING and each.state is not JobState.LEASED for each in standings
    ):
        return "decision"
    return "delivery"
