"""Join codes, on both databases: scanned by one, used once."""

from __future__ import annotations

import asyncio

import pytest

from realtime.errors import CodeExpired, CodeUsed, StoreClosed
from realtime.operations import codes, joining, snapshots, stores
from tests.operations.conftest import FAR_MS, Shop


async def _number_on_show(shop: Shop) -> int:
    code = await shop.storage.read(codes.current, shop.store_id)
    assert code is not None
    return code.number


async def test_of_fifty_phones_scanning_at_once_one_wins(shop: Shop) -> None:
    answers = await asyncio.gather(*(shop.scan(1, f"phone {number}") for number in range(50)), return_exceptions=True)

    won = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(won) == 1
    assert all(isinstance(answer, CodeUsed) for answer in answers if isinstance(answer, BaseException))
    assert await _number_on_show(shop) == 2


async def test_of_fifty_uses_of_a_scanned_code_one_makes_a_ticket(shop: Shop) -> None:
    await shop.scan(1, "phone")

    answers = await asyncio.gather(*(shop.join(1, "phone") for _ in range(50)), return_exceptions=True)

    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert await shop.storage.read(snapshots.waiting, shop.store_id) == {"A": 1, "B": 0}


async def test_a_scan_shows_the_next_code(shop: Shop) -> None:
    change = await shop.scan(1, "phone")

    code = await shop.storage.read(codes.current, shop.store_id)
    assert code is not None
    assert code.number == 2
    assert change.events[0].public == "{}"


async def test_no_code_is_stored_as_it_is_shown(shop: Shop) -> None:
    await shop.scan(1, "phone")
    events = await shop.storage.read(snapshots.after, shop.store_id, 0, 100)

    shown = [shop.keys.code(shop.store_id, number).split(".")[1] for number in (1, 2)]

    assert not any(code in event.owner + event.public for event in events for code in shown)


async def test_a_code_that_another_phone_scanned_cannot_be_used(shop: Shop) -> None:
    await shop.scan(1, "phone")

    with pytest.raises(CodeUsed):
        await shop.join(1, "other phone")


@pytest.mark.parametrize("number", [1, 99])
async def test_a_code_that_was_not_scanned_cannot_be_used(shop: Shop, number: int) -> None:
    with pytest.raises(CodeExpired):  # nobody used it
        await shop.join(number, "phone")


async def test_a_code_expires_before_and_after_it_is_scanned(shop: Shop) -> None:
    await shop.storage.write(codes.renew, shop.store_id, 1, shop.keys.code_hash, 2_000, 3_000)
    with pytest.raises(CodeExpired):
        await shop.scan(2, "phone", now_ms=3_000)

    await shop.scan(1, "phone", now_ms=2_000)
    with pytest.raises(CodeExpired):
        await shop.join(1, "phone", now_ms=3_000)


async def test_the_tickets_of_a_used_code_are_found_again_by_its_phone_only(shop: Shop) -> None:
    await shop.scan(1, "phone")
    made = (await shop.join(1, "phone", ("Ann", "Bo"))).value

    again = await shop.storage.read(joining.joined_with, shop.store_id, joining.Proof(shop.code(1), "phone"))
    others = await shop.storage.read(joining.joined_with, shop.store_id, joining.Proof(shop.code(1), "other phone"))

    assert again == made
    assert others == ()


async def test_renewing_twice_shows_one_new_code(shop: Shop) -> None:
    answers = await asyncio.gather(
        *(shop.storage.write(codes.renew, shop.store_id, 1, shop.keys.code_hash, 2_000, FAR_MS) for _ in range(5)), return_exceptions=True
    )

    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert await _number_on_show(shop) == 2


async def test_a_closed_store_shows_and_takes_no_code(shop: Shop) -> None:
    await shop.storage.write(stores.close, shop.store_id, 2_000)

    assert await shop.storage.read(codes.current, shop.store_id) is None
    with pytest.raises(StoreClosed):
        await shop.scan(1, "phone")
