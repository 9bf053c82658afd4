"""What a client knows of one topic: whole states, replays and pushes in, the state that a page would show out. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from realtime.model import LIVE

ENDED_KEPT = 100
"""Tickets that are over and still known; those that ended earliest are forgotten first, as in the server's own states."""

Json: TypeAlias = dict[str, Any]
Tell: TypeAlias = Callable[[str], None]
"""Takes a sentence about something that must not be."""


def silent(sentence: str) -> None:
    """Whatever it was, the next subscription mends it."""


class View:
    """One topic, by `epoch` and `seq`. Its values have the shapes of docs/protocol.md; they are replaced, never changed, so they may be kept.

    Args:
        tell: told of every gap, repeat and step backwards. A view is right again after the subscription that follows.
    """

    def __init__(self, topic: str, tell: Tell = silent) -> None:
        self.topic = topic
        self.sparse = topic.startswith("ticket/")
        """Each push is its whole state; those of others are left out, so its `seq` jumps."""
        self.epoch = ""
        """Empty before the first state came."""
        self.seq = 0
        self.recovered: bool | None = None
        """Whether the last subscription brought what was missed, and not a whole state; None before the first."""
        self.syncing = False
        """A subscription is under way."""
        self.store: Json = {}
        self.queues: dict[str, Json] = {}
        self.tickets: dict[int, Json] = {}
        self.code: Json | None = None
        """The join code on show, where the topic tells it."""
        self.own: Json = {}
        """The ticket, on a ticket's own topic; all else is empty there."""
        self._tell = tell
        self._since = 0
        """Where the present subscription began; what came before may be repeated."""
        self._ended: dict[int, None] = {}

    @property
    def caught_up(self) -> bool:
        """It has a state, and no subscription is under way."""
        return self.epoch != "" and not self.syncing

    def begin(self, *, since: bool = True) -> Json:
        """The subscription to ask for, resuming where the view stands, or from nothing.

        Until its answer pushes are dropped, for the answer holds them.
        """
        self.syncing = True
        return {"topic": self.topic, **({"since": {"epoch": self.epoch, "seq": self.seq}} if since and self.epoch else {})}

    def stand(self, reply: Json) -> None:
        """Takes in the answer: a whole state, or every event since."""
        self.syncing = False
        if not reply["recovered"]:
            self.replace(reply)
        else:
            self._replay(reply)
        self.recovered = reply["recovered"]

    def _replay(self, reply: Json) -> None:
        missed = [push["seq"] for push in reply["events"]]
        if reply["epoch"] != self.epoch or missed != list(range(self.seq + 1, reply["seq"] + 1)):
            self._tell(f"{self.topic}: came back at {self.seq}, was given {_brief(missed)} and told to be at {reply['seq']}")
        for push in reply["events"]:
            self.apply(push)
        self.epoch, self.seq, self._since = reply["epoch"], reply["seq"], reply["seq"]

    def replace(self, said: Json) -> None:
        """Takes in a whole state, asked for or in place of what a slow reader did not take."""
        if said["epoch"] == self.epoch and said["seq"] < self.seq:
            self._tell(f"{self.topic}: was at {self.seq}, and given the state of {said['seq']}")
        self.epoch, self.seq, self._since = said["epoch"], said["seq"], said["seq"]
        snapshot = said["snapshot"]
        if self.sparse:
            self.own = snapshot
            return
        self.store = snapshot["store"]
        self.queues = {queue["id"]: queue for queue in snapshot["queues"]}
        self.tickets = {ticket["id"]: ticket for ticket in snapshot["tickets"]}
        self.code = snapshot["code"]
        self._ended = {id_: None for id_, ticket in self.tickets.items() if ticket["state"] not in LIVE}

    def take(self, push: Json) -> Literal["apply", "drop", "gap"]:
        """Takes in the next push: "apply" (done), "drop" (old, or in the answer that is awaited), or "gap": subscribe again."""
        seq = push["seq"]
        if not self.caught_up:
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
        """The thing that a push names is from now on as given."""
        self.seq = push["seq"]
        if "own" in push:
            self.own = push["own"]
        if "store" in push:
            self.store = {**self.store, **push["store"]}
        if "queue" in push:
            self.queues[push["queue"]["id"]] = push["queue"]
        if "ticket" in push:
            self._put(push["ticket"])
            queue = self.queues.get(push["ticket"]["queue"])
            if queue and "pace_ms" in push:
                self.queues[queue["id"]] = {**queue, "pace_ms": push["pace_ms"]}
        if "code" in push:
            self.code = push["code"]

    def _put(self, ticket: Json) -> None:
        id_ = ticket["id"]
        self.tickets[id_] = ticket
        if ticket["state"] in LIVE:
            self._ended.pop(id_, None)
            return
        self._ended[id_] = None
        while len(self._ended) > ENDED_KEPT:
            oldest = min(self._ended, key=lambda one: (_last_moved(self.tickets[one]), one))
            del self._ended[oldest], self.tickets[oldest]

    def waiting(self, queue: str = "") -> list[Json]:
        """Who waits, in the order in which they will be called; of one queue, or of all."""
        found = [ticket for ticket in self.tickets.values() if ticket["state"] == "waiting" and queue in ("", ticket["queue"])]
        return sorted(found, key=lambda ticket: (ticket["place"], ticket["id"]))


def _last_moved(ticket: Json) -> int:
    return int(max(ticket.get("ended_ms", 0), ticket["called_ms"]))


def _brief(numbers: list[int]) -> str:
    return f"{numbers[0]} to {numbers[-1]} ({len(numbers)})" if numbers else "nothing"
