"""Callbacks of providers, from the notifier's word to the owner's screen, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest

from realtime.errors import NotAllowed, NotFound, Unavailable
from realtime.hookspecs import Accepted, Arrival, Callback, OutgoingDelivery, Sent, Wish
from realtime.messages import CallNext
from tests.support.evening import Evening, Owned, Phone, an_evening, topic
from tests.support.waiting import until_async

PHONE = "+390669857301"
STATUS = Callback(kind="status", url="https://queue.example.com/v1/callbacks/text/status", headers={}, body=b"")
INBOUND = Callback(kind="inbound", url="https://queue.example.com/v1/callbacks/text/inbound", headers={}, body=b"")


@pytest.fixture
async def evening(database_url: str) -> AsyncIterator[Evening]:
    async with an_evening(database_url, public_url="https://queue.example.com") as evening:
        yield evening


def says(evening: Evening, *what: object) -> None:
    """What the notifier reads out of the next callbacks."""
    post: Any = evening.office.text
    post.callback = lambda callback: what[0] if what and what[0] is None else list(what)


async def receive(evening: Evening, callback: Callback = STATUS, notifier: str = "text") -> None:
    await evening.parts.callbacks.receive(notifier, callback)


async def joined(evening: Evening) -> tuple[Owned, Phone, OutgoingDelivery]:
    """A party with a phone, to which a provider accepted the first message; and the owner's screen."""
    owned = await evening.open()
    screen = await evening.listen(await evening.granted(owned), topic(owned))
    evening.office.text.answers.append(Accepted("SM1"))
    await evening.join(owned, "Ann", phone=PHONE)
    (sent,) = await until_async(lambda: evening.office.text.given, what="the message")
    await until_async(lambda: "accepted" in states(screen), what="that it is on its way")
    return owned, screen, sent


def states(screen: Phone) -> list[str]:
    """The latest notification on the ticket, each time it was told."""
    return [push["ticket"]["notices"][-1]["state"] for push in screen.pushes if push.get("change") == "notified"]


async def test_what_arrived_is_on_the_owners_screen_at_once(evening: Evening) -> None:
    _, screen, sent = await joined(evening)
    says(evening, Arrival(True, sent.id))

    await receive(evening)

    await until_async(lambda: "delivered" in states(screen), what="that it arrived")
    await receive(evening)
    says(evening, Arrival(False, sent.id, why="too late"))
    await receive(evening)
    assert states(screen) == ["accepted", "delivered"]


async def test_a_provider_that_names_only_the_recipient_is_understood_for_some_hours(evening: Evening) -> None:
    _, screen, _ = await joined(evening)
    says(evening, Arrival(False, recipient=PHONE, why="The number refused it."))
    evening.clock.ahead_ms = 5 * 3_600_000
    await receive(evening)
    assert states(screen) == ["accepted"]

    evening.clock.ahead_ms = 3 * 3_600_000
    await receive(evening)

    await until_async(lambda: "undelivered" in states(screen), what="that it did not arrive")
    assert screen.pushes[-1]["ticket"]["notices"][-1]["why"] == "The number refused it."


@pytest.mark.parametrize("said", [Arrival(True, "x" * 10_000), Arrival(True, "a\0b"), Arrival(True, "\ud800"), Arrival(True)])
async def test_nonsense_changes_nothing(evening: Evening, said: Arrival) -> None:
    _, screen, _ = await joined(evening)
    says(evening, said)

    await receive(evening)

    assert states(screen) == ["accepted"]


async def test_a_reason_may_hold_anything(evening: Evening) -> None:
    _, screen, sent = await joined(evening)
    says(evening, Arrival(False, sent.id, why="n\0o \ud800" + "x" * 5000))

    await receive(evening)

    await until_async(lambda: "undelivered" in states(screen), what="that it did not arrive")


