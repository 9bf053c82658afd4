"""Waiting for what a page's own script says, on pages whose policy forbids Playwright's way of asking."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page

from tests.support.waiting import until_async


async def until_true(page: Page, expression: str) -> Any:
    """Evaluates a JavaScript expression again and again until it is true, and returns its value.

    `page.wait_for_function` evaluates inside the page, which `script-src 'self'` refuses.
    """
    return await until_async(lambda: page.evaluate(expression), what=expression)
