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


async def test_a_party_of_nobody_is_refused_and_not_made_one(owner: Owner, phone: Page, pages: Pages) -> None:
    pages.expect("422")
    await phone.goto(code(owner))
    await phone.get_by_role("radio", name="Tables").check()
    await phone.get_by_label("Name").fill("Ann")
    await phone.get_by_label("People", exact=True).fill("0")

    await phone.get_by_role("button", name="Get my number").click()

    await expect(phone.locator("#error-party")).to_have_text("This must be at least 1.")
