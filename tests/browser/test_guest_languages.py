"""Guests' pages in other languages than English, in a browser that asks for them."""

from __future__ import annotations

import re

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from realtime.web.phrasebook import ENGLISH, PHRASEBOOKS, Phrasebook, plural
from tests.browser.axe import faults_in
from tests.browser.customer_stub import Stub
from tests.support.pages import Pages

GERMAN = PHRASEBOOKS["de"]
SEEN = """
() => [
    document.title,
    ...document.body.innerText.split("\\n"),
    ...[...document.querySelectorAll("[aria-label], [alt]")].map((each) => each.getAttribute("aria-label") ?? each.getAttribute("alt")),
].map((line) => line.trim()).filter(Boolean)
"""
"""Every line that a person sees or hears."""


@pytest.fixture
def stub() -> Stub:
    stub = Stub(description="Kitchen is 15 minutes late")
    stub.add_queue("Table for two", pace_ms=240_000, waiting_text="Have a drink at the bar.")
    stub.add_queue("Terrace")
    stub.add_queue("Bar", paused=True)
    for _ in range(2):
        stub.add_ticket("A")
    return stub


@pytest_asyncio.fixture(loop_scope="session")
async def pages(address: str, pages: Pages) -> Pages:
    """The pages, closed before their server is."""
    return pages


def english(book: Phrasebook) -> list[re.Pattern[str]]:
    """How a line reads that is said in English and not in the words of this book."""
    said = [
        sentence
        for key, phrase in ENGLISH.phrases.items()
        if phrase != book.phrases[key]
        for sentence in ([phrase] if isinstance(phrase, str) else phrase.values())
    ]
    return [re.compile(re.sub(r"\\{\w+\\}", ".{1,40}", re.escape(sentence))) for sentence in said]


async def speaks(page: Page, book: Phrasebook) -> None:
    """No line is left in English, the page says its language, and nothing is too wide."""
    lines = await page.evaluate(SEEN)

    assert lines
    assert [line for line in lines if any(pattern.fullmatch(line) for pattern in english(book))] == []
    assert await page.evaluate("document.documentElement.lang") == book.language
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_guest_joins_waits_is_called_and_leaves_in_german(pages: Pages, address: str, stub: Stub) -> None:
    pages.expect("422")
    phone = await pages.open(360, 740, locale="de-DE")
    await phone.goto(f"{address}/j/abc")
    await expect(phone.locator("#join-title")).to_have_text("In die Schlange")
    await expect(phone.get_by_role("radio", name="Table for two 2 warten")).to_be_visible()
    await expect(phone.get_by_role("radio", name="Terrace Niemand wartet")).to_be_visible()
    await phone.get_by_role("button", name="Nummer ziehen").click()
    await expect(phone.locator("#error-name")).to_have_text("Geben Sie einen Namen ein.")
    await phone.get_by_role("button", name="Weitere Gruppe").click()
    await expect(phone.get_by_role("heading", name="Gruppe 2")).to_be_visible()
    await speaks(phone, GERMAN)

    await phone.get_by_role("button", name="Diese Gruppe streichen").click()
    await phone.get_by_role("radio", name="Table for two").check()
    await phone.get_by_label("Name").fill("Anna")
    stub.refuse = {"status": 422, "code": "invalid_input", "detail": "Enter a whole phone number.", "field": "parties[0].phone"}
    await phone.get_by_role("button", name="Nummer ziehen").click()
    await expect(phone.locator("#error-phone")).to_have_text(str(GERMAN.phrases["join.wrong_phone_code"]))
    await phone.get_by_role("button", name="Nummer ziehen").click()

    await expect(phone.locator("#sentence")).to_have_text("Noch 2 Gruppen vor Ihnen.")
    await expect(phone.locator("#detail")).to_have_text("etwa 5–15 Min.")
    await expect(phone).to_have_title("A03 · noch 2")
    await expect(phone.locator("#text")).to_have_text("Have a drink at the bar.")
    await phone.get_by_role("button", name="Auf dieser Seite laut klingeln").click()
    await expect(phone.locator("#ring-text")).to_have_text("Diese Seite klingelt, wenn Sie dran sind")
    await phone.get_by_role("button", name="Schlange verlassen").click()
    await speaks(phone, GERMAN)
    await phone.get_by_role("button", name="Bleiben").click()

    await stub.move(stub.tickets[stub.own], "called", desk="")
    await expect(phone.locator("#sentence")).to_have_text("Sie sind dran.")
    await expect(phone.locator("#detail")).to_have_text("Bitte kommen Sie zum Tresen.")
    await speaks(phone, GERMAN)

    await phone.get_by_role("button", name="Schlange verlassen").click()
    stub.refuse = {"status": 503, "code": "storage_busy", "detail": "The server is very busy. Please try again in a moment.", "retry": True}
    pages.expect("503")
    await phone.get_by_role("button", name="Verlassen", exact=True).click()
    await expect(phone.locator("#fault")).to_have_text("Hier ist gerade viel los. Bitte versuchen Sie es gleich noch einmal.")
    await phone.get_by_role("button", name="Verlassen", exact=True).click()
    await expect(phone.locator("#sentence")).to_have_text("Sie haben die Schlange verlassen.")
    await speaks(phone, GERMAN)


async def test_the_board_and_the_ticket_are_for_everybody_in_french(pages: Pages, address: str, stub: Stub) -> None:
    book = PHRASEBOOKS["fr"]
    stub.add_ticket("A", "called", called_ms=2)
    stub.add_ticket("A", "no_show", called_ms=1)
    stub.show_code()
    page = await pages.open(1280, 800, locale="fr-CA")
    await page.goto(f"{address}/board#token")
    await expect(page.locator("#lines dd").first).to_have_text("2 en attente")
    await expect(page.locator("#last .row-desk")).to_have_text("manqué")
    await speaks(page, book)
    assert await faults_in(page, (1280, "light")) == []
    browsers = await page.evaluate(
        "(tags) => tags.map((tag) => [0, 1, 2, 11].map((count) => new Intl.PluralRules(tag).select(count)))", [*PHRASEBOOKS]
    )
    assert browsers == [[plural(tag, count) for count in (0, 1, 2, 11)] for tag in PHRASEBOOKS]

    await stub.hang_up(4410, "This store has closed. Thank you for coming.")
    await expect(page.locator("#over-sentence")).to_have_text("Nous avons fermé. Merci de votre visite.")
    await speaks(page, book)

    stub.own = 2
    await page.goto(f"{address}/ticket")
    await expect(page.locator("#sentence")).to_have_text("1 groupe avant vous.")
    await expect(page.locator("#status")).to_have_text("En direct")
    assert await faults_in(page, (360, "dark")) == []
