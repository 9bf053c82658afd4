"""Links with a secret behind #: it leaves the address whatever it is, and a second one in the same tab is taken too."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.support.pages import Pages

REFUSED = r"status of 4\d\d"


@pytest.mark.parametrize("secret", ["%", "%E0", "%25", "none of ours"])
@pytest.mark.parametrize(
    ("path", "words"),
    [("/t", "That ticket is not there any more"), ("/confirm", "This link does not work"), ("/reset", "")],
)
async def test_a_secret_that_cannot_be_read_leaves_the_address_and_does_not_work(
    url: str, page: Page, pages: Pages, path: str, words: str, secret: str
) -> None:
    pages.expect(REFUSED)

    await page.goto(f"{url}{path}#{secret}")

    if path == "/reset":
        await page.get_by_label("New password").fill("four blue lanterns")
        await page.get_by_role("button").first.click()
        words = "This link does not work"
    await expect(page.get_by_text(words).first).to_be_visible()
    await expect(page).to_have_url(f"{url}{path}")


async def test_a_second_link_in_the_same_tab_begins_anew(url: str, page: Page, pages: Pages) -> None:
    pages.expect(REFUSED)
    await page.goto(f"{url}/reset")
    await expect(page.get_by_text("This link does not work")).to_be_visible()

    await page.evaluate("location.hash = 'another'")

    await expect(page).to_have_url(f"{url}/reset")
    await expect(page.get_by_label("New password")).to_be_visible()
