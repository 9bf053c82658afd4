"""The browser's live client: what it does when the network, the server or the phone misbehaves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page

from realtime import errors
from realtime.estimate import minutes
from realtime.web.asyncapi import OTHER_CLOSE_CODES
from tests.browser.customer_stub import Stub
from tests.browser.expressions import until_true
from tests.support.pages import Pages
from tests.support.waiting import until_async

CODES = Path(__file__).parents[2] / "realtime" / "web" / "static" / "live" / "codes.js"
START = """
async ({topics, pingMs, refuse}) => {
    const {connect} = await import("/static/live/socket.js");
    const {applyPush, emptyState, fromSnapshot} = await import("/static/live/reducer.js");
    window.state = emptyState();
    window.seen = {states: [], pushes: [], snapshots: 0, final: null, tokens: []};
    window.live = connect({
        topics, pingMs,
        token: async (renew) => {
            seen.tokens.push(renew);
            if (refuse) throw Object.assign(new Error("Please sign in again."), {status: 401, code: "not_signed_in"});
            return "t";
        },
        onPush: (push) => { seen.pushes.push(push.seq); window.state = applyPush(window.state, push); },
        onSnapshot: (topic, snapshot, seq) => { seen.snapshots += 1; if (snapshot.tickets) window.state = fromSnapshot(snapshot, seq); },
        onState: (state, since) => seen.states.push([state, since]),
        onFinal: (final) => { seen.final = final; },
    });
}
"""


@pytest.fixture
def stub() -> Stub:
    stub = Stub()
    stub.add_queue("Tables", pace_ms=240_000)
    for _ in range(3):
        stub.add_ticket("A")
    return stub


@pytest_asyncio.fixture(loop_scope="session")
async def pages(address: str, pages: Pages) -> Pages:
    """The pages, closed before their server is."""
    return pages


async def start(page: Page, address: str, **options: Any) -> None:
    await page.goto(f"{address}/nothing")
    await page.evaluate(START, {"topics": None, "pingMs": None, "refuse": False} | options)


async def is_live(page: Page) -> None:
    await until_true(page, "live.freshness.state === 'live'")


def subscriptions(stub: Stub) -> list[Any]:
    return [asked["subscribe"] for asked in stub.asked if "subscribe" in asked]


async def test_it_signs_in_first_then_subscribes_to_what_it_may_hear(page: Page, address: str, stub: Stub) -> None:
    await start(page, address)
    await is_live(page)

    assert stub.asked[0]["authenticate"] == {"token": "t"}
    assert stub.asked[1]["subscribe"] == {"topic": "store/s1/public"}
    assert await page.evaluate("[...state.tickets.values()].map((ticket) => ticket.label)") == ["A01", "A02", "A03"]


async def test_it_answers_a_ping_with_an_empty_object(page: Page, address: str, stub: Stub) -> None:
    await start(page, address)
    await is_live(page)

    await stub.say({})

    await until_async(lambda: stub.asked[-1] == {}, what="a pong")


async def test_after_a_break_it_asks_for_what_it_missed_and_gets_only_that(page: Page, address: str, stub: Stub) -> None:
    await start(page, address)
    await is_live(page)
    seq = stub.seq
    await stub.hang_up(1012)
    await stub.move(stub.tickets[1], "called", desk="Desk 2")

    await until_true(page, "state.tickets.get(1).state === 'called'")

    assert subscriptions(stub)[-1] == {"topic": "store/s1/public", "since": {"epoch": "e1", "seq": seq}}
    assert await page.evaluate("[seen.snapshots, seen.pushes]") == [1, [seq + 1]]


async def test_another_epoch_brings_a_whole_new_state(page: Page, address: str, stub: Stub) -> None:
    await start(page, address)
    await is_live(page)
    stub.epoch, stub.tickets = "e2", {}
    await stub.hang_up(1012)

    await until_true(page, "seen.snapshots === 2")

    assert await page.evaluate("state.tickets.size") == 0


async def test_a_lost_push_is_noticed_by_the_next_and_fetched(page: Page, address: str, stub: Stub) -> None:
    await start(page, address)
    await is_live(page)
    seq = stub.seq
    await stub.move(stub.tickets[1], "called", silently=True)
    await stub.move(stub.tickets[2], "called")

    await until_true(page, "state.tickets.get(1).state === 'called' && state.tickets.get(2).state === 'called'")

    assert subscriptions(stub)[-1]["since"]["seq"] == seq
    assert await page.evaluate("seen.pushes") == [seq + 1, seq + 2]
    assert len(stub.sockets) == 1, "the socket itself was kept"


async def test_a_push_that_is_not_new_changes_nothing(page: Page, address: str, stub: Stub) -> None:
    await start(page, address)
    await is_live(page)
    await stub.move(stub.tickets[1], "called")
    old = {"topic": "store/s1/public", **stub.history[-1], "ticket": stub.tickets[1] | {"state": "done"}}
    await stub.say(old)
    await stub.move(stub.tickets[2], "called")

    await until_true(page, "state.tickets.get(2).state === 'called'")

    assert await page.evaluate("state.tickets.get(1).state") == "called"


async def test_a_conflated_snapshot_moves_the_position_without_a_gap(page: Page, address: str, stub: Stub) -> None:
    await start(page, address)
    await is_live(page)
    stub.seq += 40
    await stub.say(
        {"topic": "store/s1/public", "epoch": "e1", "seq": stub.seq, "conflated": True, "snapshot": stub.snapshot("store/s1/public")}
    )
    await stub.move(stub.tickets[1], "called")

    await until_true(page, "state.tickets.get(1).state === 'called'")

    assert len(subscriptions(stub)) == 1


async def test_a_ticket_topic_may_jump_because_each_of_its_pushes_is_whole(page: Page, address: str, stub: Stub) -> None:
    stub.own = 3
    await start(page, address, topics=["ticket/s1/3"])
    await is_live(page)
    await stub.move(stub.tickets[1], "called")
    await stub.move(stub.tickets[3], "called")

    await until_true(page, "seen.pushes.length === 1")

    assert len(subscriptions(stub)) == 1


async def test_what_is_said_in_one_turn_goes_as_one_text(page: Page, address: str, stub: Stub) -> None:
    stub.topics = ["store/s1/board", "store/s1/public"]
    await start(page, address)
    await is_live(page)

    assert [asked["topic"] for asked in subscriptions(stub)] == ["store/s1/board", "store/s1/public"]
    assert stub.asked_together[:2] == [1, 2]


async def test_messages_that_come_as_one_text_are_heard_one_by_one(page: Page, address: str, stub: Stub) -> None:
    await start(page, address)
    await is_live(page)
    seq = stub.seq
    for ticket in (stub.tickets[1], stub.tickets[2]):
        await stub.move(ticket, "called", silently=True)
    both = [json.dumps({"topic": "store/s1/public", **told}) for told in stub.history[-2:]]
    for socket in stub.sockets:
        await socket.send_text("\n".join(both))

    await until_true(page, "state.tickets.get(1).state === 'called' && state.tickets.get(2).state === 'called'")

    assert await page.evaluate("seen.pushes") == [seq + 1, seq + 2]
    assert len(subscriptions(stub)) == 1, "nothing was missed"


async def test_topics_that_are_not_granted_any_more_are_let_go(page: Page, address: str, stub: Stub) -> None:
    stub.topics = ["store/s1/board"]
    await start(page, address)
    await is_live(page)
    stub.topics = ["store/s1/public"]
    await stub.hang_up(4000, "Settings have changed.")

    await until_true(page, "seen.snapshots === 2")

    assert [asked["topic"] for asked in subscriptions(stub)] == ["store/s1/board", "store/s1/public"]


@pytest.mark.parametrize(("code", "reason"), [(4400, ""), (4403, ""), (4404, ""), (4410, "Luigi's has closed. See you.")])
async def test_a_final_close_code_is_told_with_the_servers_sentence(page: Page, address: str, stub: Stub, code: int, reason: str) -> None:
    await start(page, address)
    await is_live(page)
    await stub.hang_up(code, reason)

    final = await until_true(page, "seen.final")

    sentences = {kind.close_code: kind.sentence for kind in every_error()}
    assert final["code"] == code
    assert final["message"] == (reason or sentences[code])
    assert await page.evaluate("live.ended && live.freshness.state") == "stale"


async def test_a_refused_token_is_renewed_once(page: Page, address: str, stub: Stub) -> None:
    stub.sign_ins_refused = 1

    await start(page, address)
    await is_live(page)

    assert await page.evaluate("seen.tokens") == [False, True]


async def test_a_token_that_is_refused_twice_ends_it(page: Page, address: str, stub: Stub) -> None:
    stub.sign_ins_refused = 2

    await start(page, address)
    final = await until_true(page, "seen.final")

    assert final == {"code": 4401, "error": "not_signed_in", "message": "Please sign in again."}


async def test_without_a_right_to_a_token_it_ends(page: Page, address: str) -> None:
    await start(page, address, refuse=True)

    final = await until_true(page, "seen.final")

    assert final["message"] == "Please sign in again."


async def test_a_planned_close_is_respected_before_any_back_off(page: Page, address: str, stub: Stub) -> None:
    await start(page, address)
    await is_live(page)
    await stub.say({"disconnect": {"code": 1012, "after_ms": 60_000}})
    await stub.hang_up(1012)

    await until_true(page, "live.transport === null")
    now, next_try = await page.evaluate("[Date.now(), live.nextTry]")

    assert 50_000 < next_try - now <= 60_000


async def test_silence_is_noticed_and_the_connection_made_anew(page: Page, address: str, stub: Stub) -> None:
    await page.clock.install()
    await start(page, address)
    await is_live(page)
    stub.deaf = True

    await page.clock.run_for(39_000)
    await until_async(lambda: page.evaluate("live.freshness.state !== 'live'"), what="the silence to be noticed")
    stub.deaf = False

    async def pass_time() -> bool:
        await page.clock.run_for(1000)
        return bool(await page.evaluate("live.freshness.state === 'live'"))

    await until_async(pass_time, what="the client to be live again")


async def test_offline_is_stale_at_once_and_online_comes_back(pages: Pages, address: str, stub: Stub) -> None:
    page = await pages.open()
    pages.expect("ERR_INTERNET_DISCONNECTED")
    await start(page, address)
    await is_live(page)

    await page.context.set_offline(True)
    await until_true(page, "live.freshness.state === 'stale'")
    await until_async(lambda: not stub.sockets, what="the socket to be let go")
    await page.context.set_offline(False)

    await is_live(page)


async def test_a_hidden_page_waits_until_it_is_looked_at(page: Page, address: str, stub: Stub) -> None:
    await start(page, address)
    await is_live(page)
    show = "(to) => { Object.defineProperty(document, 'visibilityState', {value: to, configurable: true}); document.dispatchEvent(new Event('visibilitychange')); }"
    await page.evaluate(show, "hidden")
    await stub.hang_up(1012)
    await until_true(page, "live.transport === null && Date.now() > live.nextTry")
    assert not stub.sockets

    await page.evaluate(show, "visible")

    await is_live(page)


async def test_a_page_back_from_the_cache_catches_up(page: Page, address: str, stub: Stub) -> None:
    await start(page, address)
    await is_live(page)
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    await until_async(lambda: not stub.sockets, what="the socket to be let go")
    await stub.move(stub.tickets[1], "called")

    await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")

    await until_true(page, "state.tickets.get(1).state === 'called'")


async def test_the_back_off_is_full_jitter_up_to_10_seconds(page: Page, address: str) -> None:
    await page.goto(f"{address}/nothing")

    most = await page.evaluate(
        "import('/static/live/clock.js').then(({backOffMs}) => [0, 1, 2, 3, 4, 5, 6, 60].map((n) => backOffMs(n, 1)))"
    )
    least = await page.evaluate("import('/static/live/clock.js').then(({backOffMs}) => backOffMs(9, 0))")

    assert most == [500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]
    assert least == 0


async def test_only_a_stable_connection_resets_the_back_off(page: Page, address: str) -> None:
    await page.goto(f"{address}/nothing")

    attempts = await page.evaluate("""
        import('/static/live/retry.js').then(({Retry}) => {
            const retry = new Retry();
            retry.next(0); retry.next(0); retry.live(1000); retry.live(20000);
            const shortly = (retry.next(21000), retry.attempt);
            retry.live(30000); retry.live(61000);
            return [shortly, retry.attempt];
        })
    """)

    assert attempts == [3, 0]


async def test_the_line_counts_only_those_who_wait_before_in_the_same_queue(page: Page, address: str) -> None:
    await page.goto(f"{address}/nothing")

    counted = await page.evaluate("""
        import('/static/live/reducer.js').then(({fromSnapshot, ahead, waiting, nowServing, lastCalled, counts}) => {
            const ticket = (id, queue, state, place, called_ms = 0) => ({id, queue, label: queue + id, state, desk: "", place, called_ms});
            const tickets = [ticket(1, "A", "serving", 1, 5), ticket(2, "A", "called", 2, 6), ticket(3, "A", "waiting", 9), ticket(4, "A", "waiting", 4),
                ticket(5, "B", "waiting", 5), ticket(6, "A", "waiting", 6), ticket(7, "A", "left", 7), ticket(8, "A", "done", 0, 3), ticket(9, "A", "no_show", 0, 4)];
            const state = fromSnapshot({store: null, queues: [], tickets}, 9);
            const ids = (list) => list.map(({id}) => id);
            return [ahead(state, 3), ids(waiting(state, "A")), ids(nowServing(state)), ids(lastCalled(state)), counts(state, "A")];
        })
    """)

    assert counted == [2, [4, 6, 3], [2, 1], [9, 8], {"waiting": 3, "called": 1, "serving": 1}]


async def test_the_estimate_is_the_servers(page: Page, address: str) -> None:
    asked = [[pace, ahead] for pace in (0, 1, 60_000, 240_000, 401_123, 1_200_000) for ahead in (0, 1, 3, 11, 40)]
    await page.goto(f"{address}/nothing")

    answered = await page.evaluate(
        "(asked) => import('/static/live/reducer.js').then(({minutes}) => asked.map(([p, a]) => minutes(p, a)))", asked
    )

    assert answered == [list(minutes(pace, ahead)) for pace, ahead in asked]


def every_error(kind: type[errors.NowServingError] = errors.NowServingError) -> list[type[errors.NowServingError]]:
    return [kind, *(found for sub in kind.__subclasses__() for found in every_error(sub))]


def test_the_browsers_close_codes_are_those_of_the_server() -> None:
    copied = re.findall(r'(\d{4}): \{ again: (true|false), sentence: "(.*)" \}', CODES.read_text())

    told = {kind.close_code: kind for kind in reversed(every_error()) if kind.close_code and kind.__module__ == "realtime.errors"}
    final = {code for code, (_, again) in OTHER_CLOSE_CODES.items() if not again} - {1000, 1001}
    sentences = {int(code): sentence for code, _, sentence in copied if int(code) not in final}
    assert sentences == {code: kind.sentence for code, kind in told.items()}
    assert {int(code) for code, again, _ in copied if again == "false"} == final | {code for code in told if code >= 4400 or code == 1009}
