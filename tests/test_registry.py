"""Each plugin is called on its own, and what they answer is checked and put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from realtime.facts import facts_of
from realtime.hookspecs import Accepted, AccountNotice, EventFacts, OutgoingDelivery, ReportFile, Retry, Sent, hookimpl
from realtime.model import Delivery, Event, Ticket
from realtime.registry import EVENTS_BEHIND
from tests.plugins.facts import CLOSED, CLOSED_STORE, EVENT, JOIN, notice, outgoing
from tests.plugins.office import Brings, Post, PostOffice, Says, load, load_async
from tests.support.waiting import until_async

# ---- before and inside the transaction ----------------------------------------------------------------------------


def test_the_first_refusal_counts() -> None:
    assert load(("a", Says(None)), ("b", Says("Closed today.")), ("c", Says("Full."))).check_join(JOIN) == "Closed today."


@pytest.mark.parametrize("answer", [True, "", "   ", "x" * 301, "two\nlines", "\x1b[31mred", ["no"], 5])
def test_a_refusal_that_is_no_sentence_lets_the_party_in(answer: object, caplog: pytest.LogCaptureFixture) -> None:
    assert load(("odd", Says(answer))).check_join(JOIN) is None
    assert "The plugin odd failed in check_join" in caplog.text


def test_a_notifier_cannot_take_the_place_of_the_ladders_last_step() -> None:
    (info,) = load(("odd", Brings(Post("not_reached")))).plugins()

    assert info.status == "failed: returned a notifier named 'not_reached', which is the core's own"


def test_what_is_owed_is_put_together_from_all_plugins() -> None:
    class Second:
        @hookimpl
        def compose_ticket_notice(self) -> tuple[Delivery, ...]:
            return (Delivery("post", "Bo", "joined", {}), Delivery("post", "Cy", "joined", {}))

    registry = load(("office", PostOffice()), ("second", Second()))

    assert [owed.recipient for owed in registry.compose_ticket_notice(notice())] == ["Ann", "Bo", "Cy"]
    assert [owed.recipient for owed in registry.compose_account_notice(AccountNotice(moment="x", email="a@example.com"))] == [
        "a@example.com"
    ]
    assert [owed.needs_report for owed in registry.compose_store_closed(CLOSED)] == [True]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("mail", "returned str instead of a Delivery"),
        ([Delivery("post", "Bo", "joined", {}), None], "returned list instead of a Delivery"),
        (Delivery("pigeon", "Bo", "joined", {}), "the notifier 'pigeon', which is not here"),
        (Delivery("post", "", "joined", {}), "without a recipient"),
        (Delivery("post", "Bo", "joined", {}, needs_report=True), "needs a report where there is none"),
        (Delivery("post", "Bo", "called", {}, not_before_ms=-1), "a Delivery that is none"),
        (Delivery("post", "Bo", "called", {}, not_before_ms=2**70), "a Delivery that is none"),
        (Delivery("post", 5, "joined", {}), "a Delivery that is none"),  # type: ignore[arg-type] # that is the point
        (Delivery("post", "Bo", "joined", {"secret-value": object()}), "a Delivery that is none"),  # type: ignore[dict-item] # that is the point
    ],
)
def test_what_is_wrongly_owed_is_left_out_and_the_rest_stays(answer: object, why: str, caplog: pytest.LogCaptureFixture) -> None:
    class Odd:
        @hookimpl
        def compose_ticket_notice(self) -> object:
            return answer

    registry = load(("odd", Odd()), ("office", PostOffice()))

    assert [owed.recipient for owed in registry.compose_ticket_notice(notice())] == ["Ann"]
    assert why in caplog.text


def test_an_awaitable_where_none_belongs_is_named_and_closed(caplog: pytest.LogCaptureFixture) -> None:
    async def later() -> None: ...

    class Late:
        @hookimpl
        def compose_ticket_notice(self) -> object:
            return later()

    assert load(("late", Late())).compose_ticket_notice(notice()) == []
    assert "returned an awaitable instead of a Delivery" in caplog.text


class Lines:
    media_type = "text/plain"

    def __init__(self, name: str, breaks_at: int = -1) -> None:
        self.name = name
        self._breaks_at = breaks_at
        self._pages = 0

    def header(self) -> str:
        return "top\n"

    def rows(self, tickets: Sequence[Ticket]) -> str:
        self._pages += 1
        if self._pages == self._breaks_at:
            raise SystemExit
        return f"page {self._pages}\n"

    def footer(self) -> str:
        return "end\n"


def report_plugin(*files: object) -> object:
    class Report:
        @hookimpl
        def compose_report(self) -> list[object]:
            return list(files)

    return Report()


def test_a_report_file_that_breaks_is_left_out_and_the_others_are_whole(caplog: pytest.LogCaptureFixture) -> None:
    registry = load(("a", report_plugin(Lines("a.txt", breaks_at=2))), ("b", report_plugin(Lines("b.txt"))))
    texts = {}

    for file in registry.compose_report(CLOSED_STORE):
        texts[file.name] = file.header() + file.rows([]) + file.rows([]) + file.rows([]) + file.footer()
        assert bool(file.broken) == (file.name == "a.txt")

    assert texts["b.txt"] == "top\npage 1\npage 2\npage 3\nend\n"
    assert "raised SystemExit" in caplog.text


@pytest.mark.parametrize("file", [Lines("../../etc/passwd"), Lines(""), Lines("a b"), object(), "report.csv"])
def test_a_report_file_without_a_plain_name_is_none(file: ReportFile) -> None:
    assert load(("odd", report_plugin(file))).compose_report(CLOSED_STORE) == []


def test_two_files_of_one_name_are_one() -> None:
    registry = load(("a", report_plugin(Lines("report.csv"))), ("b", report_plugin(Lines("report.csv"))))

    assert len(registry.compose_report(CLOSED_STORE)) == 1


# ---- after commit -------------------------------------------------------------------------------------------------


async def test_a_delivery_is_carried_by_the_notifier_it_names() -> None:
    office = PostOffice()
    registry = await load_async(("office", office))
    (owed,) = registry.compose_ticket_notice(notice())

    outcome = await registry.deliver(outgoing(owed, attempt=3))
    await registry.close()

    assert outcome == Accepted("42")
    assert (office.post.given[0].id, office.post.given[0].attempt) == ("luigis/7-email", 3)
    assert office.post.closed


async def test_a_delivery_whose_notifier_is_not_here_waits_for_it() -> None:
    outcome = await (await load_async()).deliver(outgoing(Delivery("pigeon", "Bo", "joined", {})))

    assert isinstance(outcome, Retry)
    assert outcome.after_s
    assert "no notifier 'pigeon'" in outcome.reason


@pytest.mark.parametrize("answer", [True, None, "sent", Sent])
async def test_an_outcome_that_is_none_is_tried_again(answer: object) -> None:
    class Sloppy(Post):
        async def deliver(self, delivery: OutgoingDelivery) -> Any:
            return answer

    class Office(PostOffice):
        def __init__(self) -> None:
            self.post = Sloppy()

    outcome = await (await load_async(("office", Office()))).deliver(outgoing(Delivery("post", "Bo", "joined", {})))

    assert isinstance(outcome, Retry)
    assert "instead of one of Sent, Accepted" in outcome.reason


@pytest.mark.parametrize("after_s", ["soon", float("nan"), -1, None])
async def test_what_a_notifier_says_is_made_storable_whatever_it_is(after_s: Any) -> None:
    class Odd(Post):
        async def deliver(self, delivery: OutgoingDelivery) -> Any:
            return Retry("Lost\ud800 \0" + "x" * 1000, after_s)

    class Office(PostOffice):
        def __init__(self) -> None:
            self.post = Odd()

    outcome = await (await load_async(("office", Office()))).deliver(outgoing(Delivery("post", "Bo", "joined", {})))

    assert isinstance(outcome, Retry)
    assert outcome.after_s is None
    assert outcome.reason.startswith("Lost? x")
    assert len(outcome.reason) == 500


async def test_events_reach_every_plugin_in_order() -> None:
    seen: list[tuple[str, int]] = []

    class Waits:
        @hookimpl
        async def on_event(self, event: EventFacts) -> None:
            await asyncio.sleep(0)
            seen.append(("waits", event.seq))

    class Plain:
        @hookimpl
        def on_event(self, event: EventFacts) -> None:
            seen.append(("plain", event.seq))

    registry = await load_async(("plain", Plain()), ("waits", Waits()))
    events = [
        EventFacts(store_id="s", seq=seq, at_ms=0, kind="ticket", change="joined", label="", public="", owner="") for seq in range(20)
    ]

    await asyncio.gather(*map(registry.on_event, events))

    assert [seq for name, seq in seen if name == "waits"] == list(range(20))
    assert [seq for name, seq in seen if name == "plain"] == list(range(20))


async def test_a_plugin_that_is_too_far_behind_is_passed_by(caplog: pytest.LogCaptureFixture) -> None:
    go, seen = asyncio.Event(), 0

    class Slow:
        @hookimpl
        async def on_event(self) -> None:
            nonlocal seen
            await go.wait()
            seen += 1

    registry = await load_async(("slow", Slow()))

    tells = asyncio.gather(*(registry.on_event(EVENT) for _ in range(EVENTS_BEHIND + 5)))
    await until_async(lambda: "4 have passed it by" in caplog.text)
    go.set()
    await tells

    assert seen == EVENTS_BEHIND


def test_an_event_is_told_with_its_change_and_number() -> None:
    told = facts_of(Event("s", 7, 99, "ticket", '{"change":"joined","ticket":{"id":7,"label":"A07","name":"Ann"}}', "{}"))

    assert (told.change, told.label, told.seq, told.public) == ("joined", "A07", 7, "{}")
    assert facts_of(Event("s", 8, 99, "store", '{"change":"closing","store":{}}', "{}")).label == ""


async def test_closing_goes_on_when_a_notifier_cannot_close(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(Post):
        async def close(self) -> None:
            raise RuntimeError

    first, second = PostOffice(), PostOffice()
    first.post, second.post = Stuck("stuck"), Post("fine")

    await (await load_async(("a", first), ("b", second))).close()

    assert second.post.closed
    assert "The plugin a failed in close" in caplog.text


def test_calls_are_cheap_where_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    registry = load()

    with caplog.at_level(logging.DEBUG):
        answers = (registry.check_join(JOIN), registry.compose_ticket_notice(notice()), registry.compose_report(CLOSED_STORE))

    assert answers == (None, [], [])
    assert caplog.text == ""
