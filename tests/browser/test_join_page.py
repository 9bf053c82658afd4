"""Joining in a real browser, on the real server: what the page says when something is left out, or nobody can join."""

from __future__ import annotations

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.owner import Owner, opened
from tests.support.pages import Pages


@pytest_asyncio.fixture(loop_scope="session")
async def owner(url: str, pages: Pages) -> Owner:
    return await opened(await pages.open(), url, "Tables", "Bar")


@pytest_asyncio.fixture(loop_scope="session")
async def phone(owner: Owner, pages: Pages) -> Page:
    return await pages.open(360, 740)


def code(owner: Owner) -> str:
    """The address behind the code that is on show."""
    return str(owner.look()["code"]["link"])


async def test_what_is_left_out_is_said_beside_it_in_our_own_words(owner: Owner, phone: Page) -> None:
    await phone.goto(code(owner))

    await phone.get_by_role("button", name="Get my number").click()

    await expect(phone.locator("#error-queue")).to_have_text("Choose a line.")
    await expect(phone.locator("#error-name")).to_have_text("Enter a name.")
    await expect(phone.get_by_role("radio", name="Tables")).to_be_focused()


async def test_all_that_is_wrong_is_said_at_one_press_each_beside_its_field(owner: Owner, phone: Page) -> None:
    await phone.goto(code(owner))
    await phone.get_by_role("radio", name="Tables").check()
    await phone.get_by_label("Name").fill("Ann")
    await phone.get_by_label("People", exact=True).fill("0")
    await phone.get_by_label("Phone").fill("12ab")
    await phone.get_by_label("E-mail").fill("ann@")

    await phone.get_by_role("button", name="Get my number").click()

    await expect(phone.locator("#error-party")).to_have_text("Enter a number from 1 to 99.")
    await expect(phone.locator("#error-phone")).to_contain_text("Enter a whole phone number")
    await expect(phone.locator("#error-email")).to_have_text("Enter an e-mail address such as ann@example.com.")
    for field in ("#party", "#phone", "#email"):
        await expect(phone.locator(field)).to_have_attribute("aria-invalid", "true")
    await expect(phone.locator("#party")).to_be_focused()


async def test_where_the_timezone_is_in_no_country_the_code_is_asked_for_before_and_after(url: str, pages: Pages) -> None:
    owner = await opened(await pages.open(timezone_id="UTC"), url, "Tables")
    phone = await pages.open(360, 740)
    await phone.goto(code(owner))
    await expect(phone.locator("#hint-phone")).to_have_text("With its country code, such as +49 30 901820")
    await phone.get_by_label("Name").fill("Ann")
    await phone.get_by_label("Phone").fill("030 901820")
    await phone.get_by_role("button", name="Get my number").click()
    await expect(phone.locator("#error-phone")).to_have_text("Enter a whole phone number with its country code, such as +49 30 901820.")

    await phone.get_by_label("Phone").fill("+49 30 901820")
    await phone.get_by_role("button", name="Get my number").click()

    await phone.wait_for_url("**/ticket")


async def test_where_the_timezone_is_in_a_country_a_number_of_there_needs_no_code(url: str, pages: Pages) -> None:
    owner = await opened(await pages.open(timezone_id="Europe/Berlin"), url, "Tables")
    phone = await pages.open(360, 740)
    await phone.goto(code(owner))
    await expect(phone.locator("#hint-phone")).to_have_text("With country code if it is from abroad")
    await phone.get_by_label("Name").fill("Ann")
    await phone.get_by_label("Phone").fill("030 901820")

    await phone.get_by_role("button", name="Get my number").click()

    await phone.wait_for_url("**/ticket")


async def test_a_party_of_nobody_is_refused_and_not_made_one(owner: Owner, phone: Page) -> None:
    await phone.goto(code(owner))
    await phone.get_by_role("radio", name="Tables").check()
    await phone.get_by_label("Name").fill("Ann")
    await phone.get_by_label("People", exact=True).fill("0")

    await phone.get_by_role("button", name="Get my number").click()

    await expect(phone.locator("#error-party")).to_have_text("Enter a number from 1 to 99.")


async def test_while_every_line_is_paused_the_page_says_so_and_goes_on_by_itself(owner: Owner, phone: Page) -> None:
    owner.pause("A", "B")
    await phone.goto(code(owner))
    await expect(phone.get_by_role("heading", name="Nobody can join just now")).to_be_visible()
    await expect(phone.get_by_text("it goes on by itself")).to_be_visible()
    await expect(phone.locator("#join-form")).to_be_hidden()
    await expect(phone.get_by_role("link", name="Look again")).to_be_hidden()

    owner.pause("B", paused=False)
    await phone.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    await expect(phone.get_by_role("heading", name="Join the line")).to_be_visible()
    await expect(phone.get_by_role("radio", name="Tables")).to_be_disabled()
    await phone.get_by_role("radio", name="Bar").check()
    await phone.get_by_label("Name").fill("Ann")
    await phone.get_by_role("button", name="Get my number").click()
    await phone.wait_for_url("**/ticket")


async def test_a_line_that_is_paused_meanwhile_takes_the_form_away(owner: Owner, phone: Page, pages: Pages) -> None:
    pages.expect("409")
    await phone.goto(code(owner))
    await phone.get_by_role("radio", name="Bar").check()
    await phone.get_by_label("Name").fill("Ann")
    owner.pause("A", "B")

    await phone.get_by_role("button", name="Get my number").click()

    await expect(phone.get_by_role("heading", name="Nobody can join just now")).to_be_visible()
    await expect(phone.locator("#join-form")).to_be_hidden()


async def test_without_javascript_a_paused_store_has_a_link_to_look_again(owner: Owner, pages: Pages) -> None:
    owner.pause("A", "B")
    plain = await pages.open(360, 740, java_script_enabled=False)
    await plain.goto(code(owner))
    await expect(plain.get_by_role("heading", name="Nobody can join just now")).to_be_visible()
    await expect(plain.get_by_role("button")).to_have_count(0)

    owner.pause("A", paused=False)
    await plain.get_by_role("link", name="Look again").click()

    await expect(plain.get_by_role("button", name="Join the line")).to_be_visible()
