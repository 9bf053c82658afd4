"""Browser pages whose own complaints fail the test: errors in the console, exceptions nobody caught, requests that failed."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, expect

PATIENCE_MS = 20_000
"""A machine that is busy with other things is not a fault of the pages."""
expect.set_options(timeout=PATIENCE_MS)


class Pages:
    """Opens pages, each like a person's own browser, and remembers what goes wrong in them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._expected: list[re.Pattern[str]] = []
        self.complaints: list[str] = []

    async def open(self, width: int = 1280, height: int = 800, **options: Any) -> Page:
        """A page in a context of its own: no cookie or storage is shared with another. `options` are Playwright's for a context."""
        phone = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2} if width < 600 else {}
        context = await self._browser.new_context(**{"viewport": {"width": width, "height": height}, "locale": "en-GB", **phone, **options})
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        context.on("page", self._watch)
        return await context.new_page()

    def expect(self, pattern: str) -> None:
        """Complaints that match are part of the test, such as the answer 409 to a join that must be refused."""
        self._expected.append(re.compile(pattern))

    def _watch(self, page: Page) -> None:
        page.on(
            "console",
            lambda said: self._complain(f"console: {said.text} ({said.location.get('url', '')})") if said.type == "error" else None,
        )
        page.on("pageerror", lambda error: self._complain(f"exception: {error}"))
        page.on("requestfailed", lambda request: self._complain(f"request failed: {request.method} {request.url} {request.failure}"))

    def _complain(self, complaint: str) -> None:
        # A page that is left while it loads something aborts that; nothing is wrong with it.
        if "net::ERR_ABORTED" not in complaint:
            self.complaints.append(complaint)

    async def close(self) -> None:
        for context in self._contexts:
            await context.close()
        unexpected = [said for said in self.complaints if not any(pattern.search(said) for pattern in self._expected)]
        assert not unexpected, "the pages complained:\n" + "\n".join(unexpected)
