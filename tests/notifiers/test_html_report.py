"""The plugin that makes report.html: its figures, what is not in it, and how much it keeps in memory."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import statistics
import tracemalloc
from base64 import b64encode
from collections import Counter
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifiers import csv_report, html_report
from notifiers.html_report.waits import COUNTERS, LONGEST, Waits
from realtime.hookspecs import ClosedStore
from realtime.model import Ticket, TicketState
from tests.notifiers.evenings import AUTUMN_MS, LETTERS, SPRING_MS, closed_store, evenings, ticket, usual, written

VOID = {"meta", "br"}


class Reader(HTMLParser):
    """The page as a browser reads it: its elements, its text, its tables by id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.tables: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] | None = None
        self.feed(page)
        self.close()
        assert self.open == [], "every element that begins ends"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self._rows = self.tables[dict(attrs)["id"] or ""] = []
        elif self._rows is not None and tag == "tr":
            self._rows.append([])
        elif self._rows and tag in ("th", "td"):
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "table":
            self._rows = None

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
        if self._rows and self._rows[-1] and {"th", "td"} & set(self.open):
            self._rows[-1][-1] += data

    def numbers(self, table: str, column: int) -> list[int]:
        """A column of whole numbers, without its head."""
        return [int(row[column].replace(",", "")) for row in self.tables[table][1:]]


def page(store: ClosedStore, tickets: list[Ticket], at_once: int = 500) -> str:
    (file,) = html_report.compose_report(store)
    return written(file, tickets, at_once)


def read(store: ClosedStore, tickets: list[Ticket]) -> Reader:
    return Reader(page(store, tickets))


# ---- its figures --------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(evenings())
def test_it_counts_what_the_csv_lists(evening: tuple[ClosedStore, list[Ticket]]) -> None:
    store, tickets = evening
    (table,) = csv_report.compose_report(store)
    rows = list(csv.DictReader(io.StringIO(written(table, tickets).removeprefix("\ufeff"), newline="")))
    states = Counter(row["state"] for row in rows)
    served = states["done"] + states["serving"]

    shown = Reader(page(store, tickets, at_once=7))

    if not rows:
        assert shown.tables == {}
        return
    waited = sum(1 for row in rows if row["waited_seconds"])
    for column, count in {
        1: len(rows),
        2: sum(int(row["party_size"]) for row in rows),
        3: served,
        4: states["waiting"] + states["called"],
        5: states["left"],
        6: states["no_show"],
        7: states["removed"],
    }.items():
        *queues, every = shown.numbers("by-queue", column)
        assert (sum(queues), every) == (count, count)
    assert sum(shown.numbers("by-time", 1)) == len(rows)
    assert sum(shown.numbers("by-time", 2)) == served
    if waited:
        assert sum(shown.numbers("waits-by-time", 1)) == sum(shown.numbers("waits", 1)) == waited


def test_parties_stand_in_the_half_hour_in_which_they_joined_and_were_served() -> None:
    store = closed_store(hours=4)  # from 18:00
    tickets = [
        ticket(1, store, TicketState.DONE, 0.0, 1800),
        ticket(2, store, TicketState.LEFT, 0.125, 0),
        ticket(3, store, TicketState.DONE, 0.49, 60),
    ]

    shown = read(store, tickets)

    assert [row[:3] for row in shown.tables["by-time"][1:]] == [
        ["18:00 to 18:30", "1", "0"],
        ["18:30 to 19:00", "1", "1"],
        ["19:00 to 19:30", "0", "0"],
        ["19:30 to 20:00", "1", "1"],
    ]


def test_a_day_is_shown_by_the_hour_of_the_clock() -> None:
    store = closed_store(hours=24, opened_ms=closed_store().opened_ms + 40 * 60_000)  # from 18:40
    shown = read(store, usual(store, 300))

    labels = [row[0] for row in shown.tables["by-time"][1:]]

    assert labels[0] in ("18:00 to 19:00", "19:00 to 20:00")
    assert 17 <= len(labels) <= 26
    assert all(re.fullmatch(r"\d\d:00 to \d\d:00", label) for label in labels)


@pytest.mark.parametrize(
    ("opened_ms", "expected"),
    [
        (
            AUTUMN_MS,
            ["01:30 to 02:00 (UTC+02:00)", "02:00 to 02:30 (UTC+02:00)", "02:30 to 02:00 (UTC+02:00)", "02:00 to 02:30 (UTC+01:00)"],
        ),
        (SPRING_MS, ["01:30 to 03:00 (UTC+01:00)", "03:00 to 03:30 (UTC+02:00)"]),
    ],
)
def test_the_night_in_which_the_clock_is_changed_loses_and_doubles_nobody(opened_ms: int, expected: list[str]) -> None:
    store = closed_store(hours=7, opened_ms=opened_ms)
    tickets = [ticket(number, store, TicketState.WAITING, number / 14, 0) for number in range(14)]

    shown = read(store, tickets)

    assert shown.numbers("by-time", 1) == [1] * 14
    labels = [row[0] for row in shown.tables["by-time"][1:]]
    assert labels[labels.index(expected[0]) :][: len(expected)] == expected


