"""Every broker when it breaks: after a cut or a pause everybody catches up, nobody is held up, and what is no message of ours is passed over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal

import pytest

from realtime.broker import Broker, Hears, PostgresBroker, ValkeyBroker, announcing
from realtime.broker.announcing import Announcing
from realtime.broker.sealed import seal
from tests.support.cable import KEY, Cable, Ear, event, off_loop
from tests.support.waiting import PATIENCE_S, until_async

joined = pytest.mark.parametrize("cable", ["postgres", "valkey"], indirect=True)
"""For what needs somebody to hear it."""
NOWHERE = "postgresql://x:y@127.0.0.1:1/z", "redis://127.0.0.1:1"


# ---- when it breaks


async def test_after_a_cut_everybody_is_joined_again_and_catches_up(cable: Cable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "PING_S", 60.0)  # the cut is noticed by itself, not at the next look
    one, others = await cable.join()

    await cable.cut()

    for ear in (one, *others) if others else ():
        await ear.connected(2)
    one.broker.tell(event("shop", 3))
    for other in others:
        await other.hears("shop", 3)


async def test_what_is_told_while_the_connection_is_cut_is_sent_afterwards(cable: Cable) -> None:
    one, others = await cable.join()

    cutting = asyncio.create_task(cable.cut())
    for seq in range(1, 200):
        one.broker.tell((*event("shop", seq), *event("bar", seq)))
        await asyncio.sleep(0.001)
    await cutting

    for other in others:

        def heard(other: Ear = other) -> bool:
            one.broker.tell_work("deliveries")  # once may be too early: what goes out before somebody listens again is lost
            return bool(other.work)

        await until_async(heard, what="the last of it")
        # What went out while nobody listened is lost, and looked for.
        assert other.caught_up > 1 or ("shop", 199) in other.seqs


@joined
async def test_a_message_that_is_missing_is_noticed_by_the_next_one(cable: Cable) -> None:
    one, (other,) = await cable.join()
    assert isinstance(one.broker, Announcing)
    one.broker.tell(event("shop", 1))
    await other.hears("shop", 1)

    one.broker.tell(event("shop", 2))
    one.broker._news.take()
    one.broker.tell(event("shop", 3))

    await other.hears("shop", 3)
    assert other.caught_up == 2


@joined
async def test_a_message_that_is_sent_again_is_heard_once(cable: Cable) -> None:
    one, (other,) = await cable.join()
    assert isinstance(one.broker, Announcing)
    assert isinstance(other.broker, Announcing)
    one.broker.tell_note("hello", b"1")
    await other.hears_note("hello", b"1")
    sent = one.broker._news
    sent.add_note("hello", b"2")
    batch = sent.take()
    assert batch is not None

    other.broker._heard(batch)
    one.broker._sending, one.broker._tries = batch, 0
    one.broker.tell_note("hello", b"3")

    await other.hears_note("hello", b"3")
    assert [body for _, body in other.notes] == [b"1", b"2", b"3"]


async def test_who_hears_nothing_for_a_while_looks_for_itself(cable: Cable, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that died between its commit and its announcement told nobody."""
    monkeypatch.setattr(announcing, "LOOK_S", 0.05)
    monkeypatch.setattr(announcing, "LOOK_ALONE_S", 0.05)
    ear = await cable.ear()

    if cable.joins:
        await ear.connected(4)


@pytest.mark.parametrize("url", NOWHERE)
async def test_without_a_connection_everybody_looks_for_themselves(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "LOOK_ALONE_S", 0.05)
    looked = 0

    def look() -> None:
        nonlocal looked
        looked += 1

    running = asyncio.create_task(_at(url, Hears(catch_up=look)).run())

    await until_async(lambda: looked >= 3, what="three looks")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("url", NOWHERE)
async def test_telling_waits_for_nothing_and_never_raises_though_nobody_is_there(url: str) -> None:
    broker = _at(url, Hears())
    running = asyncio.create_task(broker.run())
    for seq in range(10):
        broker.tell(event("shop", seq))
        broker.tell_work("deliveries")
        broker.tell_note("hello")
        await asyncio.sleep(0.01)

    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@joined
