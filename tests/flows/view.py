"""What a client knows of a topic, with every change kept, every gap and repeat of `seq` noted as a fault, and compared with what is true."""

from __future__ import annotations

from typing import Any

from realtime import client
from realtime.model import LIVE


class View(client.View):
    """The client's own view. Whoever feeds it by hand, without asking again after a gap, goes on behind the gap; the fault stays noted."""

    def __init__(self, topic: str) -> None:
        self.changes: list[str] = []
        self.faults: list[str] = []
        super().__init__(topic, self.faults.append)

    def apply(self, push: dict[str, Any]) -> None:
        # As the pages do it. That nothing is left out of a push is a test of its own.
        self.changes.append(push.get("change", ""))
        super().apply(push)

    def push(self, push: dict[str, Any]) -> None:
        if self.take(push) == "gap":
            self.apply(push)

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
