"""What a customer sees: join, ticket and link, in a real browser."""

from __future__ import annotations

import re
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.axe import faults, faults_in, look
from tests.browser.customer_stub import Stub
from tests.browser.expressions import until_true
from tests.support.pages import Pages

SAMPLE = {"waiting_text": "Have a drink at the bar.", "end_text": "See you soon."}


@pytest.fixture
def stub() -> Stub:
    stub = Stub(description="Kitchen is 15 minutes late")
    stub.add_queue("Table for two", pace_ms=240_000, **SAMPLE)
    stub.add_queue("Table for four")
    stub.add_queue("Bar", paused=True)
    for _ in range(4):
        stub.add_ticket("A")
    return stub


@pytest_asyncio.fixture(loop_scope="session")
async def pages(address: str, pages: Pages) -> Pages:
    """The pages, closed before their server is."""
    return pages


@pytest_asyncio.fixture(loop_scope="session")
async def phone(pages: Pages) -> Page:
    return await pages.open(360, 740)


# ---- joining


async def test_a_customer_joins_with_a_name(phone: Page, address: str, stub: Stub) -> None:
    await phone.goto(f"{address}/j/abc")
    await phone.get_by_role("radio", name="Table for two").check()
    await phone.get_by_label("Name").fill("Ann")
    await phone.get_by_role("button", name="One person more").click()
    await phone.get_by_role("button", name="Get my number").click()

    await expect(phone.locator("#label")).to_have_text("A05")
    joined = next(body for method, path, body in stub.requests if (method, path) == ("POST", "tickets"))
    assert joined["parties"] == [{"name": "Ann", "queue": "A", "phone": "", "email": "", "party": 2}]
    assert joined["key"] == stub.scanned_by


async def test_a_reload_keeps_the_code_for_the_same_phone(phone: Page, address: str, stub: Stub) -> None:
    await phone.goto(f"{address}/j/abc")
    await expect(phone.get_by_label("Name")).to_be_visible()
    await phone.reload()

    await expect(phone.get_by_label("Name")).to_be_visible()


async def test_a_paused_queue_cannot_be_picked(phone: Page, address: str) -> None:
    await phone.goto(f"{address}/j/abc")

    await expect(phone.get_by_role("radio", name="Bar Paused")).to_be_disabled()


async def test_a_code_that_another_phone_scanned_is_told_kindly(pages: Pages, phone: Page, address: str, stub: Stub) -> None:
    pages.expect("409")
    stub.scanned_by = "somebody else's key"

    await phone.goto(f"{address}/j/abc")

    await expect(phone.get_by_role("heading")).to_have_text("That code was just used. Scan the new one on the screen.")


async def test_a_phone_with_a_ticket_goes_to_that_ticket(phone: Page, address: str, stub: Stub) -> None:
    stub.own = 2
    await phone.goto(f"{address}/j/abc")

    await expect(phone.locator("#label")).to_have_text("A02")


async def test_a_wrong_value_is_named_next_to_its_field(pages: Pages, phone: Page, address: str, stub: Stub) -> None:
    pages.expect("422")
    await phone.goto(f"{address}/j/abc")
    await phone.get_by_role("radio", name="Table for four").check()
    await phone.get_by_label("Name").fill("Ann")
    await phone.get_by_role("button", name="Add another party").click()
    await phone.locator("#name-1").fill("Bo")
    stub.refuse = {"status": 422, "code": "invalid_input", "detail": "That is no phone number.", "field": "parties.1.phone"}
    await phone.get_by_role("button", name="Get my number").click()

    await expect(phone.locator("#error-phone-1")).to_have_text("That is no phone number.")
    await expect(phone.locator("#phone-1")).to_be_focused()
    await expect(phone.locator("#phone-1")).to_have_attribute("aria-invalid", "true")


