"""The pages of the texts for guests and of the outbox, in a real browser, with nothing leaving the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.browser.owner import EMAIL, at_counter, opened
from tests.support.pages import Pages
from tests.support.standing import StandingServers

pytestmark = pytest.mark.browser


@pytest.fixture
def url(standing: StandingServers) -> Iterator[str]:
    with standing.lent(capture_messages=True, call_ladder="sms:0,email:0") as server:
        yield server.url


async def test_what_is_written_is_seen_at_once_and_told_to_guests(pages: Pages, url: str) -> None:
    page = await pages.open()
    owner = await at_counter(page, url)
    await expect(page.get_by_text("Nothing leaves: messages are kept in the outbox.")).to_be_visible()
    await page.goto(f"{url}/messages")
    text, bubble = page.get_by_label("Text", exact=True), page.locator(".bubble")
    await expect(bubble).to_contain_text("Luigi's: it's your turn, A07. Desk 2.")
    await expect(page.get_by_role("button", name="Save")).to_be_disabled()

    await text.fill("Ready, ")
    await page.get_by_role("button", name="{name}").click()
    await expect(text).to_have_value("Ready, {name}")
    await expect(bubble).to_have_text("Ready, Ann")
    await expect(page.get_by_text("Without {number} guests do not know which call is theirs.")).to_be_visible()
    await expect(page.get_by_text("1 message, 150 of 160 characters left")).to_be_visible()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved. Guests are told this from now on.")).to_be_visible()

    owner.add("Bo", phone="+4915123456789")
    await page.goto(f"{url}/counter")
    await page.locator(".queue-call").click()
    await page.goto(f"{url}/outbox")
    await page.get_by_role("button", name="Their turn").click()
    await expect(page.locator(".outbox-open .bubble")).to_have_text("Ready, Bo")
    await page.goto(f"{url}/messages")
    await page.get_by_role("button", name="Use the standard text").click()
    await expect(bubble).to_contain_text("it's your turn, A07")


async def test_what_cannot_be_sent_is_said_beside_the_text_and_drafts_are_kept(pages: Pages, url: str) -> None:
    pages.expect("422")
    page = await pages.open(360, 740)
    await opened(page, url)
    await page.goto(f"{url}/messages")
    text = page.get_by_label("Text", exact=True)

    await text.fill("{nmae}, come")
    await expect(page.get_by_text("Did you mean {name}?")).to_be_visible()
    await expect(text).to_have_attribute("aria-invalid", "true")
    await expect(text).to_be_focused()
    await page.get_by_role("radio", name="They join").check(force=True)
    await expect(text).to_have_value("")
    await page.get_by_role("radio", name="Their turn", exact=False).last.check(force=True)
    await expect(text).to_have_value("{nmae}, come")
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width == 360


async def test_a_mail_is_shown_as_the_page_it_is_and_a_test_lands_in_the_outbox(pages: Pages, url: str) -> None:
    page = await pages.open()
    await opened(page, url)
    await page.goto(f"{url}/messages")
    await page.get_by_role("radio", name="E-mail").check(force=True)
    await page.get_by_label("Subject").fill("{number}, please")
    await page.get_by_label("Text", exact=True).fill("<b>Dear</b> {name}\n\n{link}")
    mail = page.frame_locator(".letter-page")
    await expect(mail.get_by_text("<b>Dear</b> Ann")).to_be_visible()
    await expect(mail.get_by_role("link", name="See your place")).to_be_visible()
    await expect(page.locator(".letter-subject")).to_have_text("A07, please")

    await page.get_by_role("button", name="Send it").click()
    page.on("dialog", lambda dialog: dialog.accept())  # the draft is not saved
    await page.get_by_role("link", name="outbox").last.click()
    await page.wait_for_url("**/outbox")

    await page.get_by_role("button", name="Their turn").click()
    await expect(page.locator(".outbox-open dd").first).to_have_text(EMAIL)
    await expect(page.locator(".outbox-open .letter-subject")).to_have_text("A07, please")


async def test_everybody_else_may_be_told_in_another_language(pages: Pages, url: str) -> None:
    page = await pages.open(768, 1024)
    await opened(page, url)
    await page.goto(f"{url}/messages")
    await page.get_by_label("Language for everybody else").select_option("de")
    await page.get_by_label("Add a language").select_option("pl")
    await expect(page.get_by_role("radio", name="Polish")).to_be_checked()

    await expect(page.locator(".bubble")).to_contain_text("A07, Sie sind dran.")

    await page.reload()
    await expect(page.get_by_label("Language for everybody else")).to_have_value("de")
    await expect(page.get_by_role("radio", name="German")).to_be_checked()
