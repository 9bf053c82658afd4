"""A browser on a network that lets no WebSocket through, or nothing that stays open: the same evening all the same, and a true status."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, WebSocketRoute, expect

from tests.browser.expressions import until_true
from tests.browser.owner import Owner, at_counter, opened
from tests.conftest import Serve
from tests.support.narrow_network import NarrowNetwork
from tests.support.pages import Pages
from tests.support.process import ServerProcess
from tests.support.standing import StandingServers
from tests.support.waiting import until_async

BLOCKED = r"WebSocket connection to .* failed|status of 403|ERR_"
"""What the browser itself says about what is blocked or cut."""
LISTEN = """
async () => {
    const {connect, emptyState, fromSnapshot, applyPush} = await import("/static/live.js");
    window.state = emptyState();
    window.states = [];
    window.final = null;
    window.live = connect({
        token: () => window.token,
        onPush: (push) => { window.state = applyPush(window.state, push); },
        onSnapshot: (topic, snapshot, seq) => { window.state = fromSnapshot(snapshot, seq); },
        onState: (to) => window.states.push(to),
        onFinal: (final) => { window.final = final; },
    });
}
"""


@pytest_asyncio.fixture(loop_scope="session")
async def network(standing: StandingServers) -> AsyncIterator[NarrowNetwork]:
    with standing.lent() as server:
        async with NarrowNetwork(server.url).serving() as network:
            yield network


@pytest.fixture
def url(network: NarrowNetwork) -> str:
    return network.url


@pytest_asyncio.fixture(loop_scope="session")
async def pages(network: NarrowNetwork, pages: Pages) -> Pages:
    """The pages, closed before their network is."""
    pages.expect(BLOCKED)
    return pages


async def listen(page: Page, network: NarrowNetwork) -> Owner:
    """A page of one's own, live with the owner's token; that owner."""
    owner = await opened(page, network.url, behind=network.behind)
    await page.goto(f"{network.url}/forgot")
    await page.evaluate(f"window.token = {owner.token!r}")
    await page.evaluate(LISTEN)
    await until_true(page, "live.freshness.state === 'live'")
    return owner


@pytest.mark.parametrize("via", ["sse", "polling"])
async def test_join_call_and_your_turn_without_a_socket(network: NarrowNetwork, url: str, pages: Pages, via: str) -> None:
    network.blocks_streams = via == "polling"
    counter = await pages.open()
    owner = await at_counter(counter, url, "Table for two", behind=network.behind)
    link = owner.look()["code"]["link"]
    ann = await pages.open(width=390, height=844)
    await ann.goto(f"{url}/j/{link.rpartition('/')[2]}")
    await ann.get_by_label("Name").fill("Ann")
    await ann.get_by_role("button", name="Get my number").click()
    await ann.wait_for_url("**/ticket")
    await expect(ann.get_by_role("heading", name="A01")).to_be_visible()
    await expect(ann.locator("#status")).to_have_attribute("data-live", "live")
    board = await pages.open(width=1920, height=1080)
    await board.goto(f"{url}/board#{owner.look()['store']['board_link'].partition('#')[2]}")
    await expect(board.locator("#status")).to_have_attribute("data-live", "live")

    await counter.locator(".queue-call").first.click()

    await expect(ann.locator("#sentence")).to_contain_text("It’s your turn")
    await expect(board.locator("#now")).to_contain_text("A01")
    # The phone says that it has seen the call; without a socket that is a request.
    await until_async(lambda: owner.ticket("A01")["seen_ms"], what="the counter to know that the call was seen")
    await counter.get_by_role("button", name=re.compile("^Serve A01")).click()
    await counter.get_by_role("button", name=re.compile("^Done A01")).click()
    await expect(ann.locator("#ticket")).to_have_attribute("data-state", "done")
    used = [path for path in network.requests if path.startswith("/live/sse" if via == "sse" else "/v1/live?")]
    assert used
    queries = [path.partition("?")[2] for path in network.requests]
    assert not any("eyJ" in query or "board." in query or "token" in query for query in queries), "a token was in an address"


async def begin(page: Page, network: NarrowNetwork) -> int:
    """A page of one's own with a clock of its own, which passes as it is told; what it says at the start."""
    await page.clock.install()
    owner = await opened(page, network.url, behind=network.behind)
    await page.goto(f"{network.url}/forgot")
    await page.evaluate(f"window.token = {owner.token!r}")
    began = await page.evaluate("Date.now()")
    await page.evaluate(LISTEN)
    return int(began)


