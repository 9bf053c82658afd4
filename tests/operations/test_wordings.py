"""Owners' own texts, on both databases: kept, put back, carried over to stores, and handed to whoever composes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from realtime.errors import Conflict, NotSignedIn
from realtime.model import Action, Delivery
from realtime.operations import joining, stores, tickets, wordings
from realtime.operations.changes import Change, Moment, take
from realtime.operations.joining import Guest
from realtime.operations.wordings import MOST_LANGUAGES
from realtime.wording import OwnText
from tests.operations.conftest import FAR_MS, Shop


class Notes:
    """Rules that remember every moment they were asked about."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []

    def check(self, moment: Moment) -> str | None:
        return None

    def compose(self, moment: Moment) -> Sequence[Delivery]:
        self.moments.append(moment)
        return []


def own(moment: str = "called", channel: str = "sms", language: str = "de", text: str = "Komm, {number}", subject: str = "") -> OwnText:
    return OwnText(moment, channel, language, subject, text)


async def write(shop: Shop, *texts: OwnText) -> None:
    for text in texts:
        await shop.storage.write(wordings.write, shop.account_id, text)


async def join(shop: Shop, rules: Notes, phone: str = "+4915112345678", languages: tuple[str, ...] = ()) -> Change:
    guest = Guest("A", "Ann", phone, "", 1, languages)
    return await shop.storage.write(joining.join, shop.store_id, (guest,), None, rules, 2_000)


async def test_a_text_is_kept_in_place_of_the_one_before(shop: Shop) -> None:
    await write(shop, own(), own(text="Bitte kommen"), own("joined", "email", "tr", "Merhaba", "Selam"))

    assert await shop.storage.read(wordings.every, shop.account_id) == (
        own(text="Bitte kommen"), own("joined", "email", "tr", "Merhaba", "Selam"),
    )  # fmt: skip


async def test_putting_ours_back_says_whether_it_was_away(shop: Shop) -> None:
    await write(shop, own())

    assert await shop.storage.write(wordings.reset, shop.account_id, "called", "sms", "de")
    assert not await shop.storage.write(wordings.reset, shop.account_id, "called", "sms", "de")
    assert await shop.storage.read(wordings.every, shop.account_id) == ()


async def test_there_is_an_end_to_languages(shop: Shop) -> None:
    tags = [f"x{chr(97 + at)}" for at in range(MOST_LANGUAGES)]
    await write(shop, *(own(language=tag) for tag in tags))

    await write(shop, own(language=tags[0], text="again"), own("joined", language=tags[1]))
    with pytest.raises(Conflict, match="24 languages"):
        await write(shop, own(language="de"))


async def test_nobody_writes_for_an_account_that_is_gone(shop: Shop) -> None:
    with pytest.raises(NotSignedIn):
        await shop.storage.write(wordings.write, "nobody", own())
    with pytest.raises(NotSignedIn):
        await shop.storage.write(wordings.set_language, "nobody", "de")
    with pytest.raises(NotSignedIn):
        await shop.storage.read(wordings.language, "nobody")


async def test_an_open_store_knows_at_once_and_the_next_one_from_its_opening(shop: Shop) -> None:
    before = await shop.storage.write(take, shop.store_id, 1)
    await write(shop, own())
    await shop.storage.write(wordings.set_language, shop.account_id, "tr")
    while_open = await shop.storage.write(take, shop.store_id, 1)
    await shop.storage.write(stores.close, shop.store_id, 5_000)
    new = stores.NewStore("Luigi's", "", "Europe/Rome", "#0B6E4F", 3, False, [stores.NewQueue("Bar")])
    await shop.storage.write(stores.open_store, "second", shop.account_id, "e", new, shop.keys.code_hash, 6_000, FAR_MS, FAR_MS)
    after = await shop.storage.write(take, "second", 1)
    await shop.storage.write(wordings.reset, shop.account_id, "called", "sms", "de")
    at_last = await shop.storage.write(take, "second", 1)

    assert [(each.language, each.worded) for each in (before, while_open, after, at_last)] == [
        ("", False), ("tr", True), ("tr", True), ("tr", False),
    ]  # fmt: skip


async def test_another_accounts_texts_are_another_accounts(shop: Shop) -> None:
    await shop.open("theirs", "stranger")
    await shop.storage.write(wordings.write, "stranger", own())
    rules = Notes()

    await join(shop, rules)

    assert rules.moments[0].texts == ()
    assert not (await shop.storage.write(take, shop.store_id, 1)).worded


async def test_each_moment_gets_its_own_texts_and_the_stores_language(shop: Shop) -> None:
    called, joined, almost = own("called"), own("joined", "email"), own("almost")
    await write(shop, called, joined, almost)
    await shop.storage.write(wordings.set_language, shop.account_id, "it")
    rules = Notes()
    for _ in range(5):
        await join(shop, rules)

    await shop.storage.write(tickets.call_next, shop.store_id, "A", "Desk 1", rules, 3_000)

    assert {(moment.kind, moment.texts, moment.language) for moment in rules.moments} == {
        ("joined", (joined,), "it"), ("called", (called,), "it"), ("almost", (almost,), "it"),
    }  # fmt: skip


async def test_a_ticket_keeps_the_first_language_that_can_be_spoken(shop: Shop) -> None:
    await write(shop, own("joined", language="pl"))
    rules = Notes()

    spoken = [(await join(shop, rules, languages=tags)).value[0].language for tags in (("sv", "pl"), ("sv", "fr"), ("sv",), ())]

    assert spoken == ["pl", "fr", "sv", ""]
    ticket = await shop.storage.read(tickets.one, shop.store_id, rules.moments[0].ticket.id)
    assert ticket.language == "pl"
    await shop.storage.write(tickets.change, shop.store_id, ticket.id, Action.CALL, "", rules, 3_000)
    assert [moment.ticket.language for moment in rules.moments if moment.kind == "called"] == ["pl"]


async def test_who_leaves_no_address_costs_no_look_at_texts(shop: Shop) -> None:
    await write(shop, own("joined"))
    rules = Notes()
    await join(shop, rules, phone="")
    await join(shop, rules)

    assert [moment.texts for moment in rules.moments] == [(), (own("joined"),)]


async def test_a_test_is_owed_to_the_account_and_never_collides(shop: Shop) -> None:
    owed = (Delivery("email", "owner@example.org", "called", {"text": "Hello"}),)

    made = [await shop.storage.write(wordings.try_out, shop.account_id, unique, owed, 2_000) for unique in ("a", "b")]

    assert [change.owed for change in made] == [1, 1]
