"""Who wants no messages, on both databases."""

from __future__ import annotations

import pytest

from realtime.operations import accounts, opt_outs
from realtime.operations.opt_outs import Choice
from realtime.storage.statement import Operation, Row, Statement, Storage
from tests.operations.conftest import Shop

ANN, BO = "hash of Ann", "hash of Bo"


async def has(storage: Storage, recipient: str, channel: str = "sms") -> bool:
    return await storage.read(opt_outs.chosen, recipient, channel) is Choice.NONE


async def test_an_opt_out_is_of_one_recipient_and_one_channel(storage: Storage) -> None:
    await storage.write(opt_outs.put, ANN, "sms", "reply", 1)

    assert await has(storage, ANN)
    assert not await has(storage, BO)
    assert not await has(storage, ANN, "email")
    assert not await has(storage, ANN, opt_outs.EVERY)


async def test_one_of_every_channel_holds_for_each(storage: Storage) -> None:
    await storage.write(opt_outs.put, ANN, opt_outs.EVERY, "page", 1)

    assert await has(storage, ANN)
    assert await has(storage, ANN, "email")
    assert await has(storage, ANN, opt_outs.EVERY)


async def test_said_twice_the_first_time_counts(storage: Storage) -> None:
    await storage.write(opt_outs.put, ANN, "sms", "reply", 1)
    await storage.write(opt_outs.put, ANN, "sms", "gateway", 2)

    assert [tuple(row) for row in await storage.read(_all)] == [(ANN, "sms", "reply", 1)]


async def test_taken_back_on_a_channel_the_others_stay(storage: Storage) -> None:
    for channel in ("sms", "email", opt_outs.EVERY):
        await storage.write(opt_outs.put, ANN, channel, "page", 1)

    await storage.write(opt_outs.take_back, ANN, "sms")

    assert not await has(storage, ANN)
    assert await has(storage, ANN, "email")
    await storage.write(opt_outs.take_back, ANN)
    assert await storage.read(_all) == []


@pytest.mark.parametrize("channel", ["sms", opt_outs.EVERY])
async def test_what_is_chosen_takes_the_place_of_what_was(storage: Storage, channel: str) -> None:
    for number, choice in enumerate((Choice.CALLS, Choice.NONE, Choice.CALLS, Choice.CALLS, Choice.ALL, Choice.NONE, Choice.ALL)):
        await storage.write(opt_outs.choose, ANN, channel, choice, "page", number)

        assert await storage.read(opt_outs.chosen, ANN, channel) is choice
        assert await storage.read(opt_outs.chosen, ANN, "sms") is choice
        assert await storage.read(opt_outs.chosen, BO, channel) is Choice.ALL
        assert await has(storage, ANN) == (choice is Choice.NONE)
    assert await storage.read(_all) == []


async def test_a_choice_is_kept_with_its_source_and_the_first_time_it_was_made(storage: Storage) -> None:
    await storage.write(opt_outs.choose, ANN, "sms", Choice.CALLS, "mail", 1)
    await storage.write(opt_outs.choose, ANN, "sms", Choice.CALLS, "page", 2)

    assert [tuple(row) for row in await storage.read(_all)] == [(ANN, "sms:line", "mail", 1)]
    assert await storage.read(opt_outs.chosen, ANN, "email") is Choice.ALL


async def test_start_after_stop_brings_back_what_was_chosen_before(storage: Storage) -> None:
    await storage.write(opt_outs.choose, ANN, opt_outs.EVERY, Choice.CALLS, "page", 1)
    await storage.write(opt_outs.put, ANN, "sms", "reply", 2)
    assert await storage.read(opt_outs.chosen, ANN, "sms") is Choice.NONE

    await storage.write(opt_outs.take_back, ANN, "sms")

    assert await storage.read(opt_outs.chosen, ANN, "sms") is Choice.CALLS


async def test_it_is_known_whence_with_the_word_for_every_channel_before_others(storage: Storage) -> None:
    assert await storage.read(opt_outs.chosen_by, ANN, "email") == (Choice.ALL, "")
    await storage.write(opt_outs.put, ANN, "email", "bounce", 1)
    assert await storage.read(opt_outs.chosen_by, ANN, "email") == (Choice.NONE, "bounce")
    assert await storage.read(opt_outs.chosen, ANN, "sms") is Choice.ALL

    await storage.write(opt_outs.put, ANN, opt_outs.EVERY, "page", 2)

    assert await storage.read(opt_outs.chosen_by, ANN, "email") == (Choice.NONE, "page")


async def test_who_owns_a_store_is_never_put_there_by_others(storage: Storage) -> None:
    shop = Shop(storage)
    await shop.open()
    email = (await storage.read(accounts.one, shop.account_id)).email

    assert await storage.write(opt_outs.suppress, email.upper(), ANN, "email", "bounce", 1) == shop.account_id
    assert await storage.read(_all) == []
    assert await storage.write(opt_outs.suppress, f"not-{email}", BO, "email", "bounce", 1) == ""
    assert [tuple(row) for row in await storage.read(_all)] == [(BO, "email", "bounce", 1)]


def _all() -> Operation[list[Row]]:
    return (yield Statement("select recipient_hash, channel, source, since_ms from opt_outs"))
