"""A call, from the guest's screen to the counter: seen, not reached, and the ladder that the owner sets. In Chromium, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.counter import choose, ticket, toast
from tests.browser.owner import Owner, at_counter
from tests.support.pages import Pages
from tests.support.standing import StandingServers
from tests.support.waiting import until_async

HIDE = """(hidden) => {
  Object.defineProperty(document, "visibilityState", { get: () => (hidden ? "hidden" : "visible"), configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""What a browser does when its tab is covered; headless ones never do."""


@pytest.fixture
def url(standing: StandingServers) -> Iterator[str]:
    with standing.lent(call_ladder="sms:0,not_reached:1") as server:
        yield server.url


async def a_counter(pages: Pages, url: str, *guests: str, **more: Any) -> tuple[Page, Owner]:
    """The screen of a store with these walk-ins in line."""
    counter = await pages.open()
    owner = await at_counter(counter, url)
    owner.add(*guests, **more)
    return counter, owner


async def own_page(pages: Pages, owner: Owner, label: str, **options: Any) -> Page:
    """The guest's phone, with the page of their ticket open."""
    link = owner._ask("GET", f"{owner.store}/tickets/{owner.ticket(label)['id']}/link")["link"]
    pages.expect("navigator.vibrate")  # nobody has tapped on it yet
    phone = await pages.open(width=390, height=844, **options)
    await phone.goto(link)
    await phone.wait_for_url("**/ticket")
    return phone


async def test_the_counter_shows_who_has_seen_the_call_and_who_has_not(url: str, pages: Pages) -> None:
    counter, owner = await a_counter(pages, url, "Ann", "Bo", phone="+49 1512 3456789")
    ann = await own_page(pages, owner, "A01")
    await expect(ann.locator("#status")).to_have_attribute("data-live", "live")

    owner.change("A01", "call")
    owner.change("A02", "call")

    await expect(ann.locator("#sentence")).to_have_text("It’s your turn.")
    await expect(ticket(counter, "A01").locator(".ticket-seen")).to_contain_text("Seen")
    bo = ticket(counter, "A02")
    await expect(bo.locator(".ticket-unreached")).to_have_text("Not reached")
    await expect(bo.get_by_role("link", name="Phone A02")).to_have_attribute("href", "tel:+4915123456789")
    await expect(counter.locator("[aria-live=polite]", has_text="A02 was not reached.")).to_have_count(1)
    await expect(ticket(counter, "A01").locator(".ticket-unreached")).to_have_count(0)

    await bo.get_by_role("button", name="Recall A02").click()
    await expect(bo.locator(".ticket-again")).to_contain_text("2")
    await own_page(pages, owner, "A02")
    await expect(bo.locator(".ticket-seen")).to_contain_text("Seen")
    await expect(bo.get_by_role("link", name="Phone A02")).to_have_count(0)


async def test_a_page_that_is_covered_has_shown_nothing_until_it_is_looked_at(url: str, pages: Pages) -> None:
    counter, owner = await a_counter(pages, url, "Ann")
    ann = await own_page(pages, owner, "A01")
    await expect(ann.locator("#status")).to_have_attribute("data-live", "live")
    await ann.evaluate(HIDE, True)
    owner.change("A01", "call")
    await expect(ann.locator("#sentence")).to_have_text("It’s your turn.")
    await expect(ticket(counter, "A01").locator(".ticket-unreached")).to_be_visible()
    assert owner.ticket("A01")["seen_ms"] == 0

    await ann.evaluate(HIDE, False)

    await expect(ticket(counter, "A01").locator(".ticket-seen")).to_be_visible()
    await expect(ticket(counter, "A01").locator(".ticket-unreached")).to_have_count(0)


async def test_a_recall_is_seen_anew(url: str, pages: Pages) -> None:
    _, owner = await a_counter(pages, url, "Ann")
    ann = await own_page(pages, owner, "A01")
    owner.change("A01", "call")
    await until_async(lambda: owner.ticket("A01")["seen_ms"], what="the first call to be seen")
    first = owner.ticket("A01")

    owner.change("A01", "recall")

    second: Any = await until_async(lambda: (now := owner.ticket("A01"))["seen_ms"] and now, what="the second call to be seen")
    assert second["called_ms"] > first["called_ms"]
    assert second["seen_ms"] >= second["called_ms"]
    await expect(ann.locator("#sentence")).to_have_text("It’s your turn.")


async def test_a_page_without_javascript_has_seen_it_when_it_is_fetched(url: str, pages: Pages) -> None:
    counter, owner = await a_counter(pages, url, "Ann")
    first = await own_page(pages, owner, "A01")
    cookies = await first.context.cookies()
    await first.close()
    owner.change("A01", "call")
    plain = await pages.open(width=390, height=844, java_script_enabled=False)
    await plain.context.add_cookies(cookies)  # type: ignore[arg-type]  # a cookie that was read can be set
    await plain.goto(f"{url}/ticket")

    await expect(plain.locator("#sentence")).to_contain_text("It’s your turn")
    await expect(ticket(counter, "A01").locator(".ticket-seen")).to_be_visible()


async def test_the_owner_sets_the_ladder(url: str, pages: Pages) -> None:
    pages.expect("422")
    page, owner = await a_counter(pages, url, "Di")
    await choose(page, "Edit store and queues")
    await page.locator("summary", has_text="When it’s their turn").click()
    await page.get_by_label("Seconds until: An SMS to their phone").fill("4000")
    await page.get_by_label("An e-mail", exact=True).check()
    await page.get_by_label("Seconds until: An e-mail").fill("45")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("This must be at most 3600.")).to_be_visible()
    await expect(page.get_by_label("Seconds until: An SMS to their phone")).to_be_focused()

    await page.get_by_label("Seconds until: An SMS to their phone").fill("90")
    await page.get_by_role("button", name="Save").click()

    await toast(page, "Saved. Every screen shows it now.")
    used = {step["channel"]: step["after_s"] for step in owner.look()["store"]["ladder"]}
    assert used == {"not_reached": 1, "email": 45, "sms": 90, "web_push": None}
