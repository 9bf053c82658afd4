"""The staff: a desk that calls, serves and undoes, and whoever sees to everything else at the counter."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from itertools import cycle
from time import perf_counter
from typing import Any

from realtime.rehearse import evening
from realtime.rehearse.clock import Clock
from realtime.rehearse.evening import Away, Interlude, Kind, Turn
from realtime.rehearse.guest import Phone, party
from realtime.rehearse.http_client import Http, Lost, Refused
from realtime.rehearse.record import Record
from realtime.rehearse.shop import Shop, expect
from realtime.rehearse.view import Json, View

NOBODY_SECONDS = 20.0
"""How long a desk waits, in seconds of the evening, when nobody does."""
CHANGES = {
    "call": "called",
    "recall": "recalled",
    "serve": "serving",
    "done": "done",
    "no_show": "no_show",
    "return": "returned",
    "remove": "removed",
}
BY_SOCKET_PER_MINUTE = 60
"""A socket may say 100 things a minute, answers to pings and subscriptions included; the rest goes over HTTP."""


class Desk:
    """One member of the staff with a screen of their own."""

    def __init__(self, plan: evening.Desk, shop: Shop, record: Record, clock: Clock) -> None:
        self.name = plan.name
        self.live = shop.screen(f"the screen of {plan.name}")
        self._plan = plan
        self._shop = shop
        self._record = record
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._said: list[float] = []

    async def work(self, over: float) -> None:
        """Until the evening is over."""
        away: Away | None = self._plan.away
        await self.live.until(lambda: self.live.caught_up, over)
        for turn in cycle(self._plan.turns):
            if self._clock.now() >= over:
                return
            if away and self._clock.now() > away.after:
                self._record.counts["lost the network" if away.lost else "locked"] += 1
                if away.lost:
                    await self.live.lose()
                else:
                    await self.live.lock()
                await self._clock.sleep(away.seconds)
                self.live.wake()
                away = None
            try:
                ticket = await self._next(turn)
                if ticket is None:
                    await self._clock.sleep(NOBODY_SECONDS)
                else:
                    await self._see_to(ticket["id"], turn)
            except Refused as refusal:
                # The party left, or another desk was faster: the screen says so, and the desk goes on.
                if refusal.code != "wrong_state":
                    self._record.differs(f"{self.name} was refused: {refusal}")
                self._record.refusals[refusal.code] += 1
            except Lost:
                self._record.unanswered += 1

    async def _next(self, turn: Turn) -> Json | None:
        """The next party: the first of the longest line, or one that is chosen from it. None when nobody waits."""
        view = self.live.view("owner")
        queue = _longest(view)
        if view is None or not queue:
            return None
        if turn.kind is Kind.CHOSEN:
            waiting = view.waiting(queue)
            return await self._change(waiting[int(turn.rank * (len(waiting) - 1))]["id"], "call")
        begun = perf_counter()
        try:
            ticket = await self._call_next(queue)
        except Refused as refusal:
            if refusal.code != "nobody_waiting":
                raise
            self._record.refusals[refusal.code] += 1
            return None
        self._note_call(ticket, begun)
        return ticket

    async def _call_next(self, queue: str) -> Json:
        if self._may_say():
            return await self.live.ask({"call_next": {"store_id": self._shop.store_id, "queue": queue, "desk": self.name}})
        found: Json = await self._shop.ask("POST", f"/queues/{queue}/call-next", {"desk": self.name}, key=secrets.token_urlsafe(12))
        return found

    def _note_call(self, ticket: Json, begun: float) -> None:
        call = ticket["id"], ticket["calls"]
        if call in self._record.called:
            self._record.differs(f"{ticket['label']} was given to two desks by one call")
        self._record.called.add(call)
        self._record.acted(ticket["id"], "called", begun)

    async def _see_to(self, ticket: int, turn: Turn) -> None:
        if turn.kind is Kind.MISTAKE:
            await self._change(ticket, "return")
            return
        await self._clock.sleep(turn.walk)
        if turn.kind is Kind.RECALL:
            await self._change(ticket, "recall")
            await self._clock.sleep(turn.walk)
        if turn.kind is Kind.REMOVE:
            await self._change(ticket, "remove")
        elif turn.kind in (Kind.NO_SHOW, Kind.FOUND):
            await self._change(ticket, "no_show")
            await expect(self._record, f"{self.name}'s second no-show", self._again(ticket), "wrong_state")
            if turn.kind is Kind.FOUND:
                await self._clock.sleep(turn.walk)
                await self._change(ticket, "return")
        else:
            if turn.kind is not Kind.STRAIGHT:
                await self._change(ticket, "serve")
            await self._clock.sleep(turn.service)
            await self._change(ticket, "done")
            if turn.kind is Kind.UNDONE:
                await self._change(ticket, "return")

    def _again(self, ticket: int) -> Callable[[], Any]:
        return lambda: self._shop.ask("PATCH", f"/tickets/{ticket}", {"action": "no_show", "desk": self.name})

    async def _change(self, ticket: int, action: str) -> Json:
        begun = perf_counter()
        found: Json
        if self._may_say():
            command = {"store_id": self._shop.store_id, "ticket": ticket, "action": action, "desk": self.name}
            found = await self.live.ask({"change_ticket": command})
        else:
            found = await self._shop.ask("PATCH", f"/tickets/{ticket}", {"action": action, "desk": self.name})
        if action == "call":
            self._note_call(found, begun)
        else:
            self._record.acted(ticket, CHANGES[action], begun)
        return found

    def _may_say(self) -> bool:
        """Whether the next command goes over the socket."""
        now = self._loop.time()
        self._said = [at for at in self._said if at > now - 60]
        if not self._plan.by_socket or not self.live.caught_up or len(self._said) >= BY_SOCKET_PER_MINUTE:
            return False
        self._said.append(now)
        self._record.counts["commands by socket"] += 1
        return True


def _longest(view: View | None) -> str:
    """The line in which most people wait."""
    lines = {letter: len(view.waiting(letter)) for letter in view.queues} if view else {}
    longest = max(lines, key=lambda letter: lines[letter], default="")
    return longest if longest and lines[longest] else ""


class Counter:
    """Whoever adds those without a phone, pauses lines and writes texts."""

    def __init__(self, http: Http, shop: Shop, record: Record, clock: Clock) -> None:
        self._http = http
        self._shop = shop
        self._record = record
        self._clock = clock

    async def do(self, interlude: Interlude) -> Phone | None:
        """A walk-in's phone, which follows the link on the slip."""
        try:
            if interlude.visitor is not None:
                return await self._walk_in(interlude)
            await self._edit(interlude)
        except (Refused, Lost) as error:
            self._record.differs(f"The counter's {interlude.kind} failed: {error}")
        return None

    async def _edit(self, interlude: Interlude) -> None:
        text = f"It is {self._clock.now() / 60:.0f} minutes into the evening."
        changes: dict[str, Json] = {"pause": {"paused": True}, "resume": {"paused": False}, "edit": {"waiting_text": text}}
        whole: Json = {"description": text} if interlude.kind == "edit" else {}
        await self._shop.ask("PUT", "", {**whole, "queues": [{"id": interlude.queue, **changes[interlude.kind]}]})

    async def _walk_in(self, interlude: Interlude) -> Phone | None:
        visitor, key = interlude.visitor, secrets.token_urlsafe(12)
        assert visitor is not None
        while (added := await self._ask_to_add(party(visitor), key)) is None:
            await self._clock.sleep(NOBODY_SECONDS)
        ticket = {**added["ticket"], "token": added["link"].partition("#")[2]}
        self._record.joined.add(ticket["id"])
        self._record.counts["walk-ins"] += 1
        return Phone(self._http, self._record, self._clock, self._shop, visitor, ticket)

    async def _ask_to_add(self, body: Json, key: str) -> Json | None:
        """None while the line is paused."""
        try:
            found: Json = await self._shop.ask("POST", "/tickets", body, key=key)
        except Refused as refusal:
            if refusal.code != "queue_paused":
                raise
            self._record.refusals[refusal.code] += 1
            return None
        return found
