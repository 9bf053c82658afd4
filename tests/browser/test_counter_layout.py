"""Where things stand at the counter: nothing scrolls away, and nothing is cut off."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.counter import ticket
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
