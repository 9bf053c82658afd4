"""What a check-up looks at that the overview does not say: since when there are dead letters, leases nobody settled, and the clock."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from realtime.operations import alarms, oversight
from realtime.operations.alarms import Raised
from realtime.operations.claims import NOW
from realtime.operations.oversight import Backlog
from realtime.storage.statement import Operation, Row, Statement


class Since(Struct, frozen=True):
    """How many there are of something in a queue, and since when."""

    queue: str
    count: int
    first_ms: int


class Found(Struct, frozen=True):
    """How the queues are."""

    backlogs: Sequence[Backlog]
    dead: Sequence[Since]
    """Dead letters by queue; a report that could not be delivered is none."""
    unsettled: Sequence[Since]
    """Leases that ended without an answer, by queue."""
    raised: Sequence[Raised]


_UNSETTLED = "select queue, count(*), min(leased_until_ms) from jobs where state = 'leased' and leased_until_ms <= {now} group by queue order by queue"
UNSETTLED = _UNSETTLED.format(now="$1 - $2")
_UNSETTLED_POSTGRES = _UNSETTLED.format(now=f"{NOW} - $2 and $1::bigint is not null")


def look(quiet_ms: int, now_ms: int) -> Operation[Found]:
    """Look at every queue.

    Args:
        quiet_ms: a lease that ended longer ago should have been settled.
    """
    backlogs = yield from oversight.backlogs(now_ms)
    dead = yield Statement("select queue, count(*), min(died_ms) from dead_jobs group by queue order by queue")
    unsettled = yield Statement(UNSETTLED, (now_ms, quiet_ms), _UNSETTLED_POSTGRES)
    raised = yield from alarms.raised()
    return Found(backlogs, _since(dead), _since(unsettled), raised)


def _since(rows: Sequence[Row]) -> list[Since]:
    return [Since(*row) for row in rows]


def clock(now_ms: int) -> Operation[int]:
    """What time it is for the database. SQLite has no clock of its own: for it, it is what is passed in."""
    rows = yield Statement("select $1", (now_ms,), f"select {NOW} where $1::bigint is not null")
    return int(rows[0][0])
