"""Closing a store at the counter in a real browser: what will happen, what happened, the receipt."""

from __future__ import annotations

import hashlib
import re

from playwright.async_api import Page, expect

from tests.browser.counter import call_button, choose, toast
from tests.browser.owner import EMAIL, at_counter
from tests.conftest import Serve
from tests.support.mail import MailServer
from tests.support.pages import Pages


async def test_without_mail_the_owner_downloads_the_report_deletes_and_opens_again(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    owner.add("Di")
    await expect(page.get_by_text("This server cannot send e-mail")).to_be_visible()
    await choose(page, "Close the store")
    await expect(page.locator(".close-lines li")).to_have_count(3)
    await page.get_by_role("button", name="Close the store").last.click()

    await expect(page.get_by_role("heading", name="Please decide")).to_be_visible()
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download report.csv").click()
    report = (await (await download.value).path()).read_bytes()
    assert "Di" in report.decode()
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download report.html").click()
    assert (await download.value).suggested_filename == "report.html"
    assert (await (await download.value).path()).read_text().startswith("<!doctype html>")
    await page.get_by_role("button", name="Delete now").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete now").click()
    await expect(page.get_by_role("heading", name="All done")).to_be_visible()
    await expect(page.locator(".closing-steps")).to_contain_text("The report was not sent, as you decided")
    await receipt(page, "not delivered; the owner decided")

    await expect(page.locator(".receipt")).to_contain_text(hashlib.sha256(report).hexdigest())
    await page.goto(f"{url}/account")
    await receipt(page, "not delivered; the owner decided")
    await page.get_by_role("link", name="Open a store").click()
    await expect(page.get_by_role("status")).to_have_text("Luigi's is closed, and your guests’ data is deleted. See the receipt")
    await expect(page.get_by_role("heading", name="Luigi's, as last time")).to_be_visible()
    await page.get_by_role("button", name="Open it again").click()
    await page.wait_for_url("**/counter")
    await expect(page.get_by_role("heading", name="Scan this with your phone to try it")).to_be_visible()


async def test_the_report_waits_for_the_address_and_goes_once_it_is_confirmed(server: Serve, smtp_sink: MailServer, page: Page) -> None:
    url = server(smtp_url=smtp_sink.url, mail_from="store@luigis.example", smtp_allow_plain=True).url
    owner = await at_counter(page, url)
    owner.add("Di")
    await expect(page.get_by_text("The report needs a confirmed address")).to_be_visible()
    await choose(page, "Close the store")
    await page.get_by_role("button", name="Close the store").last.click()
    await expect(page.get_by_role("heading", name="The report waits for your address")).to_be_visible()

    link = re.search(r"http\S+/confirm#\S+", smtp_sink.wait_for(1, to=EMAIL)[0].text)
    assert link
    other = await page.context.new_page()
    await other.goto(link[0])
    await expect(other.get_by_role("heading", name="Your address is confirmed")).to_be_visible()
    assert other.url.endswith("/confirm"), "the secret leaves the address bar"
    # What the page finds depends on how fast the mail is: the report on its way, or gone.
    await expect(other.get_by_role("status")).to_have_text(
        re.compile("^Your store has closed[,.] (and its report goes there now|Its report was sent there)")
    )

    await expect(page.get_by_role("heading", name="All done")).to_be_visible(timeout=30_000)
    await expect(page.locator(".closing-steps")).to_contain_text(re.compile("The report was (delivered|sent to)"))
    await receipt(page, "delivered")
    assert "report" in " ".join(smtp_sink.to(EMAIL)[-1].attachments())

    await other.get_by_role("link", name=re.compile("See how far it is|Open the next store")).click()
    await other.wait_for_url("**/open")
    await expect(other.get_by_role("status")).to_have_text(
        "Luigi's is closed. Its report was sent, and your guests’ data is deleted. See the receipt"
    )


async def receipt(page: Page, outcome: str) -> None:
    """The receipt on show tells this outcome, three dates of this moment, one ticket, a checksum and a signature."""
    facts = page.locator(".receipt .facts > div")
    await expect(facts).to_have_count(8)
    told = dict(zip(await facts.locator("dt").all_inner_texts(), await facts.locator("dd").all_inner_texts(), strict=True))
    assert told["Report"] == outcome
    assert told["Tickets"] == "1"
    for date in ("Opened", "Closed", "Deleted"):
        assert re.fullmatch(r"\d{1,2} \w{3,4} 20\d\d, \d\d:\d\d", told[date]), told
    for file in ("report.csv", "report.html"):
        assert re.fullmatch("[0-9a-f]{64}", told[f"SHA-256 of {file}"])
    assert told["Signature"]


async def test_what_was_said_before_closing_does_not_stay_on_the_page(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    owner.add("Di")
    await call_button(page).click()
    await toast(page, "A01 · Di was called.")
    await choose(page, "Close the store")
    await page.get_by_role("button", name="Close the store").last.click()

    await expect(page.get_by_role("heading", name="Closed for today")).to_be_visible()
    await expect(page.locator(".counter-toast")).to_be_hidden()


async def test_the_banner_goes_when_the_address_is_confirmed_elsewhere(server: Serve, smtp_sink: MailServer, pages: Pages) -> None:
    url = server(smtp_url=smtp_sink.url, mail_from="store@luigis.example", smtp_allow_plain=True).url
    page, phone = await pages.open(), await pages.open(360, 740)
    await page.clock.install()
    await at_counter(page, url)
    await expect(page.locator(".counter-banner")).to_be_visible()
    link = re.search(r"http\S+/confirm#\S+", smtp_sink.wait_for(1, to=EMAIL)[0].text)
    assert link
    await phone.goto(link[0])
    await expect(phone.get_by_role("heading", name="Your address is confirmed")).to_be_visible()

    await page.clock.fast_forward(61_000)

    await expect(page.locator(".counter-banner")).to_be_hidden()


async def test_a_sign_out_that_fails_is_said_and_the_page_stays(url: str, pages: Pages) -> None:
    pages.expect("logout|ERR_CONNECTION_RESET")
    page = await pages.open()
    await at_counter(page, url)
    await page.route("**/v1/logout", lambda route: route.abort("connectionreset"))
    await choose(page, "Sign out")
    await toast(page, "The server cannot be reached. Check the connection, then try again.")

    await page.goto(f"{url}/account")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.locator("#account-words")).to_have_text("The server cannot be reached. Check the connection, then try again.")