async def passing(page: Page, network: NarrowNetwork) -> int:
    """A page of one's own whose time passes by the second until it is live; milliseconds of it until then."""
    began = await begin(page, network)

    async def pass_time() -> bool:
        await page.clock.run_for(1000)
        # The server is asked for something, so that it had the time to answer what it was asked before.
        return bool(await page.evaluate("fetch('/readyz').then(() => window.live?.freshness.state === 'live')"))

    await until_async(pass_time, 40, "the client to find another way")
    return int(await page.evaluate("Date.now()") - began)


async def test_a_stream_that_a_proxy_holds_back_is_left_for_polling(network: NarrowNetwork, pages: Pages) -> None:
    network.swallows_streams = True
    page = await pages.open()

    await passing(page, network)

    assert await page.evaluate("live.via") == "polling"


async def test_a_socket_that_nobody_answers_is_tried_once(network: NarrowNetwork, pages: Pages) -> None:
    network.hangs_sockets = True
    page = await pages.open()

    took_ms = await passing(page, network)

    assert await page.evaluate("live.via") == "sse"
    assert network.requests.count("/live") == 1
    assert 6_000 < took_ms < 16_000, "its own clock; two tries would take more"


async def test_a_socket_that_nobody_answers_is_not_blamed_where_nothing_else_is_answered(network: NarrowNetwork, pages: Pages) -> None:
    """As while a server starts behind a balancer that keeps who comes."""
    network.hangs_sockets, network.holds = True, {"/readyz"}
    page = await pages.open()
    await begin(page, network)

    async def tries_again() -> bool:
        await page.clock.run_for(1000)
        return network.requests.count("/live") >= 3

    await until_async(tries_again, 40, "the client to try again")
    assert await page.evaluate("live.via") == "websocket"
    network.hangs_sockets, network.blocks_sockets, network.holds = False, False, set()
    network.cut()

    async def is_live() -> bool:
        await page.clock.run_for(200)
        return bool(await page.evaluate("fetch('/readyz').then(() => live.freshness.state === 'live')"))

    await until_async(is_live, 40, "the client to be live")
    assert await page.evaluate("live.via") == "websocket"


async def test_who_slept_while_a_socket_was_opened_tries_again(network: NarrowNetwork, pages: Pages) -> None:
    network.hangs_sockets = True
    page = await pages.open()
    await begin(page, network)
    await until_async(lambda: network.requests.count("/live") == 1, what="a socket to be asked for")

    network.hangs_sockets = network.blocks_sockets = False
    await page.clock.fast_forward(60_000)

    async def asks_again() -> bool:
        await page.clock.run_for(200)
        return network.requests.count("/live") >= 2

    await until_async(asks_again, what="the socket to be asked for again")
    await until_async(lambda: page.evaluate("live.freshness.state === 'live'"), what="the client to be live")
    assert await page.evaluate("live.via") == "websocket"


