"""Webhooks on the account page, with a real receiver: added, tried out, watched, turned off and on, posted again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from playwright.async_api import Locator, Page, expect
from standardwebhooks.webhooks import Webhook as Verifier

from tests.browser.axe import faults_in
from tests.browser.owner import opened
from tests.support.pages import Pages
from tests.support.sink import Answer, HttpSink
from tests.support.standing import StandingServers

REFUSED = r"status of 4\d\d"


@pytest.fixture
def url(standing: StandingServers) -> Iterator[str]:
    with standing.lent(outbound_networks="127.0.0.0/8") as server:
        yield server.url


async def add(page: Page, url: str, address: str) -> tuple[Locator, str]:
    """The section with one webhook that is open, and the webhook's secret."""
    await page.goto(f"{url}/account")
    part = page.locator("#webhooks")
    await part.locator("summary", has_text="Add a webhook").click()
    await part.get_by_label("Address").fill(address)
    await part.get_by_label("Name").fill("Kitchen display")
    await part.get_by_role("button", name="Add the webhook").click()
    await expect(part.get_by_role("button", name="Send a test")).to_be_visible()
    return part, await part.locator(".new-secret code").inner_text()


def row(part: Locator, words: str) -> Locator:
    return part.locator(".delivery-list > li").filter(has_text=words).first


async def fits(page: Page) -> bool:
    return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


async def test_a_webhook_is_added_tried_out_and_watched(url: str, pages: Pages, http_sink: HttpSink) -> None:
    page = await pages.open(1280, 900)
    owner = await opened(page, url)
    part, secret = await add(page, url, f"{http_sink.url}/in")
    await part.get_by_role("button", name="Send a test").click()
    await expect(part.get_by_text("The test arrived, and was taken within")).to_be_visible()
    await expect(row(part, "Test")).to_contain_text("Arrived")

    await asyncio.to_thread(owner.add, "Ann Bloom")

    await expect(row(part, "A party joins")).to_contain_text("Arrived")
    requests = await asyncio.to_thread(http_sink.wait_for, 2)
    assert [Verifier(secret).verify(each.body, each.headers)["type"] for each in requests] == ["ping", "ticket.joined"]
    await row(part, "A party joins").locator("summary").click()
    await expect(row(part, "A party joins").locator(".payload")).to_contain_text('"label": "A01"')
    await expect(row(part, "A party joins")).not_to_contain_text("Ann")


async def test_what_cannot_be_an_address_is_said_beside_it(url: str, pages: Pages) -> None:
    pages.expect(REFUSED)
    page = await pages.open(360, 740)
    await opened(page, url)
    await page.goto(f"{url}/account")
    part = page.locator("#webhooks")
    await part.locator("summary", has_text="Add a webhook").click()
    await part.get_by_role("button", name="Add the webhook").click()
    await expect(part.get_by_text("Enter the address that events are posted to.")).to_be_visible()
    await part.get_by_label("Address").fill("ftp://example.org")
    await part.get_by_role("button", name="Add the webhook").click()
    await expect(part.get_by_text("Enter an address that begins with https://")).to_be_visible()
    await part.get_by_label("Only what I choose").check()
    await part.get_by_label("Address").fill("https://example.org/in")
    await part.get_by_role("button", name="Add the webhook").click()
    await expect(part.get_by_text("Choose at least one event.")).to_be_visible()
    await part.get_by_label("A party is called").check()
    await part.get_by_role("button", name="Add the webhook").click()
    await expect(part.locator(".webhook-inside")).to_contain_text("A party is called.")
    assert await fits(page)


