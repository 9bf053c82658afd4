"""Facts about a store called Luigi's, for tests of plugins."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from realtime.hookspecs import (
    Attachment,
    ClosedStore,
    Counts,
    EventFacts,
    FileFacts,
    JoinFacts,
    OutgoingDelivery,
    QueueFacts,
    StoreClosed,
    StoreFacts,
    TicketFacts,
    TicketNotice,
)
from realtime.model import Delivery

STORE = StoreFacts(id="luigis", name="Luigi's", timezone="Europe/Rome")
QUEUE = QueueFacts(id="A", name="Table for two", waiting_text="The bar is open.\nHave a drink.", end_text="Enjoy.")
TICKET = TicketFacts(id=7, label="A07", name="Ann", phone="+4915112345678", email="ann@example.com", party=2, desk="Desk 2", ahead=3)
LINK = "https://queue.example.com/t#secret"
OPENED_MS = 1_763_830_800_000  # 22 November 2025, 18:00 in Rome
CLOSED_MS = OPENED_MS + 5 * 3_600_000
COUNTS = Counts(tickets=40, served=31, no_shows=2, left=5, removed=1, unserved=1, median_wait_ms=12 * 60_000, longest_wait_ms=41 * 60_000)
JOIN = JoinFacts(store=STORE, queue=QUEUE, name="Ann", party=2)
EVENT = EventFacts(store_id="luigis", seq=7, at_ms=OPENED_MS, kind="ticket", change="joined", label="A07", public="{}", owner="{}")
CLOSED_STORE = ClosedStore(id="luigis", name="Luigi's", timezone="Europe/Rome", queues=(QUEUE,), opened_ms=OPENED_MS, closed_ms=CLOSED_MS)
CLOSED = StoreClosed(
    store=STORE,
    owner_email="luigi@example.com",
    confirmed=True,
    opened_ms=OPENED_MS,
    closed_ms=CLOSED_MS,
    counts=COUNTS,
    files=(
        FileFacts(
            name="report.csv", media_type="text/csv", rows=40, bytes=2048, sha256="00" * 32, about="Every ticket, for a spreadsheet."
        ),
        FileFacts(name="report.html", media_type="text/html", rows=40, bytes=2048, sha256="00" * 32),
    ),
    link="https://queue.example.com/counter",
)


def notice(moment: str = "joined", ticket: TicketFacts = TICKET) -> TicketNotice:
    return TicketNotice(moment=moment, store=STORE, queue=QUEUE, ticket=ticket, link=LINK, now_ms=OPENED_MS)


def attachment(content: bytes, name: str = "report.csv", media_type: str = "text/csv; charset=utf-8", pages: int = 3) -> Attachment:
    """A report file that comes in `pages` chunks."""
    size = len(content) // pages + 1

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), size):
            yield content[start : start + size]

    return Attachment(name=name, media_type=media_type, bytes=len(content), sha256=hashlib.sha256(content).hexdigest(), chunks=chunks)


def outgoing(delivery: Delivery, *report: Attachment, attempt: int = 1) -> OutgoingDelivery:
    return OutgoingDelivery(id="luigis/7-email", attempt=attempt, delivery=delivery, report=report)
