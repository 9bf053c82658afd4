"""A store as it was seen at one moment, and what each of its readers is told of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from realtime.model import TicketState
from realtime.operations.snapshots import Everything, Own


class Seen:
    """What its readers see of it is encoded when the first of them asks."""

    __slots__ = ("_ahead", "_bodies", "_tickets", "at_s", "everything")

    def __init__(self, everything: Everything, at_s: float) -> None:
        self.everything = everything
        self.at_s = at_s
        """The loop's time."""
        self._bodies: dict[str, bytes] = {}
        self._tickets: dict[int, Own] | None = None

    @property
    def seq(self) -> int:
        return self.everything.store.seq

    @property
    def epoch(self) -> str:
        return self.everything.store.epoch

    def body(self, audience: str, make: Callable[[Everything], bytes]) -> bytes:
        body = self._bodies.get(audience)
        if body is None:
            body = self._bodies[audience] = make(self.everything)
        return body

    def own(self, ticket_id: int) -> Own | None:
        """A party's ticket; None if it ended too long ago to be seen."""
        if self._tickets is None:
            self._tickets = _owns(self.everything)
        return self._tickets.get(ticket_id)


def _owns(everything: Everything) -> dict[int, Own]:
    queues = {queue.id: queue for queue in everything.queues}
    found, waiting = {}, Counter[str]()
    for ticket in (*everything.called, *everything.ended, *everything.live):
        ahead = 0
        if ticket.state is TicketState.WAITING:  # those who wait come in the order of their places
            ahead = waiting[ticket.queue]
            waiting[ticket.queue] += 1
        found[ticket.id] = Own(everything.store, queues[ticket.queue], ticket, ahead)
    return found
