"""Where things stand at the counter: nothing scrolls away, and nothing is cut off."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.counter import height, ticket
from tests.browser.owner import at_counter
from tests.support.pages import Pages


async def overflow(page: Page) -> list[int]:
    """How far the page as a whole can be scrolled, sideways and down, in pixels."""
    return list(await page.evaluate("(({scrollWidth: w, scrollHeight: h}) => [w - innerWidth, h - innerHeight])(document.documentElement)"))


async def test_a_long_line_scrolls_in_its_queue_and_the_counter_stays(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    owner.add(*(f"Guest {number}" for number in range(1, 31)))
    await expect(ticket(page, "A30")).to_have_count(1)

    await page.mouse.move(300, 30)
    await page.mouse.wheel(0, 3000)

    assert await overflow(page) == [0, 0]


@pytest.mark.parametrize("width", [768, 1280])
async def test_many_queues_scroll_sideways_and_the_counter_stays(url: str, pages: Pages, width: int) -> None:
    page = await pages.open(width, 800)
    owner = await at_counter(page, url, *(f"Queue {letter}" for letter in "ABCDEFG"))
    owner.add("Di")
    await expect(ticket(page, "A01")).to_be_visible()

    assert await overflow(page) == [0, 0]


async def test_four_queues_fit_beside_the_code_and_nothing_runs_into_another(url: str, page: Page) -> None:
    owner = await at_counter(page, url, "Sprechstunde", "Table for two", "Bar", "Terrace")
    owner.add("Bartholomew Maximilian", party=2, phone="+49 30 901820")
    owner.add("Di", queue="B")
    await expect(page.locator(".code-panel")).to_be_visible()

    assert await page.locator(".queue-columns").evaluate("node => node.scrollWidth <= node.clientWidth")
    time, step = await ticket(page, "A01").locator(".ticket-time").bounding_box(), await page.locator(".ticket-step").first.bounding_box()
    assert time
    assert step
    assert time["x"] + time["width"] <= step["x"]
    assert await page.locator(".queue-head h2").first.evaluate("node => node.scrollHeight") < 25
    assert len({await height(button) for button in await page.locator(".queue-call").all()}) == 1


async def test_an_edge_behind_which_there_are_more_queues_fades(url: str, pages: Pages) -> None:
    page = await pages.open(768, 800)
    owner = await at_counter(page, url, *"ABCD")
    owner.add("Di")
    queues = page.locator(".queues")
    await expect(queues).to_have_attribute("data-after", "")

    await page.locator(".queue-columns").evaluate("node => node.scrollTo(node.scrollWidth, 0)")

    await expect(queues).not_to_have_attribute("data-after", "")
    await expect(queues).to_have_attribute("data-before", "")


async def test_a_phone_with_one_queue_names_it_once(url: str, pages: Pages) -> None:
    page = await pages.open(360, 740)
    owner = await at_counter(page, url)
    owner.add("Di")

    await expect(page.get_by_role("heading", name="Tables")).to_be_visible()
    await expect(page.locator(".queue-tab")).to_be_hidden()
