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


async def opened(page: Page, url: str, *queues: str, name: str = "Luigi's", behind: str = "") -> Owner:
    """A store that was opened by request, for tests that are about what comes after that; the page's browser is signed in.

    `behind` is where the owner asks for what the test is not about; the default is the page's own server.
    """
    zone = await page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
    body = {
        "name": name,
        "queues": [{"name": queue} for queue in queues or ("Tables",)],
        "timezone": zone,
        "email": EMAIL,
        "password": PASSWORD,
    }
    answer = await page.request.post(f"{url}/v1/stores", data=body, headers={"Origin": url})
    assert answer.status == 201, await answer.text()
    return Owner(behind or url, (await answer.json())["tokens"]["access_token"])


async def at_counter(page: Page, url: str, *queues: str, name: str = "Luigi's", behind: str = "") -> Owner:
    """The same, with the counter on the page, live."""
    owner = await opened(page, url, *queues, name=name, behind=behind)
    await page.goto(f"{url}/counter")
    await live(page)
    return owner


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

    def __init__(self, url: str, token: str = "") -> None:
        """Signs in, unless an access token is given."""
        self._url = url
        self._headers: dict[str, str] = {}
        self.token: str = token or self._ask("POST", "/v1/login", {"email": EMAIL, "password": PASSWORD})["access_token"]
        self._headers = {"Authorization": f"Bearer {self.token}"}
        self.store = f"/v1/stores/{self._ask('GET', '/v1/account')['store_id']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        # All certificates of the machine would be read for every request, and none is needed.
        answer = httpx.request(method, self._url + path, json=body, headers=self._headers, timeout=10, verify=False, trust_env=False)
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

    def pause(self, *queues: str, paused: bool = True) -> None:
        self._ask("PUT", self.store, {"queues": [{"id": queue, "paused": paused} for queue in queues]})

    def close(self) -> None:
        self._ask("DELETE", self.store)

    def scan(self) -> None:
        """A phone scans the code that is on show."""
        code = self.look()["code"]["link"].rpartition("/")[2]
        self._ask("POST", f"/v1/codes/{code}/scan", {"key": "a phone's own secret"})
