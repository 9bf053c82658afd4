"""A bell at the counter: writes one line into a file whenever somebody joins."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from realtime.hookspecs import Idle, Notifier, Outcome, OutgoingDelivery, Retry, Sent, TicketNotice, hookimpl
from realtime.model import Delivery

SETTING = "DOORBELL_FILE"
STALE_MS = 60_000


class Doorbell:
    """Rings by writing a line, with the bell character in front, into a file."""

    name = "doorbell"

    def __init__(self, file: Path) -> None:
        self._file = file

    async def deliver(self, delivery: OutgoingDelivery) -> Outcome:
        body = delivery.delivery.body
        try:
            await asyncio.to_thread(self._ring, f"\a{body['label']} joined {body['queue']}\n")
        except OSError as error:
            return Retry(f"The bell cannot be rung: {error.strerror}.", after_s=5)
        return Sent()

    def _ring(self, line: str) -> None:
        with self._file.open("a", encoding="utf-8") as bell:
            bell.write(line)


@hookimpl
def register_notifiers() -> list[Notifier] | Idle:
    file = os.environ.get(SETTING)
    return [Doorbell(Path(file))] if file else Idle(f"{SETTING} is not set")


@hookimpl
def compose_ticket_notice(notice: TicketNotice) -> Delivery | None:
    if notice.moment != "joined":
        return None
    return Delivery(
        notifier="doorbell",
        recipient="counter",
        moment=notice.moment,
        body={"label": notice.ticket.label, "queue": notice.queue.name},
        not_after_ms=notice.now_ms + STALE_MS,
    )
