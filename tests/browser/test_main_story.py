"""The whole evening as a new user has it: open, scan the screen, join, be called, close, read the mail. In Chromium, on both databases."""

from __future__ import annotations

import csv
import io
import re

import zxingcpp
from PIL import Image
from playwright.async_api import Page, expect

from tests.browser.owner import EMAIL, open_store
from tests.conftest import Serve
from tests.support.mail import MailServer
from tests.support.pages import Pages


async def _read_code(page: Page) -> str:
    """What a phone's camera makes of the screen as it is."""
    picture = Image.open(io.BytesIO(await page.screenshot()))
    (code,) = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    return code.text


async def _join(phone: Page, link: str, name: str, queue: str) -> None:
    await phone.goto(link)
    await phone.get_by_role("radio", name=queue).check()
    await phone.get_by_label("Name").fill(name)
    await phone.get_by_role("button", name="Get my number").click()
    await phone.wait_for_url("**/ticket")


async def test_an_evening_from_opening_to_the_report(server: Serve, database_url: str, smtp_sink: MailServer, pages: Pages) -> None:
    url = server(database_url=database_url, smtp_url=smtp_sink.url, mail_from="store@luigis.example", smtp_allow_plain=True).url

    # An owner opens a store; the code is on the screen at once.
    counter = await pages.open()
    await open_store(counter, url, "Table for two", "Bar")
    first_code = await _read_code(counter)

    # A customer scans the screen; it shows another code to the next one.
    ann = await pages.open(width=390, height=844)
    await _join(ann, first_code, "Ann", "Table for two")
    await expect(ann.get_by_role("heading", name="A01")).to_be_visible()
    await expect(ann.locator("#status")).to_have_attribute("data-live", "live")

    await expect(counter.get_by_role("img", name="QR code to join the line")).to_be_visible()
    second_code = await _read_code(counter)
    assert second_code != first_code

    late = await pages.open(width=390, height=844)
    pages.expect("409")
    await late.goto(first_code)
    await expect(late.get_by_role("heading")).to_have_text("That code was just used. Scan the new one on the screen.")

    bo = await pages.open(width=390, height=844)
    await _join(bo, second_code, "Bo", "Table for two")
    await expect(bo.locator("#sentence")).to_have_text("1 party ahead of you.")
    assert "Ann" not in await bo.content()

    # The board across the room.
    board = await pages.open(width=1920, height=1080)
    board_link = await counter.locator(".code-panel").get_by_role("link", name="Open").get_attribute("href")
    assert board_link
    await board.goto(board_link)
    await expect(board.locator("#status")).to_have_attribute("data-live", "live")

    # Ann is called: her phone, the other phone and the board know at once.
    await counter.locator(".queue-call").first.click()
    await expect(ann.locator("#sentence")).to_contain_text("It’s your turn")
    await expect(board.locator("#now")).to_contain_text("A01")
    await expect(bo.locator("#sentence")).not_to_have_text("1 party ahead of you.")
    await counter.get_by_role("button", name=re.compile("^Serve A01")).click()
    await counter.get_by_role("button", name=re.compile("^Done A01")).click()
    await expect(ann.locator("#ticket")).to_have_attribute("data-state", "done")

    # The owner confirms the address and closes; the report comes by mail, and the data is gone.
    confirm = re.search(r"http\S+/confirm#\S+", smtp_sink.wait_for(1, to=EMAIL)[0].text)
    assert confirm
    mail = await counter.context.new_page()
    await mail.goto(confirm[0])
    await expect(mail.get_by_role("heading", name="Your address is confirmed")).to_be_visible()
    await mail.close()
    await counter.locator("summary[aria-label=Menu]").click()
    await counter.locator(".counter-header").get_by_role("button", name="Close the store").click()
    await counter.get_by_role("button", name="Close the store").last.click()
    await expect(counter.get_by_role("heading", name="All done")).to_be_visible(timeout=30_000)
    await expect(bo.locator("#ticket")).to_have_attribute("data-state", "closed")

    report = smtp_sink.wait_for(2, to=EMAIL)[1]
    rows = list(csv.DictReader(io.StringIO(report.attachments()["report.csv"].decode("utf-8-sig"))))
    assert [(row["number"], row["name"], row["state"]) for row in rows] == [("A01", "Ann", "done"), ("A02", "Bo", "waiting")]
