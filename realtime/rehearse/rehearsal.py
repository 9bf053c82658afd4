"""One rehearsal from its first request to its last: everybody comes, the evening is played, what everyone sees is checked, the store closes."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import secrets
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from realtime.rehearse.check import Shown, compare, compare_answer, compare_report, compare_server
from realtime.rehearse.clock import Clock
from realtime.rehearse.desk import Counter, Desk
from realtime.rehearse.evening import MARK, Arrival, Evening
from realtime.rehearse.guest import Guests, Phone, party
from realtime.rehearse.http_client import Http, Lost, Refused
from realtime.rehearse.live_client import Live
from realtime.rehearse.record import Record
from realtime.rehearse.shop import Shop, expect
from realtime.rehearse.truth import Truth, from_database, from_server, left
from realtime.rehearse.view import View

CONNECT_SECONDS = 30.0
SETTLE_SECONDS = 30.0
GOODBYE_SECONDS = 15.0
ABANDON_SECONDS = 15.0
LOOK_SECONDS = 0.05
CLOSED = 4410


class Rehearsal:
    """Use with `async with`, then `play`, `check`, `close`. Differences are in `record`.

    Args:
        database: the server's SQLite file, where it can be read.
    """

    def __init__(self, evening: Evening, speed: float, url: str, database: Path | None = None) -> None:
        self.evening = evening
        self.record = Record()
        self.phase = "opening"
        self.desks: list[Desk] = []
        self.phones: list[Phone] = []
        self.truth: Truth | None = None
        self._database = database
        self._http = Http(url)
        self.shop = Shop(self._http, self.record)
        self.clock = Clock(speed)
        self._speed = speed
        self._auditor = self.shop.screen("a fresh screen")
        self._lives: list[Live] = []
        self._running = asyncio.TaskGroup()
        self._stack = contextlib.AsyncExitStack()

    # ---- the shop opens

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._http)
        await self._stack.enter_async_context(self._running)
        try:
            await self.shop.open(self.evening.queues)
            await self._join(self.shop.counter, self.shop.board)
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        # Until now nobody came, so nothing happened that a screen would show.
        if view := self.shop.view:
            self.shop.events.update((seq, {}) for seq in range(1, view.seq + 1) if seq not in self.shop.events)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if not self.shop.deleted:
                with contextlib.suppress(Refused, Lost, TimeoutError):
                    async with asyncio.timeout(ABANDON_SECONDS):
                        await self.shop.abandon()
            await asyncio.gather(*(live.close() for live in self._lives))
        finally:
            # What ended it is told by whoever runs it; the clients end as they are closed.
            await self._stack.aclose()

    def _start(self, live: Live) -> None:
        self._lives.append(live)
        self._running.create_task(live.run())

    async def _join(self, *lives: Live) -> None:
        for live in lives:
            self._start(live)
        for live in lives:
            if not await live.until(_caught_up(live), CONNECT_SECONDS):
                raise Lost(f"{live.name} could not connect to /live")

    @property
    def waits(self) -> int:
        """How often the server asked for patience."""
        return self._http.waits

    @property
    def sockets(self) -> int:
        return sum(live.connected for live in self._lives)

    # ---- the evening

    async def play(self) -> None:
        self.phase = "playing"
        self.clock = Clock(self._speed)
        self.desks = [Desk(desk, self.shop, self.record, self.clock) for desk in self.evening.desks]
        async with asyncio.TaskGroup() as group:
            for desk in self.desks:
                self._start(desk.live)
                group.create_task(desk.work(self.evening.seconds))
            group.create_task(self._see_to_counter(group))
            for arrival in self.evening.arrivals:
                group.create_task(self._welcome(arrival, group))

    async def _welcome(self, arrival: Arrival, group: asyncio.TaskGroup) -> None:
        await self.clock.until(arrival.at)
        for phone in await Guests(self._http, self.record, self.clock, self.shop, arrival).arrive(self.evening.seconds):
            self._follow(phone, group)

    async def _see_to_counter(self, group: asyncio.TaskGroup) -> None:
        counter = Counter(self._http, self.shop, self.record, self.clock)

        async def one(phone_of: asyncio.Task[Phone | None]) -> None:
            if phone := await phone_of:
                self._follow(phone, group)

        for interlude in self.evening.interludes:
            await self.clock.until(interlude.at)
            # A walk-in waits while its line is paused, and whoever ends the pause must not wait for that.
            group.create_task(one(group.create_task(counter.do(interlude))))

    def _follow(self, phone: Phone, group: asyncio.TaskGroup) -> None:
        self.phones.append(phone)
        self._start(phone.live)
        group.create_task(phone.wait(self.evening.seconds))

    # ---- what everybody sees

    async def settle(self) -> None:
        """Waits until everybody who is still there has heard of everything; whoever has not by then is a difference."""
        self.phase = "catching up"
        self._start(self._auditor)
        deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
        while not self._settled() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - many sockets at once tell nobody
            await asyncio.sleep(LOOK_SECONDS)

    def _settled(self) -> bool:
        staying = [*self._screens(), *(phone.live for phone in self.phones if not phone.gone)]
        if not all(live.refused or (live.caught_up and _at(live, self._latest())) for live in staying):
            return False
        return all(_heard(phone) for phone in self.phones if not phone.gone and not phone.live.refused)

    def _latest(self) -> int:
        """The last event that any of the staff's screens knows of; one of them has only just come."""
        return max((view.seq for live in self._screens() if (view := live.view("owner"))), default=0)

    def _screens(self) -> list[Live]:
        return [self.shop.counter, self.shop.board, self._auditor, *(desk.live for desk in self.desks)]

    async def check(self) -> None:
        """Compares every client's last view, and what the server answers, with what really is."""
        self.phase = "checking"
        snapshot = await self.shop.snapshot()
        truth = self.truth = from_server(snapshot, self._latest(), self.shop.events)
        found: list[str] = []
        if self._database:
            truth = self.truth = await asyncio.to_thread(from_database, self._database, self.shop.store_id, f"%{MARK} %")
            found += compare_server(truth, snapshot)
            if truth.tickets.keys() != self.record.joined:
                odd = sorted(truth.tickets.keys() ^ self.record.joined)
                found.append(
                    f"{len(self.record.joined)} tickets were given out, the database has {len(truth.tickets)}; not in both: {odd[:10]}"
                )
        found += compare(truth, self._shown())
        found += self._calls(truth)
        staying = [phone for phone in self.phones if not phone.gone]
        for phone, answer in zip(staying, await asyncio.gather(*(phone.own_ticket() for phone in staying)), strict=True):
            found += compare_answer(truth, phone.label, phone.ticket, answer)
        self.record.differences += found

    def _shown(self) -> list[Shown]:
        shown = list[Shown]()
        for live in self._screens():
            screen = _whole(live)
            if live.refused:
                self.record.counts["without room"] += 1
            elif screen is None:
                self.record.differs(f"{live.name} never came to see the store")
            else:
                shown.append(Shown(live.name, screen))
        for phone in self.phones:
            view = phone.public
            if not phone.gone and phone.live.refused:
                self.record.counts["without room"] += 1
            elif view is None or (phone.own is None and not phone.gone):
                if not phone.gone:
                    self.record.differs(f"{phone.live.name} never came to see its ticket")
            else:
                shown.append(Shown(phone.live.name, view, phone.own, phone.ticket, phone.gone))
        self.record.counts["views compared"] = len(shown)
        return shown

    def _calls(self, truth: Truth) -> list[str]:
        """As many calls in the store's history as desks were answered, give or take those that got no answer."""
        told = sum(event.get("change") == "called" for event in truth.events.values())
        asked = len(self.record.called)
        if asked <= told <= asked + self.record.unanswered:
            return []
        return [f"The desks were given {asked} parties, but {told} were called"]

    # ---- the end

    async def close(self) -> None:
        """Closes the store, reads its report, has its data deleted."""
        self.phase = "closing"
        visitor, code, key = self.evening.arrivals[0].visitors[0], self.shop.code(), secrets.token_urlsafe(16)
        await self._http.ask("POST", f"/v1/codes/{code}/scan", {"key": key})
        report = await self.shop.close()
        body = {"code": code, "key": key, "parties": [party(visitor)]}
        await expect(self.record, "A join after closing", lambda: self._http.ask("POST", "/v1/tickets", body), "store_closed")
        rows = list(csv.DictReader(io.StringIO(report)))
        self.record.counts["report rows"] = len(rows)
        if self.truth:
            self.record.differences += compare_report(self.truth, rows)
        staying = [live for live in self._lives if live.connected]
        receipt = (await self.shop.delete())["receipt"]["receipt"]
        if receipt["tickets"] != len(rows):
            self.record.differs(f"The receipt counts {receipt['tickets']} tickets, the report has {len(rows)}")
        await self._goodbye(staying)
        token = await self.shop.token()
        receipts = await self._http.ask("GET", "/v1/receipts", token=token)
        if [one["receipt"]["store_id"] for one in receipts] != [self.shop.store_id]:
            self.record.differs(f"There is no receipt of the store among {len(receipts)}")
        if self._database and (rest := await asyncio.to_thread(left, self._database, self.shop.store_id)):
            self.record.differs(f"After the deletion there is still something in {rest}")
        self.phase = "over"

    async def _goodbye(self, staying: list[Live]) -> None:
        """Everybody who was connected is told that it is over, for good."""
        async with asyncio.TaskGroup() as group:
            for live in staying:
                group.create_task(live.until(_ended(live), GOODBYE_SECONDS))
        told = [live for live in staying if live.final == CLOSED]
        self.record.counts["told that it closed"] = len(told)
        for live in staying:
            if live.final != CLOSED:
                self.record.differs(f"{live.name} was not told that the store closed (close code {live.final or 'none'})")


def _whole(live: Live) -> View | None:
    return next((view for view in live.views.values() if not view.sparse), None)


def _at(live: Live, seq: int) -> bool:
    return all(view.seq >= seq for view in live.views.values() if not view.sparse)


def _heard(phone: Phone) -> bool:
    """Its own ticket's topic is told a moment after everybody's."""
    public, own = phone.public, phone.own
    shown = public.tickets.get(phone.ticket) if public else None
    return own is not None and (shown is None or own.own.get("state") == shown["state"])


def _caught_up(live: Live) -> Callable[[], bool]:
    return lambda: live.caught_up


def _ended(live: Live) -> Callable[[], bool]:
    return lambda: live.final != 0
