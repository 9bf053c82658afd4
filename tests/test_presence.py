"""Presence: what an owner's screens are told of who looks, when, and how processes add up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from realtime import askers, presence
from realtime.askers import ASKS_S
from realtime.broker.contract import MOST_NOTE_BYTES
from realtime.hub import Hub
from realtime.presence import MOST_OPEN, Presence, Present
from realtime.tally import AGAIN, KEEP_S, Tally
from tests.support.hub import MemorySink, make
from tests.support.waiting import until_async

STORE = "shop"
OWNER = f"store/{STORE}/owner"
PUBLIC = f"store/{STORE}/public"


class Process:
    """A hub and its presence; its notes reach the others when `deliver` is called."""

    def __init__(self, *, alone: bool = False) -> None:
        self.now = 1000.0
        self.notes: list[bytes] = []
        self.hub: Hub = make()
        self.presence = Presence(
            self.hub, None if alone else self._tell, lambda: self.now, lambda: int(self.now * 1000), lambda address: f"mark of {address}"
        )
        self.hub.on_change = self.presence.changed

    def _tell(self, kind: str, body: bytes) -> None:
        assert kind == presence.NOTE
        assert len(body) <= MOST_NOTE_BYTES
        self.notes.append(body)

    def comes(self, *topics: str) -> MemorySink:
        sink = MemorySink()
        for topic in topics:
            self.hub.subscribe(topic, sink).start(b"")
        sink.writes.clear()
        return sink

    def asks(self, who: int | str, *topics: str) -> None:
        """A ticket's page, or somebody at an address."""
        for topic in topics:
            self.presence.asked(topic, *((who, "192.0.2.9") if isinstance(who, int) else (0, who)))

    def phone(self, ticket: int) -> MemorySink:
        return self.comes(PUBLIC, f"ticket/{STORE}/{ticket}")

    @property
    def tally(self) -> Tally[Present]:
        assert self.presence.tally
        return self.presence.tally

    def deliver(self, *others: Process) -> int:
        """Tells the others what is to be told; how many notes that took."""
        self.tally.tell_others()
        notes, self.notes = self.notes, []
        for other in others:
            for body in notes:
                other.tally.hear(body)
        return len(notes)


def told(sink: MemorySink) -> list[dict[str, Any]]:
    return [json.loads(text)["presence"] for text in sink.texts]


