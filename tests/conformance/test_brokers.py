"""Every broker under the same expectations: what is told to one is heard by the others, once and in order."""

from __future__ import annotations

import asyncio

import pytest

from realtime.broker.contract import MOST_NOTE_BYTES, Hears
from tests.support.cable import Cable, event
from tests.support.waiting import PATIENCE_S, until_async


def in_order(seqs: list[tuple[str, int]]) -> bool:
    return seqs == sorted(seqs, key=lambda one: one[1])


# ---- what is told


async def test_what_is_told_to_one_is_heard_by_the_others(cable: Cable) -> None:
    one, others = await cable.join(3)

    one.broker.tell(event("shop", 7))
    for other in others[:1]:
        other.broker.tell((*event("shop", 8), *event("bar", 1)))

    for other in others[1:]:
        await other.hears("shop", 7)
        await other.hears("shop", 8)
        await other.hears("bar", 1)
    if others:
        await one.hears("bar", 1)


async def test_nobody_hears_what_they_told_themselves(cable: Cable) -> None:
    one, others = await cable.join()

    one.broker.tell(event("shop", 7))
    one.broker.tell_work("jobs")
    one.broker.tell_note("hello")

    for other in others:
        await other.hears_note("hello")
        other.broker.tell(event("bar", 1))  # comes behind what is not to come
        await one.hears("bar", 1)
    assert ("shop", 7) not in one.seqs
    assert not one.work
    assert not one.notes


async def test_changes_are_heard_in_the_order_in_which_they_were_told(cable: Cable) -> None:
    one, others = await cable.join()

    for seq in range(1, 201):
        one.broker.tell(event("shop", seq))
        await asyncio.sleep(0)

    for other in others:
        await other.hears("shop", 200)
        assert in_order(other.seqs)


async def test_a_burst_of_ten_thousand_is_heard_to_its_end(cable: Cable) -> None:
    one, others = await cable.join()

    for seq in range(1, 10_001):
        one.broker.tell(event("shop", seq, "x" * 300))
    one.broker.tell_note("the end")

    for other in others:
        await other.hears("shop", 10_000)
        await other.hears_note("the end")


async def test_a_change_that_is_told_late_does_not_take_the_news_back(cable: Cable) -> None:
    one, others = await cable.join()

    one.broker.tell((*event("shop", 9), *event("shop", 8)))

    for other in others:
        await other.hears("shop", 9)


async def test_who_waits_for_its_last_words_goes_on_when_they_are_sent(cable: Cable) -> None:
    one, others = await cable.join()
    if others:
        await one.listens()

    await one.broker.told(PATIENCE_S)
    for seq in range(1, 2_001):
        one.broker.tell(event("shop", seq))
    one.broker.tell_note("last words")
    async with asyncio.timeout(PATIENCE_S / 2):
        await one.broker.told(PATIENCE_S)
    await one.end()

    for other in others:
        await other.hears_note("last words")


async def test_last_words_wait_for_no_connection(cable: Cable) -> None:
    alone = cable.make(Hears())
    alone.tell_note("hello")

    async with asyncio.timeout(PATIENCE_S / 2):
        await alone.told(PATIENCE_S)


async def test_nothing_to_tell_is_nothing_told(cable: Cable) -> None:
    one, others = await cable.join()

    one.broker.tell(())
    one.broker.tell(event("shop", 1))

    for other in others:
        await other.hears("shop", 1)
        assert other.seqs == [("shop", 1)]


async def test_a_change_that_is_too_large_to_be_carried_is_announced_all_the_same(cable: Cable) -> None:
    one, others = await cable.join()

    one.broker.tell(event("shop", 1, "€" * 40_000))

    for other in others:
        await other.hears("shop", 1)
        assert not other.events


@pytest.mark.parametrize("cable", ["valkey"], indirect=True)
async def test_valkey_carries_changes_in_full(cable: Cable) -> None:
    one, (other,) = await cable.join()
    told = [event("shop", seq, f'{{"name":"Zoë {seq}"}}') for seq in range(1, 301)]

    for each in told:
        one.broker.tell(each)

    await other.hears("shop", 300)
    assert other.events == [each for (each,) in told]


async def test_what_changes_in_a_store_itself_is_to_be_read(cable: Cable) -> None:
    """Whoever reads sees that its data is deleted; an event of that is in no row."""
    one, others = await cable.join()

    one.broker.tell(event("shop", 1, kind="store"))

    for other in others:
        await other.hears("shop", 1)
        assert not other.events


async def test_work_wakes_the_others(cable: Cable) -> None:
    one, others = await cable.join()

    one.broker.tell_work("deliveries")
    one.broker.tell_work("!a queue, of a program")

    for other in others:
        await until_async(lambda: sorted(other.work) == ["!a queue, of a program", "deliveries"], what="work")  # noqa: B023 - waited for here


async def test_notes_arrive_as_they_were_in_their_order(cable: Cable) -> None:
    one, others = await cable.join()
    bodies = [b"", b"\x00\xff'\"\\", *(b"%d" % number for number in range(50)), b"n" * MOST_NOTE_BYTES]

    for body in bodies:
        one.broker.tell_note("presence", body)

    for other in others:
        await other.hears_note("presence", bodies[-1])
        assert other.notes == [("presence", body) for body in bodies]


async def test_a_note_that_is_too_long_is_refused_where_it_is_told(cable: Cable) -> None:
    one, _ = await cable.join()

    with pytest.raises(ValueError, match="4096"):
        one.broker.tell_note("presence", b"n" * (MOST_NOTE_BYTES + 1))
    with pytest.raises(ValueError, match="64"):
        one.broker.tell_note("k" * 65)
