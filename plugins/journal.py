"""One log line per committed change, without a name, a phone number or an address: what happened, where, and to which number."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from realtime.hookspecs import EventFacts, Idle, Notifier, hookimpl

if TYPE_CHECKING:
    from realtime.settings import Settings

logger = logging.getLogger("nowserving.journal")


@hookimpl
def register_notifiers(settings: Settings) -> list[Notifier] | Idle:
    return [] if settings.log_changes else Idle("log_changes is not set")


@hookimpl
def on_event(event: EventFacts) -> None:
    logger.info("store=%s seq=%d %s %s %s", event.store_id, event.seq, event.kind, event.change, event.label or "-")
