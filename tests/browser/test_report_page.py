"""The report's page in a real browser, opened from the disk as an owner opens an attachment: on a phone, on a screen, on paper."""

from __future__ import annotations

import asyncio
from operator import le
from pathlib import Path

import pytest
from playwright.async_api import Page

from notifiers import html_report
from realtime.hookspecs import ClosedStore
from realtime.model import Ticket
from tests.browser.axe import View, faults_in, look
from tests.browser.expressions import until_true
from tests.notifiers.evenings import AUTUMN_MS, closed_store, usual, written
from tests.support.pages import Pages

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
    ("kind", "views", "widths"),
    [
        ("usual", [(360, "light"), (768, "dark")], [360, 768, 1280]),
        ("alphabet", [(360, "light"), (360, "dark")], [360, 1280]),
        ("autumn", [(360, "dark")], [360]),
        ("one", [(360, "light")], [360]),
        ("empty", [(360, "dark")], [360]),
    ],
)
async def test_axe_finds_nothing_and_nothing_is_too_wide(
    pages: Pages, tmp_path: Path, kind: str, views: list[View], widths: list[int]
) -> None:
    # The page allows no script at all, which would keep axe out as well.
    page = await pages.open(360, 800, bypass_csp=True)
    await opened(page, tmp_path, kind)
    closed = [await look(page, (width, "light")) for width in widths]
    await page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    all_open = [await look(page, (width, "light")) for width in widths]

    assert all(map(le, closed, widths))
    assert all(map(le, all_open, widths))
    assert await faults_in(page, *views) == []


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
