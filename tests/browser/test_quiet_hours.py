"""The owner sets a store's quiet hours, and a guest says what they want to be told. In Chromium, on a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.browser.axe import faults
from tests.browser.counter import choose, toast
from tests.browser.owner import at_counter
from tests.support.pages import Pages
from tests.support.standing import StandingServers


@pytest.fixture
def url(standing: StandingServers) -> Iterator[str]:
    """A server that keeps every message."""
    with standing.lent(capture_messages=True) as server:
        yield server.url


async def edit(page: Page) -> None:
    await choose(page, "Edit store and queues")
    await page.locator("summary", has_text="Quiet hours").click()


@pytest.mark.parametrize("width", [360, 1280])
async def test_the_owner_sets_quiet_hours_and_takes_them_back(url: str, pages: Pages, width: int) -> None:
    page = await pages.open(width, 800)
    owner = await at_counter(page, url)
    await edit(page)
    await page.get_by_label("From", exact=True).fill("22:00")
    await page.get_by_role("button", name="Save").click()
    pages.expect("422")
    await expect(page.get_by_text("Say from when and until when")).to_be_visible()
    assert await faults(page) == []

    await page.get_by_label("until", exact=True).fill("08:00")
    await page.get_by_role("button", name="Save").click()

    await toast(page, "Saved. Every screen shows it now.")
    assert owner.look()["store"]["quiet_hours"] == "22:00-08:00"
    await edit(page)
    await expect(page.get_by_label("From", exact=True)).to_have_value("22:00")
    for field in ("From", "until"):
        await page.get_by_label(field, exact=True).fill("")
    async with page.expect_request(lambda request: request.method == "PUT") as sent:
        await page.get_by_role("button", name="Save").click()
    assert (await sent.value).post_data_json == {"quiet_hours": ""}


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
async def test_a_guest_chooses_what_they_are_told(url: str, pages: Pages, scripts: bool) -> None:
    owner = await at_counter(await pages.open(), url)
    owner.add("Ann", email="ann@example.com")
    opener = await pages.open(360, 740)
    await opener.goto(owner.link("A01"))
    await opener.wait_for_url("**/ticket")
    page = await pages.open(360, 740, java_script_enabled=scripts, storage_state=await opener.context.storage_state())
    await page.goto(f"{url}/ticket")
    await expect(page.get_by_text("We message you before your turn, and when it comes.")).to_be_visible()
    for press, said in (
        ("Only when it is my turn", "We message you only when it is your turn."),
        ("No messages, please", "You get no messages from us."),
        ("Only when it is my turn", "We message you only when it is your turn."),
        ("Also before my turn", "We message you before your turn, and when it comes."),
    ):
        await page.get_by_role("button", name=press).click()
        await expect(page.get_by_text(said)).to_be_visible()
    if scripts:
        assert await faults(page) == []