async def hears(sink: MemorySink, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    return dict(await until_async(lambda: next((each for each in told(sink) if what(each)), None), what="a word of presence"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "SETTLE_S", 0.05)


async def test_an_owner_who_comes_is_told_who_looks() -> None:
    process = Process(alone=True)
    process.phone(7)
    process.phone(12)
    process.comes(f"store/{STORE}/board")
    process.comes("store/other/public")

    screen = process.comes(OWNER)

    assert await hears(screen, lambda said: True) == {
        "topic": OWNER, "public": 2, "boards": 1, "owners": 1, "open": [7, 12], "all": True,
    }  # fmt: skip


async def test_the_first_change_is_told_at_once_and_those_after_it_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "SETTLE_S", 0.3)
    process = Process(alone=True)
    screen = process.comes(OWNER)
    await hears(screen, lambda said: said["public"] == 0)
    began = asyncio.get_running_loop().time()

    for ticket in range(1, 51):
        process.phone(ticket)
        await asyncio.sleep(0)
    await hears(screen, lambda said: said["public"] == 50)

    assert asyncio.get_running_loop().time() - began >= 0.25
    assert len(told(screen)) == 2


async def test_a_page_that_closes_is_taken_out(quick: None) -> None:
    process = Process(alone=True)
    screen = process.comes(OWNER)
    phone, other = process.phone(7), process.phone(8)
    await hears(screen, lambda said: said["open"] == [7, 8])

    process.hub.drop(phone)

    assert (await hears(screen, lambda said: said["open"] == [8]))["public"] == 1
    process.hub.drop(other)
    process.hub.drop(screen)
    await until_async(lambda: len(process.presence) == 0, what="nothing to be kept")


async def test_the_second_page_of_a_ticket_keeps_it_open(quick: None) -> None:
    process = Process(alone=True)
    screen = process.comes(OWNER)
    phone, _tablet = process.phone(7), process.phone(7)
    await hears(screen, lambda said: said["public"] == 2)

    process.hub.drop(phone)

    assert (await hears(screen, lambda said: said["public"] == 1))["open"] == [7]


async def test_who_comes_and_goes_in_the_same_moment_is_not_counted(quick: None) -> None:
    process = Process(alone=True)
    screen = process.comes(OWNER)
    await hears(screen, lambda said: True)

    waits = process.hub.subscribe(PUBLIC, MemorySink())
    for _ in range(20):
        process.hub.drop(process.comes(PUBLIC))
        await asyncio.sleep(0)
    process.phone(1)
    await hears(screen, lambda said: said["open"] == [1])
    waits.start(b"")
    await hears(screen, lambda said: said["public"] == 2)

    assert [said["public"] for said in told(screen)] == [0, 1, 2]


async def test_a_screen_that_begins_anew_is_told_again(quick: None) -> None:
    """What a slow screen did not take is replaced by a whole state, which says nothing of presence."""
    process = Process(alone=True)
    screen = process.comes(OWNER)
    await hears(screen, lambda said: True)

    process.hub.subscribe(OWNER, screen).start(b"")

    await until_async(lambda: len(told(screen)) == 2, what="the second word")
    assert told(screen)[0] == told(screen)[1]


async def test_of_very_many_pages_the_last_are_named_and_all_are_counted() -> None:
    process = Process(alone=True)
    for ticket in range(1, MOST_OPEN + 11):
        process.phone(ticket)

    said = await hears(process.comes(OWNER), lambda said: True)

    assert (said["public"], said["all"]) == (MOST_OPEN + 10, False)
    assert said["open"] == list(range(11, MOST_OPEN + 11))


# ---- who asks again and again


async def test_a_page_that_asks_is_open_and_counted_until_it_asks_no_more(quick: None) -> None:
    process = Process(alone=True)
    screen = process.comes(OWNER)
    await hears(screen, lambda said: said["public"] == 0)

    process.asks(7, f"ticket/{STORE}/7", PUBLIC)
    await hears(screen, lambda said: said["open"] == [7] and said["public"] == 1)
    process.now += ASKS_S / 2
    process.asks(7, f"ticket/{STORE}/7", PUBLIC)
    process.now += ASKS_S - 1
    process.presence.look(STORE)
    assert process.presence.total(STORE).open == (7,)
    process.now += 1
    process.presence.look(STORE)

    assert (await hears(screen, lambda said: said["open"] == []))["public"] == 0


async def test_it_is_looked_for_who_asks_no_more_without_anybody_asking(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "LEAST_WAIT_S", 0.01)
    monkeypatch.setattr(askers, "ASKS_S", 0.05)
    process = Process(alone=True)
    screen = process.comes(OWNER)
    process.asks(7, PUBLIC)
    await hears(screen, lambda said: said["public"] == 1)

    process.now += ASKS_S
    process.asks(8, PUBLIC)

    process.now += ASKS_S
    await until_async(lambda: told(screen)[-1]["public"] == 0, what="everybody to be gone")
    process.hub.drop(screen)
    await until_async(lambda: len(process.presence) == 0, what="nothing to be kept")


async def test_one_who_asks_twice_is_one_and_a_page_that_listens_and_asks_is_open_once(quick: None) -> None:
    process = Process(alone=True)
    process.phone(7)
    process.asks(7, f"ticket/{STORE}/7")
    process.asks("192.0.2.1", f"store/{STORE}/board")
    process.asks("192.0.2.1", f"store/{STORE}/board")
    process.asks("192.0.2.2", f"store/{STORE}/board")
    process.asks("192.0.2.2", OWNER)

    assert process.presence.total(STORE) == Present(public=1, boards=2, owners=1, open=(7,))


async def test_one_who_asks_several_processes_in_turn_is_one(quick: None) -> None:
    one, two, three = Process(), Process(), Process()
    screen = one.comes(OWNER)
    for process in (one, two, three):
        process.asks(7, f"ticket/{STORE}/7", PUBLIC)
        process.asks("192.0.2.1", f"store/{STORE}/board", OWNER)
    two.phone(8)

    two.deliver(one)
    three.deliver(one)

    await hears(screen, lambda said: said["public"] == 2)
    assert one.presence.total(STORE) == Present(public=2, boards=1, owners=2, open=(7, 8))


async def test_a_page_that_asked_a_moment_ago_and_listens_now_is_one(quick: None) -> None:
    one, two = Process(), Process()
    one.asks(7, f"ticket/{STORE}/7", PUBLIC)
    two.phone(7)

    two.deliver(one)

    assert one.presence.total(STORE) == Present(public=1, open=(7,))


async def test_of_very_many_who_ask_the_last_are_told_one_by_one_and_all_are_counted() -> None:
    one, two = Process(), Process()
    for ticket in range(100_000, 100_000 + MOST_OPEN):
        two.phone(ticket)
    for ticket in range(1, 301):
        two.asks(ticket, PUBLIC)

    two.deliver(one)

    assert one.presence.total(STORE).public == MOST_OPEN + 300
    assert len(one.presence.total(STORE).open) == MOST_OPEN


# ---- several processes


async def test_what_several_processes_count_adds_up(quick: None) -> None:
    one, two, three = Process(), Process(), Process()
    screen = one.comes(OWNER)
    one.phone(1)
    phone = two.phone(2)
    three.phone(3)
    three.comes(f"store/{STORE}/board")

    two.deliver(one, three)
    three.deliver(one, two)

    assert await hears(screen, lambda said: said["open"] == [1, 2, 3]) == {
        "topic": OWNER, "public": 3, "boards": 1, "owners": 1, "open": [1, 2, 3], "all": True,
    }  # fmt: skip
    two.hub.drop(phone)
    two.deliver(one, three)
    await hears(screen, lambda said: said["open"] == [1, 3])


async def test_what_has_not_changed_is_not_told_again_until_it_is_time() -> None:
    one, two = Process(), Process()
    two.phone(2)
    assert two.deliver(one) == 1

    two.phone(3)
    two.hub.drop(two.phone(4))
    assert two.deliver(one) == 1
    assert two.deliver(one) == 0
    two.now += KEEP_S * AGAIN
    two.tally.look(two.now)

    assert two.deliver(one) == 1


async def test_a_process_that_was_killed_is_forgotten(quick: None) -> None:
    one, two = Process(), Process()
    screen = one.comes(OWNER)
    two.phone(2)
    two.deliver(one)
    await hears(screen, lambda said: said["open"] == [2])

    one.now += KEEP_S
    one.tally.look(one.now)

    await until_async(lambda: told(screen)[-1]["open"] == [], what="its page to be closed")
    assert told(screen)[-1]["public"] == 0


async def test_a_process_that_comes_is_told_what_the_others_count(quick: None) -> None:
    one, late = Process(), Process()
    one.phone(1)
    one.deliver()
    screen = late.comes(OWNER)

    late.deliver(one)
    one.deliver(late)

    await hears(screen, lambda said: said["open"] == [1])


async def test_many_stores_go_into_few_notes_of_bounded_size() -> None:
    one, two = Process(), Process()
    for number in range(1000):
        two.comes(f"store/{number:012}/public")
    for ticket in range(100_000, 101_000):
        two.phone(ticket)

    assert two.deliver(one) < 15

    assert one.presence.total("000000000999").public == 1
    assert one.presence.total(STORE).public == 1000
    assert len(one.presence.total(STORE).open) == MOST_OPEN


async def test_a_note_of_another_version_is_passed_over() -> None:
    process = Process()

    process.tally.hear(b"\x00nothing")

    assert process.presence.total(STORE) == presence.NOBODY
