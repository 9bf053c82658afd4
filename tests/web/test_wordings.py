"""Texts for guests over HTTP: written, previewed, tried out, and what guests are then told, with nothing leaving the server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.waiting import until_async
from tests.web.conftest import HOST, House, Open, Owner, join, new_owner

TEXT = "{store}: {number}, Ihr Tisch ist fertig. {desk} {link}"
CALLED = {"moment": "called", "channel": "sms", "language": "de"}


@pytest.fixture
async def trying(open_house: Open) -> House:
    """A house that nothing leaves."""
    return await open_house(capture_messages=True)


async def outbox(owner: Owner, count: int, moment: str = "") -> list[dict[str, Any]]:
    """The owner's kept messages, once there are so many of a moment."""
    found: list[dict[str, Any]] = []

    async def enough() -> bool:
        answer = (await owner.client.get("/v1/outbox")).raise_for_status().json()
        found[:] = [each for each in answer["messages"] if not moment or each["moment"] == moment]
        return len(found) >= count

    await until_async(enough, 20, f"{count} kept messages {moment}")
    return found


async def test_a_text_is_written_seen_and_put_back(owner: Owner) -> None:
    written = await owner.client.put("/v1/wordings", json={**CALLED, "text": TEXT})
    seen = (await owner.client.get("/v1/wordings")).json()
    gone = [await owner.client.delete("/v1/wordings", params=CALLED) for _ in range(2)]

    assert written.json() == {**CALLED, "subject": "", "text": TEXT}
    assert seen["own"] == [written.json()]
    assert len(seen["ours"]) == 36
    assert seen["language"] == "en"
    assert [answer.status_code for answer in gone] == [204, 204]
    assert (await owner.client.get("/v1/wordings")).json()["own"] == []


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"text": "{nmae}"}, "text", "Did you mean {name}?"),
        ({"text": "{{7*7}}"}, "text", "is never closed"),
        ({"text": ""}, "text", "Write what the message should say"),
        ({"text": "a" * 481}, "text", "Use at most 480 characters."),
        ({"text": "\x00"}, "text", "control characters"),
        ({"subject": "Hello"}, "subject", "has no subject"),
        ({"language": "German"}, "language", "Name a language by two or three letters"),
        ({"language": "d1"}, "language", "Name a language by two or three letters"),
        ({"language": "much too long"}, "language", ""),
        ({"moment": "served"}, "moment", ""),
        ({"channel": "pigeon"}, "channel", ""),
        ({"channel": "email", "subject": "{link}", "text": "Come"}, "subject", "Take {link} out"),
    ],
)
async def test_what_cannot_be_used_is_refused_and_nothing_is_kept(owner: Owner, change: dict[str, str], field: str, said: str) -> None:
    refused = await owner.client.put("/v1/wordings", json={**CALLED, "text": TEXT, **change})

    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (422, "invalid_input", field)
    assert said in refused.json()["detail"]
    assert (await owner.client.get("/v1/wordings")).json()["own"] == []
    previewed = await owner.client.post("/v1/wordings/preview", json={**CALLED, "text": TEXT, **change})
    assert previewed.status_code == (200 if change.get("text") == "" else 422)


async def test_strangers_see_and_change_nothing(house: House, owner: Owner) -> None:
    await owner.client.put("/v1/wordings", json={**CALLED, "text": TEXT})
    stranger, other = await house.client(), await new_owner(house, "maria@example.com")

    answers = [
        await stranger.get("/v1/wordings"), await stranger.put("/v1/wordings", json={**CALLED, "text": "x"}),
        await stranger.post("/v1/wordings/preview", json=CALLED), await stranger.post("/v1/wordings/test", json=CALLED),
        await stranger.delete("/v1/wordings", params=CALLED), await stranger.get("/v1/outbox"), await stranger.get("/v1/operator/outbox"),
        await owner.client.get("/v1/operator/outbox"),
    ]  # fmt: skip

    assert {answer.status_code for answer in answers} == {401}
    assert (await other.client.get("/v1/wordings")).json()["own"] == []
    await other.client.delete("/v1/wordings", params=CALLED)
    assert len((await owner.client.get("/v1/wordings")).json()["own"]) == 1


