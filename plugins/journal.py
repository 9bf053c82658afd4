"""One log line per committed change, without a name, a phone number or an address: what happened, where, and to which number."""

from __future__ import annotations

import logging

from realtime.hookspecs import EventFacts, hookimpl

logger = logging.getLogger("nowserving.journal")


@hookimpl
def on_event(event: EventFacts) -> None:
    logger.info("store=%s seq=%d %s %s %s", event.store_id, event.seq, event.kind, event.change, event.label or "-")
