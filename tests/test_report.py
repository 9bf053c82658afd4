"""The report: what a spreadsheet, a program and an attacker make of it."""

from __future__ import annotations

import csv
import io
import statistics
import tracemalloc
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.model import Ticket, TicketState
from realtime.report import COLUMNS, CsvReport, Summary, safe

BERLIN = ZoneInfo("Europe/Berlin")
JOINED_MS = 1_763_841_845_000  # 2025-11-22 21:04:05 in Berlin
MINUTE = 60_000


def ticket(number: int = 7, **changes: object) -> Ticket:
    values: dict[str, object] = {
        "id": number,
        "queue": "A",
        "number": number,
        "name": "Ann",
        "phone": "",
        "email": "",
        "party": 2,
        "state": TicketState.DONE,
        "desk": "",
        "place": number,
        "walk_in": False,
        "calls": 1,
        "joined_ms": JOINED_MS,
        "called_ms": JOINED_MS + 12 * MINUTE,
        "served_ms": JOINED_MS + 13 * MINUTE,
        "ended_ms": JOINED_MS + 60 * MINUTE,
    }
    return Ticket(**(values | changes))  # type: ignore[arg-type] # the values are those of a ticket, by name


def written(*tickets: Ticket, timezone: ZoneInfo = BERLIN, bom: bool = False) -> str:
    report = CsvReport("report.csv", timezone, {"A": "Table for two"}, bom=bom)
    return report.header() + report.rows(tickets) + report.footer()


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_a_ticket_is_one_row_with_everything_in_it() -> None:
    (row,) = read(written(ticket(phone="+4915112345678", email="ann@example.com")))

    assert row == {
        "queue": "Table for two",
        "number": "A07",
        "name": "Ann",
        "phone": "'+4915112345678",
        "email": "ann@example.com",
        "party_size": "2",
        "state": "done",
        "joined": "2025-11-22 21:04:05+01:00",
        "called": "2025-11-22 21:16:05+01:00",
        "served": "2025-11-22 21:17:05+01:00",
        "ended": "2025-11-22 22:04:05+01:00",
        "waited_seconds": "720",
    }


def test_what_never_happened_is_an_empty_cell() -> None:
    (row,) = read(written(ticket(state=TicketState.LEFT, called_ms=0, served_ms=0)))

    assert (row["called"], row["served"], row["waited_seconds"]) == ("", "", "")


def test_a_party_served_without_a_call_waited_until_it_was_served() -> None:
    (row,) = read(written(ticket(called_ms=0)))

    assert row["waited_seconds"] == "780"


def test_the_hour_that_comes_twice_in_autumn_is_told_apart_by_its_offset() -> None:
    first = 1_761_438_600_000  # 2025-10-26 02:30 for the first time

    rows = read(written(ticket(1, joined_ms=first), ticket(2, joined_ms=first + 60 * MINUTE)))

    assert [row["joined"] for row in rows] == ["2025-10-26 02:30:00+02:00", "2025-10-26 02:30:00+01:00"]


def test_an_empty_evening_is_a_header_alone() -> None:
    assert written() == ",".join(COLUMNS) + "\r\n"


def test_the_mark_for_spreadsheets_stands_in_front_only_when_asked_for() -> None:
    assert written(bom=True) == "\ufeff" + written()
    assert written(bom=True).encode().decode("utf-8-sig") == written()


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_any_text_comes_out_as_it_went_in_but_for_the_quote(texts: list[tuple[str, str]]) -> None:
    text = written(*(ticket(number, name=name, email=email) for number, (name, email) in enumerate(texts)))

    assert [(row["name"], row["email"]) for row in read(text)] == [(safe(name), safe(email)) for name, email in texts]
    assert text.endswith("\r\n")


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠"])
@pytest.mark.parametrize("blank", ["", " ", "   ", "\u00a0", "\u3000", "\ufeff", "\u200b"])
def test_no_cell_begins_as_a_formula(first: str, blank: str) -> None:
    attack = f'{blank}{first}HYPERLINK("http://evil.example")'

    assert safe(attack) == "'" + attack


@pytest.mark.parametrize("separator", [";", "\t"])
def test_no_formula_begins_where_another_locale_starts_a_cell(separator: str) -> None:
    assert safe(f"Ann{separator}=1+1") == f"Ann{separator}'=1+1"


@pytest.mark.parametrize("text", ["Ann", "Ann-Marie O'Neill", "a@example.com", "1+1=2", "Müller; Söhne", "李", ""])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


def test_a_queue_named_like_a_formula_is_quoted_too() -> None:
    report = CsvReport("report.csv", BERLIN, {"A": "=cmd"})

    assert report.rows([ticket()]).startswith("'=cmd,A07,")


# ---- the evening in figures ---------------------------------------------------------------------------------------


def test_every_party_is_counted_where_it_ended() -> None:
    summary = Summary()
    states = [*TicketState, TicketState.DONE]

    summary.add([ticket(number, state=state) for number, state in enumerate(states)])

    counts = summary.counts()
    assert (counts.tickets, counts.served, counts.no_shows, counts.left, counts.removed, counts.unserved) == (8, 3, 1, 1, 1, 2)


@given(st.lists(st.integers(0, 86_400), min_size=1), st.integers(1, 7))
def test_the_waits_are_exact_to_the_second_however_the_pages_fall(waits: list[int], page: int) -> None:
    tickets = [ticket(number, called_ms=JOINED_MS + wait * 1000) for number, wait in enumerate(waits)]
    summary = Summary()

    for start in range(0, len(tickets), page):
        summary.add(tickets[start : start + page])

    counts = summary.counts()
    assert counts.median_wait_ms == statistics.median_low(waits) * 1000
    assert counts.longest_wait_ms == max(waits) * 1000


def test_an_evening_without_calls_has_no_waits() -> None:
    summary = Summary()
    summary.add([ticket(called_ms=0, served_ms=0)])

    assert (summary.counts().median_wait_ms, summary.counts().longest_wait_ms) == (0, 0)


def test_memory_does_not_grow_with_the_number_of_tickets() -> None:
    report = CsvReport("report.csv", BERLIN, {"A": "Table"})
    summary = Summary()

    def pages(count: int) -> int:
        tracemalloc.reset_peak()
        for _ in range(count):
            page = [ticket(number, called_ms=JOINED_MS + number * 1000) for number in range(200)]
            summary.add(page)
            report.rows(page)
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        pages(2)  # what is made once - caches of timezones, compiled patterns - is not what is measured
        few, many = pages(2), pages(40)
    finally:
        tracemalloc.stop()

    assert many < few * 2, "kept tickets or text would be twenty times as much"
