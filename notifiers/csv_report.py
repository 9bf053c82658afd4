"""The report of a closed store as report.csv."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from realtime.hookspecs import ClosedStore, ReportFile, hookimpl
from realtime.report import CsvReport


@hookimpl
def compose_report(store: ClosedStore) -> list[ReportFile]:
    """With the byte order mark: without it Excel, which most owners open it with, garbles every name that is not plain ASCII."""
    queues = {queue.id: queue.name for queue in store.queues}
    return [CsvReport("report.csv", ZoneInfo(store.timezone), queues, bom=True)]