def test_what_lies_outside_the_stores_time_counts_at_its_edge() -> None:
    store = closed_store(hours=1)

    shown = read(store, [ticket(1, store, TicketState.DONE, -5, 10), ticket(2, store, TicketState.DONE, 50, 100_000)])

    assert shown.numbers("by-time", 1) == [1, 1]


@pytest.mark.parametrize("hours", [0, 24 * 40])
def test_a_store_that_was_closed_at_once_or_weeks_too_late_has_a_page(hours: float) -> None:
    store = closed_store(hours=hours)

    shown = read(store, usual(store, 50))

    assert sum(shown.numbers("by-time", 1)) == 50
    assert len(shown.tables["by-time"]) <= 28


def test_nobody_joined() -> None:
    shown = read(closed_store(3), [])

    assert "Nobody joined." in shown.text
    assert shown.tags["svg"] == 0


def test_every_queue_of_26_has_its_chart_and_its_row() -> None:
    store = closed_store(26)

    shown = read(store, usual(store, 2000))

    assert [row[0][0] for row in shown.tables["by-queue"][1:-1]] == list(LETTERS)
    assert shown.tags["svg"] == 1 + 26 + 2 + 1 + 27, "arrivals, each queue's, waits twice (one is stretched), how long, how it ended"


def test_called_again_after_a_crash_it_counts_from_nothing() -> None:
    store = closed_store()
    (file,) = html_report.compose_report(store)
    tickets = usual(store, 30)
    file.header()
    file.rows(tickets[:20])

    assert written(file, tickets) == page(store, tickets)


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=200), st.sampled_from([0.5, 0.9]))
def test_a_quantile_of_waits_is_off_by_less_than_one_in_a_hundred(seconds: list[int], share: float) -> None:
    waits = Waits()
    for each in seconds:
        waits.add(each)

    ranked = sorted(min(each, LONGEST) for each in seconds)
    exact = ranked[max(-(-int(share * 10) * len(ranked) // 10), 1) - 1]

    assert waits.quantile(share) == pytest.approx(exact, rel=0.01, abs=0.5)
    assert waits.longest == ranked[-1]


def test_the_mail_and_the_page_say_the_same_median() -> None:
    store = closed_store()
    waits = [600, 725, 4000]
    tickets = [ticket(number, store, TicketState.DONE, 0.1, waited) for number, waited in enumerate(waits)]

    assert f"Half of those called waited {round(statistics.median(waits) / 60)} min or less" in read(store, tickets).text


def test_waits_of_under_a_minute_are_not_called_that_or_less() -> None:
    store = closed_store()
    tickets = [ticket(number, store, TicketState.DONE, 0.1, waited) for number, waited in enumerate((5, 10, 12))]

    text = read(store, tickets).text

    assert "Half of those called waited under 1 min, nine of ten under 1 min." in text
    assert "under 1 min or less" not in page(store, tickets)


# ---- what is not in it --------------------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style><b>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;",
    "=HYPERLINK(1)",
    "\u202eevil",
    "a\0b\x1b[31m",
    "]]>-->",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_and_nothing_else(name: str) -> None:
    harmless, store = closed_store(2, name="x", queue="x"), closed_store(2, name=name, queue=name)
    tickets = usual(store, 40)

    shown, plain = read(store, tickets), read(harmless, tickets)

    assert shown.tags == plain.tags
    assert shown.attributes == plain.attributes
    if name.isprintable():
        assert name in shown.text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", shown.text)


def test_it_names_nobody() -> None:
    store = closed_store(2)

    text = page(store, usual(store, 200, text="Quixotecanary"))

    for personal in ("Quixotecanary", "+4915112345678", "15112345678", "ann@example.com", "A07"):
        assert personal not in text


def test_it_runs_and_fetches_nothing() -> None:
    store = closed_store(3)
    text = page(store, usual(store, 100))
    shown = Reader(text)

    assert not {"script", "img", "link", "iframe", "object", "form", "a", "use", "image"} & shown.tags.keys()
    assert not {name for name in shown.attributes if name.startswith("on") or name in ("src", "href", "style", "srcset")}
    assert "url(" not in text
    assert "@import" not in text
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    allowed = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src &#39;none&#39;; style-src &#39;sha256-{allowed}&#39;" in text


# ---- memory -------------------------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_number_of_tickets() -> None:
    store = closed_store(26, hours=24)
    sheet = [ticket(number, store, TicketState.DONE, number / 2000, number * 5, LETTERS[number % 26]) for number in range(2000)]
    (file,) = html_report.compose_report(store)
    file.header()
    file.rows(sheet)  # every counter is there from now on

    def kept(pages: int) -> int:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(pages):
            file.rows(sheet)
        return tracemalloc.get_traced_memory()[1] - before

    tracemalloc.start()
    try:
        kept(1)
        few, many = kept(1), kept(10)
    finally:
        tracemalloc.stop()

    # What grows are the two or three small numbers of counters that pass 256; a kept ticket would cost more than 100 bytes.
    assert many - few < 18_000 * 8
    assert COUNTERS < 800