async def test_one_that_went_off_says_why_and_what_failed_is_posted_again(url: str, pages: Pages, http_sink: HttpSink) -> None:
    page = await pages.open(360, 740)
    owner = await opened(page, url)
    part, _ = await add(page, url, http_sink.url)
    http_sink.answers += [Answer(410)]
    await asyncio.to_thread(owner.add, "Ann")

    await expect(part.locator(".webhook > summary .pill")).to_contain_text("Off since")
    await expect(part.get_by_text("Turned off: It answered 410")).to_be_visible()
    await expect(row(part, "A party joins")).to_contain_text("It answered 410")
    await part.get_by_role("button", name="Turn it on").click()
    await expect(part.locator(".webhook > summary .pill")).to_have_text("Active")
    await part.get_by_role("button", name="Post what failed again").click()

    await expect(part.get_by_text("1 is posted again.")).to_be_visible()
    await expect(row(part, "A party joins")).to_contain_text("Arrived")
    first, second = await asyncio.to_thread(http_sink.wait_for, 2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert await fits(page)


async def test_the_secret_is_exchanged_and_the_webhook_edited_and_deleted(url: str, page: Page, http_sink: HttpSink) -> None:
    await opened(page, url)
    _, secret = await add(page, url, http_sink.url)
    await page.reload()
    part = page.locator("#webhooks")
    await expect(part.locator(".new-secret code")).to_have_count(0)
    await part.locator(".webhook > summary").click()
    await part.get_by_role("button", name="Show the secret").click()
    await expect(part.locator(".secret-part code")).to_have_text(secret)
    await part.get_by_role("button", name="Exchange it").click()
    await part.get_by_role("button", name="Exchange it now").click()
    await expect(part.get_by_text("The one before signs too until")).to_be_visible()
    await expect(part.locator(".secret-part code")).not_to_have_text(secret)

    await part.locator("summary", has_text="Change address, name or events").click()
    await part.locator(".webhook").get_by_label("Name").fill("Sign in the window")
    await part.get_by_role("button", name="Save").click()
    await expect(part.locator(".webhook > summary")).to_contain_text("Sign in the window")

    await part.get_by_role("button", name="Delete", exact=True).click()
    await part.get_by_role("button", name="Delete it with its deliveries").click()
    await expect(part.locator(".webhook")).to_have_count(0)


async def test_a_key_pair_is_chosen_shown_by_its_public_half_and_exchanged_for_a_secret(
    url: str, pages: Pages, http_sink: HttpSink
) -> None:
    page = await pages.open(360, 740)
    await opened(page, url)
    await page.goto(f"{url}/account")
    part = page.locator("#webhooks")
    await part.locator("summary", has_text="Add a webhook").click()
    await part.get_by_label("Address").fill(http_sink.url)
    await part.get_by_label("A key pair").check()
    await part.get_by_role("button", name="Add the webhook").click()
    await expect(part.get_by_text("Put this public key into your program")).to_be_visible()
    key = await part.locator(".new-secret code").inner_text()
    assert key.startswith("whpk_")
    await part.get_by_role("button", name="Show the public key").click()
    await expect(part.locator(".secret-part code")).to_have_text(key)
    assert await faults_in(page, (360, "light"), (1280, "dark")) == []

    await part.get_by_role("button", name="Use a secret instead").click()
    await part.locator(".secret-part").get_by_role("button", name="Exchange it now").click()

    await expect(part.locator(".secret-part code")).to_contain_text("whsec_")
    await expect(part.locator(".secret-part h3")).to_have_text("Secret")
    await expect(part.get_by_role("button", name="Use a key pair instead")).to_be_visible()
    assert await fits(page)


async def test_axe_finds_nothing_in_a_webhook_that_is_open(url: str, pages: Pages, http_sink: HttpSink) -> None:
    page = await pages.open(360, 800, reduced_motion="reduce")
    owner = await opened(page, url)
    http_sink.answers += [Answer(503)]
    part, _ = await add(page, url, http_sink.url)
    await asyncio.to_thread(owner.add, "Ann")
    await expect(part.get_by_text("Nothing has arrived there since then.")).to_be_visible()
    await row(part, "A party joins").locator("summary").click()
    await expect(row(part, "A party joins").locator(".payload")).to_be_visible()
    await part.locator("summary", has_text="Change address, name or events").click()
    await part.locator(".webhook").get_by_label("Only what I choose").check()

    assert await faults_in(page, (360, "light"), (768, "dark"), (1280, "light")) == []
