"""Where gateways call back, with the SMS notifier behind it and a real gateway before it."""

from __future__ import annotations

import asyncio
import re
import time
from io import BytesIO
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode
from urllib.request import Request

import httpx
import pytest

from realtime.signed_callbacks import sign
from tests.support.mail import MailServer
from tests.support.sink import HttpSink
from tests.support.waiting import until_async
from tests.web.conftest import House, Open, Owner, join, new_owner

# Apprise imports a module that Python 3.13 no longer has, and brings its own where it is missing.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SECRET = "a secret of our own"
PHONE = "+390669857301"
ANN = "ann@example.org"
ROOT = Path(__file__).parents[2]
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def house(open_house: Open, http_sink: HttpSink) -> House:
    gateway = http_sink.url.removeprefix("http://")
    house: House = await open_house(sms_url=f"json://{gateway}/{{to}}", sms_callback_secret=SECRET, call_ladder=["sms:0"])
    return house


async def call(
    house: House, kind: str, /, *, at: float = 0.0, secret: str = SECRET, notifier: str = "sms", **fields: str
) -> httpx.Response:
    gateway = await house.client()
    body = urlencode(fields).encode()
    signature = sign(secret, kind, body, int(at or time.time()))
    headers = {"content-type": FORM, "nowserving-signature": signature}
    return await gateway.post(f"/v1/callbacks/{notifier}/{kind}", content=body, headers=headers)


async def notices(owner: Owner) -> list[dict[str, Any]]:
    tickets = (await owner.client.get(owner.url)).json()["tickets"]
    return [notice for ticket in tickets for notice in ticket["notices"]]


async def joined(house: House) -> Owner:
    owner = await new_owner(house)
    await join(house, owner, phone=PHONE)

    async def accepted() -> bool:
        return [each["state"] for each in await notices(owner)] == ["accepted"]

    await until_async(accepted, what="the message")
    return owner


async def test_a_signed_status_is_on_the_ticket(house: House) -> None:
    owner = await joined(house)

    answer = await call(house, "status", MessageSid="SM1", MessageStatus="undelivered", To=PHONE, ErrorCode="30004")

    assert (answer.status_code, answer.content) == (204, b"")
    ((notice),) = await notices(owner)
    assert (notice["by"], notice["state"], notice["why"]) == ("sms", "undelivered", "The number refused it.")


async def test_what_a_gateway_tells_twice_late_and_out_of_order_ends_with_the_phones_receipt(house: House) -> None:
    owner = await joined(house)
    shown = []

    for status in ("undelivered", "sent", "delivered", "sent", "undelivered", "delivered"):
        assert (await call(house, "status", MessageSid="SM1", MessageStatus=status, To=PHONE)).status_code == 204
        shown += [each["state"] for each in await notices(owner)]

    assert shown == ["undelivered", "undelivered", *["delivered"] * 4]


