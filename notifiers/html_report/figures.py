"""The counted evening as it is shown: which stretch of it, divided how, every figure ready to be drawn or put in a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from notifiers.html_report.tally import MINUTE_MS, QueueTally, Tally
from notifiers.html_report.waits import Waits
from realtime.hookspecs import Counts
from realtime.model import TicketState

HALF_HOURS = 16
"""An evening with at most so many half hours is shown by the half hour, a longer one by the hour."""
MOST_SLOTS = 26
MOST_BINS = 12
BIN_MINUTES = (1, 2, 5, 10, 15, 20, 30, 60, 120)
OUTCOMES = ("served", "unserved", "left", "no_show", "removed")


class Slot(Struct, frozen=True):
    """A stretch of the evening."""

    label: str
    """When it begins on the store's clock: "18:30"."""
    until: str
    """When it ends: "19:00"."""
    zone: str
    """Its offset from UTC, where that changes during the evening; else empty."""
    minute: int
    """The minute of the day in which it begins."""
    joined: int
    served: int
    waits: int
    """Of how many who joined then a wait is known."""
    median_s: int
    ninth_s: int
    """Nine of ten waited no longer."""


class QueueFigures(Struct, frozen=True):
    letter: str
    name: str
    joined: int
    people: int
    outcomes: tuple[int, ...]
    """As `OUTCOMES`."""
    waits: int
    median_s: int
    ninth_s: int
    longest_s: int
    by_slot: tuple[tuple[int, int], ...]
    """Joined and served."""


class Bin(Struct, frozen=True):
    """Waits of `low` minutes up to, not including, `high`; the last has no end."""

    low: int
    high: int | None
    count: int


class Figures(Struct, frozen=True):
    counts: Counts
    people: int
    people_served: int
    ninth_s: int
    slots: tuple[Slot, ...]
    slot_minutes: int
    queues: tuple[QueueFigures, ...]
    bins: tuple[Bin, ...]
    waits: int
    """Of how many a wait is known."""


def figures(tally: Tally, timezone: ZoneInfo) -> Figures:
    """What the page shows of a tally."""
    first, width, count = _stretch(tally, timezone)
    queues = sorted(tally.queues.values(), key=lambda queue: queue.letter)
    every = Waits()
    for queue in queues:
        every.merge(queue.waits)
    spans = [(max(at, 0), max(at + width, 0)) for at in range(first, first + width * count, width)]
    edges = [datetime.fromtimestamp((tally.start_ms + (first + width * at) * tally.cell_ms) / 1000, timezone) for at in range(count + 1)]
    turned = len({edge.utcoffset() for edge in edges}) > 1
    return Figures(
        counts=tally.summary.counts(),
        people=sum(queue.people for queue in queues),
        people_served=tally.people_served,
        ninth_s=every.quantile(0.9),
        slots=tuple(_slot(tally, queues, *span, begin, end, turned) for span, begin, end in zip(spans, edges, edges[1:], strict=False)),
        slot_minutes=width * tally.cell_ms // MINUTE_MS,
        queues=tuple(_queue(queue, spans) for queue in queues),
        bins=_bins(tally.minutes, every.total),
        waits=every.total,
    )


def _stretch(tally: Tally, timezone: ZoneInfo) -> tuple[int, int, int]:
    """From the first to the last cell in which anything happened: the first cell, cells to a slot, slots."""
    busy = [cell for cell in range(tally.cells) if any(queue.joined[cell] or queue.served[cell] for queue in tally.queues.values())]
    if not busy:
        return 0, 1, 0
    span, width = busy[-1] - busy[0] + 1, 1
    if span > HALF_HOURS and tally.cell_ms < 60 * MINUTE_MS:
        width = 2
    while (span + width - 1) // width > MOST_SLOTS:
        width *= 2
    # Slots begin at whole hours of the clock, also where the store opened at half past.
    begins = datetime.fromtimestamp((tally.start_ms + busy[0] * tally.cell_ms) / 1000, timezone)
    back = (begins.hour * 60 + begins.minute) * MINUTE_MS // tally.cell_ms % width
    first = busy[0] - back
    return first, width, (busy[-1] - first) // width + 1


def _slot(tally: Tally, queues: Sequence[QueueTally], low: int, high: int, begin: datetime, end: datetime, turned: bool) -> Slot:
    waits = Waits()
    for cell in tally.waits_by_cell[low:high]:
        waits.merge(cell)
    return Slot(
        label=f"{begin:%H:%M}",
        until=f"{end:%H:%M}",
        zone=_zone(begin) if turned else "",
        minute=begin.hour * 60 + begin.minute,
        joined=sum(sum(queue.joined[low:high]) for queue in queues),
        served=sum(sum(queue.served[low:high]) for queue in queues),
        waits=waits.total,
        median_s=waits.quantile(0.5),
        ninth_s=waits.quantile(0.9),
    )


def _zone(at: datetime) -> str:
    offset = f"{at:%z}"
    return f"UTC{offset[:3]}:{offset[3:5]}"


def _queue(queue: QueueTally, spans: Sequence[tuple[int, int]]) -> QueueFigures:
    states = queue.states
    return QueueFigures(
        letter=queue.letter,
        name=queue.name,
        joined=sum(queue.joined),
        people=queue.people,
        outcomes=(
            states[TicketState.DONE] + states[TicketState.SERVING],
            states[TicketState.WAITING] + states[TicketState.CALLED],
            states[TicketState.LEFT],
            states[TicketState.NO_SHOW],
            states[TicketState.REMOVED],
        ),
        waits=queue.waits.total,
        median_s=queue.waits.quantile(0.5),
        ninth_s=queue.waits.quantile(0.9),
        longest_s=queue.waits.longest,
        by_slot=tuple((sum(queue.joined[low:high]), sum(queue.served[low:high])) for low, high in spans),
    )


def _bins(minutes: Sequence[int], total: int) -> tuple[Bin, ...]:
    """Waits in steps of a round number of minutes. The few longest, up to one in fifty, are in the last together, or one party that
    was forgotten would push all others into one bar."""
    if not total:
        return ()
    longest = max(minute for minute, count in enumerate(minutes) if count)
    passed, most = 0, 0
    for minute, count in enumerate(minutes):
        passed += count
        if passed * 50 >= total * 49:
            most = minute
            break
    step = next((each for each in BIN_MINUTES if most // each < MOST_BINS), BIN_MINUTES[-1])
    last = most // step
    made = [Bin(at * step, (at + 1) * step, sum(minutes[at * step : (at + 1) * step])) for at in range(last + 1)]
    beyond = sum(minutes[(last + 1) * step :])
    return (*made, Bin((last + 1) * step, None, beyond)) if beyond and longest else tuple(made)
