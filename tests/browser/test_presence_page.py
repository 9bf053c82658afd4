"""Who looks, at the counter: whose page is open stands in the row and in the sheet, and how many phones and boards in the menu."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.browser.counter import ticket
from tests.browser.owner import at_counter
from tests.support.pages import Pages

SIGN = ".ticket-page"


async def test_a_page_that_opens_shows_in_the_row_and_in_the_sheet_until_it_closes(url: str, page: Page, pages: Pages) -> None:
    owner = await at_counter(page, url)
    owner.add("Di", "Gus")
    await expect(ticket(page, "A01")).to_be_visible()
    await expect(page.locator(SIGN)).to_have_count(0)

    phone = await pages.open()
    await phone.goto(owner.link("A01"))
    await expect(phone.locator("[data-live=live]")).to_be_visible()

    await expect(ticket(page, "A01").locator(SIGN)).to_have_text("page open, ")
    await expect(page.locator(SIGN)).to_have_count(1)
    await ticket(page, "A02").locator(".ticket-open").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Their page is not open.")
    await page.keyboard.press("Escape")
    await ticket(page, "A01").locator(".ticket-open").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Their page is open.")

    await phone.close()

    await expect(page.get_by_role("dialog")).to_contain_text("Their page is not open.")
    await page.keyboard.press("Escape")
    await expect(page.locator(SIGN)).to_have_count(0)


async def test_the_menu_says_how_many_phones_and_boards_are_connected(url: str, page: Page, pages: Pages) -> None:
    owner = await at_counter(page, url)
    owner.add("Di")
    note = page.locator(".menu-note")
    await page.locator("summary[aria-label=Menu]").click()
    await expect(note).to_have_text("No phone or board connected")

    phone = await pages.open()
    await phone.goto(owner.link("A01"))
    await expect(note).to_have_text("1 phone connected")
    board = await pages.open()
    await board.goto(owner.look()["store"]["board_link"])

    await expect(note).to_have_text("1 phone and 1 board connected")
    await phone.close()
    await board.close()


async def test_who_is_not_known_to_look_is_not_shown(url: str, page: Page, pages: Pages) -> None:
    """A counter that only asks now and then is not told who looks, and says nothing of it."""
    pages.expect("ERR_FAILED")
    await page.route_web_socket("**/live", lambda socket: socket.close())
    await page.route("**/live/sse*", lambda route: route.abort())
    owner = await at_counter(page, url)
    owner.add("Di")

    await ticket(page, "A01").locator(".ticket-open").click()

    await expect(page.get_by_role("dialog")).to_contain_text("Waiting")
    await expect(page.locator(".sheet-page")).to_have_count(0)
