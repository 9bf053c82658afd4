"""The client module for other pages: its types name what it exports, and the example of its document runs."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Page, expect

from tests.browser.owner import opened
from tests.support.pages import Pages
from tests.support.process import ROOT

STATIC = ROOT / "realtime" / "web" / "static"
DOCUMENT = ROOT / "docs" / "client.md"


def exported() -> set[str]:
    lists = re.findall(r"^export \{([^}]+)\} from", (STATIC / "live.js").read_text(), re.MULTILINE)
    return {name.strip() for names in lists for name in names.split(",")}


def interface(name: str) -> dict[str, bool]:
    """Fields of an interface in the types -> whether they may be left out."""
    body = re.search(
        rf"^export (?:interface|class) {name}\b[^{{]*\{{\n(.*?)^\}}", (STATIC / "live.d.ts").read_text(), re.MULTILINE | re.DOTALL
    )
    assert body, name
    return {field: bool(left_out) for field, left_out in re.findall(r"^  (?:readonly )?(\w+)(\?)?[:(]", body[1], re.MULTILINE)}


def written(path: str, typedef: str) -> dict[str, bool]:
    """The same of a `{...}` typedef in a module."""
    text = re.sub(r"\n \*\s*", " ", (STATIC / path).read_text())
    found = re.search(rf"@typedef \{{(\{{[^@]*?\}})\}} {typedef}\b", text) or re.search(
        rf"@typedef \{{(\{{(?:(?!@typedef).)*\}})\}} {typedef}\b", text
    )
    assert found, typedef
    flat = found[1][1:-1]
    while "{" in flat:
        flat = re.sub(r"\{[^{}]*\}", "x", flat)
    return {field: bool(left_out) for field, left_out in re.findall(r"(?:^|, )\s*(\w+)(\?)?:", flat)}


def test_the_types_name_exactly_what_the_module_exports() -> None:
    typed = set(re.findall(r"^export (?:declare )?(?:class|function|const) (\w+)", (STATIC / "live.d.ts").read_text(), re.MULTILINE))

    assert typed == exported()


def test_the_types_have_the_fields_that_the_modules_document() -> None:
    for name in ("Ticket", "Queue", "Store", "Step", "Code", "Snapshot", "Push", "State"):
        assert interface(name) == written("live/reducer.js", name), name
    assert interface("Final") == written("live/options.js", "Final")
    options = re.findall(r"^ \* @property \{.*?\} (\[)?(\w+)", (STATIC / "live" / "options.js").read_text(), re.MULTILINE)
    assert interface("LiveOptions") == {name: bool(left_out) for left_out, name in options}


def test_every_export_is_documented() -> None:
    assert not [name for name in exported() if f"`{name}`" not in DOCUMENT.read_text() and f"`{name}(" not in DOCUMENT.read_text()]


async def test_what_a_live_connection_has_is_there(url: str, page: Page) -> None:
    await page.goto(f"{url}/forgot")

    missing = await page.evaluate(
        "(names) => import('/static/live.js').then(({Live}) => names.filter((name) => !(name in Live.prototype)))",
        [name for name in interface("Live") if name != "constructor"],
    )

    assert missing == []


async def test_the_example_of_the_document_runs(url: str, pages: Pages) -> None:
    page = await pages.open()
    owner = await opened(page, url)
    link = owner.look()["store"]["board_link"]
    (example,) = re.findall(r"```js\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    own = await pages.open()
    await own.route("**/own.js", lambda route: route.fulfill(content_type="text/javascript", body=example))
    await own.goto(f"{url}/forgot#{link.partition('#')[2]}")
    await own.evaluate("""() => {
        document.body.innerHTML = '<p id="line"></p><p id="status"></p>';
        document.body.append(Object.assign(document.createElement("script"), {type: "module", src: "/own.js"}));
    }""")
    await expect(own.locator("#line")).to_have_text("Nobody now, 0 waiting")

    owner.add("Ann", "Bo")
    owner.change("A01", "call")

    await expect(own.locator("#line")).to_have_text("A01 now, 1 waiting")
    await expect(own.locator("#status")).to_have_text("Live")


def test_the_document_is_where_the_others_say() -> None:
    assert "(client.md)" in (ROOT / "docs" / "protocol.md").read_text()
    assert Path(STATIC / "live.d.ts").is_file()