async def test_who_asks_to_stop_gets_nothing_more_until_they_take_it_back(evening: Evening) -> None:
    owned, screen, _ = await joined(evening)
    says(evening, Wish(PHONE, wanted=False))
    await receive(evening, INBOUND)

    ticket = await evening.reception.call_next(owned.account_id, owned.store_id, "A", CallNext())
    await until_async(lambda: "suppressed" in states(screen), what="that it was not sent")
    assert len(evening.office.text.given) == 1
    assert screen.pushes[-1]["ticket"]["notices"][-1]["why"] == "The guest wants no messages."

    says(evening, Wish(PHONE, wanted=True))
    await receive(evening, INBOUND)
    await evening.join(owned, "Ann again", key="another key", phone=PHONE)
    await until_async(lambda: len(evening.office.text.given) == 2, what="a message again")
    assert ticket.label == "A01"


@pytest.mark.parametrize(
    ("source", "why"), [("bounce", "Messages to this address came back."), ("complaint", "The guest called a message unwanted.")]
)
async def test_an_address_that_sends_everything_back_gets_nothing_more_and_the_screen_says_why(
    evening: Evening, source: Literal["bounce", "complaint"], why: str
) -> None:
    owned, screen, _ = await joined(evening)
    says(evening, Wish(PHONE, wanted=False, source=source))
    await receive(evening)

    await evening.reception.call_next(owned.account_id, owned.store_id, "A", CallNext())

    await until_async(lambda: "suppressed" in states(screen), what="that it was not sent")
    assert screen.pushes[-1]["ticket"]["notices"][-1]["why"] == why
    assert len(evening.office.text.given) == 1


async def test_an_owners_address_is_not_given_up_but_named_in_the_log(evening: Evening, caplog: pytest.LogCaptureFixture) -> None:
    owned = await evening.open()
    says(evening, Wish(f" {owned.email.upper()} ", wanted=False, source="bounce"))

    await receive(evening)

    assert not await evening.parts.opt_outs.why_not("text", owned.email, "called")
    (warned,) = [record for record in caplog.records if record.name == "nowserving.callbacks"]
    assert warned.levelname == "WARNING"
    assert owned.account_id in warned.getMessage()
    assert owned.email not in warned.getMessage().lower()


async def test_a_word_that_outranks_and_a_message_of_the_providers_own_reach_the_screen(evening: Evening) -> None:
    _, screen, _ = await joined(evening)
    for arrival in (
        Arrival(False, recipient=PHONE, why="No receipt.", message="SM1"),
        Arrival(False, recipient=PHONE, why="Again.", message="SM1"),
        Arrival(True, recipient=PHONE, message="SM1", outranks=True),
        Arrival(False, recipient=PHONE, why="Late.", message="SM1"),
    ):
        says(evening, arrival)
        await receive(evening)

    await until_async(lambda: "delivered" in states(screen), what="that it arrived")
    assert states(screen) == ["accepted", "undelivered", "delivered"]


async def test_what_the_notifier_refuses_is_refused(evening: Evening) -> None:
    await evening.open()
    for notifier in ("text", "pigeon", ""):
        with pytest.raises(NotFound):
            await receive(evening, notifier=notifier)
    says(evening, None)

    with pytest.raises(NotAllowed, match="signature"):
        await receive(evening)


async def test_a_notifier_that_breaks_may_be_asked_again(evening: Evening) -> None:
    post: Any = evening.office.text
    for answer in ("text", [1], [Arrival(True, 7)], [Wish("+1", False, "hearsay")]):  # type: ignore[arg-type]  # what a plugin may get wrong
        post.callback = lambda callback, answer=answer: answer
        with pytest.raises(Unavailable):
            await receive(evening)
    post.callback = lambda callback: 1 / 0
    for _ in range(6):
        with pytest.raises(Unavailable):
            await receive(evening)
    says(evening)

    await receive(evening)
    evening.office.mail.answers.append(Sent())
    await evening.open("maria@example.com")
    await until_async(lambda: evening.office.mail.given, what="a mail, which was not suspended")


async def test_a_callback_may_be_async(evening: Evening) -> None:
    _, screen, sent = await joined(evening)

    async def callback(callback: Callback) -> list[Arrival]:
        return [Arrival(True, sent.id)]

    post: Any = evening.office.text
    post.callback = callback

    await receive(evening)

    await until_async(lambda: "delivered" in states(screen), what="that it arrived")
