"""The parts of the counter that its tests look at and press."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect


def ticket(page: Page, label: str) -> Locator:
    return page.locator(".ticket:visible", has=page.locator(".ticket-label", has_text=label))


def call_button(page: Page, at: int = 0) -> Locator:
    return page.locator(".queue-call").nth(at)


async def choose(page: Page, item: str) -> None:
    await page.locator("summary[aria-label=Menu]").click()
    await page.locator(".counter-header").get_by_role("button", name=item).click()


async def height(node: Locator) -> float:
    box = await node.bounding_box()
    assert box
    return box["height"]


async def toast(page: Page, text: str) -> None:
    await expect(page.locator(".counter-toast-text")).to_have_text(text)
