"""Editing a store at the counter in a real browser: names, texts, colour, logo, queues."""

from __future__ import annotations

import random
import re
import struct
import zlib

import httpx
from playwright.async_api import Page, expect

from tests.browser.counter import choose, toast
from tests.browser.owner import at_counter, sign_in
from tests.support.pages import Pages


async def test_only_what_changed_is_saved_and_every_screen_shows_it(url: str, pages: Pages) -> None:
    first, second = await pages.open(), await pages.open()
    owner = await at_counter(first, url, "Table for two")
    owner.add("Di")
    await sign_in(second, url)
    await choose(first, "Edit store and queues")
    await first.get_by_label("Name", exact=True).fill("Luigi's Bar")
    await first.get_by_role("button", name="Colour #0B4FB8").click()
    await first.locator(".edit-part summary", has_text="Table for two").click()
    await first.get_by_label("Text for those waiting").fill("Kitchen is late")
    await first.get_by_role("button", name="Add a queue").click()
    await first.get_by_label("New queue").fill("Terrace")

    async with first.expect_request(lambda request: request.method == "PUT") as sent:
        await first.get_by_role("button", name="Save").click()

    assert (await sent.value).post_data_json == {
        "name": "Luigi's Bar", "accent": "#0B4FB8", "queues": [{"id": "A", "waiting_text": "Kitchen is late"}], "add_queues": [{"name": "Terrace"}],
    }  # fmt: skip
    await expect(second.get_by_role("heading", name="Luigi's Bar")).to_be_visible()
    await expect(second.get_by_role("heading", name="Terrace")).to_be_visible()


async def test_a_colour_that_is_too_light_is_offered_darker(url: str, page: Page) -> None:
    owner = await at_counter(page, url)
    await choose(page, "Edit store and queues")
    await page.get_by_label("Another colour").fill("#ffd54a")
    await expect(page.get_by_text("Too light for white text")).to_be_visible()

    await page.get_by_role("button", name=re.compile("^Use #")).click()
    await page.get_by_role("button", name="Save").click()

    await toast(page, "Saved. Every screen shows it now.")
    assert owner.look()["store"]["accent"] != "#FFD54A"


async def test_a_large_picture_becomes_a_small_logo(url: str, page: Page) -> None:
    owner = await at_counter(page, url, "Bar")
    owner.add("Di")
    await page.get_by_label("More for Bar").click()
    await page.get_by_role("button", name="Edit name, texts, logo").click()
    await page.get_by_label("Logo").set_input_files({"name": "logo.png", "mimeType": "image/png", "buffer": noise(640, 360)})
    await expect(page.locator(".logo-preview")).to_be_visible()
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".queue-logo")).to_be_visible()

    logo = httpx.get(url + owner.look()["queues"][0]["logo"])

    assert len(logo.content) <= 40_000
    assert await page.locator(".queue-logo").evaluate("async (logo) => { await logo.decode(); return logo.naturalWidth }") <= 256


def noise(width: int, height: int) -> bytes:
    """A PNG that nothing can compress, so that the page has to make it small."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + random.Random(row).randbytes(3 * width) for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


async def test_a_file_that_is_no_picture_stops_the_saving_until_it_is_taken_out(url: str, page: Page) -> None:
    owner = await at_counter(page, url, "Bar")
    owner.add("Di")
    await page.get_by_label("More for Bar").click()
    await page.get_by_role("button", name="Edit name, texts, logo").click()
    await page.get_by_label("Queue name").fill("Long bar")
    await page.get_by_label("Logo").set_input_files({"name": "logo.png", "mimeType": "image/png", "buffer": b"no picture"})
    complaint = page.get_by_text("This file is not a picture that the browser can read.")
    await expect(complaint).to_be_visible()

    await page.get_by_role("button", name="Save").click()
    await expect(complaint).to_be_visible()
    await expect(page.get_by_label("Logo")).to_be_focused()
    assert owner.look()["queues"][0]["name"] == "Bar"

    await page.get_by_role("button", name="Take this file out").click()
    await expect(complaint).to_be_hidden()
    await page.get_by_role("button", name="Save").click()
    await toast(page, "Saved. Every screen shows it now.")
    assert owner.look()["queues"][0]["name"] == "Long bar"


async def test_a_queue_pauses_and_resumes(url: str, page: Page) -> None:
    owner = await at_counter(page, url, "Bar")
    owner.add("Di")
    await page.get_by_label("More for Bar").click()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_text("Paused for new guests")).to_be_visible()
    assert owner.look()["queues"][0]["paused"]

    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_text("Paused for new guests")).to_be_hidden()
