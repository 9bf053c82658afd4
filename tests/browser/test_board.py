"""What the screen in the room shows, in a real browser: calls, codes, and one store after the other."""

from __future__ import annotations

from functools import partial

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.customer_stub import Stub
from tests.support.pages import Pages
from tests.support.waiting import until_async

CUT = "(all) => all.filter((desk) => desk.scrollWidth > desk.clientWidth || desk.scrollHeight > desk.clientHeight + 4).length"
"""How many of the desks are not to be read whole."""


@pytest.fixture
def stub() -> Stub:
    stub = Stub(description="Kitchen is 15 minutes late")
    stub.add_queue("Table for two", pace_ms=240_000)
    stub.add_queue("Table for four")
    for _ in range(4):
        stub.add_ticket("A")
    return stub


@pytest_asyncio.fixture(loop_scope="session")
async def pages(address: str, pages: Pages) -> Pages:
    """The pages, closed before their server is."""
    return pages


def asked_more_than(stub: Stub, count: int) -> bool:
    return len(stub.asked) > count


async def test_the_board_shows_numbers_and_desks_and_flashes_a_new_call(page: Page, address: str, stub: Stub) -> None:
    stub.topics = ["store/s1/board"]
    stub.show_code()
    await page.goto(f"{address}/board#token")
    await expect(page.locator("#status")).to_have_text("Live")
    assert stub.asked[0]["authenticate"] == {"token": "token"}
    await expect(page.locator("#lines")).to_contain_text("4 waiting")

    await stub.move(stub.tickets[1], "called", desk="Desk 2")

    row = page.locator("#now > li")
    await expect(row).to_contain_text("A01")
    await expect(row).to_contain_text("Desk 2")
    assert await row.get_attribute("data-flash") == ""
    await expect(page.locator("#spoken")).to_have_text("A01, Desk 2.")
    await until_async(lambda: page.locator("#qr").evaluate("(picture) => picture.naturalWidth > 0"), what="the QR code")


@pytest.mark.parametrize(("width", "height"), [(360, 740), (768, 1024), (1280, 720), (1920, 1080)])
@pytest.mark.parametrize("parties", [2, 7])
async def test_a_long_desk_is_read_whole(pages: Pages, address: str, stub: Stub, width: int, height: int, parties: int) -> None:
    for _ in range(parties):
        await stub.move(stub.add_ticket("A"), "called", desk="Consultation room 3 left")
    page = await pages.open(width, height)

    await page.goto(f"{address}/board#token")

    await expect(page.locator("#now > li")).to_have_count(parties)
    assert await page.locator("#now .row-desk").evaluate_all(CUT) == 0
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("width", "height"), [(1080, 1920), (768, 1024), (1920, 1080)])
@pytest.mark.parametrize("parties", [1, 6, 12])
async def test_a_short_desk_stands_on_one_line(pages: Pages, address: str, stub: Stub, width: int, height: int, parties: int) -> None:
    for _ in range(parties):
        await stub.move(stub.add_ticket("A"), "called", desk="Desk 2")
    page = await pages.open(width, height)

    await page.goto(f"{address}/board#token")

    await expect(page.locator("#now > li")).to_have_count(parties)
    lines = "(all) => all.map((desk) => { const words = document.createRange(); words.selectNodeContents(desk); return words.getClientRects().length; })"
    assert await page.locator("#now .row-desk").evaluate_all(lines) == [1] * parties
    assert await page.locator("#now .row-desk").evaluate_all(CUT) == 0


@pytest.mark.parametrize(("width", "height"), [(1080, 1920), (768, 1024), (1280, 720), (1920, 1080)])
async def test_the_buttons_cover_nothing_while_they_show(pages: Pages, address: str, stub: Stub, width: int, height: int) -> None:
    stub.topics = ["store/s1/board"]
    stub.store["name"] = "Gemeinschaftspraxis Dr. Müller-Lüdenscheidt & Kollegen"
    stub.show_code()
    page = await pages.open(width, height)
    await page.goto(f"{address}/board#token")
    await expect(page.locator("#status")).to_have_text("Live")
    await expect(page.locator("#controls")).to_have_css("opacity", "1")

    buttons = await page.locator("#controls").bounding_box()

    assert buttons
    for other in ("#store", "#status", "#clock", "#now-title", "#lines", "#join"):
        box = await page.locator(other).bounding_box()
        assert box
        beside = box["x"] + box["width"] <= buttons["x"] or buttons["x"] + buttons["width"] <= box["x"]
        assert beside or box["y"] + box["height"] <= buttons["y"] + 1 or buttons["y"] + buttons["height"] <= box["y"] + 1, other


