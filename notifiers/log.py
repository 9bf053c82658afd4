"""Says in the server's log that a store closed, in figures, without personal data."""

from __future__ import annotations

import logging

from realtime.hookspecs import Notifier, OutgoingDelivery, Sent, StoreClosed, hookimpl
from realtime.model import Delivery

logger = logging.getLogger("nowserving.closings")


class LogNotifier:
    """Writes one line per delivery."""

    name = "log"
    stays = True

    async def deliver(self, delivery: OutgoingDelivery) -> Sent:
        figures = " ".join(f"{name}={value}" for name, value in delivery.delivery.body.items())
        logger.info("%s %s delivery=%s", delivery.delivery.moment, figures, delivery.id)
        return Sent()


@hookimpl
def register_notifiers() -> list[Notifier]:
    return [LogNotifier()]


@hookimpl
def compose_store_closed(closed: StoreClosed) -> Delivery:
    counts = closed.counts
    return Delivery(
        notifier="log",
        recipient="log",
        moment="store_closed",
        body={
            "store": closed.store.id,
            "tickets": counts.tickets,
            "served": counts.served,
            "no_shows": counts.no_shows,
            "left": counts.left,
            "files": len(closed.files),
        },
    )
