"""The report's page in a real browser, opened from the disk as an owner opens an attachment: on a phone, on a screen, on paper."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

from notifiers import html_report
from realtime.hookspecs import ClosedStore
from realtime.model import Ticket
from tests.browser.expressions import until_true
from tests.notifiers.evenings import AUTUMN_MS, closed_store, usual, written
from tests.support.pages import Pages

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LONG = 'The <b>"terrace"</b> & everything else that is outside, weather permitting, until midnight'


def evening(kind: str) -> tuple[ClosedStore, list[Ticket]]:
    store, count = {
        "usual": (closed_store(3), 400),
        "alphabet": (closed_store(26, queue=LONG, name=LONG), 900),
        "autumn": (closed_store(2, hours=24, opened_ms=AUTUMN_MS), 2000),
        "one": (closed_store(), 1),
        "empty": (closed_store(), 0),
    }[kind]
    return store, usual(store, count)


async def opened(page: Page, folder: Path, kind: str) -> None:
    await page.goto(await asyncio.to_thread(saved, folder / "report.html", kind))


def saved(path: Path, kind: str) -> str:
    """Its address."""
    store, tickets = evening(kind)
    (file,) = html_report.compose_report(store)
    path.write_text(written(file, tickets))
    return path.as_uri()


@pytest.mark.parametrize(
    ("kind", "width", "scheme"),
    [
        *(("usual", width, scheme) for width in (360, 768, 1280) for scheme in ("light", "dark")),
        ("alphabet", 360, "light"),
        ("alphabet", 1280, "dark"),
        ("autumn", 360, "dark"),
        ("one", 360, "light"),
        ("empty", 360, "dark"),
    ],
)
async def test_axe_finds_nothing_and_nothing_is_too_wide(pages: Pages, tmp_path: Path, kind: str, width: int, scheme: str) -> None:
    # The page allows no script at all, which would keep axe out as well.
    page = await pages.open(width, 800, color_scheme=scheme, bypass_csp=True)
    await opened(page, tmp_path, kind)
    closed_width = await page.evaluate("document.documentElement.scrollWidth")
    await page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    open_width = await page.evaluate("document.documentElement.scrollWidth")
    await page.evaluate(AXE_SCRIPT)

    faults = await page.evaluate("rules => axe.run(document, {runOnly: rules}).then(done => done.violations)", RULES)

    assert max(closed_width, open_width) <= width
    assert [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in faults] == []


async def test_its_own_policy_lets_its_style_through_and_no_script(pages: Pages, tmp_path: Path) -> None:
    pages.expect("Content Security Policy|csp")
    page = await pages.open(360, 740)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    await opened(page, tmp_path, "alphabet")
    asked_by_itself = len(asked)
    await page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title = 1\">')")
    await until_true(page, "document.querySelector('img').complete")

    assert await page.evaluate("getComputedStyle(document.querySelector('.figure')).fontWeight") == "800"
    assert LONG in await page.title()
    assert asked_by_itself == 1, "the page itself, and nothing else"


@pytest.mark.parametrize(("kind", "sheets"), [("usual", 2), ("one", 2), ("empty", 1)])
async def test_it_prints_on_so_many_sheets_in_ink_on_paper(pages: Pages, tmp_path: Path, kind: str, sheets: int) -> None:
    page = await pages.open(1280, 800, color_scheme="dark")
    await opened(page, tmp_path, kind)

    printed = await page.pdf(prefer_css_page_size=True)
    await page.emulate_media(media="print", color_scheme="dark")

    assert printed.count(b"/Type /Page\n") == sheets
    assert await page.evaluate("getComputedStyle(document.body).color") == "rgb(22, 24, 29)"