@pytest.mark.parametrize(("language", "heading"), [("en-GB", "Waiting"), ("de-DE", "Es warten")])
@pytest.mark.parametrize(("width", "height"), [(360, 740), (1080, 1920), (1280, 720), (1920, 1080)])
async def test_where_there_is_one_queue_the_number_says_by_itself_how_many_wait(
    pages: Pages, address: str, stub: Stub, language: str, heading: str, width: int, height: int
) -> None:
    del stub.queues["B"]
    page = await pages.open(width, height, locale=language)
    await page.goto(f"{address}/board#token")

    await expect(page.locator("#lines dt")).to_have_text(heading)
    await expect(page.locator("#lines dd").first).to_have_text("4")

    sizes = "() => ['#lines b', '#lines dt'].map((part) => parseFloat(getComputedStyle(document.querySelector(part)).fontSize))"
    number, word = await page.evaluate(sizes)
    assert number >= 2 * word


async def test_where_there_are_several_queues_each_has_its_name_and_says_what_its_number_counts(page: Page, address: str) -> None:
    await page.goto(f"{address}/board#token")

    await expect(page.locator("#lines dt")).to_have_text(["Table for two", "Table for four"])
    await expect(page.locator("#lines dd:has(b)")).to_have_text(["4 waiting", "0 waiting"])


async def test_a_number_without_a_desk_stands_in_the_middle(page: Page, address: str, stub: Stub) -> None:
    await stub.move(stub.tickets[1], "called")
    await page.goto(f"{address}/board#token")
    row, number, shape = page.locator("#now > li"), page.locator("#now .row-number"), page.locator("#now .shape")
    await expect(row).to_have_count(1)

    around, text, mark = await row.bounding_box(), await number.bounding_box(), await shape.bounding_box()

    assert around
    assert text
    assert mark
    assert abs((mark["x"] + text["x"] + text["width"]) / 2 - (around["x"] + around["width"] / 2)) < 10


async def test_the_last_five_calls_stay_on_the_board(page: Page, address: str, stub: Stub) -> None:
    for at in range(7):
        stub.add_ticket("B", "done", desk="Bar", called_ms=1000 + at)
    await page.goto(f"{address}/board#token")

    await expect(page.locator("#last .row-number")).to_have_text(["B07", "B06", "B05", "B04", "B03"])


async def test_a_board_whose_store_closed_says_so_and_shows_the_next(page: Page, address: str, stub: Stub) -> None:
    stub.topics = ["store/s1/board"]
    stub.add_ticket("A", "called", called_ms=5)
    await page.clock.install()
    await page.goto(f"{address}/board#token")
    await expect(page.locator("#status")).to_have_text("Live")
    await expect(page.locator("#now > li")).to_have_count(1)
    stub.shut = True
    await stub.hang_up(4410)
    await expect(page.locator("#over-sentence")).to_have_text("This store has closed. Thank you for coming.")
    await expect(page.locator("#main")).to_be_hidden()
    for _ in range(2):
        looked = len(stub.asked)
        await page.clock.fast_forward(80_000)
        await until_async(partial(asked_more_than, stub, looked), what="another look")
        await expect(page.locator("#over-sentence")).to_be_visible()

    stub.store = stub.store | {"id": "s2", "name": "Luigi's brunch", "accent": "#8A1C7C"}
    stub.topics, stub.epoch, stub.tickets, stub.shut = ["store/s2/board"], "e2", {}, False
    await page.clock.fast_forward(80_000)

    await expect(page.locator("#store")).to_have_text("Luigi's brunch")
    await expect(page.locator("#status")).to_have_text("Live")
    await expect(page.locator("#now > li")).to_have_count(0)
    await expect(page.locator("#over")).to_be_hidden()


async def test_the_code_comes_and_goes_with_the_owners_wish(page: Page, address: str, stub: Stub) -> None:
    stub.topics = ["store/s1/board"]
    await page.goto(f"{address}/board#token")
    await expect(page.locator("#status")).to_have_text("Live")
    await expect(page.locator("#join")).to_be_hidden()

    stub.show_code()
    await stub.hang_up(4000, "Settings have changed.")
    await expect(page.locator("#join")).to_be_visible()

    stub.code = None
    await stub.hang_up(4000, "Settings have changed.")
    await expect(page.locator("#join")).to_be_hidden()


async def test_while_every_queue_is_paused_the_board_shows_no_code_and_says_why(page: Page, address: str, stub: Stub) -> None:
    stub.topics = ["store/s1/board"]
    stub.show_code()
    await page.goto(f"{address}/board#token")
    await expect(page.locator("#join")).to_have_text("Scan to join")
    for queue in ("A", "B"):
        stub.queues[queue]["paused"] = True
        await stub.push("queue_changed", queue=dict(stub.queues[queue]))

    await expect(page.locator("#join")).to_contain_text("Joining is paused just now.")
    await expect(page.locator("#qr")).to_be_hidden()

    stub.queues["B"]["paused"] = False
    await stub.push("queue_changed", queue=dict(stub.queues["B"]))

    await expect(page.locator("#join")).to_have_text("Scan to join")
    await expect(page.locator("#qr")).to_be_visible()


async def test_a_board_without_its_link_says_where_to_find_it(page: Page, address: str, stub: Stub) -> None:
    await page.goto(f"{address}/board")

    await expect(page.locator("#over-sentence")).to_have_text("Open the link from the counter.")
    assert stub.asked == []