@pytest.mark.parametrize(
    "without",
    [
        "window.WebSocket = undefined",
        "window.WebSocket = function () { throw new DOMException('The operation is insecure.', 'SecurityError') }; delete AbortSignal.timeout",
    ],
)
async def test_a_browser_that_has_no_websocket_or_may_not_make_one_goes_the_other_way(
    network: NarrowNetwork, pages: Pages, without: str
) -> None:
    page = await pages.open()
    await page.add_init_script(without)

    owner = await listen(page, network)
    owner.add("Bo")

    await until_true(page, "[...state.tickets.values()].some(({name}) => name === 'Bo')")
    assert await page.evaluate("live.via") == "sse"
    await page.evaluate("live.ladder.upAt = 0")  # nor does it break when it looks whether there is one now
    await until_true(page, "live.ladder.upAt > Date.now()")
    assert await page.evaluate("live.via") == "sse"


async def test_the_next_page_of_a_tab_begins_with_the_way_that_was_found(network: NarrowNetwork, pages: Pages) -> None:
    page = await pages.open()
    owner = await listen(page, network)
    assert await page.evaluate("live.via") == "sse"
    network.requests.clear()

    await page.reload()
    await page.evaluate(f"window.token = {owner.token!r}")
    await page.evaluate(LISTEN)
    await until_true(page, "live.freshness.state === 'live'")

    assert await page.evaluate("live.via") == "sse"
    assert "/live" not in network.requests
    await page.evaluate("dispatchEvent(new Event('online'))")  # as on another network
    assert await page.evaluate("sessionStorage.getItem('nowserving.way')") is None


@pytest.mark.parametrize("via", ["sse", "polling"])
async def test_after_a_break_it_catches_up_and_says_so_meanwhile(network: NarrowNetwork, url: str, pages: Pages, via: str) -> None:
    network.blocks_streams = via == "polling"
    page = await pages.open()
    owner = await listen(page, network)
    assert await page.evaluate("live.via") == via
    seq = await page.evaluate("state.seq")
    await page.evaluate("states.length = 0")

    network.cut()
    owner.add("Bo")

    await until_true(page, "[...state.tickets.values()].some(({name}) => name === 'Bo')")
    await until_true(page, "live.freshness.state === 'live'")
    assert await page.evaluate("state.seq") > seq
    assert await page.evaluate("live.via") == via
    if via == "sse":
        assert await page.evaluate("states") == ["catching_up", "live"]


async def test_commands_go_by_request_and_refusals_come_back(network: NarrowNetwork, url: str, pages: Pages) -> None:
    pages.expect("status of 409")
    page = await pages.open()
    owner = await listen(page, network)
    owner.add("Bo")
    store = await page.evaluate("state.store.id")

    called = await page.evaluate("(store_id) => live.send({call_next: {store_id, queue: 'A', desk: 'Bar'}})", store)
    refused = await page.evaluate(
        "(store_id) => live.send({call_next: {store_id, queue: 'A', desk: ''}}).catch(({code, retry}) => [code, retry])", store
    )

    assert (called["label"], called["desk"]) == ("A01", "Bar")
    assert refused == ["nobody_waiting", True]
    await until_true(page, "[...state.tickets.values()][0].state === 'called'")


async def test_a_fresh_token_goes_on_where_the_old_one_ends(network: NarrowNetwork, url: str, pages: Pages) -> None:
    page = await pages.open()
    owner = await listen(page, network)
    before = len(network.requests)

    await page.evaluate("live.renew()")

    await until_async(lambda: any(path.startswith("/live/sse") for path in network.requests[before:]), what="another stream")
    owner.add("Bo")
    await until_true(page, "state.tickets.size === 1")
    assert await page.evaluate("live.transport.token === window.token && live.freshness.state") == "live"


async def test_a_wrong_token_ends_it_on_every_way(network: NarrowNetwork, url: str, pages: Pages) -> None:
    pages.expect("status of 401")
    page = await pages.open()
    await listen(page, network)
    await page.evaluate("live.close(); window.token = 'nobody'")

    await page.evaluate(LISTEN)

    final = await until_true(page, "window.final")
    assert (final["code"], final["error"], final["message"]) == (4401, "not_signed_in", "Please sign in again.")


