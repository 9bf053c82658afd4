"""The plugin that makes report.jsonl."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from datetime import datetime

from hypothesis import given

from notifiers import csv_report, json_report
from realtime.hookspecs import ClosedStore
from realtime.model import Ticket, TicketState
from realtime.report import safe
from tests.notifiers.evenings import AUTUMN_MS, HOUR_MS, closed_store, evenings, ticket, usual, written


def lines(store: ClosedStore, tickets: list[Ticket]) -> list[dict[str, object]]:
    (file,) = json_report.compose_report(store)
    return [json.loads(line) for line in written(file, tickets, 7).splitlines()]


def test_a_ticket_is_one_object_with_everything_in_it() -> None:
    store = closed_store()

    assert lines(store, [ticket(7, store, TicketState.DONE, 0.5, 720)]) == [
        {
            "number": "A07",
            "queue": "A",
            "queue_name": "Table A",
            "name": "Ann",
            "phone": "+4915112345678",
            "email": "ann@example.com",
            "party_size": 2,
            "state": "done",
            "desk": "Ann",
            "walk_in": False,
            "calls": 1,
            "joined": "2025-11-22T20:30:00+01:00",
            "called": "2025-11-22T20:42:00+01:00",
            "served": "2025-11-22T20:42:00+01:00",
            "ended": "2025-11-22T20:43:00+01:00",
            "waited_seconds": 720,
        }
    ]


def test_what_never_happened_is_null() -> None:
    store = closed_store()

    (line,) = lines(store, [ticket(1, store, TicketState.WAITING, 0, 0)])

    assert [line[key] for key in ("called", "served", "ended", "waited_seconds")] == [None, None, None, None]


def test_no_name_ends_a_line_and_every_name_comes_out_as_it_went_in() -> None:
    store = closed_store()
    names = ["a\nb", "a\r\nb", "a\x85b", "a\u2028b", "a\u2029b", "a\x0bb\x0cc\x1cd\x1ee", '"},{"', "\0", "李 🍝", "=1+1"]
    tickets = [ticket(number, store, TicketState.LEFT, 0, 0, text=name) for number, name in enumerate(names)]

    assert [line["name"] for line in lines(store, tickets)] == names


def test_the_hour_that_comes_twice_is_told_apart_and_the_times_are_those_of_the_tickets() -> None:
    store = closed_store(opened_ms=AUTUMN_MS + 5 * HOUR_MS, hours=2)
    made = [ticket(number, store, TicketState.WAITING, share, 0) for number, share in enumerate((0.25, 0.75))]

    said = [str(line["joined"]) for line in lines(store, made)]

    assert said == ["2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00"]
    assert [datetime.fromisoformat(text).timestamp() * 1000 for text in said] == [each.joined_ms for each in made]


def test_an_empty_evening_is_an_empty_file() -> None:
    (file,) = json_report.compose_report(closed_store())

    assert written(file, []) == ""


@given(evenings())
def test_it_says_what_the_csv_says(evening: tuple[ClosedStore, list[Ticket]]) -> None:
    store, tickets = evening
    (table,) = csv_report.compose_report(store)
    rows = list(csv.DictReader(io.StringIO(written(table, tickets).removeprefix("\ufeff"), newline="")))

    told = lines(store, tickets)

    assert [(line["number"], safe(str(line["name"])), line["state"], line["party_size"]) for line in told] == [
        (row["number"], row["name"], row["state"], int(row["party_size"])) for row in rows
    ]
    for key in ("joined", "called", "served", "ended"):
        assert [str(line[key] or "").replace("T", " ") for line in told] == [row[key] for row in rows]
    assert ["" if line["waited_seconds"] is None else str(line["waited_seconds"]) for line in told] == [
        row["waited_seconds"] for row in rows
    ]


def test_memory_does_not_grow_with_the_number_of_tickets() -> None:
    store = closed_store()
    page = usual(store, 200)
    (file,) = json_report.compose_report(store)

    def peak(pages: int) -> int:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(pages):
            file.rows(page)
        return tracemalloc.get_traced_memory()[1] - before

    tracemalloc.start()
    try:
        peak(2)
        few, many = peak(2), peak(40)
    finally:
        tracemalloc.stop()

    assert many < few * 1.5
