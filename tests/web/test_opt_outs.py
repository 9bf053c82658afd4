"""No more messages: said on the ticket's page, by the link of a mail, and by a mail program."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx
import pytest

from realtime.web import stop_page
from tests.web.conftest import House, Open, join, new_owner

ANN = "ann@example.com"


@pytest.fixture
async def house(open_house: Open) -> House:
    house: House = await open_house(smtp_url="smtp://127.0.0.1:1", mail_from="queue@example.com", public_url="https://test.example")
    return house


def link(house: House) -> str:
    return house.parts.opt_outs.link("email", ANN).removeprefix("https://test.example")


def said(response: httpx.Response) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", response.text))


async def test_a_mail_programs_one_click_stops_it(house: House) -> None:
    program = await house.client("https://test.example")

    for body in (
        {"content": "List-Unsubscribe=One-Click", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {},
    ):
        await house.parts.opt_outs.take_back("email", ANN)
        answer = await program.post(link(house), **body)
        assert answer.status_code == 200, "no redirect (RFC 8058 section 3.1)"
        assert await house.parts.opt_outs.why_not("email", ANN, "called")


async def test_looking_changes_nothing_and_a_person_may_change_their_mind(house: House) -> None:
    person = await house.client("https://test.example")

    assert "No more messages?" in said(await person.get(link(house)))
    await person.head(link(house))
    assert not await house.parts.opt_outs.why_not("email", ANN, "called")
    assert "You get no more messages" in said(await person.post(link(house), data={"step": "stop"}))
    assert "You get no more messages" in said(await person.get(link(house)))
    assert "No more messages?" in said(await person.post(link(house), data={"step": "again"}))

    assert not await house.parts.opt_outs.why_not("email", ANN, "called")
    assert ANN not in (await person.get(link(house))).text


async def test_a_person_may_keep_only_the_call(house: House) -> None:
    person = await house.client("https://test.example")

    assert "Only when it is my turn" in said(await person.get(link(house)))
    assert "Only when it is your turn" in said(await person.post(link(house), data={"step": "calls"}))
    assert "Only when it is your turn" in said(await person.get(link(house)))
    assert await house.parts.opt_outs.why_not("email", ANN, "called") == ""
    assert await house.parts.opt_outs.why_not("email", ANN, "almost")

    assert "You get no more messages" in said(await person.post(link(house), data={"step": "stop"}))
    assert await house.parts.opt_outs.why_not("email", ANN, "called")
    assert "No more messages?" in said(await person.post(link(house), data={"step": "again"}))
    assert await house.parts.opt_outs.why_not("email", ANN, "almost") == ""


async def test_the_page_is_in_the_language_of_the_browser(house: House) -> None:
    person = await house.client("https://test.example", **{"Accept-Language": "it-CH,it;q=0.9,en;q=0.5"})

    answer = await person.get(link(house))

    assert "Niente più messaggi?" in said(answer)
    assert '<html lang="it">' in answer.text
    assert (answer.headers["content-language"], answer.headers["vary"]) == ("it", "Accept-Language")
    assert "Non ricevete più messaggi" in said(await person.post(link(house), data={"step": "stop"}))


async def test_a_link_that_is_none_of_ours_stops_nobody(house: House) -> None:
    person = await house.client("https://test.example")
    right = link(house)

    for wrong in (
        right[:-1],
        right.replace("email", "sms"),
        right + "x",
        "/stop/x",
        "/stop/a.b.c",
        "/stop/" + "x" * 200,
        "/stop/%00.%00.%00",
    ):
        assert (await person.post(wrong)).status_code == 404
        assert (await person.get(wrong)).status_code == 404
    assert not await house.parts.opt_outs.why_not("email", ANN, "called")
    assert len(right) < stop_page.LONGEST_TOKEN


async def test_a_customer_says_so_on_their_ticket(house: House) -> None:
    owner = await new_owner(house, base="https://test.example")
    phone = await house.client("https://test.example", Accept="text/html", Origin="https://test.example")
    code = await owner.code()
    await phone.post(f"/j/{code}", data={"step": "scan"})
    await phone.post(f"/j/{code}", data={"step": "join", "name": "Ann", "queue": "A", "party": "2", "phone": "", "email": ANN})

    assert "We message you before your turn, and when it comes." in said(await phone.get("/ticket"))
    assert (await phone.post("/ticket", data={"step": "no_messages"})).status_code == 303
    assert await house.parts.opt_outs.why_not("email", ANN, "called")
    assert await house.parts.opt_outs.why_not("sms", ANN, "called"), "whatever goes to that address"
    assert "You get no messages from us." in said(await phone.get("/ticket"))
    assert (await phone.post("/ticket", data={"step": "messages"})).status_code == 303

    assert not await house.parts.opt_outs.why_not("email", ANN, "called")

    assert (await phone.post("/ticket", data={"step": "only_calls"})).status_code == 303
    assert "We message you only when it is your turn." in said(await phone.get("/ticket"))
    assert [await house.parts.opt_outs.why_not("email", ANN, moment) == "" for moment in ("joined", "almost", "called")] == [
        False,
        False,
        True,
    ]
    assert (await phone.post("/ticket", data={"step": "everything"})).status_code == 400
    assert "We message you only when it is your turn." in said(await phone.get("/ticket"))


async def test_another_site_cannot_say_it_for_them(house: House) -> None:
    owner = await new_owner(house, base="https://test.example")
    phone = await house.client("https://test.example", Accept="text/html", Origin="https://test.example")
    code = await owner.code()
    await phone.post(f"/j/{code}", data={"step": "scan"})
    await phone.post(f"/j/{code}", data={"step": "join", "name": "Ann", "queue": "A", "party": "2", "phone": "", "email": ANN})

    refused = await phone.post("/ticket", data={"step": "no_messages"}, headers={"Origin": "https://elsewhere.example"})

    assert refused.status_code == 403
    assert not await house.parts.opt_outs.why_not("email", ANN, "called")


@pytest.mark.parametrize(
    ("settings", "promise", "reached"),
    [
        ({"smtp_url": "smtp://localhost:25"}, "Leave an e-mail address and we tell you", {"email"}),
        ({"sms_url": "jsons://localhost"}, "Leave a phone number and we tell you", {"phone"}),
        ({"capture_messages": True}, "Leave one and we tell you", {"phone", "email"}),
        ({}, "For the staff, should they not find you.", set[str]()),
    ],
    ids=["mail", "text", "kept", "neither"],
)
async def test_a_party_is_promised_only_what_this_server_can_send(
    open_house: Open, settings: dict[str, Any], promise: str, reached: set[str]
) -> None:
    house = await open_house(mail_from="shop@example.org", **settings)
    owner = await new_owner(house, base="https://test.example")
    promised = set()
    for field, left in (("phone", "+4915112345678"), ("email", ANN)):
        phone = await house.client("https://test.example", Accept="text/html", Origin="https://test.example")
        code = await owner.code()
        assert promise in said(await phone.get(f"/j/{code}"))
        await phone.post(f"/j/{code}", data={"step": "scan"})
        form = {"step": "join", "name": "Ann", "queue": "A", "party": "2", "phone": "", "email": "", field: left}
        assert (await phone.post(f"/j/{code}", data=form)).status_code == 303
        if "We message you before your turn, and when it comes." in said(await phone.get("/ticket")):
            promised.add(field)

    assert promised == reached


async def test_a_party_that_left_no_address_is_asked_nothing(open_house: Open) -> None:
    house = await open_house()
    phone = await join(house, await new_owner(house))

    assert "message" not in said(await phone.get("/ticket")).lower()


async def test_a_guest_refuses_messages_also_where_they_are_only_kept(open_house: Open) -> None:
    house: House = await open_house(capture_messages=True)
    phone = await join(house, await new_owner(house), email=ANN)

    assert "No messages, please" in said(await phone.get("/ticket"))
