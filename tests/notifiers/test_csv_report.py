"""The plugin that makes report.csv."""

from __future__ import annotations

import csv
import io

from notifiers import csv_report
from realtime.model import Ticket, TicketState
from tests.plugins.facts import CLOSED_STORE, OPENED_MS


def test_the_report_has_the_queues_names_and_the_stores_time() -> None:
    (file,) = csv_report.compose_report(CLOSED_STORE)
    ticket = Ticket(7, "A", 7, "Ann", "", "", 2, TicketState.LEFT, "", 7, False, 0, OPENED_MS, 0, 0, OPENED_MS + 60_000)

    text = file.header() + file.rows([ticket]) + file.footer()

    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert (file.name, file.media_type) == ("report.csv", "text/csv; charset=utf-8")
    assert (row["queue"], row["number"], row["joined"]) == ("Table for two", "A07", "2025-11-22 18:00:00+01:00")


def test_spreadsheets_see_that_it_is_utf_8() -> None:
    (file,) = csv_report.compose_report(CLOSED_STORE)

    assert file.header().encode().startswith(b"\xef\xbb\xbfqueue,")