async def test_up_to_five_parties_join_together_and_the_phone_switches_between_them(phone: Page, address: str, stub: Stub) -> None:
    await phone.goto(f"{address}/j/abc")
    await phone.get_by_role("radio", name="Table for two").check()
    await phone.get_by_label("Name").fill("Ann")
    add = phone.get_by_role("button", name="Add another party")
    for at in range(1, 5):
        await add.click()
        await phone.locator(f"#name-{at}").fill(f"Friend {at}")
    await expect(add).to_be_hidden()
    await phone.get_by_role("button", name="Get my number").click()
    await expect(phone.locator("#label")).to_have_text("A05")

    await phone.get_by_role("button", name="A07").click()

    await expect(phone.locator("#label")).to_have_text("A07")
    assert stub.requests[-1] == ("POST", "ticket/trade", {"label": "A07"})
    chips = phone.locator("#others > .button")
    await expect(chips).to_have_text(["A05", "A06", "A07", "A08", "A09"])
    assert len({box["y"] for chip in await chips.all() if (box := await chip.bounding_box())}) == 1
    assert "secret" not in await phone.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")


async def test_an_edited_field_loses_its_error(pages: Pages, phone: Page, address: str, stub: Stub) -> None:
    pages.expect("422")
    await phone.goto(f"{address}/j/abc")
    await phone.get_by_role("radio", name="Table for four").check()
    await phone.get_by_label("Name").fill("Ann")
    stub.refuse = {"status": 422, "code": "invalid_input", "detail": "That is no phone number.", "field": "parties.0.phone"}
    await phone.get_by_role("button", name="Get my number").click()
    await expect(phone.locator("#error-phone")).to_have_text("That is no phone number.")

    await phone.locator("#phone").fill("030 1")

    await expect(phone.locator("#error-phone")).to_be_empty()
    assert await phone.locator("#phone").get_attribute("aria-invalid") is None


async def test_the_button_never_hides_the_field_that_is_written_in(phone: Page, address: str) -> None:
    await phone.goto(f"{address}/j/abc")
    await expect(phone.get_by_label("Name")).to_be_visible()
    for field in ("#name", "#phone", "#email", "#add-party"):
        await phone.locator(field).focus()
        box, button = await phone.locator(field).bounding_box(), await phone.locator("#join").bounding_box()
        assert box
        assert button
        assert box["y"] + box["height"] <= button["y"]


async def test_joining_works_without_javascript(pages: Pages, address: str) -> None:
    phone = await pages.open(360, 740, java_script_enabled=False)
    await phone.goto(f"{address}/j/abc")
    await phone.get_by_role("button", name="Join the line").click()
    await phone.locator("label.choice", has_text="Table for two").click()
    await phone.get_by_label("Name").fill("Ann")
    await phone.get_by_label("Phone").fill("nonsense")
    await phone.get_by_role("button", name="Get my number").click()
    await expect(phone.locator("#error-phone")).to_contain_text("That is not a phone number.")
    assert await phone.get_by_label("Name").input_value() == "Ann"

    await phone.get_by_label("Phone").fill("")
    await phone.get_by_role("button", name="Get my number").click()

    await expect(phone.locator("#label")).to_have_text("A05")
    await expect(phone.locator("#sentence")).to_have_text("4 parties ahead of you.")
    await expect(phone.locator("#detail")).to_have_text("about 15–25 min")


async def test_what_people_write_is_never_markup(phone: Page, address: str, stub: Stub) -> None:
    nasty = "<img src=x onerror=alert(1)>\"'</script>"
    stub.store["name"] = stub.store["description"] = stub.queues["A"]["name"] = stub.queues["A"]["waiting_text"] = nasty
    stub.own = 2
    for path in ("/ticket", "/board#b"):
        await phone.goto(f"{address}{path}")
        await expect(phone.locator(".status")).to_have_text("Live")
        assert nasty in await phone.locator("body").inner_text()
        assert await phone.locator("img[src=x]").count() == 0


# ---- the ticket


async def test_the_place_follows_the_line(phone: Page, address: str, stub: Stub) -> None:
    stub.own = 4
    await phone.goto(f"{address}/ticket")
    await expect(phone.locator("#status")).to_have_text("Live")
    await expect(phone.locator("#sentence")).to_have_text("3 parties ahead of you.")

    for ticket, sentence in ((1, "2 parties ahead of you."), (2, "1 party ahead of you."), (3, "You are next.")):
        await stub.move(stub.tickets[ticket], "called")
        await expect(phone.locator("#sentence")).to_have_text(sentence)
    assert await phone.locator("#progress > .gone").count() == 3


