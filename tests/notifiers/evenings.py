"""Evenings for tests of the report's files: made by Hypothesis, or one that is always the same."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import strategies as st

from realtime.hookspecs import ClosedStore, QueueFacts, ReportFile
from realtime.model import Ticket, TicketState

HOUR_MS = 3_600_000
OPENED_MS = 1_763_830_800_000  # 22 November 2025, 18:00 in Rome
AUTUMN_MS = 1_761_418_800_000  # 25 October 2025, 21:00 in Rome; at 3:00 the clock goes back to 2:00
SPRING_MS = 1_774_731_600_000  # 28 March 2026, 22:00 in Rome; at 2:00 it goes on to 3:00
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def closed_store(queues: int = 1, hours: float = 5, opened_ms: int = OPENED_MS, timezone: str = "Europe/Rome", **more: str) -> ClosedStore:
    """`more`: `name` of the store, `queue` as the name of every queue."""
    named = tuple(QueueFacts(id=letter, name=more.get("queue", f"Table {letter}")) for letter in LETTERS[:queues])
    closed_ms = opened_ms + int(hours * HOUR_MS)
    return ClosedStore(
        id="luigis", name=more.get("name", "Luigi's"), timezone=timezone, queues=named, opened_ms=opened_ms, closed_ms=closed_ms
    )


def ticket(
    number: int, store: ClosedStore, state: TicketState, joined: float, waited_s: int, queue: str = "A", party: int = 2, text: str = "Ann"
) -> Ticket:
    """A ticket that joined after a share of the store's time, and was called after so many seconds, if its state says that it was."""
    joined_ms = store.opened_ms + int(joined * (store.closed_ms - store.opened_ms))
    called_ms = 0 if state in (TicketState.WAITING, TicketState.LEFT, TicketState.REMOVED) else joined_ms + waited_s * 1000
    served_ms = called_ms if state in (TicketState.SERVING, TicketState.DONE) else 0
    ended_ms = 0 if state in (TicketState.WAITING, TicketState.CALLED, TicketState.SERVING) else max(joined_ms, called_ms) + 60_000
    return Ticket(number, queue, number, text, "+4915112345678", "ann@example.com", party, state, text, number, False, 1, joined_ms, called_ms, served_ms, ended_ms)  # fmt: skip


def usual(store: ClosedStore, count: int, text: str = "Ann") -> list[Ticket]:
    """An evening with a peak, always the same."""
    chance = random.Random(7)
    states = (TicketState.DONE, TicketState.NO_SHOW, TicketState.LEFT, TicketState.REMOVED, TicketState.WAITING, TicketState.CALLED)
    return [
        ticket(
            number,
            store,
            chance.choices(states, (80, 6, 9, 1, 2, 2))[0],
            min(abs(chance.gauss(0.45, 0.2)), 0.99),
            int(abs(chance.gauss(900, 500))),
            chance.choice(store.queues).id,
            chance.randint(1, 6),
            text,
        )
        for number in range(1, count + 1)
    ]


@st.composite
def evenings(draw: st.DrawFn) -> tuple[ClosedStore, list[Ticket]]:
    """Any store at all, and what happened in it; names are any text."""
    text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
    store = closed_store(
        draw(st.integers(1, 26)),
        draw(st.floats(0, 24)),
        draw(st.sampled_from([OPENED_MS, AUTUMN_MS, SPRING_MS]) | st.integers(1_600_000_000_000, 1_900_000_000_000)),
        draw(st.sampled_from(["Europe/Rome", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "UTC"])),
        name=draw(text),
        queue=draw(text),
    )
    letters = st.sampled_from([queue.id for queue in store.queues])
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from(TicketState), st.floats(-0.1, 1.1), st.integers(0, 100_000), letters, st.integers(1, 99), text),
            max_size=40,
        )
    )
    return store, [ticket(number, store, *row) for number, row in enumerate(rows, 1)]


def written(file: ReportFile, tickets: Sequence[Ticket], page: int = 500) -> str:
    return file.header() + "".join(file.rows(tickets[at : at + page]) for at in range(0, len(tickets), page)) + file.footer()
