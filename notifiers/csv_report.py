"""The report of a closed store as report.csv."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from realtime.hookspecs import ClosedStore, Idle, Notifier, ReportFile, hookimpl
from realtime.report import CsvReport

if TYPE_CHECKING:
    from realtime.settings import Settings


@hookimpl
def register_notifiers(settings: Settings) -> list[Notifier] | Idle:
    return [] if "csv" in settings.report_files else Idle("report_files does not name csv")


@hookimpl
def compose_report(store: ClosedStore) -> list[ReportFile]:
    """With the byte order mark: without it Excel, which most owners open it with, garbles every name that is not plain ASCII."""
    queues = {queue.id: queue.name for queue in store.queues}
    return [CsvReport("report.csv", ZoneInfo(store.timezone), queues, bom=True)]
