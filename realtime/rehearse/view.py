"""What one client knows of a topic, and what its page makes of it: the client's own view, strict about what everybody may know."""

from __future__ import annotations

from collections.abc import Iterable

from realtime import client
from realtime.client.view import ENDED_KEPT as ENDED_KEPT
from realtime.client.view import Json as Json
from realtime.client.view import Tell

LIVE = frozenset({"waiting", "called", "serving"})
PUBLIC_TICKET = frozenset({"id", "queue", "label", "state", "desk", "place", "called_ms"})
"""All that a public ticket may have."""


class View(client.View):
    """One topic, as one client sees it. What is wrong with what it is given, it tells."""

    def __init__(self, topic: str, tell: Tell) -> None:
        super().__init__(topic, tell)
        self.public = topic.endswith(("/public", "/board"))
        self.snapshots = 0

    def replace(self, said: Json) -> None:
        super().replace(said)
        self.snapshots += 1
        self._check_fields(self.tickets.values())

    def apply(self, push: Json) -> None:
        super().apply(push)
        if "ticket" in push:
            self._check_fields((push["ticket"],))

    def _check_fields(self, tickets: Iterable[Json]) -> None:
        if self.public and (private := sorted({field for ticket in tickets for field in ticket if field not in PUBLIC_TICKET})):
            self._tell(f"{self.topic}: tells everybody {', '.join(private)}")

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
