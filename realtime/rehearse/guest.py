"""Customers: they come to the shop, scan, join, and each party's phone then lives through its wait."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable
from typing import Any

from realtime.rehearse.clock import Clock
from realtime.rehearse.evening import MARK, Arrival, Away, Visitor
from realtime.rehearse.http_client import Answer, Http, Lost, Refused
from realtime.rehearse.live_client import Live
from realtime.rehearse.record import Record
from realtime.rehearse.shop import Shop, expect
from realtime.rehearse.view import LIVE, Json, View

MOST_TRIES = 200
"""How often somebody scans who is always a moment too late."""
PAUSED_SECONDS = 20.0
"""How long somebody waits, in seconds of the evening, before asking a paused line again."""


class Phone:
    """One party's phone with its ticket open. `live` runs elsewhere; `wait` is what its owner does."""

    def __init__(self, http: Http, record: Record, clock: Clock, shop: Shop, visitor: Visitor, ticket: Json, cookie: str = "") -> None:
        self.visitor = visitor
        self.ticket = int(ticket["id"])
        self.label = str(ticket["label"])
        self.gone = False
        """It is closed, and shows what it last heard."""
        self.live = Live(http.url, f"the phone of {self.label}", self._live_token, record)
        self._token = str(ticket["token"])
        self._http = http
        self._record = record
        self._clock = clock
        self._shop = shop
        self._cookie = cookie
        self._joined = clock.now()

    async def _live_token(self) -> str:
        found = await self.own_ticket()
        return str(found["live_token"])

    async def own_ticket(self) -> Json:
        """The ticket as the server shows it now."""
        found: Json = await self._http.ask("GET", "/v1/ticket", token=self._token)
        return found

    @property
    def own(self) -> View | None:
        return self.live.view("own")

    @property
    def public(self) -> View | None:
        return self.live.view("public")

    def _is_over(self) -> bool:
        return bool(self.own and self.own.own and self.own.own["state"] not in LIVE)

    async def wait(self, over: float) -> None:
        """From its number until its turn is over, or until the evening is."""
        visitor = self.visitor
        moments: list[tuple[float, Away | str]] = [(away.after, away) for away in visitor.aways]
        moments += [(after, what) for after, what in ((visitor.leaves_after, "leave"), (visitor.scans_again_after, "scan")) if after]
        for after, what in sorted(moments, key=lambda moment: moment[0]):
            at = self._joined + after
            if at > over or await self._is_over_by(at):
                break
            if isinstance(what, Away):
                await self._go_away(what, over)
            elif what == "leave":
                await self._leave()
            else:
                await self._scan_again()
        while self._clock.now() < over and await self._is_over_by(over):
            await self._clock.sleep(min(visitor.lingers, max(0.0, over - self._clock.now())))
            # It may have been put back into the line meanwhile.
            if self._clock.now() < over and self._is_over():
                self.gone = True
                await self.live.close()
                return

    async def _is_over_by(self, at: float) -> bool:
        return await self.live.until(self._is_over, self._clock.real(at - self._clock.now()))

    async def _go_away(self, away: Away, over: float) -> None:
        self._record.counts["lost the network" if away.lost else "locked"] += 1
        if away.lost:
            await self.live.lose()
        else:
            await self.live.lock()
        await self._clock.until(min(over, self._clock.now() + away.seconds))
        self.live.wake()

    async def _leave(self) -> None:
        try:
            if self.visitor.leaves_by_socket and self.live.caught_up:
                await self.live.ask({"leave": {}})
            else:
                await self._http.send("DELETE", "/v1/ticket", token=self._token)
        except Refused as refusal:
            # Its turn came at the same moment.
            if refusal.code != "wrong_state":
                self._record.differs(f"{self.label} could not leave: {refusal}")
            self._record.refusals[refusal.code] += 1
        except Lost:
            self._record.counts["leaves without an answer"] += 1

    async def _scan_again(self) -> None:
        """Whoever has a ticket is shown that, and uses no code up."""
        if not self._cookie or not (code := self._shop.code()):
            return
        shown = ""
        try:
            body = {"key": secrets.token_urlsafe(16)}
            shown = (await self._http.ask("POST", f"/v1/codes/{code}/scan", body, cookie=self._cookie))["ticket"]
        except Refused as refusal:
            self._record.refusals[refusal.code] += 1
        except Lost:
            return
        if shown:
            self._record.counts["scanned again"] += 1
            return
        # A phone that has just come back may not know yet that its turn is over; then this is a scan like any other.
        with contextlib.suppress(Refused, Lost):
            if (state := (await self.own_ticket())["state"]) in LIVE:
                self._record.differs(f"{self.label} is {state} and scanned again, but was not shown its ticket")


