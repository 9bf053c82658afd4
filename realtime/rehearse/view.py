"""What one client knows of a topic: snapshots and pushes in, the state that its page would show out. Pure, as the browser's reducer.js and topics.js."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

LIVE = frozenset({"waiting", "called", "serving"})
ENDED_KEPT = 100
PUBLIC_TICKET = frozenset({"id", "queue", "label", "state", "desk", "place", "called_ms"})
"""All that a public ticket may have."""

Json = dict[str, Any]
Tell = Callable[[str], None]
"""Takes a sentence about something that must not be."""


class View:
    """One topic, as one client sees it. What is wrong with what it is given, it tells."""

    def __init__(self, topic: str, tell: Tell) -> None:
        self.topic = topic
        self.public = topic.endswith(("/public", "/board"))
        self.sparse = topic.startswith("ticket/")
        """Each push is its whole state; those of others are left out, so its `seq` jumps."""
        self.epoch = ""
        self.seq = 0
        self.syncing = False
        self.snapshots = 0
        self.store: Json = {}
        self.queues: dict[str, Json] = {}
        self.tickets: dict[int, Json] = {}
        self.code: Json | None = None
        self.own: Json = {}
        self._tell = tell
        self._since = 0
        """Where the present subscription began; what came before may be repeated."""
        self._ended: dict[int, None] = {}

    @property
    def caught_up(self) -> bool:
        return self.epoch != "" and not self.syncing

    def begin(self) -> Json:
        """The subscription to ask for. Until its answer, pushes are dropped: the answer holds them."""
        self.syncing = True
        return {"topic": self.topic, **({"since": {"epoch": self.epoch, "seq": self.seq}} if self.epoch else {})}

    def stand(self, reply: Json) -> None:
        """The answer: a whole state, or every event since."""
        if reply["recovered"]:
            missed = [push["seq"] for push in reply["events"]]
            if reply["epoch"] != self.epoch or missed != list(range(self.seq + 1, reply["seq"] + 1)):
                self._tell(f"{self.topic}: came back at {self.seq}, was given {_brief(missed)} and told to be at {reply['seq']}")
            for push in reply["events"]:
                self.apply(push)
            self.seq = reply["seq"]
        else:
            self.replace(reply)
        self.epoch = reply["epoch"]
        self._since = reply["seq"]
        self.syncing = False

    def replace(self, reply: Json) -> None:
        """A snapshot replaces everything."""
        snapshot = reply["snapshot"]
        if reply["epoch"] == self.epoch and reply["seq"] < self.seq:
            self._tell(f"{self.topic}: was at {self.seq}, and given the state of {reply['seq']}")
        self.epoch, self.seq, self._since = reply["epoch"], reply["seq"], reply["seq"]
        self.snapshots += 1
        if self.sparse:
            self.own = snapshot
            return
        self.store = snapshot["store"]
        self.queues = {queue["id"]: queue for queue in snapshot["queues"]}
        self.tickets = {ticket["id"]: ticket for ticket in snapshot["tickets"]}
        self.code = snapshot["code"]
        self._ended = {id_: None for id_, ticket in self.tickets.items() if ticket["state"] not in LIVE}
        self._check_fields(snapshot["tickets"])

    def take(self, push: Json) -> str:
        """What to do with a push: "apply" (done), "drop", or "gap": subscribe again."""
        seq = push["seq"]
        if self.syncing:
            return "drop"
        if seq <= self.seq:
            if seq > self._since and not self.sparse:
                self._tell(f"{self.topic}: event {seq} came again, after {self.seq}")
            return "drop"
        if seq > self.seq + 1 and not self.sparse:
            self._tell(f"{self.topic}: after event {self.seq} came {seq}")
            return "gap"
        self.apply(push)
        return "apply"

    def apply(self, push: Json) -> None:
        self.seq = push["seq"]
        if ticket := push.get("ticket"):
            self._put(ticket)
            queue = self.queues.get(ticket["queue"])
            if queue and "pace_ms" in push:
                self.queues[queue["id"]] = {**queue, "pace_ms": push["pace_ms"]}
        elif queue := push.get("queue"):
            self.queues[queue["id"]] = queue
        elif store := push.get("store"):
            self.store = {**self.store, **store}
        elif "code" in push:
            self.code = push["code"]
        elif own := push.get("own"):
            self.own = own

    def _put(self, ticket: Json) -> None:
        id_ = ticket["id"]
        self._check_fields((ticket,))
        self.tickets[id_] = ticket
        if ticket["state"] in LIVE:
            self._ended.pop(id_, None)
            return
        self._ended[id_] = None
        while len(self._ended) > ENDED_KEPT:
            oldest = min(self._ended, key=lambda one: (_last_moved(self.tickets[one]), one))
            del self._ended[oldest], self.tickets[oldest]

    def _check_fields(self, tickets: Iterable[Json]) -> None:
        if self.public and (private := sorted({field for ticket in tickets for field in ticket if field not in PUBLIC_TICKET})):
            self._tell(f"{self.topic}: tells everybody {', '.join(private)}")

    # ---- what a page makes of it

    def waiting(self, queue: str = "") -> list[Json]:
        """Who waits, in the order in which they will be called."""
        found = [ticket for ticket in self.tickets.values() if ticket["state"] == "waiting" and queue in ("", ticket["queue"])]
        return sorted(found, key=lambda ticket: (ticket["place"], ticket["id"]))

    def counts(self) -> dict[str, int]:
        found = dict.fromkeys(("waiting", "called", "serving"), 0)
        for ticket in self.tickets.values():
            if ticket["state"] in found:
                found[ticket["state"]] += 1
        return found


def ahead(tickets: Iterable[Json], ticket: Json) -> int:
    """Parties waiting before this one in its queue; 0 when it does not wait."""
    if ticket["state"] != "waiting":
        return 0
    place, queue = (ticket["place"], ticket["id"]), ticket["queue"]
    return sum(one["state"] == "waiting" and one["queue"] == queue and (one["place"], one["id"]) < place for one in tickets)


def last_called(tickets: Iterable[Json], most: int = 5) -> list[Json]:
    """Those whose call is over, the last called first, as a board shows them."""
    found = [ticket for ticket in tickets if ticket["called_ms"] > 0 and ticket["state"] in ("done", "no_show")]
    return sorted(found, key=lambda ticket: (-ticket["called_ms"], -ticket["id"]))[:most]


def _last_moved(ticket: Json) -> int:
    return int(max(ticket.get("ended_ms", 0), ticket["called_ms"]))


def _brief(numbers: list[int]) -> str:
    return f"{numbers[0]} to {numbers[-1]} ({len(numbers)})" if numbers else "nothing"
