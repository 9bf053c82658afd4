"""The operator's page: what needs a person, the jobs behind a figure, and what is done about them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.browser.axe import faults, faults_in
from tests.browser.owner import EMAIL, PASSWORD
from tests.conftest import Serve
from tests.support.pages import Pages

TOKEN = "an operator's token of at least 32 characters"
VIEWS = [(width, scheme) for width in (360, 768, 1280) for scheme in ("light", "dark")]


@pytest.fixture
def operated(server: Serve) -> str:
    return server(operator_token=TOKEN, message_receives=1).url


@asynccontextmanager
async def program(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who publishes and consumes."""
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.post(
            "/v1/stores",
            json={"name": "Luigi's", "queues": [{"name": "Table"}], "timezone": "Europe/Rome", "email": EMAIL, "password": PASSWORD},
        )
        client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['tokens']['access_token']}"
        made = await client.post("/v1/tokens", json={"name": "Till", "scopes": ["publish", "consume"]})
        client.headers["Authorization"] = f"Bearer {made.raise_for_status().json()['token']}"
        yield client


async def die(client: httpx.AsyncClient, *messages: int) -> None:
    for message in messages:
        await client.post("/v1/publish", json={"message": message, "queue": "orders"})
    for _ in range(2):
        for held in (await client.get("/v1/consumer?cid=1&limit=9&queue=orders")).json()["messages"]:
            await client.patch("/v1/consumer", json={"cid": "1", "id": held["messageId"], "vt": 0})


async def enter(page: Page, url: str) -> None:
    await page.goto(f"{url}/operator")
    await page.get_by_label("Operator's token").fill(TOKEN)
    await page.get_by_role("button", name="Enter").click()


async def test_an_operator_enters_finds_a_dead_letter_and_puts_it_back(operated: str, page: Page) -> None:
    async with program(operated) as client:
        await die(client, 1)
    await enter(page, operated)
    await page.get_by_role("button", name="1 dead").click()
    await expect(page.get_by_role("heading", name="Messages: orders, dead")).to_be_visible()
    await expect(page.get_by_text("Account ")).to_have_count(2)
    await page.get_by_role("button", name="Attempts").click()
    await expect(page.locator(".attempts")).to_contain_text("dead, given up after 1 attempt: released")
    assert await faults(page) == []

    await page.get_by_role("button", name="Put back").click()
    await expect(page.get_by_text("There is none.")).to_be_visible()
    await page.get_by_role("button", name="1 ready").click()
    await page.get_by_role("button", name="Attempts").click()
    await expect(page.locator(".attempts")).to_contain_text("given up after 1 attempt: released (does not count)")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_text("Paused since")).to_be_visible()
    await page.reload()
    await page.get_by_role("button", name="Resume", exact=True).click()
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    await page.get_by_role("button", name="Leave").click()
    await expect(page.get_by_label("Operator's token")).to_be_visible()


async def test_how_many_would_be_deleted_is_said_before_it_happens(operated: str, page: Page) -> None:
    async with program(operated) as client:
        await die(client, 1, 2)
        await enter(page, operated)
        await page.get_by_role("button", name="2 dead").click()
        await page.get_by_role("button", name="Put all back").click()
        await expect(page.get_by_role("button", name=re.compile("Put 2 of Messages: orders, account [0-9a-z]+, back now"))).to_be_visible()
        sure = page.get_by_role("button", name=re.compile("Delete 2 of Messages: orders, account [0-9a-z]+, now"))
        await page.get_by_role("button", name="Delete all").click()
        await expect(sure).to_be_visible()
        assert len((await client.get("/v1/dead?queue=orders")).json()["letters"]) == 2, "one press deletes nothing"

        await sure.click()

        await expect(page.get_by_text("There is none.")).to_be_visible()
        assert (await client.get("/v1/dead?queue=orders")).json()["letters"] == []


async def test_what_needs_a_person_is_told_and_its_buttons_lead_there(operated: str, page: Page) -> None:
    async with program(operated) as client:
        await enter(page, operated)
        await expect(page.get_by_text("All is well.").last).to_be_visible()
        await die(client, 1)
        await page.reload()
        await expect(page.get_by_role("heading", name="Needs you")).to_be_visible()
        await expect(page.get_by_text("Look why, then put them back or delete them.")).to_be_visible()
        await expect(page.get_by_role("status")).to_have_text("1 thing needs you.")

        await page.get_by_role("button", name="Show jobs of messages").click()
        await page.get_by_role("button", name="Pause").click()
        await page.get_by_role("button", name="Resume messages").click()
        await page.get_by_role("button", name="Delete", exact=True).click()
        await page.get_by_role("button", name="Delete it now").click()

        await expect(page.get_by_role("heading", name="Needs you")).to_be_hidden()
        await expect(page.get_by_role("status")).to_have_text("All is well.")


async def test_when_a_job_is_tried_next_is_set_on_its_row(operated: str, page: Page, pages: Pages) -> None:
    pages.expect("status of 422")
    async with program(operated) as client:
        id_ = (await client.post("/v1/publish", json={"message": 1, "queue": "orders", "delay": 3600})).json()["messageId"]
        await enter(page, operated)
        await page.get_by_role("button", name="1 later").click()
        await page.get_by_role("button", name="Attempts").click()
        await expect(page.get_by_text("Nobody has tried it yet.")).to_be_visible()
        await page.get_by_role("button", name="Set time").click()
        field = page.get_by_label("May be tried from")
        await expect(field).to_be_focused()

        await field.fill("")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("Choose a day and a time.")).to_be_visible()
        await field.fill("2199-01-01T00:00")
        await _refused(page, "Name a time within a year from now.")
        await field.fill("2001-01-01T00:00")
        await page.get_by_role("button", name="Save").click()

        await expect(page.get_by_text("There is none.")).to_be_visible()
        assert [held["messageId"] for held in (await client.get("/v1/consumer?cid=1&queue=orders")).json()["messages"]] == [id_]


async def _refused(page: Page, sentence: str) -> None:
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text(sentence)).to_be_visible()
    await expect(page.get_by_label("May be tried from")).to_have_attribute("aria-invalid", "true")


async def test_the_page_is_readable_at_every_size_in_light_and_dark(operated: str, page: Page) -> None:
    async with program(operated) as client:
        await die(client, 1, 2)
        await client.post("/v1/publish", json={"message": 1, "queue": "a-queue-with-a-long-name-of-its-own", "delay": 3600})
    await enter(page, operated)
    await expect(page.get_by_role("heading", name="Needs you")).to_be_visible()
    await page.get_by_role("button", name="1 later").click()
    await page.get_by_role("button", name="Set time").click()
    await expect(page.get_by_label("May be tried from")).to_be_visible()

    assert await faults_in(page, *VIEWS) == []
