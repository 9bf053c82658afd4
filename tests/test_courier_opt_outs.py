"""The courier sends a party nothing that it does not want, and remembers what a gateway says of that."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from realtime.hookspecs import Permanent, Suppressed
from realtime.keys import Keys
from realtime.model import Delivery, JobState
from realtime.operations import accounts, dead
from realtime.operations.changes import Change, owe
from realtime.operations.opt_outs import Choice
from realtime.storage.statement import Operation
from tests.support.carrying import MakeWork, Work, a_shop, couriers, opened
from tests.support.waiting import until_async


@pytest.fixture
async def work(database_url: str) -> AsyncIterator[Work]:
    storage = await opened(database_url)
    async with couriers(await a_shop(storage)) as make:
        begin: MakeWork = make
        yield await begin()
    await storage.close()


async def called(work: Work, recipient: str, notifier: str = "text", moment: str = "called") -> None:
    """A party is owed a message about its ticket."""
    ticket = await work.shop.add("Ann")
    delivery = Delivery(notifier, recipient, moment, {})
    await work.storage.write(_about, work.shop.store_id, ticket.id, delivery, work.clock())
    work.courier.wake()


def _about(store_id: str, ticket: int, delivery: Delivery, now_ms: int) -> Operation[Change]:
    return Change(None, (), (yield from owe(store_id, ticket, [delivery], now_ms, tickets=[ticket])))


async def test_what_a_gateway_says_is_remembered_and_is_no_dead_letter(work: Work) -> None:
    work.text.answers.append(Suppressed("asked us to stop"))
    await called(work, "+1")
    await work.until(JobState.CANCELLED)

    await called(work, "+1")
    rows = await work.until(JobState.CANCELLED, JobState.CANCELLED)

    assert [row[2] for row in rows] == ["asked us to stop", "The guest wants no messages."]
    assert len(work.text.given) == 1
    assert await work.storage.read(dead.letters, "deliveries", 9) == []


async def test_it_holds_for_one_recipient_and_one_notifier(work: Work) -> None:
    await work.opt_outs.put("text", "+1", "reply")

    await called(work, "+1")
    await called(work, "+2")
    await called(work, "+1", "mail")

    await work.until(JobState.CANCELLED, JobState.DONE, JobState.DONE)


async def test_who_wants_calls_only_is_told_of_nothing_else(work: Work) -> None:
    await work.opt_outs.choose_for("+1", choice=Choice.CALLS)

    for moment in ("joined", "almost", "of a plugin", "called"):
        await called(work, "+1", moment=moment)
    await called(work, "+2", moment="joined")

    rows = await work.until(*[JobState.CANCELLED] * 3, JobState.DONE, JobState.DONE)
    assert {row[2] for row in rows[:3]} == {"The guest wants to be told only that it is their turn."}
    assert {(each.delivery.recipient, each.delivery.moment) for each in work.text.given} == {("+1", "called"), ("+2", "joined")}


async def test_a_choice_holds_from_the_next_message_on(work: Work) -> None:
    for choice in (Choice.CALLS, Choice.NONE, Choice.CALLS, Choice.ALL):
        await work.opt_outs.choose_for("+1", "", choice=choice)
        assert await work.opt_outs.chosen_for("", "+1") is choice
        assert await work.opt_outs.chosen_for("+2", "+1") is Choice.ALL, "the most of what is wanted at one of their addresses"
    await called(work, "+1", moment="joined")

    await work.until(JobState.DONE)


async def test_a_refusal_of_another_kind_is_not_taken_for_a_wish(work: Work) -> None:
    work.text.answers.append(Permanent("no such number"))
    await called(work, "+1")
    await work.until(JobState.DEAD)

    await called(work, "+1")

    await work.until(JobState.DEAD, JobState.DONE)


async def test_an_owners_mails_and_reports_go_out_all_the_same(work: Work) -> None:
    owner = "owner@example.com"
    await work.opt_outs.choose_for(owner, choice=Choice.NONE)

    await work.storage.write(accounts.tell, work.shop.account_id, (Delivery("mail", owner, "reset_password", {}),), work.clock())
    await work.owe(owner, notifier="mail", needs_report=True)

    await until_async(lambda: len(work.office.mail.to(owner)) == 2, what="both")
    assert all(not each.stop_link for each in work.office.mail.given)


async def test_a_party_is_given_a_link_that_stops_it(work: Work) -> None:
    await called(work, "Ann@Example.com", "mail")
    (sent,) = await until_async(lambda: work.office.mail.given, what="the mail")
    token = sent.stop_link.removeprefix("https://queue.example.com/stop/")

    assert await work.opt_outs.chosen(token) is Choice.ALL
    await work.opt_outs.choose(token, Choice.NONE)

    assert await work.opt_outs.chosen(token) is Choice.NONE
    assert await work.opt_outs.why_not("mail", "ann@example.com", "called"), "however it is written"
    assert not await work.opt_outs.why_not("text", "ann@example.com", "called")
    await work.opt_outs.choose(token, Choice.ALL)
    assert not await work.opt_outs.why_not("mail", "ann@example.com", "called")


def test_what_is_kept_names_nobody_and_needs_the_key() -> None:
    keys, others = Keys("k" * 40), Keys("l" * 40)

    assert keys.recipient_hash("+4915112345678") == keys.recipient_hash(" +4915112345678")
    assert keys.recipient_hash("+4915112345678") != others.recipient_hash("+4915112345678")
    assert "4915112345678" not in keys.stop_token("sms", "+4915112345678")
