"""The report of a closed store as report.jsonl: one JSON object a line, for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from realtime.hookspecs import ClosedStore, Idle, Notifier, ReportFile, hookimpl
from realtime.model import Ticket
from realtime.report import waited_seconds

if TYPE_CHECKING:
    from realtime.settings import Settings

_LINE_ENDS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})
"""What JSON leaves as it is inside a text, and many programs take for the end of a line (Unicode 16, section 5.8)."""


class Line(msgspec.Struct, frozen=True):
    """One ticket. The keys, their order and their meaning are public: new ones may come at the end, none goes."""

    number: str
    """As the party saw it: "A07"."""
    queue: str
    """The queue's letter."""
    queue_name: str
    name: str
    phone: str
    """E.164, or empty."""
    email: str
    party_size: int
    state: str
    """Where it ended: done, serving, no_show, left, removed, called or waiting."""
    desk: str
    walk_in: bool
    calls: int
    joined: str
    """RFC 3339 in the store's timezone, with its offset: "2025-11-22T21:04:05+01:00"."""
    called: str | None
    """As `joined`; null for what never happened."""
    served: str | None
    ended: str | None
    waited_seconds: int | None
    """From joining to the call, or to being served where there was none; null if it was never this party's turn."""


class JsonReport:
    """A store's tickets as JSON Lines: UTF-8, one object per ticket, each line ends with a line feed and holds no other line end.

    Text is made page by page, so memory stays flat whatever the number of tickets.
    """

    name = "report.jsonl"
    media_type = "application/jsonl"
    about = "Every ticket, for programs. It holds names and contacts: keep it safe."

    def __init__(self, timezone: ZoneInfo, queues: Mapping[str, str]) -> None:
        self._timezone = timezone
        self._queues = dict(queues)
        self._encoder = msgspec.json.Encoder()

    def header(self) -> str:
        return ""

    def rows(self, tickets: Sequence[Ticket]) -> str:
        """The lines of one page of tickets."""
        return self._encoder.encode_lines([self._line(ticket) for ticket in tickets]).decode().translate(_LINE_ENDS)

    def footer(self) -> str:
        return ""

    def _line(self, ticket: Ticket) -> Line:
        return Line(
            number=ticket.label,
            queue=ticket.queue,
            queue_name=self._queues.get(ticket.queue, ticket.queue),
            name=ticket.name,
            phone=ticket.phone,
            email=ticket.email,
            party_size=ticket.party,
            state=ticket.state.value,
            desk=ticket.desk,
            walk_in=ticket.walk_in,
            calls=ticket.calls,
            joined=datetime.fromtimestamp(ticket.joined_ms // 1000, self._timezone).isoformat(),
            called=self._time(ticket.called_ms),
            served=self._time(ticket.served_ms),
            ended=self._time(ticket.ended_ms),
            waited_seconds=waited_seconds(ticket),
        )

    def _time(self, at_ms: int) -> str | None:
        return datetime.fromtimestamp(at_ms // 1000, self._timezone).isoformat() if at_ms else None


@hookimpl
def register_notifiers(settings: Settings) -> list[Notifier] | Idle:
    return [] if "jsonl" in settings.report_files else Idle("report_files does not name jsonl")


@hookimpl
def compose_report(store: ClosedStore) -> list[ReportFile]:
    return [JsonReport(ZoneInfo(store.timezone), {queue.id: queue.name for queue in store.queues})]