async def test_a_preview_says_what_a_guest_would_read_and_how_long_it_is(owner: Owner) -> None:
    sms = (await owner.client.post("/v1/wordings/preview", json={**CALLED, "text": TEXT})).json()
    dear = (await owner.client.post("/v1/wordings/preview", json={**CALLED, "text": "{number} Kıraathane {link} {desk}"})).json()
    ours = (await owner.client.post("/v1/wordings/preview", json=CALLED)).json()

    assert sms["text"].startswith("Luigi's: A07, Ihr Tisch ist fertig. Desk 2 http://127.0.0.1:8000/t#")
    assert sms["length"] == {"encoding": "GSM-7", "units": len(sms["text"]), "segments": 1, "room": 160 - len(sms["text"])}
    assert (sms["html"], sms["subject"], sms["warnings"], sms["language"]) == ("", "", [], "de")
    assert (dear["length"]["encoding"], dear["length"]["segments"]) == ("UCS-2", 2)
    assert len(dear["warnings"]) == 2
    assert ours["text"].startswith("Luigi's: A07, Sie sind dran. Desk 2. http")


@pytest.mark.parametrize("carried", [True, False])
async def test_a_preview_counts_what_is_sent_and_not_how_it_was_typed(open_house: Open, carried: bool) -> None:
    house = await open_house(capture_messages=carried)
    owner = await new_owner(house, store="Luigi’s – Bar")

    typed = {**CALLED, "moment": "joined", "text": "{store}: Ciao – {number} “ok” {link}"}
    sms = (await owner.client.post("/v1/wordings/preview", json=typed)).json()

    assert sms["text"].startswith('Luigi\'s - Bar: Ciao - A07 "ok" http')
    assert (sms["length"]["encoding"], sms["length"]["units"], sms["length"]["segments"]) == ("GSM-7", len(sms["text"]), 1)
    assert sms["warnings"] == []


async def test_a_preview_of_what_is_too_long_to_be_sent_says_so(trying: House) -> None:
    owner = await new_owner(trying)

    sms = (await owner.client.post("/v1/wordings/preview", json={**CALLED, "text": "я" * 290 + "{number} {link} {desk}"})).json()

    assert sms["warnings"][0].startswith("The message is too long")
    assert sms["length"]["segments"] > 4


async def test_a_mail_is_previewed_as_the_page_it_will_be(trying: House) -> None:
    owner = await new_owner(trying)
    body = {"moment": "joined", "channel": "email", "language": "en", "subject": "{number} <b>", "text": "Hi {name} <script>\n\n{link}"}

    shown = (await owner.client.post("/v1/wordings/preview", json=body)).json()

    assert shown["subject"] == "A07 <b>"
    assert "Hi Ann &lt;script&gt;" in shown["html"]
    assert "See your place</a>" in shown["html"]
    assert shown["length"] is None


async def test_guests_are_told_in_their_language_and_the_owners_words(trying: House) -> None:
    owner = await new_owner(trying)
    (
        await owner.client.put("/v1/wordings", json={**CALLED, "moment": "joined", "text": "Hallo {name}, {number}. {link}"})
    ).raise_for_status()
    (await owner.client.put("/v1/wordings/language", json={"language": "it"})).raise_for_status()
    for name, header in (("Anke", "de-AT,de;q=0.9,en;q=0.5"), ("Ayşe", "tr"), ("Sven", "sv,nb;q=0.8"), ("Nobody", "")):
        phone = await trying.client(Origin=HOST, **({"Accept-Language": header} if header else {}))
        code, key = await owner.code(), "k" * 20
        (await phone.post(f"/v1/codes/{code}/scan", json={"key": key})).raise_for_status()
        party = {"name": name, "queue": "A", "phone": "+4915123456789"}
        (await phone.post("/v1/tickets", json={"code": code, "key": key, "parties": [party]})).raise_for_status()

    said = sorted(each["text"].partition(" http")[0] for each in await outbox(owner, 4, "joined"))
    assert said == [
        "Hallo Anke, A01.",
        "Luigi's: numara A02. Önünüzde 1 grup var. Yeriniz:",
        "Luigi's: siete il A03. 2 gruppi prima di voi. Il vostro posto:",
        "Luigi's: siete il A04. 3 gruppi prima di voi. Il vostro posto:",
    ]