class Guests:
    """Those of one arrival, until each has its number."""

    def __init__(self, http: Http, record: Record, clock: Clock, shop: Shop, arrival: Arrival) -> None:
        self._http = http
        self._record = record
        self._clock = clock
        self._shop = shop
        self._arrival = arrival
        self._key = secrets.token_urlsafe(16)
        self._who = arrival.visitors[0].name

    async def arrive(self, over: float) -> list[Phone]:
        """Their phones; none where they went home again."""
        if self._arrival.late and self._shop.used:
            await self._try_used(self._shop.used[-1])
        try:
            async with self._shop.at_screen:
                code = await self._scan()
            return await self._join(code, over) if code else []
        except (Refused, Lost) as error:
            self._record.differs(f"{self._who} could not join: {error}")
            return []

    async def _try_used(self, code: str) -> None:
        """Somebody was first: the code is no good for anybody else."""
        key = secrets.token_urlsafe(16)
        scan = self._sending(f"/v1/codes/{code}/scan", {"key": key})
        join = self._sending("/v1/tickets", {"code": code, "key": key, "parties": self._parties()})
        await expect(self._record, f"{self._who}'s scan of a code used before", scan, "code_used")
        await expect(self._record, f"{self._who}'s join with a code used before", join, "code_used")

    def _sending(self, path: str, body: Json) -> Callable[[], Any]:
        return lambda: self._http.ask("POST", path, body)

    async def _scan(self) -> str:
        """The code that is theirs now: whoever is a moment too late scans the next one."""
        for _ in range(MOST_TRIES):
            code = self._shop.code()
            try:
                if self._arrival.previews:
                    await self._preview(code)
                answer = await self._http.send("POST", f"/v1/codes/{code}/scan", {"key": self._key})
            except Refused as refusal:
                if refusal.code not in ("code_used", "code_expired"):
                    raise
                self._record.refusals["scanned a moment too late"] += 1
                await self._shop.next_code(code)
                continue
            self._public(answer.body)
            return code
        self._record.differs(f"{self._who} scanned {MOST_TRIES} codes and was always too late")
        return ""

    async def _preview(self, code: str) -> None:
        try:
            self._public((await self._http.send("GET", f"/j/{code}")).body)
        except Refused as refusal:
            # The page says in words that the code was used a moment ago.
            if refusal.status not in (409, 410):
                raise

    def _public(self, body: bytes) -> None:
        if f"{MARK} ".encode() in body:
            self._record.differs(f"{self._who} was shown somebody's name before joining")

    def _parties(self) -> list[Json]:
        return [party(visitor) for visitor in self._arrival.visitors]

    async def _join(self, code: str, over: float) -> list[Phone]:
        body = {"code": code, "key": self._key, "parties": self._parties()}
        while (answer := await self._ask_to_join(body)) is None:
            if self._clock.now() > over:
                self._record.counts["went home"] += 1
                return []
            # Nothing was used up: the same code is good once the line goes on.
            await self._clock.sleep(PAUSED_SECONDS)
        tickets = answer.json()["tickets"]
        self._note(code, tickets)
        if self._arrival.repeats:
            again = (await self._http.ask("POST", "/v1/tickets", body))["tickets"]
            self._record.counts["joins sent twice"] += 1
            if again != tickets:
                self._record.differs(f"{self._who} sent one join twice and was given two answers")
        cookie = answer.headers.get("set-cookie", "").partition(";")[0]
        return [
            Phone(self._http, self._record, self._clock, self._shop, visitor, ticket, cookie)
            for visitor, ticket in zip(self._arrival.visitors, tickets, strict=True)
        ]

    async def _ask_to_join(self, body: Json) -> Answer | None:
        """None while the line is paused."""
        try:
            return await self._http.send("POST", "/v1/tickets", body)
        except Refused as refusal:
            if refusal.code != "queue_paused":
                raise
            self._record.refusals[refusal.code] += 1
            return None

    def _note(self, code: str, tickets: list[Json]) -> None:
        record = self._record
        if code in record.codes:
            record.differs(f"{self._who} joined with a code that somebody had joined with before")
        record.codes.add(code)
        self._shop.used.append(code)
        for ticket in tickets:
            if ticket["id"] in record.joined:
                record.differs(f"{self._who} was given {ticket['label']}, which is somebody else's")
            record.joined.add(ticket["id"])
        if len(tickets) > 1:
            record.counts["groups"] += 1


def party(visitor: Visitor) -> Json:
    """A party as it is written into a join, or added by the staff."""
    return {"name": visitor.name, "queue": visitor.queue, "phone": visitor.phone, "email": visitor.email, "party": visitor.size}