async def test_a_broker_that_is_paused_holds_nobody_up_and_is_found_again(cable: Cable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connections stay open and take what is written; only nothing comes back."""
    for name, seconds in (("PING_S", 0.3), ("ANSWER_S", 0.3), ("LOOK_ALONE_S", 0.2), ("LOOK_S", 60.0)):
        monkeypatch.setattr(announcing, name, seconds)
    one, (other,) = await cable.join()

    await off_loop(cable.pause, signal.SIGSTOP)
    try:
        one.broker.tell(event("shop", 1))
        before = one.caught_up, other.caught_up
        # The one that tells notices by that, the other one because it asks.
        await one.connected(before[0] + 2)
        await other.connected(before[1] + 2)
    finally:
        await off_loop(cable.pause, signal.SIGCONT)
    await other.listens()
    one.broker.tell(event("shop", 2))

    await other.hears("shop", 2)


async def test_closing_while_something_is_told_waits_for_no_answer(cable: Cable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "ANSWER_S", 3600.0)
    one, others = await cable.join()
    for seq in range(1, 5_001):
        one.broker.tell(event("shop", seq, "x" * 300))
    await asyncio.sleep(0)

    async with asyncio.timeout(PATIENCE_S):
        await one.end()

    for other in others:
        assert not other.task.done()


@joined
async def test_closing_while_the_broker_is_paused_waits_for_no_answer(cable: Cable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "ANSWER_S", 3600.0)
    one, _ = await cable.join()

    await off_loop(cable.pause, signal.SIGSTOP)
    try:
        for seq in range(1, 5_001):
            one.broker.tell(event("shop", seq, "x" * 300))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(PATIENCE_S):
            await one.end()
    finally:
        await off_loop(cable.pause, signal.SIGCONT)


class Deaf(Announcing):
    """Its driver keeps the first cancellation to itself, as `asyncio.wait_for` of Python 3.11 may, and waits on."""

    async def _connected(self) -> None:
        self._is_up()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()


async def test_a_driver_that_was_told_to_end_and_waits_on_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "KEPT_S", 0.05)
    ear = Ear(lambda hears: Deaf(hears, 1000, in_full=True))
    await ear.connected()

    async with asyncio.timeout(PATIENCE_S):
        await ear.end()


# ---- what is no message of ours


@joined
async def test_what_is_no_message_is_passed_over_counted_and_told(cable: Cable, caplog: pytest.LogCaptureFixture) -> None:
    one, (other,) = await cable.join()
    assert isinstance(other.broker, Announcing)

    with caplog.at_level(logging.WARNING, "nowserving.broker"):
        for nonsense in (b"", b"x", b"{}", b"shop 7", b'{"sender":1}', b"\xc3\xa9" * 100):
            await cable.say(nonsense)
        one.broker.tell(event("shop", 1))
        await other.hears("shop", 1)

    assert other.broker.ignored == 6
    assert other.seqs == [("shop", 1)]
    assert [record.args[-1] for record in caplog.records if isinstance(record.args, tuple)].count(4) == 2  # one line each at 1, 2 and 4


@pytest.mark.parametrize("cable", ["valkey"], indirect=True)
async def test_nobody_without_the_key_can_make_others_believe_something(cable: Cable) -> None:
    one, (other,) = await cable.join()
    assert isinstance(one.broker, ValkeyBroker)
    assert isinstance(other.broker, ValkeyBroker)
    one.broker._news.add(event("shop", 666)[0])
    batch = one.broker._news.take()
    assert batch is not None
    payload = one.broker._sealed(batch)

    await cable.say(seal(b"another key".ljust(32), payload[17:]))
    await cable.say(payload[:-1] + bytes([payload[-1] ^ 1]))
    await cable.say(payload[:16] + b"\x02" + payload[17:])
    one.broker.tell(event("shop", 1))
    await other.hears("shop", 1)

    assert other.seqs == [("shop", 1)]
    assert other.broker.ignored == 3


@pytest.mark.parametrize("cable", ["valkey"], indirect=True)
async def test_a_message_of_another_version_of_this_program_is_a_loss_that_is_looked_for(cable: Cable) -> None:
    _, (other,) = await cable.join()

    await cable.say(seal(KEY, b"\x93\x01\x02\x03"))

    await other.connected(2)


@pytest.mark.parametrize("cable", ["valkey"], indirect=True)
async def test_installations_that_share_a_valkey_do_not_hear_each_other(cable: Cable) -> None:
    one, (other,) = await cable.join()
    assert isinstance(one.broker, ValkeyBroker)
    heard: list[str] = []
    neighbour = ValkeyBroker(one.broker._url, b"n" * 32, Hears(work=heard.append))
    running = asyncio.create_task(neighbour.run())
    await until_async(lambda: neighbour._up, what="the neighbour")

    one.broker.tell_work("deliveries")
    await until_async(lambda: other.work, what="work")

    assert not heard
    assert not neighbour.ignored
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@joined
async def test_who_cannot_use_what_they_hear_goes_on_hearing(cable: Cable, caplog: pytest.LogCaptureFixture) -> None:
    one, _ = await cable.join()
    heard: list[str] = []

    def fail(kind: str, body: bytes) -> None:
        raise ZeroDivisionError

    broker = cable.make(Hears(note=fail, work=heard.append))
    assert isinstance(broker, Announcing)
    running = asyncio.create_task(broker.run())
    await until_async(lambda: broker._up, what="the connection")

    one.broker.tell_note("hello")
    one.broker.tell_work("deliveries")

    await until_async(lambda: heard, what="work")
    assert "could not be used" in caplog.text
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def _at(url: str, hears: Hears) -> Broker:
    return PostgresBroker(url, hears) if url.startswith("postgres") else ValkeyBroker(url, KEY, hears)
