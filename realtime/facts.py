"""Events as plugins are told of them."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from realtime.hookspecs import EventFacts
from realtime.model import Event


class _Label(Struct):
    label: str = ""


class _Head(Struct):
    change: str = ""
    ticket: _Label | None = None


_DECODE_HEAD = msgspec.json.Decoder(_Head).decode


def facts_of(event: Event) -> EventFacts:
    """An event as plugins are told of it."""
    head = _DECODE_HEAD(event.owner)
    return EventFacts(
        store_id=event.store_id,
        seq=event.seq,
        at_ms=event.at_ms,
        kind=event.kind,
        change=head.change,
        label=head.ticket.label if head.ticket else "",
        public=event.public,
        owner=event.owner,
    )
