"""What a closed store leaves: tickets in, page by page, CSV text and the evening's figures out."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from realtime.hookspecs import Counts
from realtime.model import Ticket, TicketState

COLUMNS = (
    "queue",
    "number",
    "name",
    "phone",
    "email",
    "party_size",
    "state",
    "joined",
    "called",
    "served",
    "ended",
    "waited_seconds",
)

_FORMULA = re.compile(r"(^|[;\t])([\s\u200b\ufeff]*[=+\-@\t\r\n\0＝＋－＠])")
"""What a spreadsheet takes for a formula: at the start of a cell, also after blanks, and after a semicolon or tab, where another
locale's spreadsheet starts a new cell."""

_DAY_SECONDS = 24 * 3600


def safe(text: str) -> str:
    """The same text, which no spreadsheet runs: a single quote stands before what would start a formula (OWASP ASVS 5.0, 1.2.10).

    A phone number +49 151 2345678 becomes '+49 151 2345678: it stays readable, and it is text, so that no digit is lost.
    """
    if text[:1].isalnum() and ";" not in text and "\t" not in text:
        return text  # nearly every cell, ten times as fast as the search
    return _FORMULA.sub(r"\1'\2", text)


class CsvReport:
    """A store's tickets as CSV (RFC 4180: commas, CRLF, quotes doubled), one row per ticket, times in the store's timezone with offset.

    Text is made page by page, so memory stays flat whatever the number of tickets. `bom` puts the mark in front by which Excel knows
    UTF-8; programs read the file with the codec "utf-8-sig".
    """

    media_type = "text/csv; charset=utf-8"
    about = "Every ticket, for a spreadsheet. It holds names and contacts: keep it safe."

    def __init__(self, name: str, timezone: ZoneInfo, queues: Mapping[str, str], *, bom: bool = False) -> None:
        self.name = name
        self._timezone = timezone
        self._queues = {letter: safe(queue) for letter, queue in queues.items()}
        self._bom = bom

    def header(self) -> str:
        return ("\ufeff" if self._bom else "") + ",".join(COLUMNS) + "\r\n"

    def rows(self, tickets: Sequence[Ticket]) -> str:
        """The lines of one page of tickets."""
        page = io.StringIO()
        csv.writer(page, lineterminator="\r\n").writerows(self._row(ticket) for ticket in tickets)
        return page.getvalue()

    def footer(self) -> str:
        return ""

    def _row(self, ticket: Ticket) -> tuple[str | int, ...]:
        return (
            self._queues.get(ticket.queue, ticket.queue),
            ticket.label,
            safe(ticket.name),
            safe(ticket.phone),
            safe(ticket.email),
            ticket.party,
            ticket.state.value,
            self._time(ticket.joined_ms),
            self._time(ticket.called_ms),
            self._time(ticket.served_ms),
            self._time(ticket.ended_ms),
            "" if (waited := waited_seconds(ticket)) is None else waited,
        )

    def _time(self, at_ms: int) -> str:
        if not at_ms:
            return ""
        return datetime.fromtimestamp(at_ms // 1000, self._timezone).isoformat(sep=" ")


def waited_seconds(ticket: Ticket) -> int | None:
    """From joining to the call; a party served without a call waited until then. None if it was never its turn."""
    turn_ms = ticket.called_ms or ticket.served_ms
    return max(turn_ms - ticket.joined_ms, 0) // 1000 if turn_ms else None


class Summary:
    """The evening in figures, counted page by page; waits are kept as at most one count per second of a day."""

    def __init__(self) -> None:
        self._states: Counter[TicketState] = Counter()
        self._waits: Counter[int] = Counter()

    def add(self, tickets: Sequence[Ticket]) -> None:
        self._states.update(ticket.state for ticket in tickets)
        self._waits.update(min(waited, _DAY_SECONDS) for ticket in tickets if (waited := waited_seconds(ticket)) is not None)

    def counts(self) -> Counts:
        states = self._states
        return Counts(
            tickets=states.total(),
            served=states[TicketState.DONE] + states[TicketState.SERVING],
            no_shows=states[TicketState.NO_SHOW],
            left=states[TicketState.LEFT],
            removed=states[TicketState.REMOVED],
            unserved=states[TicketState.WAITING] + states[TicketState.CALLED],
            median_wait_ms=self._median() * 1000,
            longest_wait_ms=max(self._waits, default=0) * 1000,
        )

    def _median(self) -> int:
        """The lower one of the two in the middle."""
        middle = (self._waits.total() + 1) // 2
        passed = 0
        for seconds in sorted(self._waits):
            passed += self._waits[seconds]
            if passed >= middle:
                return seconds
        return 0