async def test_your_turn_is_told_at_once_and_everywhere(phone: Page, address: str, stub: Stub) -> None:
    stub.own = 1
    await phone.goto(f"{address}/ticket")
    await expect(phone.locator("#status")).to_have_text("Live")

    await stub.move(stub.tickets[1], "called", desk="Desk 2")

    await expect(phone.locator("#sentence")).to_have_text("It’s your turn.")
    await expect(phone.locator("#detail")).to_have_text("Desk 2.")
    await expect(phone.locator("#spoken")).to_have_text("A01. It’s your turn. Desk 2.")
    await expect(phone.locator("#ticket")).to_have_attribute("data-state", "called")
    await expect(phone).to_have_title("A01 · It’s your turn.")
    assert (await phone.locator("link[rel=icon]").get_attribute("href")) == "/static/favicon-called.svg"


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("serving", "You are being served."),
        ("done", "Thank you for coming."),
        ("no_show", "We called you and missed you. Talk to the staff."),
        ("removed", "The staff took you out of the line."),
    ],
)
async def test_every_state_has_its_sentence_with_and_without_javascript(
    pages: Pages, address: str, stub: Stub, state: str, sentence: str
) -> None:
    stub.own = 1
    phone = await pages.open(360, 740)
    await phone.goto(f"{address}/ticket")
    await expect(phone.locator("#status")).to_have_text("Live")
    await stub.move(stub.tickets[1], state)
    await expect(phone.locator("#sentence")).to_have_text(sentence)
    await expect(phone.locator("#actions")).to_be_hidden()

    plain = await pages.open(360, 740, java_script_enabled=False)
    await plain.goto(f"{address}/ticket")
    await expect(plain.locator("#sentence")).to_have_text(sentence)


async def test_a_logo_comes_changes_and_goes_on_an_open_page(phone: Page, address: str, stub: Stub) -> None:
    stub.own = 2
    await phone.goto(f"{address}/ticket")
    await expect(phone.locator("#status")).to_have_text("Live")
    for logo in ("/static/icon-180.png", "/static/favicon.svg"):
        stub.queues["A"]["logo"] = logo
        await stub.push("queue_changed", queue=dict(stub.queues["A"]))
        await expect(phone.locator("#text-card > :first-child")).to_have_attribute("src", logo)

    stub.queues["A"]["logo"] = ""
    await stub.push("queue_changed", queue=dict(stub.queues["A"]))

    await expect(phone.locator("#logo")).to_have_count(0)


async def test_a_store_that_is_renamed_is_renamed_on_an_open_page(phone: Page, address: str, stub: Stub) -> None:
    stub.own = 1
    await phone.goto(f"{address}/ticket")
    await expect(phone.locator("#status")).to_have_text("Live")

    stub.store = {**stub.store, "name": "Mario’s"}
    await stub.push("edited", store=stub.store)

    await expect(phone.locator(".store-name").first).to_have_text("Mario’s")


async def test_leaving_asks_once(phone: Page, address: str, stub: Stub) -> None:
    stub.own = 2
    await phone.goto(f"{address}/ticket")
    await phone.get_by_role("button", name="Leave the line").click()
    await phone.get_by_role("button", name="Stay").click()
    assert stub.tickets[2]["state"] == "waiting"

    await phone.get_by_role("button", name="Leave the line").click()
    await phone.get_by_role("button", name="Leave", exact=True).click()

    await expect(phone.locator("#sentence")).to_have_text("You left the line.")
    assert stub.tickets[2]["state"] == "left"


async def test_a_lost_network_is_shown_and_mended(pages: Pages, phone: Page, address: str, stub: Stub) -> None:
    pages.expect("ERR_INTERNET_DISCONNECTED")
    stub.own = 4
    await phone.goto(f"{address}/ticket")
    await expect(phone.locator("#status")).to_have_text("Live")
    await phone.context.set_offline(True)
    await expect(phone.locator("#status")).to_contain_text("No connection since ")
    await expect(phone.locator("#detail")).to_have_text(re.compile(r"^about \d+–\d+ min, as of \d\d:\d\d$"))
    await stub.move(stub.tickets[1], "called")

    await phone.context.set_offline(False)

    await expect(phone.locator("#sentence")).to_have_text("2 parties ahead of you.")
    await expect(phone.locator("#detail")).not_to_contain_text("as of")
    await expect(phone.locator("#status")).to_have_text("Live")