async def test_a_walk_in_is_told_in_the_stores_language(trying: House) -> None:
    owner = await new_owner(trying)
    (await owner.client.put("/v1/wordings/language", json={"language": "FR"})).raise_for_status()
    (await owner.client.post(f"{owner.url}/tickets", json={"name": "Zoé", "queue": "A", "email": "zoe@example.com"})).raise_for_status()

    (mail,) = await outbox(owner, 1, "joined")

    assert mail["subject"] == "A01 : votre place chez Luigi's"
    assert "Bonjour Zoé," in mail["text"]
    assert "<html" in mail["html"]


# ---- tried out


async def test_a_test_goes_through_the_queue_to_the_owner(trying: House) -> None:
    owner = await new_owner(trying)
    sent = await owner.client.post(
        "/v1/wordings/test", json={**CALLED, "channel": "email", "subject": "Komm {number}", "text": "Jetzt, {name}."}
    )
    by_phone = await owner.client.post("/v1/wordings/test", json={**CALLED, "text": TEXT, "phone": "+49 1512 3456789"})

    (mail, sms) = sorted(await outbox(owner, 2, "called"), key=lambda each: each["notifier"])
    assert (sent.status_code, by_phone.status_code) == (202, 202)
    assert (mail["recipient"], mail["subject"], mail["text"].strip()) == (owner.email, "Komm A07", "Jetzt, Ann.")
    assert (sms["recipient"], sms["text"][:34]) == ("+4915123456789", "Luigi's: A07, Ihr Tisch ist fertig")


@pytest.mark.parametrize("phone", ["", "12", "+49 30", "call me", "+4915123456789\n+4915123456788"])
async def test_a_number_that_is_none_is_refused(trying: House, phone: str) -> None:
    owner = await new_owner(trying)

    refused = await owner.client.post("/v1/wordings/test", json={**CALLED, "phone": phone})

    assert (refused.status_code, refused.json()["field"]) == (422, "phone")


async def test_an_owner_whose_address_is_not_confirmed_sends_no_tests(owner: Owner) -> None:
    refused = await owner.client.post("/v1/wordings/test", json={**CALLED, "phone": "+4915123456789"})

    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert "Confirm your e-mail address first" in refused.json()["detail"]


async def test_a_server_that_cannot_send_says_who_can_change_that(house: House, owner: Owner) -> None:
    await house.parts.storage.write(_confirm, owner.email)

    refused = await owner.client.post("/v1/wordings/test", json={**CALLED, "phone": "+4915123456789"})

    assert (refused.status_code, refused.json()["code"]) == (409, "refused")
    assert "sms_url" in refused.json()["detail"]


def _confirm(email: str) -> Any:
    from realtime.storage.statement import Statement

    yield Statement("update accounts set confirmed_ms = 1 where email = $1", (email,))


async def test_nobodys_phone_can_be_filled_with_tests(trying: House) -> None:
    """Three to one number, however it is written and whoever asks; ten for one account."""
    one, two = await new_owner(trying), await new_owner(trying, "maria@example.com")
    asks = [(one, "+49 1512 3456789"), (two, "+49 (1512) 345-6789"), (one, "+4915123456789"), (two, "+4915123456789")]

    answers = [await who.client.post("/v1/wordings/test", json={**CALLED, "phone": phone}) for who, phone in asks]
    mails = [await one.client.post("/v1/wordings/test", json={**CALLED, "channel": "email"}) for _ in range(9)]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert answers[-1].headers["retry-after"]
    assert [answer.status_code for answer in mails] == [202] * 8 + [429]


