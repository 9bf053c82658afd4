"""The owner's pages around the counter: open, sign in, reset, account, the interface's description, and the sign-in that renews itself."""

from __future__ import annotations

import functools
import re

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.browser.axe import faults_in
from tests.browser.owner import EMAIL, PASSWORD, Owner, at_counter, live, open_store, opened
from tests.conftest import Serve
from tests.support.mail import MailServer
from tests.support.pages import Pages
from tests.support.waiting import until_async

REFUSED = r"status of 4\d\d"
"""What the console says of an answer that the test is about."""


@pytest.fixture
def url_with_mail(server: Serve, smtp_sink: MailServer) -> str:
    return server(smtp_url=smtp_sink.url, mail_from="store@luigis.example", smtp_allow_plain=True).url


def link_in(mails: MailServer, path: str) -> str:
    """The newest link of its kind that the owner was sent."""

    def newest() -> str:
        found = [match[0] for mail in mails.to(EMAIL) for match in re.finditer(rf"http\S+{path}#\S+", mail.text)]
        return found[-1] if found else ""

    mails.wait_for(1, to=EMAIL)
    return newest()


# ---- opening ------------------------------------------------------------------------------------------------------


async def test_what_is_missing_is_said_beside_its_field(url: str, page: Page) -> None:
    await page.goto(f"{url}/open")
    await page.get_by_role("button", name="Open the store").click()
    await expect(page.get_by_label("Name of the store")).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_label("Name of the store")).to_be_focused()
    for field in ("name", "email", "password"):
        await expect(page.locator(f"#{field}-error")).not_to_be_empty()

    await page.get_by_label("Name of the store").fill("Luigi's")
    await expect(page.locator("#name-error")).to_be_empty()
    await expect(page.get_by_label("Name of the store")).not_to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#email-error")).not_to_be_empty()
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_label("Password").fill("short")
    await page.get_by_role("button", name="Open the store").click()
    await expect(page.locator("#password-error")).to_have_text("Use at least 8 characters.")


async def test_signing_in_with_nothing_says_what_is_missing_and_asks_nobody(url: str, page: Page) -> None:
    await page.goto(f"{url}/signin")

    await page.get_by_role("button", name="Sign in").click()

    await expect(page.locator("#email-error")).to_have_text("Type your e-mail address.")
    await expect(page.locator("#password-error")).to_have_text("Type your password.")


async def test_what_the_server_refuses_is_said_beside_its_field(url: str, pages: Pages) -> None:
    pages.expect(REFUSED)
    await opened(await pages.open(), url)
    page = await pages.open(360, 740)
    await page.goto(f"{url}/open")
    await page.get_by_label("Name of the store").fill("Another")
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Open the store").click()

    await expect(page.locator("#email-error")).to_contain_text("There is an account with this e-mail already.")
    await expect(page.get_by_label("E-mail")).to_be_focused()


async def test_queues_are_lines_that_come_and_go(url: str, page: Page) -> None:
    await page.goto(f"{url}/open")
    await expect(page.get_by_label("Name of queue A")).to_have_value("Tables")
    await page.get_by_label("Name of queue A").press("Enter")
    await page.get_by_label("Name of queue B").fill("Bar")
    await page.get_by_role("button", name="Take queue A out").click()

    await expect(page.get_by_label("Name of queue A")).to_have_value("Bar")
    await expect(page.get_by_role("button", name="Take queue A out")).to_be_hidden()


async def test_the_timezone_is_the_browsers_until_it_is_changed(url: str, pages: Pages) -> None:
    page = await pages.open(timezone_id="Asia/Kathmandu")
    await open_store(page, url)
    assert Owner(url).look()["store"]["timezone"] in ("Asia/Kathmandu", "Asia/Katmandu")

    await page.goto(f"{url}/open")
    await expect(page.get_by_role("heading", name="Your store is open")).to_be_visible()
    await page.get_by_role("link", name="Go to your counter").click()
    await live(page)


async def test_a_store_that_is_being_closed_is_not_called_open(url: str, page: Page) -> None:
    (await at_counter(page, url)).close()

    await page.goto(f"{url}/open")

    await expect(page.get_by_role("heading", name="Your last store is not finished yet")).to_be_visible()
    await page.get_by_role("link", name="See how far it is").click()
    await expect(page.get_by_role("heading", name="Closed for today")).to_be_visible()


# ---- signing in ---------------------------------------------------------------------------------------------------


async def test_a_wrong_password_is_refused_and_the_right_one_leads_on(url: str, pages: Pages) -> None:
    pages.expect(REFUSED)
    await opened(await pages.open(), url)
    page = await pages.open(360, 740)
    await page.goto(f"{url}/account")
    await page.wait_for_url("**/signin?next=%2Faccount")
    await expect(page.get_by_text("You were signed out.")).to_be_hidden()
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_label("Password").fill("not the password")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("do not belong together")).to_be_visible()

    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()

    await page.wait_for_url("**/account")
    await expect(page.get_by_text(EMAIL).first).to_be_visible()


