"""The report of a closed store as report.html: one page with figures and charts, and nothing personal, so that it can be passed on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from notifiers.html_report.figures import figures
from notifiers.html_report.page import Page
from notifiers.html_report.tally import Tally
from realtime.hookspecs import ClosedStore, Idle, Notifier, ReportFile, hookimpl
from realtime.model import Ticket

if TYPE_CHECKING:
    from realtime.settings import Settings


class HtmlReport:
    """A store's evening as one HTML file: no script, no network, no name, contact or number of any party. The tickets are in report.csv.

    Tickets are counted page by page and not kept, so memory stays flat whatever their number.
    """

    name = "report.html"
    media_type = "text/html; charset=utf-8"
    about = "The evening in figures and charts, for any browser. It names nobody: pass it on as you like."

    def __init__(self, store: ClosedStore) -> None:
        self._store = store
        self._timezone = ZoneInfo(store.timezone)
        self._page = Page()
        self.header()

    def header(self) -> str:
        """Starts from nothing, also when it is called again; all text comes at the end, when everything is counted."""
        queues = {queue.id: queue.name for queue in self._store.queues}
        self._tally = Tally(self._store.opened_ms, self._store.closed_ms, self._timezone, queues)
        return ""

    def rows(self, tickets: Sequence[Ticket]) -> str:
        self._tally.add(tickets)
        return ""

    def footer(self) -> str:
        return self._page.render(self._store, self._timezone, figures(self._tally, self._timezone))


@hookimpl
def register_notifiers(settings: Settings) -> list[Notifier] | Idle:
    return [] if "html" in settings.report_files else Idle("report_files does not name html")


@hookimpl
def compose_report(store: ClosedStore) -> list[ReportFile]:
    return [HtmlReport(store)]