async def test_the_socket_is_tried_again_later_and_taken(network: NarrowNetwork, url: str, pages: Pages) -> None:
    page = await pages.open()
    owner = await listen(page, network)
    assert await page.evaluate("live.via") == "sse"
    await page.evaluate("live.ladder.upAt = 0")
    await until_true(page, "live.ladder.upAt > Date.now()")
    assert await page.evaluate("live.via") == "sse", "it is still blocked"

    network.blocks_sockets = False
    await page.evaluate("live.ladder.upAt = 0")

    await until_true(page, "live.via === 'websocket' && live.freshness.state === 'live'")
    owner.add("Bo")
    await until_true(page, "state.tickets.size === 1")


async def test_sockets_that_are_cut_at_once_are_given_up_too(network: NarrowNetwork, url: str, pages: Pages) -> None:
    network.blocks_sockets = False
    page = await pages.open()

    async def cut(socket: WebSocketRoute) -> None:
        await socket.close()

    await page.route_web_socket(re.compile("/live$"), cut)

    await listen(page, network)

    assert await page.evaluate("live.via") == "sse"


async def test_a_server_that_is_down_is_no_reason_to_leave_the_socket(server: Serve, pages: Pages) -> None:
    started = await asyncio.to_thread(server)
    async with NarrowNetwork(started.url).serving() as network:
        await comes_back_on_the_socket(network, started, await pages.open())


async def comes_back_on_the_socket(network: NarrowNetwork, started: ServerProcess, page: Page) -> None:
    network.blocks_sockets = False
    await listen(page, network)
    assert await page.evaluate("live.via") == "websocket"

    await asyncio.to_thread(started.kill)
    await until_true(page, "live.retry.attempt >= 4")
    await asyncio.to_thread(started.start)

    await until_true(page, "live.freshness.state === 'live'")
    assert await page.evaluate("live.via") == "websocket"


async def test_the_ladder_goes_down_after_two_failures_in_a_row_and_up_less_and_less_often(page: Page, url: str) -> None:
    await page.goto(f"{url}/forgot")

    steps = await page.evaluate("""
        import('/static/live/ladder.js').then(({Ladder}) => {
            const ladder = new Ladder();
            const steps = [];
            const note = (rung) => { ladder.failed(0, rung); steps.push(ladder.rung); };
            note("websocket"); ladder.held(); note("websocket"); note("websocket");
            note("websocket"); note("sse"); note("sse"); note("polling"); note("polling");
            const waits = [];
            for (let n = 0; n < 6; n += 1) { ladder.again(0); waits.push(ladder.upAt / 1000); }
            ladder.up(); steps.push(ladder.rung);
            ladder.reset();
            return {steps, waits, due: ladder.due(1e15)};
        })
    """)

    assert steps["steps"] == ["websocket", "websocket", "sse", "sse", "sse", "polling", "polling", "polling", "websocket"]
    assert steps["waits"] == [480, 960, 1800, 1800, 1800, 1800]
    assert steps["due"] is False


async def test_an_event_stream_is_read_however_it_is_cut(page: Page, url: str) -> None:
    text = ":\r\n\r\nevent: close\ndata: {\ndata:}\n\nid: e:1\rdata: a\r\rretry: 5\ndata\n\n: more\ndata: lost"
    await page.goto(f"{url}/forgot")

    read = await page.evaluate(
        """(text) => import('/static/live/event_parser.js').then(({EventParser}) => [1, 2, 3, 7, 1000].map((size) => {
            const parser = new EventParser();
            const events = [];
            for (let at = 0; at < text.length; at += size) events.push(...parser.feed(text.slice(at, at + size)));
            return events;
        }))""",
        text,
    )

    expected = [
        {"name": "comment", "data": ""},
        {"name": "close", "data": "{\n}"},
        {"name": "message", "data": "a"},
        {"name": "message", "data": ""},
        {"name": "comment", "data": " more"},
    ]
    assert read == [expected] * 5
