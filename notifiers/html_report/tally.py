"""The evening as it is counted: tickets in, page by page, into a number of counters that does not depend on how many there are."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from notifiers.html_report.waits import Waits
from realtime.model import Ticket, TicketState
from realtime.report import Summary, waited_seconds

SERVED = frozenset({TicketState.DONE, TicketState.SERVING})
MINUTE_MS = 60_000
CELL_MINUTES = (30, 60, 120, 180, 240, 360, 720, 1440)
MOST_CELLS = 96
LONGEST_MINUTES = 24 * 60


def cells(opened_ms: int, closed_ms: int, timezone: ZoneInfo) -> tuple[int, int, int]:
    """How a store's time is divided: where the first cell begins, how long each is, how many there are.

    Cells begin at whole half hours of the wall clock at the opening, and last as long in time that passes; so the hour that a clock
    goes back has two cells, and the one that it leaves out has none.
    """
    local = datetime.fromtimestamp(opened_ms / 1000, timezone)
    since_midnight_ms = ((local.hour * 60 + local.minute) * 60 + local.second) * 1000 + opened_ms % 1000
    length_ms = max(closed_ms - opened_ms, 0)
    width = next(
        (each for minutes in CELL_MINUTES if length_ms < (MOST_CELLS - 1) * (each := minutes * MINUTE_MS)), CELL_MINUTES[-1] * MINUTE_MS
    )
    start = opened_ms - since_midnight_ms % width
    count = max(-(-(closed_ms - start) // width), 1)
    return start, width, min(count, MOST_CELLS)


class QueueTally:
    """What is counted of one queue."""

    __slots__ = ("joined", "letter", "name", "people", "served", "states", "waits")

    def __init__(self, letter: str, name: str, count: int) -> None:
        self.letter = letter
        self.name = name
        self.joined = array("L", bytes(array("L").itemsize * count))
        """Tickets by the cell in which they joined."""
        self.served = array("L", bytes(array("L").itemsize * count))
        """Those that were served, by the cell in which it was their turn."""
        self.people = 0
        """The parties' sizes, added up."""
        self.states: dict[TicketState, int] = dict.fromkeys(TicketState, 0)
        self.waits = Waits()


class Tally:
    """Counts tickets. Memory: fewer than 200 kinds of counters (queues and cells), each a fixed number of them."""

    def __init__(self, opened_ms: int, closed_ms: int, timezone: ZoneInfo, queues: Mapping[str, str]) -> None:
        self.start_ms, self.cell_ms, self.cells = cells(opened_ms, closed_ms, timezone)
        self.queues = {letter: QueueTally(letter, name, self.cells) for letter, name in queues.items()}
        self.waits_by_cell = [Waits() for _ in range(self.cells)]
        """By the cell in which the party joined: what somebody who came then went through."""
        self.minutes = array("L", bytes(array("L").itemsize * (LONGEST_MINUTES + 1)))
        """Waits by whole minutes."""
        self.people_served = 0
        self.summary = Summary()

    def add(self, tickets: Sequence[Ticket]) -> None:
        self.summary.add(tickets)
        for ticket in tickets:
            queue = self.queues.get(ticket.queue)
            if queue is None:
                queue = self.queues[ticket.queue] = QueueTally(ticket.queue, "", self.cells)
            joined = self._cell(ticket.joined_ms)
            queue.joined[joined] += 1
            queue.people += ticket.party
            queue.states[ticket.state] += 1
            if ticket.state in SERVED:
                queue.served[self._cell(ticket.served_ms or ticket.called_ms or ticket.ended_ms or ticket.joined_ms)] += 1
                self.people_served += ticket.party
            waited = waited_seconds(ticket)
            if waited is not None:
                queue.waits.add(waited)
                self.waits_by_cell[joined].add(waited)
                self.minutes[min(waited // 60, LONGEST_MINUTES)] += 1

    def _cell(self, at_ms: int) -> int:
        """Clocks jump: what lies outside the store's time counts at its edge."""
        return min(max((at_ms - self.start_ms) // self.cell_ms, 0), self.cells - 1)