@pytest.mark.parametrize("elsewhere", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
async def test_signing_in_never_leads_to_another_site(url: str, page: Page, elsewhere: str) -> None:
    await page.goto(f"{url}/signin")

    path = await page.evaluate(
        "next => { history.replaceState(null, '', '?next=' + encodeURIComponent(next));"
        " return import('/static/session.js').then(({nextPath}) => nextPath('/counter')) }",
        elsewhere,
    )

    assert path == "/counter"


async def test_a_token_that_is_refused_is_renewed_once_and_nobody_notices(url: str, pages: Pages) -> None:
    pages.expect(REFUSED)
    page = await pages.open()
    owner = await at_counter(page, url)
    renewals: list[str] = []
    page.on("request", lambda request: renewals.append(request.url) if request.url.endswith("/v1/token") else None)
    owner.add("Di")
    await expect(page.locator(".ticket")).to_have_count(1)
    refusal = '{"code": "not_signed_in", "detail": "Please sign in again.", "status": 401, "title": "", "type": ""}'
    await page.route("**/call-next", lambda route: route.fulfill(status=401, body=refusal), times=1)

    await page.locator(".queue-call").click()

    await expect(page.locator(".counter-toast-text")).to_have_text("A01 · Di was called.")
    assert len(renewals) == 1


async def test_signing_out_in_one_tab_signs_the_other_out(url: str, page: Page, pages: Pages) -> None:
    pages.expect("401 .*/v1/token")  # the other tab's closed socket may tell it before the first tab does: then it asks once
    await at_counter(page, url)
    other = await page.context.new_page()
    await other.goto(f"{url}/account")
    await other.get_by_role("button", name="Sign out").click()

    await page.wait_for_url("**/signin?next=%2Fcounter")
    await expect(page.get_by_role("status")).to_have_text("You were signed out. Sign in again.")


async def test_many_tabs_renew_one_after_the_other_and_all_stay_signed_in(url: str, page: Page) -> None:
    await at_counter(page, url)
    tabs = [await page.context.new_page() for _ in range(4)]

    for tab in tabs:
        await tab.goto(f"{url}/counter", wait_until="commit")

    for tab in [page, *tabs]:
        await live(tab)


# ---- mail ---------------------------------------------------------------------------------------------------------


async def test_a_forgotten_password_is_reset_by_the_mailed_link(url_with_mail: str, smtp_sink: MailServer, pages: Pages) -> None:
    pages.expect(REFUSED)
    await opened(await pages.open(), url_with_mail)
    page = await pages.open(360, 740)
    await page.goto(f"{url_with_mail}/forgot")
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_role("button", name="Send the link").click()
    await expect(page.get_by_text("a mail with a link is on its way")).to_be_visible()

    link = await until_async(lambda: link_in(smtp_sink, "/reset"))
    await page.goto(link)
    assert page.url.endswith("/reset"), "the secret leaves the address bar"
    await page.get_by_label("New password").fill("five red lanterns")
    await page.get_by_role("button", name="Set the password").click()
    await expect(page.get_by_text("Your new password is set.")).to_be_visible()

    again = await pages.open()
    await again.goto(link)
    await again.get_by_label("New password").fill("six red lanterns")
    await again.get_by_role("button", name="Set the password").click()
    await expect(again.get_by_text("This link was used already or is too old.")).to_be_visible()


async def test_a_server_that_cannot_send_the_link_says_so(url: str, pages: Pages) -> None:
    pages.expect("status of 503")
    page = await pages.open(360, 740)
    said = "This server cannot send e-mail. Ask whoever runs it to set a new password."
    problem = {"type": "", "title": "", "status": 503, "code": "unavailable", "detail": said, "retry": False}
    await page.route("**/v1/password/forgot", lambda route: route.fulfill(status=503, json=problem))
    await page.goto(f"{url}/forgot")
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_role("button", name="Send the link").click()

    await expect(page.locator("[data-fault]")).to_have_text(said)
    await expect(page.get_by_text("a mail with a link is on its way")).to_have_count(0)


async def test_the_address_is_corrected_and_confirmed(url_with_mail: str, smtp_sink: MailServer, page: Page) -> None:
    await opened(page, url_with_mail)
    await page.goto(f"{url_with_mail}/account")
    await expect(page.get_by_text("Not confirmed yet")).to_be_visible()
    await page.get_by_text("Change the e-mail").first.click()
    await page.get_by_label("New e-mail").fill("maria@luigis.example")
    await page.get_by_label("Your password").fill(PASSWORD)
    await page.get_by_role("button", name="Change the e-mail").click()
    await expect(page.get_by_text("We sent a link to the new address.")).to_be_visible()

    mail = smtp_sink.wait_for(1, to="maria@luigis.example")[0]
    link = re.search(r"http\S+/confirm#\S+", mail.text)
    assert link
    counter = await page.context.new_page()
    await counter.goto(f"{url_with_mail}/counter")
    await live(counter)
    await expect(counter.locator(".counter-banner")).to_contain_text("maria@luigis.example")
    await page.goto(link[0])
    await expect(counter.locator(".counter-banner")).to_be_hidden()

    await page.reload()
    await expect(page.get_by_role("heading", name="Your address is confirmed")).to_be_visible()
    await page.get_by_role("link", name="Go to your counter").click()

    await live(page)
    await expect(page.locator(".counter-banner")).to_be_hidden()


async def test_a_wrong_present_password_is_said_beside_its_field(url: str, pages: Pages) -> None:
    pages.expect(REFUSED)
    page = await pages.open()
    await opened(page, url)
    await page.goto(f"{url}/account")
    await page.locator("summary", has_text="Change it").click()
    await page.get_by_label("Present password").fill("not the password")
    await page.get_by_label("New password").fill("five red lanterns")
    await page.get_by_role("button", name="Change the password").click()
    await expect(page.get_by_text("That is not your present password.")).to_be_visible()

    await page.get_by_label("Present password").fill(PASSWORD)
    await page.get_by_role("button", name="Change the password").click()
    await expect(page.get_by_text("Your password is changed.")).to_be_visible()


async def test_a_token_is_made_shown_once_used_and_revoked(url: str, pages: Pages) -> None:
    page = await pages.open(360, 740)
    await opened(page, url)
    await page.goto(f"{url}/account")
    await page.locator("summary", has_text="Make a token").click()
    await page.get_by_role("button", name="Make the token").click()
    await expect(page.get_by_text("Give it a name, so that you know it again.")).to_be_visible()
    await page.get_by_label("What is it for?").fill("Kitchen printer")
    await page.get_by_label("Publish messages").uncheck()
    await page.get_by_role("button", name="Make the token").click()
    token = await page.locator(".token-secret code").inner_text()
    ask = functools.partial(httpx.get, f"{url}/v1/consumer", params={"cid": "1"}, headers={"Authorization": f"Bearer {token}"})
    assert ask().json() == {"messages": []}
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    await page.reload()
    await expect(page.locator(".token-list")).to_contain_text("Kitchen printer")
    await expect(page.locator(".token-secret")).to_have_count(0)
    await page.get_by_role("button", name="Revoke").click()
    await page.get_by_role("button", name="Revoke it now").click()

    await expect(page.locator(".token-list > li")).to_have_count(0)
    assert ask().status_code == 401


# ---- for everybody ------------------------------------------------------------------------------------------------


async def test_the_interface_is_described_with_every_endpoint_and_error(url: str, page: Page) -> None:
    await page.goto(f"{url}/docs#wrong_state")
    described = (await (await page.request.get(f"{url}/openapi.json")).json())["paths"]

    await expect(page.locator(".docs-endpoint")).to_have_count(sum(len(methods) for methods in described.values()))
    await expect(page.locator("#wrong_state")).to_be_focused()


async def test_on_a_phone_the_index_is_one_line_above_the_title(url: str, pages: Pages) -> None:
    page = await pages.open(360, 740)
    await page.goto(f"{url}/docs")
    await expect(page.locator(".docs-endpoint").first).to_be_attached()
    await expect(page.get_by_role("heading", name="HTTP interface")).to_be_in_viewport()
    await expect(page.locator(".docs-links").first).to_be_hidden()

    await page.get_by_text("Endpoints", exact=True).click()
    await page.locator("#docs-links summary").first.click()
    await page.locator(".docs-links a").filter(visible=True).first.click()
    await expect(page.locator("#docs-index")).not_to_have_attribute("open", "")


async def test_axe_finds_nothing_and_nothing_is_too_wide(url: str, pages: Pages) -> None:
    views = ((360, "dark"), (1280, "light"))
    pages.expect(REFUSED)
    page = await pages.open(360, 800, reduced_motion="reduce")
    found = []
    for path in ("/open", "/signin", "/forgot", "/reset#secret", "/confirm#secret", "/docs#post-v1-stores"):
        await page.goto(url + path)
        await page.wait_for_load_state("networkidle")
        found += [(path, *fault) for fault in await faults_in(page, *views)]
    await opened(page, url)
    await page.goto(f"{url}/account")
    await expect(page.get_by_role("heading", name="Past receipts")).to_be_visible()
    await page.wait_for_load_state("networkidle")
    found += [("/account", *fault) for fault in await faults_in(page, *views)]

    assert found == []
