"""Several parties of one request that left the same number or address get one message, which names all their numbers."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.storage.statement import Operation, Row, Statement
from tests.support.waiting import until_async
from tests.web.conftest import House, Open, Owner, new_owner

ANN, BO = "+4915112345678", "+4915187654321"
MAIL = "ann@example.com"
KEY = "k" * 16


@pytest.fixture
async def house(open_house: Open) -> House:
    house: House = await open_house(capture_messages=True)
    return house


def _kept() -> Operation[list[Row]]:
    return list(
        (yield Statement("select notifier, recipient, subject, text from outbox where moment = 'joined' order by notifier, recipient"))
    )


def _pending() -> Operation[list[Row]]:
    return list((yield Statement("select 1 from jobs where moment = 'joined' and state in ('waiting', 'leased')")))


async def join(house: House, owner: Owner, *parties: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """What the parties of one request are told: notifier, recipient, subject, text."""
    phone = await house.client()
    code = await owner.code()
    (await phone.post(f"/v1/codes/{code}/scan", json={"key": KEY})).raise_for_status()
    asked = {"code": code, "key": KEY, "parties": [{"queue": "A", **party} for party in parties]}
    (await phone.post("/v1/tickets", json=asked)).raise_for_status()

    async def settled() -> bool:
        return not await house.parts.storage.read(_pending)

    await until_async(settled, what="the messages")
    return [(row[0], row[1], row[2], row[3]) for row in await house.parts.storage.read(_kept)]


async def test_parties_of_one_phone_get_one_text_message_with_all_numbers(house: House) -> None:
    owner = await new_owner(house)

    told = await join(house, owner, *({"name": name, "phone": ANN} for name in ("Ann", "Bea", "Cy")))

    ((notifier, recipient, _, text),) = told
    assert (notifier, recipient) == ("sms", ANN)
    assert "you are A01, A02, A03. You are next. Your place: http" in text
    assert text.count("/t#") == 1


async def test_each_number_and_each_address_is_told_of_its_own(house: House) -> None:
    owner = await new_owner(house)

    told = await join(house, owner, {"name": "Ann", "phone": ANN, "email": MAIL}, {"name": "Bo", "phone": BO, "email": MAIL})

    assert [(by, to) for by, to, _, _ in told] == [("email", MAIL), ("sms", ANN), ("sms", BO)]
    assert told[0][2].startswith("A01, A02: ")
    assert [text.partition(". ")[0].rpartition(" ")[2] for _, _, _, text in told[1:]] == ["A01", "A02"]


async def test_numbers_of_several_lines_are_told_without_a_place_that_only_one_of_them_has(house: House) -> None:
    owner = await new_owner(house)

    told = await join(house, owner, {"name": "Ann", "email": MAIL}, {"name": "Bea", "email": MAIL, "queue": "B"})

    ((_, _, subject, text),) = told
    assert subject.startswith("A01, B01: ")
    assert "A01, B01 (Table for two, Table for four)" in text
    assert "You are next" not in text


async def test_who_left_nothing_is_told_nothing(house: House) -> None:
    owner = await new_owner(house)

    assert await join(house, owner, {"name": "Ann"}, {"name": "Bea"}) == []
