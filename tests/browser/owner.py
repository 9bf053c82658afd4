"""An owner and the guests, as the tests of the owner's pages need them: a store opened in the browser, parties that join over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
from playwright.async_api import Page, expect

EMAIL = "nora@luigis.example"
PASSWORD = "correct horse battery"


async def open_store(page: Page, url: str, *queues: str, name: str = "Luigi's") -> None:
    """Opens a store as a stranger would, and waits until the counter is live."""
    await page.goto(f"{url}/open")
    await page.get_by_label("Name of the store").fill(name)
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    for at, queue in enumerate(queues or ("Tables",)):
        if at:
            await page.get_by_role("button", name="Add a queue").click()
        await page.get_by_label(f"Name of queue {'ABCDEFG'[at]}").fill(queue)
    await page.get_by_role("button", name="Open the store").click()
    await page.wait_for_url("**/counter")
    await live(page)


async def live(page: Page) -> None:
    await expect(page.locator(".counter-header .status")).to_have_attribute("data-live", "live")


async def sign_in(page: Page, url: str, path: str = "/counter") -> None:
    await page.goto(f"{url}/signin?next={path}")
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"**{path}")


class Owner:
    """The same owner over HTTP, for what a test needs but is not about."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._headers: dict[str, str] = {}
        token = self._ask("POST", "/v1/login", {"email": EMAIL, "password": PASSWORD})["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}
        self.store = f"/v1/stores/{self._ask('GET', '/v1/account')['store_id']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(method, self._url + path, json=body, headers=self._headers, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def add(self, *names: str, queue: str = "A", **more: Any) -> None:
        """Parties that walk in, in this order."""
        for name in names:
            self._ask("POST", f"{self.store}/tickets", {"name": name, "queue": queue, **more})

    def ticket(self, label: str) -> Any:
        return next(ticket for ticket in self.look()["tickets"] if ticket["label"] == label)

    def look(self) -> Any:
        return self._ask("GET", self.store)

    def link(self, label: str) -> str:
        """The address of a ticket's own page."""
        return str(self._ask("GET", f"{self.store}/tickets/{self.ticket(label)['id']}/link")["link"])

    def change(self, label: str, action: str) -> None:
        self._ask("PATCH", f"{self.store}/tickets/{self.ticket(label)['id']}", {"action": action})

    def scan(self) -> None:
        """A phone scans the code that is on show."""
        code = self.look()["code"]["link"].rpartition("/")[2]
        self._ask("POST", f"/v1/codes/{code}/scan", {"key": "a phone's own secret"})
