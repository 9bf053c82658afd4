"""Where things stand on a ticket's page: nothing covers the number, and every word is whole."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import FloatRect, Locator, Page, expect

from tests.browser.axe import faults
from tests.browser.customer_stub import Stub
from tests.support.pages import Pages


@pytest.fixture
def stub() -> Stub:
    stub = Stub()
    stub.add_queue("Table for two", pace_ms=240_000)
    for _ in range(19):
        stub.add_ticket("A")
    stub.own = 19
    return stub


@pytest_asyncio.fixture(loop_scope="session")
async def pages(address: str, pages: Pages) -> Pages:
    """The pages, closed before their server is."""
    return pages


async def box(node: Locator) -> FloatRect:
    found = await node.bounding_box()
    assert found
    return found


def apart(one: FloatRect, other: FloatRect) -> bool:
    beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
    return beside or one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]


async def ringing(page: Page, address: str) -> None:
    await page.goto(f"{address}/ticket")
    await page.locator("#ring").click()
    await expect(page.locator("#ring")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("width", [320, 360])
async def test_the_words_of_the_ring_button_stay_inside_it(pages: Pages, address: str, width: int) -> None:
    page = await pages.open(width, 740)

    await ringing(page, address)

    for button in (page.locator("#ring"), page.locator("#leave")):
        assert await button.evaluate("(node) => node.scrollWidth <= node.clientWidth")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("width", "height"), [(740, 360), (667, 375), (844, 390), (568, 320)])
@pytest.mark.parametrize("state", ["waiting", "called"])
async def test_on_a_phone_on_its_side_nothing_covers_the_number(
    pages: Pages, address: str, stub: Stub, width: int, height: int, state: str
) -> None:
    page = await pages.open(width, height, has_touch=True, is_mobile=True)
    await ringing(page, address)
    await stub.move(stub.tickets[19], state, desk="Desk 2")
    await expect(page.locator("#ticket")).to_have_attribute("data-state", state)

    actions = await box(page.locator("#actions"))

    assert apart(await box(page.locator("#label")), actions)
    assert apart(await box(page.locator("#sentence")), actions)
    assert not await faults(page)


@pytest.mark.parametrize(("width", "height"), [(360, 740), (740, 360), (1280, 800)])
async def test_with_text_twice_as_large_the_number_is_whole_and_nothing_covers_the_sentence(
    pages: Pages, address: str, width: int, height: int
) -> None:
    page = await pages.open(width, height)
    await ringing(page, address)

    await page.evaluate("document.documentElement.style.fontSize = '32px'")

    number, actions = await box(page.locator("#label")), await box(page.locator("#actions"))
    assert number["x"] >= 0
    assert number["x"] + number["width"] <= width
    assert apart(number, actions)
    assert apart(await box(page.locator("#sentence")), actions)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