# ---- the outbox


async def test_the_link_to_a_new_password_is_for_the_operator(open_house: Open) -> None:
    token = "o" * 40
    house = await open_house(capture_messages=True, operator_token=token)
    owner, other = await new_owner(house), await new_owner(house, "maria@example.com")
    stranger = await house.client(Origin=HOST)
    (await stranger.post("/v1/password/forgot", json={"email": owner.email})).raise_for_status()

    (mine,) = await outbox(owner, 1, "reset_password")
    confirm = await outbox(owner, 1, "confirm_email")
    theirs = await outbox(other, 1)
    (whole,) = [
        each
        for each in (await stranger.get("/v1/operator/outbox", headers={"Authorization": f"Bearer {token}"})).json()["messages"]
        if each["moment"] == "reset_password"
    ]

    assert "/reset#" not in mine["text"] + mine["html"]
    assert "/confirm#" in confirm[0]["text"]
    assert {each["recipient"] for each in theirs} == {"maria@example.com"}
    assert "/reset#" in whole["text"]


async def test_the_operator_sees_no_guest(open_house: Open) -> None:
    token = "o" * 40
    house = await open_house(capture_messages=True, operator_token=token)
    owner = await new_owner(house)
    await join(house, owner, phone="+4915123456789")
    await outbox(owner, 1, "joined")

    seen = (await owner.client.get("/v1/operator/outbox", headers={"Authorization": f"Bearer {token}"})).json()

    assert {each["moment"] for each in seen["messages"]} == {"confirm_email"}


async def test_where_messages_are_sent_the_outbox_says_so(owner: Owner) -> None:
    assert (await owner.client.get("/v1/outbox")).json() == {"captures": False, "messages": []}
    assert (await owner.client.get("/v1/account")).json()["captures"] is False


async def test_a_captured_report_waits_for_a_decision_and_can_be_downloaded(trying: House) -> None:
    owner = await new_owner(trying)
    (confirm,) = await outbox(owner, 1, "confirm_email")
    secret = confirm["text"].partition("/confirm#")[2].split()[0]
    phone = await trying.client(Origin=HOST)
    (await phone.post("/v1/email/confirm", json={"token": secret})).raise_for_status()
    guest = await join(trying, owner, "Annabel", email="annabel@example.com")
    await outbox(owner, 1, "joined")
    (await owner.client.delete(owner.url)).raise_for_status()

    (mail,) = await outbox(owner, 1, "store_closed")
    view: dict[str, Any] = {}

    async def decided() -> bool:
        view.update((await owner.client.get(f"{owner.url}/closing")).json())
        return view["waits_for"] == "decision"

    await until_async(decided, 20, "the closing to wait for a person")
    assert "report.csv" in mail["text"]
    assert "Annabel" in (await owner.client.get(f"{owner.url}/report")).text
    (await owner.client.post(f"{owner.url}/delete")).raise_for_status()

    async def gone() -> bool:
        return (await owner.client.get(f"{owner.url}/closing")).json()["state"] == "purged"

    await until_async(gone, 20, "the data to be deleted")
    assert {each["moment"] for each in (await owner.client.get("/v1/outbox")).json()["messages"]} == {"confirm_email"}
    for client, may_have in ((guest, False), (phone, True)):
        page = (await client.get("/ticket", headers={"Accept": "text/html"})).text
        assert ("its list was deleted" in page, "Did you have one?" in page) == (not may_have, may_have)


@pytest.mark.parametrize("path", ["/messages", "/outbox"])
async def test_only_the_pages_that_show_mails_allow_styles_in_them(house: House, path: str) -> None:
    client = await house.client()

    shown, other = await client.get(path), await client.get("/account")

    assert "style-src 'self' 'unsafe-inline';" in shown.headers["content-security-policy"]
    assert "script-src 'self';" in shown.headers["content-security-policy"]
    assert "unsafe-inline" not in other.headers["content-security-policy"]
