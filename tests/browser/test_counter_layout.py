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
    owner = await at_counter(page, url, *"ABCDE")
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


@pytest.mark.parametrize(("width", "height"), [(740, 360), (844, 390), (568, 320)])
async def test_on_a_phone_on_its_side_the_call_button_is_at_hand(url: str, pages: Pages, width: int, height: int) -> None:
    page = await pages.open(width, height, has_touch=True, is_mobile=True)
    owner = await at_counter(page, url, "Table for two", "Table for four")
    owner.add(*(f"Guest {number}" for number in range(1, 31)))
    call = page.locator(".queue-call:visible")
    await expect(call).to_contain_text("Call A01")

    for scrolled in (0, 300):
        await page.evaluate("(to) => scrollTo(0, to)", scrolled)
        box = await call.bounding_box()
        assert box
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height
        assert await call.evaluate("node => node.getBoundingClientRect().height >= 44")
    await call.click()

    await expect(ticket(page, "A01")).to_have_attribute("data-state", "called")


async def test_with_text_twice_as_large_the_call_button_and_the_head_are_whole(url: str, pages: Pages) -> None:
    page = await pages.open(1280, 800)
    owner = await at_counter(page, url, "Table for two", "Table for four")
    owner.add("Ann", "Bo")
    await expect(ticket(page, "A01")).to_be_visible()

    await page.evaluate("document.documentElement.style.fontSize = '32px'")

    assert await overflow(page) == [0, 0]
    box = await page.locator(".queue-call").first.bounding_box()
    panel = await page.locator(".code-panel").bounding_box()
    assert box
    assert panel
    assert box["y"] + box["height"] <= 800
    assert panel["width"] <= 1280 / 3
    await page.set_viewport_size({"width": 360, "height": 740})
    assert (await overflow(page))[0] == 0


async def test_a_toast_on_a_phone_is_one_row_and_covers_no_ticket(url: str, pages: Pages) -> None:
    page = await pages.open(360, 740)
    owner = await at_counter(page, url)
    owner.add("Dörte Müller-Lüdenscheidt", *(f"Guest {number}" for number in range(2, 31)))
    await expect(ticket(page, "A01")).to_be_visible()

    await page.locator(".queue-call").click()

    shown = page.locator(".counter-toast")
    await expect(shown).to_be_visible()
    rows, foot = await page.locator(".queue-scroll").bounding_box(), await page.locator(".queue-foot").bounding_box()
    await shown.evaluate("node => Promise.all(node.getAnimations().map(animation => animation.finished))")
    box = await shown.bounding_box()
    assert rows
    assert foot
    assert box
    assert box["height"] <= 64
    assert rows["y"] + rows["height"] <= box["y"]
    assert box["y"] + box["height"] <= foot["y"]


async def test_five_queues_fit_beside_the_code(url: str, page: Page) -> None:
    owner = await at_counter(page, url, "Blutabnahme", "Sprechstunde", "Rezepte", "Terrace", "Impfung")
    owner.add("Bartholomew Maximilian", "Di", party=2, phone="+49 30 901820")
    owner.change("A01", "call")
    await expect(page.locator(".code-panel")).to_be_visible()
    await expect(ticket(page, "A01")).to_have_attribute("data-state", "called")

    assert await page.locator(".queue-columns").evaluate("node => node.scrollWidth <= node.clientWidth")
    cut = "all => all.filter(node => node.scrollWidth > node.clientWidth).map(node => node.className)"
    assert await page.locator(".ticket-step:visible, .ticket:visible").evaluate_all(cut) == []
