"""Notifications in a customer's browser, in Chromium and with a real server: offered, asked for with a tap, shown, tapped, taken back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest_asyncio
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Page, expect

from tests.browser.phone_with_push import PushPhone
from tests.conftest import Serve
from tests.flows.client import Owner, join, off_loop, open_store, visitor
from tests.support import chromium
from tests.support.pages import Pages
from tests.support.sink import HttpSink
from tests.support.waiting import until_async

OFFER = "Tell me when it’s my turn"
SETTINGS: dict[str, Any] = {"mail_from": "queue@example.com", "outbound_networks": "127.0.0.0/8"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A whole one: without the window's frame none shows notifications."""
    async with chromium.launched(whole=True) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def owner(server: Serve) -> AsyncIterator[Owner]:
    started = await off_loop(lambda: server(**SETTINGS))
    async with open_store(started) as owner:
        yield owner


@pytest_asyncio.fixture(loop_scope="session")
async def pages(owner: Owner, pages: Pages) -> Pages:
    """The pages, closed before their server is."""
    return pages


async def hold_ticket(page: Page, owner: Owner, name: str = "Ann") -> dict[str, Any]:
    """The page shows a new ticket."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(visitor(owner.server))
        ticket = await join(owner, http, name)
    await page.goto(f"{owner.server.url}/t#{ticket['token']}")
    await page.wait_for_url("**/ticket")
    await expect(page.locator("#status")).to_have_attribute("data-live", "live")
    return ticket


async def test_a_guest_taps_is_asked_once_and_notified_when_called(pages: Pages, owner: Owner, http_sink: HttpSink) -> None:
    phone = await PushPhone.open(pages, owner.server.url, http_sink.url)
    page = phone.page
    await hold_ticket(page, owner)
    assert await phone.stub() == {"asked": 0, "permission": "default", "key": ""}, "nobody is asked before they tap"
    assert await page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)") == 0

    await page.get_by_role("button", name=OFFER).click()
    await expect(page.get_by_text("We’ll notify this phone.")).to_be_visible()
    await expect(page.get_by_role("button", name=OFFER)).to_be_hidden()
    await page.reload()
    await expect(page.get_by_text("We’ll notify this phone.")).to_be_visible()
    assert (await phone.stub())["asked"] == 1

    await page.goto(f"{owner.server.url}/docs")  # who looks at the ticket sees the call, and is not notified
    await owner.call_next(desk="Desk 2")
    (request,) = await until_async(lambda: http_sink.requests, what="the push")
    message = phone.subscriber.read(request)
    await phone.receive(json.dumps(message))

    (shown,) = await until_async(phone.shown, what="the notification")
    assert (shown["title"], shown["body"]) == ("A01 · It’s your turn", "Desk 2.\nLuigi's")
    assert shown["requireInteraction"]
    assert shown["lang"] == "en"
    await phone.receive(json.dumps(message))
    (again,) = await until_async(lambda: _when(phone, lambda all_: all_[0]["silent"]), what="the same, silent")
    assert again["tag"] == shown["tag"]


async def _when(phone: PushPhone, is_so: Any) -> list[dict[str, Any]] | None:
    shown = await phone.shown()
    return shown if shown and is_so(shown) else None


async def test_what_was_asked_for_can_be_taken_back(pages: Pages, owner: Owner, http_sink: HttpSink) -> None:
    phone = await PushPhone.open(pages, owner.server.url, http_sink.url)
    await hold_ticket(phone.page, owner)
    await phone.page.get_by_role("button", name=OFFER).click()

    await phone.page.get_by_role("button", name="Stop notifying this phone").click()

    await expect(phone.page.get_by_role("button", name=OFFER)).to_be_focused()
    state = await phone.page.evaluate("fetch('/v1/ticket/push').then((answer) => answer.json())")
    assert state["subscriptions"] == []
    await phone.page.reload()
    await expect(phone.page.get_by_role("button", name=OFFER)).to_be_visible()
    await phone.page.get_by_role("button", name=OFFER).click()
    await expect(phone.page.get_by_text("We’ll notify this phone.")).to_be_visible()


async def test_who_says_no_is_told_what_still_works_and_not_asked_again(pages: Pages, owner: Owner, http_sink: HttpSink) -> None:
    phone = await PushPhone.open(pages, owner.server.url, http_sink.url, answer="denied")
    await hold_ticket(phone.page, owner)

    await phone.page.get_by_role("button", name=OFFER).click()

    await expect(phone.page.get_by_role("alert").filter(has_text="Your browser does not let us.")).to_be_visible()
    await expect(phone.page.get_by_role("button", name=OFFER)).to_be_hidden()
    await phone.page.reload()
    await expect(phone.page.get_by_role("button", name="Ring aloud on this page")).to_be_visible()
    await expect(phone.page.locator("#push")).to_be_hidden()


async def test_a_browser_that_cannot_be_notified_is_offered_nothing(pages: Pages, owner: Owner) -> None:
    page = await pages.open(360, 740)
    await page.add_init_script("delete window.PushManager")
    await hold_ticket(page, owner)

    await expect(page.get_by_role("button", name="Ring aloud on this page")).to_be_visible()
    await expect(page.locator("#push")).to_be_hidden()


async def test_an_iphone_is_told_of_the_home_screen(pages: Pages, owner: Owner) -> None:
    page = await pages.open(360, 740)
    await page.add_init_script("delete window.PushManager; Object.defineProperty(navigator, 'standalone', { value: false })")
    await hold_ticket(page, owner)

    await expect(page.get_by_text("Add to Home Screen")).to_be_visible()
    await expect(page.get_by_role("button", name=OFFER)).to_be_hidden()


async def test_a_server_that_refuses_is_heard(pages: Pages, owner: Owner) -> None:
    pages.expect("422")
    phone = await PushPhone.open(pages, owner.server.url, "http://push.example.com")
    await hold_ticket(phone.page, owner)

    await phone.page.get_by_role("button", name=OFFER).click()

    await expect(phone.page.get_by_role("alert").filter(has_text="That is no https:// address of a push service.")).to_be_visible()
    await expect(phone.page.get_by_role("button", name=OFFER)).to_be_enabled()


async def test_a_subscription_for_another_key_is_made_anew(pages: Pages, owner: Owner, http_sink: HttpSink) -> None:
    phone = await PushPhone.open(pages, owner.server.url, http_sink.url)
    await hold_ticket(phone.page, owner)
    await phone.page.get_by_role("button", name=OFFER).click()
    await expect(phone.page.get_by_text("We’ll notify this phone.")).to_be_visible()
    key = (await phone.stub())["key"]
    await phone.page.evaluate("pushStub.keep({ key: 'AAAA' })")
    await phone.page.reload()

    await phone.page.get_by_role("button", name=OFFER).click()

    await expect(phone.page.get_by_text("We’ll notify this phone.")).to_be_visible()
    assert (await phone.stub())["key"] == key


# ---- the service worker


async def test_what_cannot_be_read_is_shown_as_a_change(pages: Pages, owner: Owner, http_sink: HttpSink) -> None:
    phone = await PushPhone.open(pages, owner.server.url, http_sink.url)
    await hold_ticket(phone.page, owner)
    await phone.page.get_by_role("button", name=OFFER).click()
    await expect(phone.page.get_by_text("We’ll notify this phone.")).to_be_visible()

    await phone.receive("no JSON")

    (shown,) = await until_async(phone.shown, what="the notification")
    assert shown["title"] == "Your place in line has changed"


async def test_a_tap_brings_up_the_ticket_that_it_is_about(pages: Pages, owner: Owner, http_sink: HttpSink) -> None:
    phone = await PushPhone.open(pages, owner.server.url, http_sink.url)
    await hold_ticket(phone.page, owner, "Ann")
    await hold_ticket(phone.page, owner, "Bo")
    await phone.page.get_by_role("button", name=OFFER).click()
    await expect(phone.page.get_by_text("We’ll notify this phone.")).to_be_visible()
    await owner.call_next()
    (request,) = await until_async(lambda: [each for each in http_sink.requests if each.headers["urgency"] == "high"], what="the push")
    await phone.receive(json.dumps(phone.subscriber.read(request)))
    await until_async(phone.shown, what="the notification")
    await expect(phone.page.locator("#label")).to_have_text("A02")

    await phone.worker.evaluate(
        "registration.getNotifications().then(([notification]) => "
        "void dispatchEvent(new NotificationEvent('notificationclick', { notification })))"
    )

    await expect(phone.page.locator("#label")).to_have_text("A01")
    assert await phone.shown() == []


async def test_a_subscription_that_the_browser_gave_up_is_replaced(pages: Pages, owner: Owner, http_sink: HttpSink) -> None:
    phone = await PushPhone.open(pages, owner.server.url, http_sink.url)
    await hold_ticket(phone.page, owner)
    await phone.page.get_by_role("button", name=OFFER).click()
    await expect(phone.page.get_by_text("We’ll notify this phone.")).to_be_visible()
    other = type(phone.subscriber)(http_sink.url)

    await phone.worker.evaluate(
        "(given) => { PushManager.prototype.subscribe = async () => ({ toJSON: () => given });"
        " dispatchEvent(new ExtendableEvent('pushsubscriptionchange')); }",
        other.json(),
    )

    async def known() -> Any:
        state = await phone.page.evaluate("fetch('/v1/ticket/push').then((answer) => answer.json())")
        return other.id in state["subscriptions"]

    await until_async(known, what="the new subscription")


async def test_the_offer_reads_well_for_everybody(pages: Pages, owner: Owner, http_sink: HttpSink) -> None:
    for scheme in ("light", "dark"):
        phone = await PushPhone.open(pages, owner.server.url, http_sink.url, color_scheme=scheme)
        await hold_ticket(phone.page, owner)
        for step in ("offered", "on"):
            if step == "on":
                await phone.page.get_by_role("button", name=OFFER).click()
                await expect(phone.page.get_by_text("We’ll notify this phone.")).to_be_visible()
            await phone.page.evaluate(AXE_SCRIPT)
            found = await phone.page.evaluate("axe.run().then((result) => result.violations.map((each) => each.id + ': ' + each.help))")
            assert found == [], f"{scheme}, {step}"
            assert await phone.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