async def test_a_closed_store_is_not_said_to_be_live_and_has_no_way_through_its_line(phone: Page, address: str, stub: Stub) -> None:
    stub.own = 4
    await phone.goto(f"{address}/ticket")
    await expect(phone.locator("#status")).to_have_text("Live")
    await expect(phone.locator("#progress")).to_be_visible()

    stub.store = {**stub.store, "state": "closing"}
    await stub.push("closed", store=stub.store)

    await expect(phone.locator("#sentence")).to_have_text("This store has closed. Thank you for coming.")
    await expect(phone.locator("#progress")).to_be_hidden()
    await expect(phone.locator("#status")).to_be_hidden()
    await phone.reload()
    await expect(phone.locator("#ticket")).to_have_attribute("data-state", "closed")
    await expect(phone.locator("#progress")).to_be_hidden()
    await expect(phone.locator("#status")).to_be_hidden()


async def test_a_store_that_closes_says_goodbye(phone: Page, address: str, stub: Stub) -> None:
    stub.own = 2
    await phone.goto(f"{address}/ticket")
    await expect(phone.locator("#status")).to_have_text("Live")

    await stub.hang_up(4410, "This store has closed. Thank you for coming.")

    await expect(phone.locator("#sentence")).to_have_text("This store has closed. Thank you for coming.")
    await expect(phone.locator("#actions")).to_be_hidden()


async def test_a_link_is_traded_and_its_secret_is_nowhere(phone: Page, address: str, stub: Stub) -> None:
    await phone.goto(f"{address}/t#secret-3")

    await expect(phone.locator("#label")).to_have_text("A03")
    assert phone.url == f"{address}/ticket"
    await phone.go_back()
    assert "secret" not in phone.url
    assert stub.requests[0] == ("POST", "ticket/trade", {"token": "secret-3"})


async def test_a_link_that_is_too_old_says_so(pages: Pages, phone: Page, address: str, stub: Stub) -> None:
    pages.expect("410")
    stub.refuse = {"status": 410, "code": "link_expired", "detail": "This link was used already or is too old. Ask for a new one."}
    await phone.goto(f"{address}/t#secret-3")

    await expect(phone.get_by_role("alert")).to_have_text("This link was used already or is too old. Ask for a new one.")


# ---- for everybody

PLACES: dict[str, dict[str, Any]] = {
    "/": {},
    "/j/abc": {},
    "/j/used": {"scanned_by": "another"},
    "/ticket": {"own": 3},
    "/ticket?called": {"own": 4},
    "/board#token": {},
    "/nothing": {},
}


@pytest.mark.parametrize("path", PLACES)
async def test_axe_finds_nothing_and_nothing_is_too_wide(pages: Pages, address: str, stub: Stub, path: str) -> None:
    pages.expect("409")
    stub.tickets[4] |= {"state": "called", "desk": "Desk 2", "called_ms": 5}
    for name, value in PLACES[path].items():
        setattr(stub, name, value)
    page = await pages.open(360, 800, reduced_motion="reduce")
    await page.goto(address + path)
    await until_true(page, "[...document.querySelectorAll('.status')].every((status) => status.hidden || status.dataset.live === 'live')")

    assert await faults_in(page, (360, "light"), (1280, "dark")) == []


@pytest.mark.parametrize("accent", ["#0B6E4F", "#FFFFFF", "#000000", "#FFE100", "#FF0000", "#2B2F38"])
async def test_any_colour_of_a_store_can_be_read(phone: Page, address: str, stub: Stub, accent: str) -> None:
    stub.store["accent"] = accent
    await phone.goto(f"{address}/j/abc")
    await phone.get_by_role("radio", name="Table for two").check()
    await expect(phone.get_by_label("Name")).to_be_visible()

    for scheme in ("light", "dark"):
        await look(phone, (360, scheme))
        assert await faults(phone, "color-contrast") == [], scheme


@pytest.mark.parametrize("path", ["/j/abc", "/ticket"])
async def test_everything_to_press_is_large_enough_for_a_thumb(phone: Page, address: str, stub: Stub, path: str) -> None:
    stub.own = 2 if path == "/ticket" else 0
    await phone.goto(address + path)
    await expect(phone.locator("button:visible").first).to_be_visible()

    small = await phone.evaluate("""
        [...document.querySelectorAll('button, a, .input, .choice')].filter((thing) => {
            const {width, height} = thing.getBoundingClientRect();
            return width && (width < 47.5 || height < 47.5);
        }).map((thing) => thing.outerHTML)
    """)

    assert small == []