async def test_a_forged_or_old_one_is_refused_and_changes_nothing(house: House) -> None:
    owner = await joined(house)
    stranger = await house.client()

    for refused in (
        await call(house, "status", secret="guessed", MessageStatus="delivered", To=PHONE),
        await call(house, "status", at=time.time() - 3600, MessageStatus="delivered", To=PHONE),
        await call(house, "inbound", secret="guessed", From=PHONE, Body="STOP"),
        await stranger.post("/v1/callbacks/sms/status", data={"MessageStatus": "delivered", "To": PHONE}),
        await stranger.post("/v1/callbacks/sms/inbound", content=b"\xff%zz"),
        await stranger.post("/v1/callbacks/sms/status"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")

    assert [each["state"] for each in await notices(owner)] == ["accepted"]
    assert not await house.parts.opt_outs.why_not("sms", PHONE, "called")


async def test_what_nobody_may_call_is_not_there(house: House, open_house: Open) -> None:
    elsewhere = await open_house(sms_url="json://127.0.0.1:1")

    assert (await call(house, "status", notifier="log")).status_code == 404
    assert (await call(house, "status", notifier="pigeon")).status_code == 404
    assert (await call(house, "gossip")).status_code == 404
    assert (await call(elsewhere, "status", MessageStatus="delivered", To=PHONE)).status_code == 404
    assert (await (await house.client()).get("/v1/callbacks/sms/status")).status_code == 405


async def test_a_body_that_is_too_large_is_not_read(house: House) -> None:
    assert (await call(house, "status", Body="x" * 70_000)).status_code == 413


async def test_stop_and_start_are_heeded(house: House, http_sink: HttpSink) -> None:
    owner = await joined(house)
    assert (await call(house, "inbound", From=PHONE, Body="Stop")).status_code == 204

    (await owner.client.post(f"{owner.url}/queues/A/call-next", json={})).raise_for_status()

    async def suppressed() -> bool:
        return [each["state"] for each in await notices(owner)] == ["accepted", "suppressed"]

    await until_async(suppressed, what="that it was not sent")
    assert len(http_sink.requests) == 1
    await call(house, "inbound", From=PHONE, Body="START")
    assert not await house.parts.opt_outs.why_not("sms", PHONE, "called")


# ---- mail


@pytest.fixture
async def mailing(open_house: Open, smtp_sink: MailServer) -> House:
    mails = {"smtp_url": smtp_sink.url, "smtp_allow_plain": True, "mail_from": "queue@example.com", "email_callback_secret": SECRET}
    house: House = await open_house(**mails, call_ladder=["email:0"])
    return house


async def mailed(house: House) -> Owner:
    owner = await new_owner(house)
    await join(house, owner, email=ANN)

    async def accepted() -> bool:
        return [each["state"] for each in await notices(owner)] == ["accepted"]

    await until_async(accepted, what="the mail")
    return owner


async def test_a_mail_is_told_of_by_the_example_in_the_documents(mailing: House, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = await mailed(mailing)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "deploy.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/deploy.md", "exec"), names)
    asked: list[Request] = []

    def keep(request: Request) -> BytesIO:
        asked.append(request)
        return BytesIO()

    monkeypatch.setattr("urllib.request.urlopen", keep)
    client = await mailing.client()

    for said in (
        {"RecordType": "Bounce", "Type": "SoftBounce", "Email": ANN, "Details": "452 4.2.2 full"},
        {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "Email": ANN},
    ):
        names["tell"]("http://127.0.0.1:8000", SECRET, said)
        headers = {name.lower(): value for name, value in asked[-1].header_items()}
        answer = await client.post(asked[-1].full_url, content=cast(bytes, asked[-1].data), headers=headers)
        assert answer.status_code == 204

    ((notice),) = await notices(owner)
    assert (notice["state"], notice["why"]) == ("undelivered", "The mailbox is full (4.2.2).")
    assert await mailing.parts.opt_outs.why_not("email", ANN, "joined") == "The guest called a message unwanted."


async def test_whatever_is_told_of_an_owners_address_their_mails_go_out(mailing: House, smtp_sink: MailServer) -> None:
    owner = await mailed(mailing)
    before = len(smtp_sink.to(owner.email))

    answer = await call(mailing, "status", notifier="email", event="bounced", kind="permanent", to=owner.email)

    assert answer.status_code == 204
    assert not await mailing.parts.opt_outs.why_not("email", owner.email, "called")
    (await owner.client.post("/v1/email/resend")).raise_for_status()
    await asyncio.to_thread(smtp_sink.wait_for, before + 1, to=owner.email)


async def test_a_forged_word_about_a_mail_is_refused(mailing: House) -> None:
    owner = await mailed(mailing)

    answer = await call(mailing, "status", notifier="email", secret="guessed", event="bounced", kind="permanent", to=ANN)

    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert [each["state"] for each in await notices(owner)] == ["accepted"]
    assert not await mailing.parts.opt_outs.why_not("email", ANN, "called")
