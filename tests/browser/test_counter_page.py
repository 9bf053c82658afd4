"""The counter in a real browser, on the real server: calling, serving, taking back, adding."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import Page, expect

from realtime.model import MOVES
from tests.browser.axe import faults_in, look
from tests.browser.counter import call_button, choose, height, ticket, toast
from tests.browser.expressions import until_true
from tests.browser.owner import Owner, at_counter, live, open_store, sign_in
from tests.support.pages import Pages

# ---- opening and the code -----------------------------------------------------------------------------------------


async def test_opening_a_store_leads_to_the_counter_with_the_code_showing(url: str, page: Page) -> None:
    await open_store(page, url, "Table for two", "Bar")

    await expect(page.get_by_role("heading", name="Scan this with your phone to try it")).to_be_visible()
    await expect(page.get_by_role("img", name="QR code to join the line")).to_be_visible()
    assert [queue["name"] for queue in Owner(url).look()["queues"]] == ["Table for two", "Bar"]


async def test_a_scanned_code_is_replaced_at_once(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    shown = await page.locator(".welcome .qr svg").inner_html()

    owner.scan()

    await until_true(page, f"document.querySelector('.welcome .qr svg').innerHTML !== {json.dumps(shown)}")


async def test_the_code_can_be_held_up_over_the_whole_screen(url: str, page: Page) -> None:
    await at_counter(page, url)
    await page.get_by_role("button", name="Show large").click()

    dialog = page.get_by_role("dialog", name="Join code, large")
    await expect(dialog.get_by_role("img", name="QR code to join the line")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("button", name="Show large")).to_be_focused()


async def test_the_button_for_the_code_is_there_where_it_does_something(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    button = page.get_by_role("button", name="QR code to join")
    await expect(button).to_be_hidden()

    owner.add("Di")

    await expect(button).to_have_attribute("aria-pressed", "true")
    await button.click()
    await expect(page.locator(".code-panel")).to_be_hidden()


# ---- tickets ------------------------------------------------------------------------------------------------------


async def test_the_table_of_moves_is_the_servers(url: str, page: Page) -> None:
    await page.goto(f"{url}/signin")

    table = await page.evaluate("import('/static/counter/moves.js').then(({MOVES}) => MOVES)")

    assert {action: (set(move["from"]), move["to"]) for action, move in table.items()} == {
        str(action): ({str(state) for state in sources}, str(state))
        for action, (sources, state) in MOVES.items()
        if str(action) not in ("leave", "undo")
    }


async def test_the_call_button_names_who_comes_next_and_undo_puts_them_back(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    owner.add("Di", "Gus")
    await expect(call_button(page)).to_contain_text("Call A01Di")

    await call_button(page).click()

    await toast(page, "A01 · Di was called.")
    await expect(ticket(page, "A01")).to_have_attribute("data-state", "called")
    await expect(call_button(page)).to_contain_text("Call A02Gus")
    await page.get_by_role("button", name="Undo").click()
    await expect(ticket(page, "A01")).to_have_attribute("data-state", "waiting")
    await expect(call_button(page)).to_contain_text("Call A01Di")


async def test_undo_goes_one_step_back_and_not_to_the_line(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    owner.add("Di")
    await call_button(page).click()
    await page.get_by_role("button", name="No-show A01 Di").click()
    await toast(page, "A01 · Di did not show up.")
    await page.get_by_role("button", name="Undo").click()
    await toast(page, "A01 · Di has been called, as before.")
    await expect(ticket(page, "A01")).to_have_attribute("data-state", "called")

    await page.get_by_role("button", name="Serve A01 Di").click()
    await page.get_by_role("button", name="Done A01 Di").click()
    await toast(page, "A01 · Di is done.")
    await page.keyboard.press("u")
    await expect(ticket(page, "A01")).to_have_attribute("data-state", "serving")


async def test_undo_leaves_alone_what_somebody_else_has_changed_since(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    owner.add("Di")
    await call_button(page).click()
    await toast(page, "A01 · Di was called.")
    owner.change("A01", "serve")
    await expect(ticket(page, "A01")).to_have_attribute("data-state", "serving")

    await page.get_by_role("button", name="Undo").click()

    await toast(page, "A01 · Di was changed by somebody else since, so nothing was taken back.")
    await expect(ticket(page, "A01")).to_have_attribute("data-state", "serving")


async def test_two_staff_who_call_together_call_two_people(url: str, pages: Pages) -> None:
    first, second = await pages.open(), await pages.open(768, 1024)
    owner = await at_counter(first, url)
    owner.add("Di", "Gus", "Ann")
    await sign_in(second, url)
    await live(second)
    await expect(call_button(second)).to_contain_text("Call A01Di")

    await call_button(first).click()
    await call_button(second).click()

    for page in (first, second):
        await expect(ticket(page, "A01")).to_have_attribute("data-state", "called")
        await expect(ticket(page, "A02")).to_have_attribute("data-state", "called")
        await expect(ticket(page, "A03")).to_have_attribute("data-state", "waiting")


async def test_a_ticket_is_served_ended_and_brought_back_in_place(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    owner.add("Di")
    await ticket(page, "A01").get_by_role("button", name="Call A01 Di").click()
    await page.get_by_role("button", name="Serve A01 Di").click()
    await expect(ticket(page, "A01")).to_have_attribute("data-state", "serving")
    await page.get_by_role("button", name="Done A01 Di").click()

    await page.get_by_text("Ended, 1 ticket").click()
    await page.get_by_role("button", name="Back to waiting A01 Di").click()
    await expect(ticket(page, "A01")).to_have_attribute("data-state", "waiting")

    await toast(page, "A01 · Di is back in line.")
    await page.get_by_role("button", name="Undo").click()
    await toast(page, "A01 · Di is done, as before.")
    await expect(ticket(page, "A01")).to_have_attribute("data-state", "done")


async def test_the_sheet_offers_exactly_what_the_state_allows(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    owner.add("Di", phone="+49 30 901820", party=4)
    await ticket(page, "A01").locator(".ticket-open").click()

    sheet = page.get_by_role("dialog", name="A01")
    assert await sheet.locator(".sheet-actions button").all_inner_texts() == ["Call", "Serve", "Remove"]
    await expect(sheet.locator("a[href^='tel:+49']")).to_be_visible()
    await sheet.get_by_text("The guest’s own page").click()
    await expect(sheet.get_by_role("img", name="QR code of this ticket's own page")).to_be_visible()
    await sheet.get_by_role("button", name="Remove").click()
    await toast(page, "A01 · Di was removed.")


async def test_the_step_to_expect_looks_the_same_in_the_row_and_in_the_sheet(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    owner.add("Di")
    await call_button(page).click()
    row, fill = page.get_by_role("button", name="Serve A01 Di"), "node => getComputedStyle(node).backgroundColor"
    await expect(row).to_be_visible()
    colour = await row.evaluate(fill)

    await ticket(page, "A01").locator(".ticket-open").click()

    assert await page.get_by_role("dialog", name="A01").get_by_role("button", name="Serve").evaluate(fill) == colour


async def test_the_desk_of_this_device_is_remembered_and_goes_with_the_call(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    owner.add("Di")
    await page.locator(".counter-desk").click()
    await page.get_by_label("Desk", exact=False).last.fill("Window 3")
    await page.get_by_role("button", name="Use it").click()
    await page.reload()
    await call_button(page).click()

    await expect(ticket(page, "A01")).to_contain_text("Window 3")
    assert owner.ticket("A01")["desk"] == "Window 3"


async def test_a_name_is_only_ever_text(url: str, page: Page) -> None:
    name = "<img src=x onerror=alert(1)>"
    owner = await at_counter(page, url, name)
    owner.add(name)

    await expect(ticket(page, "A01").locator(".ticket-name")).to_have_text(name)
    await expect(page.get_by_role("heading", name=name)).to_be_visible()


async def test_keys_call_and_take_back_unless_somebody_types_or_turned_them_off(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    owner.add("Di", "Nan")
    await expect(call_button(page)).to_contain_text("Call A01")
    await page.keyboard.press("n")
    await toast(page, "A01 · Di was called.")
    await page.keyboard.press("u")
    await toast(page, "A01 · Di is back in line.")

    await page.get_by_role("button", name="Add a guest to Tables").click()
    await page.keyboard.type("nun")
    await page.keyboard.press("Escape")
    await choose(page, "Keys N and U: turn off")
    await page.keyboard.press("n")

    await expect(page.locator(".ticket[data-state=called]")).to_have_count(0)


async def test_a_guest_added_by_hand_gets_a_number_and_a_code_to_take_along(url: str, pages: Pages) -> None:
    phone = await pages.open(360, 740)
    owner = await at_counter(phone, url, "Table for two", "Bar")
    await phone.get_by_role("button", name="Add a guest by hand").click()
    await phone.get_by_role("button", name="Add to the line").click()
    await expect(phone.get_by_text("Type the guest’s name.")).to_be_visible()

    await phone.get_by_label("Name").fill("Wanda")
    await phone.get_by_role("button", name="One more").click()
    await phone.get_by_label("Queue", exact=True).select_option("Bar")
    await phone.get_by_role("button", name="Add to the line").click()

    await expect(phone.locator(".walk-in-number")).to_have_text("B01")
    await expect(phone.get_by_role("img", name="QR code of this ticket's own page")).to_be_visible()
    await phone.get_by_role("button", name="Done").click()
    await phone.get_by_role("button", name=re.compile("^Bar")).click()
    await expect(ticket(phone, "B01")).to_contain_text("Wanda")
    assert owner.ticket("B01")["party"] == 2


async def test_the_page_says_that_it_is_stale_and_catches_up(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    owner.add("Di")
    await expect(ticket(page, "A01")).to_be_visible()

    await page.context.set_offline(True)
    await expect(page.locator(".counter-header .status")).to_contain_text("No connection since")
    await expect(page.locator(".code-panel .code-warning")).to_be_visible()
    await expect(call_button(page)).to_have_attribute("aria-disabled", "true")
    await expect(ticket(page, "A01").locator(".ticket-step").first).to_have_attribute("aria-disabled", "true")
    owner.add("Gus")
    await page.context.set_offline(False)

    await live(page)
    await expect(call_button(page)).to_be_enabled()
    await expect(ticket(page, "A01").locator(".ticket-step").first).to_be_enabled()
    await expect(ticket(page, "A02")).to_be_visible()


async def test_a_call_without_a_connection_fails_at_once_and_never_runs_later(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    owner.add("Di")
    await expect(call_button(page)).to_contain_text("Call A01")
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url) if "call-next" in request.url else None)

    await page.context.set_offline(True)
    await expect(call_button(page)).to_have_attribute("aria-disabled", "true")
    await call_button(page).click(force=True)
    await expect(page.locator(".counter-toast.fault")).to_contain_text("Not connected, so nothing was done.")
    await page.context.set_offline(False)

    await live(page)
    assert calls == []
    assert owner.ticket("A01")["state"] == "waiting"


async def test_a_call_that_is_lost_on_the_way_is_not_sent_again_by_itself(url: str, pages: Pages) -> None:
    pages.expect("call-next|ERR_CONNECTION_RESET")
    page = await pages.open()
    owner = await at_counter(page, url)
    owner.add("Di")
    await expect(call_button(page)).to_contain_text("Call A01")
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url) if "call-next" in request.url else None)
    await page.route("**/call-next", lambda route: route.abort("connectionreset"))

    await call_button(page).click()

    await expect(page.locator(".counter-toast.fault")).to_contain_text("The server cannot be reached.")
    assert len(calls) == 1


async def test_a_button_that_cannot_be_pressed_does_not_answer_the_pointer(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    owner.add("Di")
    owner.change("A01", "remove")
    button = call_button(page)
    await expect(button).to_be_disabled()
    colour = "node => getComputedStyle(node).backgroundColor"
    await until_true(page, "document.querySelector('.queue-call').getAnimations().length === 0")
    resting = await button.evaluate(colour)

    await button.hover(force=True)

    await until_true(page, "document.querySelector('.queue-call').getAnimations().length === 0")
    assert await button.evaluate(colour) == resting


@pytest.mark.parametrize("width", [360, 1280])
async def test_a_very_long_name_stays_on_one_line(url: str, pages: Pages, width: int) -> None:
    page = await pages.open(width, 800)
    name = "Bartholomew Maximilian the Third of Very Long Names and of Even Longer Evenings!"
    owner = await at_counter(page, url, name="The Golden Dragon of the Harbour")
    owner.add(name)
    store = page.locator(".counter-header .store-name")
    assert await height(store) < 60
    assert await store.evaluate("node => node.scrollHeight <= node.clientHeight + 1")

    await call_button(page).click()
    shown = page.locator(".counter-toast-who")
    await expect(page.locator(".counter-toast-text")).to_have_text(f"A01 · {name} was called.")
    assert await height(shown) < 30
    await ticket(page, "A01").locator(".ticket-open").click()
    assert await height(page.locator(".sheet-who")) < 40
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_between_phone_and_desk_the_code_is_held_up_and_covers_no_queue(url: str, pages: Pages) -> None:
    page = await pages.open(1024, 768)
    owner = await at_counter(page, url, "Table for two", "Bar")
    owner.add("Di")
    await expect(ticket(page, "A01")).to_be_visible()
    await expect(page.locator(".code-panel")).to_be_hidden()
    await page.get_by_role("button", name="QR code to join").click()
    await expect(page.get_by_role("dialog", name="Join code, large")).to_be_visible()
    await page.keyboard.press("Escape")

    await page.set_viewport_size({"width": 1280, "height": 768})
    await expect(page.locator(".code-panel")).to_be_visible()


async def test_the_hours_name_the_day_when_it_is_another(url: str, page: Page) -> None:
    await at_counter(page, url)
    await expect(page.locator(".counter-hours")).to_contain_text(re.compile(r"closes tomorrow \d\d:\d\d"))

    said = await page.evaluate(
        "import('/static/counter/times.js').then(({dayWords}) => [['20:00', '23:59'], ['23:30', '01:15']].map(([now, then], day) =>"
        " dayWords(Date.parse(`2026-05-0${1 + day}T${then}Z`), Date.parse(`2026-05-01T${now}Z`), 'UTC')))"
    )

    assert said == ["23:59", "tomorrow 01:15"]


# ---- for everybody ------------------------------------------------------------------------------------------------


async def test_axe_finds_nothing_at_the_counter_and_nothing_is_too_wide(url: str, pages: Pages) -> None:
    views = ((360, "light"), (768, "dark"), (1280, "light"))
    page = await pages.open(360, 800, reduced_motion="reduce")
    owner = await at_counter(page, url, "Table for two", "Table for four or more", "Bar")
    found = await faults_in(page, *views)
    owner.add("Di", "Maximiliane von Hohenstein-Württemberg", "محمد", "Gus", "Ann", phone="+49 30 901820")
    for label, action in (("A01", "call"), ("A02", "serve"), ("A03", "remove")):
        owner.change(label, action)
    await expect(ticket(page, "A02")).to_have_attribute("data-state", "serving")
    await page.locator(".queue-ended summary").first.click()
    found += await faults_in(page, *views)
    await ticket(page, "A01").locator(".ticket-open").click()
    found += await faults_in(page, *views)
    await page.keyboard.press("Escape")
    for item in ("Edit store and queues", "Close the store"):
        await choose(page, item)
        found += await faults_in(page, *views)
        await page.keyboard.press("Escape")

    assert found == []
    for view in views:
        assert await look(page, view) <= view[0], view


async def test_a_guest_is_added_by_hand_only_where_somebody_is_taken(url: str, page: Page) -> None:
    owner = await at_counter(page, url, "Table for two", "Bar")
    owner.add("Ann", queue="B")
    owner.pause("A")
    await expect(page.get_by_text("Paused for new guests").first).to_be_visible()

    await page.get_by_role("button", name="Add a guest to Table for two").click()
    await page.get_by_label("Name").fill("Wanda")
    await page.get_by_role("button", name="Add to the line").click()
    await expect(page.get_by_role("dialog").get_by_text("B02")).to_be_visible()
    await page.get_by_role("button", name="Done").click()

    owner.pause("B")
    await expect(page.get_by_text("Paused for new guests")).to_have_count(2)
    await page.get_by_role("button", name="Add a guest to Bar").click()
    await expect(page.get_by_text("Every queue is paused. Resume one first.")).to_be_visible()
