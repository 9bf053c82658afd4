"""What a client knows of a topic: a reducer that takes whole states, replays and pushes, and notes every gap and repeat of `seq`."""

from __future__ import annotations

from typing import Any

from realtime.model import LIVE


class View:
    """What a client knows of one topic: whole states and pushes applied by `seq`, with every gap and repeat noted as a fault."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.epoch = ""
        self.seq = -1
        self.recovered: bool | None = None
        """What the last subscribing told."""
        self.store: dict[str, Any] = {}
        self.queues: dict[str, dict[str, Any]] = {}
        self.tickets: dict[int, dict[str, Any]] = {}
        self.code: dict[str, Any] | None = None
        self.own: dict[str, Any] = {}
        self.changes: list[str] = []
        self.faults: list[str] = []
        self._known = -1
        """How far the last whole state or replay came: what was published while it was read may repeat it."""

    def subscribed(self, ok: dict[str, Any]) -> None:
        """The reply to a subscribe."""
        self.recovered = ok["recovered"]
        if ok["recovered"]:
            if ok["epoch"] != self.epoch:
                self.faults.append(f"recovered into another epoch, {ok['epoch']} after {self.epoch}")
            for push in ok["events"]:
                self.push(push)
            if self.seq != ok["seq"]:
                self.faults.append(f"recovered to {self.seq}, while the reply said {ok['seq']}")
            self._known = self.seq
        else:
            self.whole(ok)

    def whole(self, said: dict[str, Any]) -> None:
        if said["epoch"] == self.epoch and said["seq"] < self.seq:
            self.faults.append(f"a whole state of {said['seq']} after {self.seq}")
        self.epoch, self.seq, self._known = said["epoch"], said["seq"], said["seq"]
        snapshot = said["snapshot"]
        if self.topic.startswith("ticket/"):
            self.own = snapshot
            return
        self.store = snapshot["store"]
        self.queues = {queue["id"]: queue for queue in snapshot["queues"]}
        self.tickets = {ticket["id"]: ticket for ticket in snapshot["tickets"]}
        self.code = snapshot["code"]

    def push(self, push: dict[str, Any]) -> None:
        seq = push["seq"]
        if seq <= self.seq:
            if seq > self._known:
                self.faults.append(f"seq {seq} again after {self.seq}")
            return
        if seq > self.seq + 1 and not self.topic.startswith("ticket/"):
            self.faults.append(f"seq {seq} after {self.seq}")
        self.seq = seq
        self.changes.append(push.get("change", ""))
        self.own = push.get("own", self.own)
        # As the pages do it. That nothing is left out of a push is a test of its own.
        self.store = {**self.store, **push.get("store", {})}
        if "queue" in push:
            self.queues[push["queue"]["id"]] = push["queue"]
        if "ticket" in push:
            ticket = push["ticket"]
            self.tickets[ticket["id"]] = ticket
            if "pace_ms" in push:
                queue = self.queues[ticket["queue"]]
                self.queues[queue["id"]] = {**queue, "pace_ms": push["pace_ms"]}
        if "code" in push:
            self.code = push["code"]

    def differences(self, fresh: View) -> list[str]:
        """What is not as in a whole state of the same `seq`. That leaves out tickets that ended long ago."""
        found = [
            f"{name}: {mine!r} instead of {right!r}"
            for name, mine, right in (
                ("epoch", self.epoch, fresh.epoch),
                ("store", self.store, fresh.store),
                ("queues", self.queues, fresh.queues),
                ("code", self.code if self.store.get("state") == "open" else None, fresh.code),
                ("own", _stable(self.own), _stable(fresh.own)),
            )
            if mine != right
        ]
        live = {id_ for id_, ticket in self.tickets.items() if ticket["state"] in LIVE}
        for id_ in sorted(live | set(fresh.tickets)):
            if self.tickets.get(id_) != fresh.tickets.get(id_):
                found.append(f"ticket {id_}: {self.tickets.get(id_)!r} instead of {fresh.tickets.get(id_)!r}")
        return found


def _stable(own: dict[str, Any]) -> dict[str, Any]:
    """How long the wait may be depends on the moment; tokens and topics are not repeated on the socket."""
    return {name: value for name, value in own.items() if name not in ("minutes", "live_token", "topics")}
