"""What axe finds against a page, and how wide the page is: on a phone and on a screen, in light and in dark, without loading it again."""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
View = tuple[int, str]
"""A width in pixels and a colour scheme."""
SETTLED = """
async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    await frame();
    await frame();
    await Promise.allSettled(document.getAnimations().filter((each) => each instanceof CSSTransition).map((each) => each.finished));
}
"""
"""What listens to the width has run, and every colour is the one that stays."""


async def faults(page: Page, *rules: str) -> list[tuple[str, list[str]]]:
    """Rules that the page breaks as it is now, each with the elements that do. The default is all that are for everybody."""
    await page.evaluate(AXE_SCRIPT)
    # Axe makes up a selector for each of the thousands of elements that pass as well, unless it is asked for nothing but violations.
    options = {"runOnly": list(rules or RULES), "resultTypes": ["violations"]}
    found = await page.evaluate("options => axe.run(document, options).then(done => done.violations)", options)
    return [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in found]


async def look(page: Page, view: View) -> int:
    """Shows the page in another width and scheme; returns how wide its content is."""
    width, scheme = view
    await page.set_viewport_size({"width": width, "height": 800})
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.evaluate(SETTLED)
    return int(await page.evaluate("document.documentElement.scrollWidth"))


async def faults_in(page: Page, *views: View) -> list[tuple[View, str, list[str]]]:
    """The same in each of these views, and where the content is too wide."""
    found: list[tuple[View, str, list[str]]] = []
    for view in views:
        if (wide := await look(page, view)) > view[0]:
            found.append((view, "too wide", [f"{wide} px"]))
        found += [(view, *fault) for fault in await faults(page)]
    return found
