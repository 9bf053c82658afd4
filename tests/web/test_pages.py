"""Pages as browsers ask for them, with and without JavaScript."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from realtime.web.pages import SHELLS
from tests.web.conftest import HOST, House, Owner, join, new_owner


async def browser(house: House) -> httpx.AsyncClient:
    """As browsers ask for a page."""
    return await house.client(Accept="text/html,application/xhtml+xml", Origin=HOST)


def page_data(answer: httpx.Response) -> Any:
    found = re.search(r'<script type="application/json" id="page-data">(.*?)</script>', answer.text, re.DOTALL)
    assert found
    return json.loads(found[1])


async def test_every_page_is_there_and_looking_at_it_sets_nothing(house: House) -> None:
    person = await browser(house)

    for path in ("/", *SHELLS):
        answer = await person.get(path)

        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == "text/html; charset=utf-8", path
        assert "set-cookie" not in answer.headers, path
        assert "data-page=" in answer.text, path


async def test_no_page_has_a_script_a_style_or_a_handler_of_its_own(house: House) -> None:
    person = await browser(house)

    for path in ("/", *SHELLS):
        text = (await person.get(path)).text

        assert not re.findall(r"<script(?![^>]*(?:src=|application/json))", text), path
        assert not re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:|(?:src|href)=\"?https?:", text), path


async def test_the_start_page_knows_who_is_signed_in(house: House, owner: Owner) -> None:
    assert page_data(await owner.client.get("/"))["signed_in"] is True
    assert page_data(await (await browser(house)).get("/"))["signed_in"] is False


async def test_without_javascript_a_customer_scans_joins_and_sees_the_ticket(house: House, owner: Owner) -> None:
    phone, code = await browser(house), await owner.code()

    looked = await phone.get(f"/j/{code}")
    scanned = await phone.post(f"/j/{code}", data={"step": "scan"})
    joined = await phone.post(f"/j/{code}", data={"step": "join", "name": "Ann", "queue": "A", "party": "2", "phone": "", "email": ""})
    ticket = await phone.get(joined.headers["location"])

    assert page_data(looked)["scanned"] is False
    assert page_data(scanned)["scanned"] is True
    assert (joined.status_code, joined.headers["location"]) == (303, "/ticket")
    assert page_data(ticket)["label"] == "A01"
    assert "A01" in ticket.text
    assert (await owner.client.get(owner.url)).json()["tickets"][0]["party"] == 2


async def test_scanning_twice_with_one_phone_is_scanning_once(house: House, owner: Owner) -> None:
    phone, code = await browser(house), await owner.code()

    first = await phone.post(f"/j/{code}", data={"step": "scan"})
    again = await phone.post(f"/j/{code}", data={"step": "scan"})

    assert (first.status_code, again.status_code) == (200, 200)


async def test_whoever_scans_second_is_sent_to_the_new_code(house: House, owner: Owner) -> None:
    code = await owner.code()
    await (await browser(house)).post(f"/j/{code}", data={"step": "scan"})

    answer = await (await browser(house)).post(f"/j/{code}", data={"step": "scan"})

    assert answer.status_code == 409
    assert "Scan the new one on the screen" in answer.text


async def test_a_used_code_says_that_joining_is_paused_while_it_is(house: House, owner: Owner) -> None:
    code = await owner.code()
    await join(house, owner)
    await owner.client.put(owner.url, json={"queues": [{"id": queue, "paused": True} for queue in "AB"]})

    paused = await (await browser(house)).get(f"/j/{code}")
    await owner.client.put(owner.url, json={"queues": [{"id": "A", "paused": False}]})
    again = await (await browser(house)).get(f"/j/{code}")

    assert "Nobody can join just now" in paused.text
    assert (paused.status_code, again.status_code) == (200, 409)


async def test_a_phone_with_a_ticket_is_shown_its_ticket(house: House, owner: Owner) -> None:
    phone = await join(house, owner)
    code = await owner.code()

    looked = await phone.get(f"/j/{code}")
    scanned = await phone.post(f"/j/{code}", data={"step": "scan"})

    assert [(answer.status_code, answer.headers["location"]) for answer in (looked, scanned)] == [(303, "/ticket")] * 2
    assert await owner.code() == code


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "  "}, "name"), ({"name": "a\x07b"}, "name"), ({"queue": "Z"}, "queue"), ({"queue": "zz"}, "queue"), ({"party": "0"}, "party"), ({"party": "many"}, "party"),
        ({"party": "9" * 5000}, "party"), ({"phone": "12"}, "phone"), ({"email": "a@b\r\nBcc: x@y.z"}, "email"),
    ],
)  # fmt: skip
async def test_a_form_that_cannot_be_used_comes_back_as_it_was_with_a_sentence(
    house: House, owner: Owner, wrong: dict[str, str], field: str
) -> None:
    phone, code = await browser(house), await owner.code()
    await phone.post(f"/j/{code}", data={"step": "scan"})
    form = {"step": "join", "name": "Ann", "queue": "A", "party": "1", "phone": "", "email": "", **wrong}

    refused = await phone.post(f"/j/{code}", data=form)
    mended = await phone.post(f"/j/{code}", data={**form, "name": "Ann", "queue": "A", "party": "1", "phone": "", "email": ""})

    assert refused.status_code in {404, 422}
    error = re.search(rf'data-error="{field}"[^>]*>([^<]+)<', refused.text)
    assert error
    assert error[1].strip().endswith(".")
    assert mended.status_code == 303


async def test_markup_in_a_form_stays_text(house: House, owner: Owner) -> None:
    phone, code = await browser(house), await owner.code()
    await phone.post(f"/j/{code}", data={"step": "scan"})
    hostile = '"><script>alert(1)</script>{{ 7*7 }}'

    answer = await phone.post(f"/j/{code}", data={"step": "join", "name": hostile, "queue": "A", "party": "0"})

    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "49" not in re.sub(r"\+49|\d{3,}", "", answer.text)


async def test_a_stores_own_words_stay_text_in_the_pages_data(house: House) -> None:
    owner = await new_owner(house)
    await owner.client.put(owner.url, json={"description": "</script><script>alert(1)</script>"})

    answer = await (await browser(house)).get(f"/j/{await owner.code()}")

    assert "<script>alert" not in answer.text
    assert page_data(answer)["store"]["description"] == "</script><script>alert(1)</script>"


@pytest.mark.parametrize(
    ("content", "type_", "status"),
    [
        (b"step=scan", "text/plain", 415), (b"step=scan", "multipart/form-data; boundary=x", 415), (b"step=dance", "application/x-www-form-urlencoded", 400),
        (b"", "application/x-www-form-urlencoded", 400), (b"step=%ff", "application/x-www-form-urlencoded", 400), (b"\xff", "application/x-www-form-urlencoded", 400),
        (b"a=b&" * 1000, "application/x-www-form-urlencoded", 400), (b"a" * 70_000, "application/x-www-form-urlencoded", 413),
    ],
)  # fmt: skip
async def test_a_form_nobody_made_is_refused(house: House, content: bytes, type_: str, status: int) -> None:
    answer = await (await browser(house)).post("/j/a.b", content=content, headers={"Content-Type": type_})

    assert answer.status_code == status


async def test_another_websites_form_uses_no_code_up(house: House, owner: Owner) -> None:
    phone, code = await browser(house), await owner.code()

    answer = await phone.post(f"/j/{code}", data={"step": "scan"}, headers={"Origin": "https://evil.example"})

    assert answer.status_code == 403
    assert await owner.code() == code


async def test_a_phone_without_a_ticket_is_told_where_to_get_one(house: House) -> None:
    answer = await (await browser(house)).get("/ticket")

    assert answer.status_code == 404
    assert "Scan the code on the screen" in answer.text
    assert "Go to the start page" not in answer.text, "that page is for owners"


async def test_a_code_of_a_closed_store_promises_no_fresh_one(house: House, owner: Owner) -> None:
    code = await owner.code()
    await owner.client.delete(owner.url)

    answer = await (await browser(house)).get(f"/j/{code}")

    assert answer.status_code == 409
    assert "This store has closed" in answer.text
    assert "data-again hidden" in answer.text


async def test_a_program_hears_a_problem_where_a_person_sees_a_page(house: House) -> None:
    person, program = await browser(house), await house.client(Accept="*/*")

    pages = [await person.get("/nothing"), await person.get("/v1/nothing"), await program.get("/nothing")]

    assert [answer.headers["content-type"].partition(";")[0] for answer in pages] == [
        "text/html",
        "application/problem+json",
        "application/problem+json",
    ]


@pytest.mark.parametrize("code", ["x", "a.b", "%00", "a%2Fb", "x" * 3000])
async def test_a_code_that_is_none_is_a_friendly_page(house: House, code: str) -> None:
    answer = await (await browser(house)).get(f"/j/{code}")

    assert answer.status_code in {404, 410}
    assert answer.headers["content-type"].startswith("text/html")
