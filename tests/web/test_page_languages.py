"""Guests' pages as browsers of several languages get them: each in its own, and none from another's cache."""

from __future__ import annotations

import re

import httpx
import pytest

from realtime.web.pages import GUESTS, SHELLS
from tests.web.conftest import HOST, House, Owner
from tests.web.test_pages import page_data

GERMAN = "de-DE,de;q=0.9,en;q=0.8"


async def browser(house: House, language: str = GERMAN) -> httpx.AsyncClient:
    return await house.client(Accept="text/html,application/xhtml+xml", Origin=HOST, **{"Accept-Language": language})


def language_of(answer: httpx.Response) -> tuple[str | None, str | None, str | None]:
    """What a page says of its language: to a reader, to a program, to a cache."""
    said = re.search(r'<html lang="([^"]*)">', answer.text)
    return (said[1] if said else None, answer.headers.get("content-language"), answer.headers.get("vary"))


def german(answer: httpx.Response) -> bool:
    return language_of(answer) == ("de", "de", "Accept-Language")


async def test_a_guest_without_javascript_is_spoken_to_in_their_language(house: House, owner: Owner) -> None:
    phone, code = await browser(house), await owner.code()

    looked = await phone.get(f"/j/{code}")
    scanned = await phone.post(f"/j/{code}", data={"step": "scan"})
    form = {"step": "join", "name": "Anna", "queue": "A", "party": "2", "phone": "12", "email": ""}
    refused = await phone.post(f"/j/{code}", data=form)
    await phone.post(f"/j/{code}", data={**form, "phone": ""})
    ticket = await phone.get("/ticket")

    assert [german(answer) for answer in (looked, scanned, refused, ticket)] == [True] * 4
    assert "In die Schlange" in looked.text
    assert "Nummer ziehen" in scanned.text
    assert re.search(r'data-error="phone"[^>]*>Geben Sie eine vollständige Telefonnummer', refused.text)
    assert "Sie sind als Nächstes dran." in ticket.text
    assert page_data(ticket)["label"] == "A01"


async def test_what_a_store_wrote_stays_as_it_was_written(house: House, owner: Owner) -> None:
    await owner.client.put(owner.url, json={"description": "Kitchen closes at ten"})

    assert "Kitchen closes at ten" in (await (await browser(house)).get(f"/j/{await owner.code()}")).text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/ticket", 404, "Auf diesem Telefon ist keine Nummer."),
        ("/j/nothing", 410, "Dieser Code ist abgelaufen."),
        ("/nowhere", 404, "Unter dieser Adresse ist nichts."),
        ("/t", 200, "Ihr Platz wird geöffnet"),
        ("/board", 200, "Zuletzt dran"),
    ],
)
async def test_every_page_that_a_guest_meets_is_in_their_language(house: House, path: str, status: int, said: str) -> None:
    answer = await (await browser(house)).get(path)

    assert answer.status_code == status
    assert german(answer)
    assert said in answer.text


async def test_a_code_that_was_used_is_told_in_the_language_of_the_phone(house: House, owner: Owner) -> None:
    code = await owner.code()
    await (await browser(house)).post(f"/j/{code}", data={"step": "scan"})

    answer = await (await browser(house, "fr")).post(f"/j/{code}", data={"step": "scan"})

    assert answer.status_code == 409
    assert language_of(answer) == ("fr", "fr", "Accept-Language")
    assert "Ce code vient d’être pris." in answer.text


@pytest.mark.parametrize("language", ["", "pl,ja;q=0.5", "en-GB,en;q=0.9,de;q=0.1"])
async def test_who_speaks_none_of_the_languages_is_spoken_to_in_english(house: House, language: str) -> None:
    answer = await (await browser(house, language)).get("/board")

    assert language_of(answer) == ("en", "en", "Accept-Language")
    assert "Last called" in answer.text


async def test_the_owners_pages_stay_in_english(house: House) -> None:
    person = await browser(house)

    for path in ("/", *(path for path, name in SHELLS.items() if name not in GUESTS)):
        assert language_of(await person.get(path)) == ("en", None, None), path


async def test_the_api_speaks_english_to_everybody(house: House) -> None:
    answer = await (await house.client(**{"Accept-Language": GERMAN})).get("/v1/ticket")

    assert answer.json()["detail"] == "There is no ticket on this phone. Scan the code on the screen to get one."
