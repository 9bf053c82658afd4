"""An account's webhooks, and which of them its open store tells, on both databases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from realtime.errors import Conflict, InvalidInput, NotFound
from realtime.model import Action
from realtime.operations import joining, posts, stores, tickets, webhooks
from realtime.operations.webhooks import Webhook
from realtime.storage.statement import Operation, Statement, Storage
from tests.operations.conftest import FAR_MS, Shop

HOOK = "a" * 16
OTHER = "b" * 16
NOW = 4_000


def hook(id_: str = HOOK, events: tuple[str, ...] = (), account_id: str = Shop.account_id) -> Webhook:
    return Webhook(id_, account_id, "Kitchen", "https://example.org/in", events, "whsec_new", "", 0, 1_000, 0, 0, "")


async def made(shop: Shop, id_: str = HOOK, *events: str) -> Webhook:
    found: Webhook = await shop.storage.write(webhooks.make, hook(id_, events))
    return found


async def edited(shop: Shop, now_ms: int = NOW, id_: str = HOOK, **changes: Any) -> Webhook:
    wanted = {"name": None, "url": None, "events": None, "on": None, **changes}
    edit: Callable[..., Operation[Webhook]] = webhooks.edit
    found: Webhook = await shop.storage.write(edit, shop.account_id, id_, *wanted.values(), now_ms)
    return found


def _listening(store_id: str) -> Operation[str]:
    return (yield Statement("select webhooks from stores where id = $1", (store_id,)))[0][0]


async def told(shop: Shop, id_: str = HOOK) -> list[str]:
    """The types of what is owed to a webhook, the oldest first."""
    return [post.type for post in reversed(await shop.storage.read(posts.page, shop.account_id, id_, "", "", 99))]


async def payload(shop: Shop, at: int, id_: str = HOOK) -> dict[str, Any]:
    found = await shop.storage.read(posts.page, shop.account_id, id_, "", "", 99)
    _, text, _ = await shop.storage.read(posts.one, shop.account_id, id_, found[-1 - at].id)
    said: dict[str, Any] = json.loads(text)
    return said


async def test_every_change_of_a_ticket_is_owed_in_its_own_transaction(shop: Shop) -> None:
    await made(shop)
    ticket = await shop.add()
    called = await shop.call_next()
    change = await shop.storage.write(tickets.change, shop.store_id, ticket.id, Action.SERVE, "", None, NOW)
    await shop.storage.write(tickets.undo, shop.store_id, ticket.id, NOW)
    await shop.storage.write(tickets.change, shop.store_id, ticket.id, Action.RECALL, "", shop.rules, NOW)
    for action in (Action.NO_SHOW, Action.RETURN, Action.LEAVE, Action.RETURN, Action.REMOVE, Action.RETURN, Action.SERVE, Action.DONE):
        await shop.storage.write(tickets.change, shop.store_id, ticket.id, action, "", None, NOW)

    assert (called.posted, change.posted) == (1, 1)
    assert await told(shop) == [
        "ticket.joined", "ticket.called", "ticket.serving", "ticket.returned", "ticket.called", "ticket.no_show", "ticket.returned",
        "ticket.left", "ticket.returned", "ticket.removed", "ticket.returned", "ticket.serving", "ticket.done",
    ]  # fmt: skip


async def test_what_is_posted_names_nobody(shop: Shop) -> None:
    await made(shop)

    ticket = await shop.add("Ann Bloom", phone="+391234")

    said = await payload(shop, 0)
    assert said == {
        "type": "ticket.joined",
        "timestamp": "1970-01-01T00:00:02.000Z",
        "data": {
            "store_id": "shop",
            "seq": ticket.id,
            "change": "joined",
            "ticket": {
                "id": ticket.id,
                "queue": "A",
                "label": "A01",
                "state": "waiting",
                "desk": "",
                "place": ticket.place,
                "called_ms": 0,
            },
        },
    }


async def test_a_stores_beginning_and_end_are_owed_without_the_owners_words_about_it(storage: Storage) -> None:
    shop = Shop(storage)
    await shop.open()
    await shop.storage.write(stores.close, shop.store_id, NOW)
    await made(shop)
    new = stores.NewStore("Luigi's", "Ask for Ann on +391234", "Europe/Rome", "#0B6E4F", 3, False, [stores.NewQueue("Bar")])
    opened = await storage.write(stores.open_store, "next", shop.account_id, "e", new, shop.keys.code_hash, 5_000, FAR_MS, FAR_MS)
    closed = await storage.write(stores.close, "next", 6_000)

    assert (opened.posted, closed.posted) == (1, 1)
    assert await told(shop) == ["store.opened", "store.closed"]
    first, last = await payload(shop, 0), await payload(shop, 1)
    assert first["data"]["store"] == {
        "id": "next", "name": "Luigi's", "timezone": "Europe/Rome", "state": "open", "opened_ms": 5_000, "closes_ms": FAR_MS,
    }  # fmt: skip
    assert last["data"]["store"]["state"] == "closing"
    assert "Ann" not in json.dumps([first, last])


async def test_only_the_events_that_it_wants_are_owed(shop: Shop) -> None:
    await made(shop, HOOK, "ticket.called")
    await made(shop, OTHER)
    await shop.add()
    await shop.call_next()

    assert await told(shop) == ["ticket.called"]
    assert await told(shop, OTHER) == ["ticket.joined", "ticket.called"]
    await edited(shop, events=("ticket.joined",))
    await shop.add(now_ms=5_000)
    assert await told(shop) == ["ticket.called", "ticket.joined"]


async def test_a_store_knows_of_nobody_when_nobody_listens(shop: Shop) -> None:
    assert await shop.storage.read(_listening, shop.store_id) == ""
    await made(shop)
    assert await shop.storage.read(_listening, shop.store_id) != ""

    await edited(shop, on=False)

    assert await shop.storage.read(_listening, shop.store_id) == ""
    await shop.add()
    assert await told(shop) == []


def _noting(seen: list[str], store_id: str, now_ms: int) -> Operation[Any]:
    """A join that notes its statements."""
    join = joining.join(store_id, (joining.Guest("A", "Ann", "", "", 2),), None, None, now_ms)
    try:
        statement = next(join)
        while True:
            seen.append(statement.sql)
            statement = join.send((yield statement))
    except StopIteration as stop:
        return stop.value


async def test_a_join_costs_no_statement_more_while_nobody_listens(shop: Shop) -> None:
    alone, listened_to = list[str](), list[str]()
    await shop.storage.write(_noting, alone, shop.store_id, NOW)
    await made(shop)
    await shop.storage.write(_noting, listened_to, shop.store_id, NOW)
    assert not [sql for sql in alone if "jobs" in sql or "from webhooks" in sql]
    assert listened_to[: len(alone)] == alone
    assert len(listened_to) > len(alone)


async def test_one_that_is_turned_off_and_on_begins_anew(shop: Shop) -> None:
    await made(shop)
    off = await edited(shop, now_ms=NOW, on=False)
    assert (off.off_ms, off.off_why) == (NOW, "")
    assert (await edited(shop, now_ms=NOW + 1, on=False)).off_ms == NOW, "it is off since it was turned off first"

    on = await edited(shop, on=True)

    assert (on.off_ms, on.off_why, on.failing_ms) == (0, "", 0)
    await shop.add()
    assert await told(shop) == ["ticket.joined"]


async def test_what_is_left_out_stays(shop: Shop) -> None:
    before = await made(shop, HOOK, "ticket.called")
    assert await edited(shop) == before
    assert (await edited(shop, name="Bar")).events == before.events
    assert (await edited(shop, events=())).events == ()


async def test_a_rotated_secret_leaves_the_one_before_for_a_day(shop: Shop) -> None:
    await made(shop)
    after = await shop.storage.write(webhooks.rotate, shop.account_id, HOOK, {"hmac": "whsec_newer"}, "", NOW)
    assert (after.secret, after.old_secret, after.old_until_ms) == ("whsec_newer", "whsec_new", NOW + webhooks.OLD_SECRET_MS)


async def test_without_a_word_a_new_secret_is_of_the_kind_before_it(shop: Shop) -> None:
    await made(shop)
    fresh = {"hmac": "whsec_1", "ed25519": "whsk_1"}
    assert (await shop.storage.write(webhooks.rotate, shop.account_id, HOOK, fresh, "", NOW)).secret == "whsec_1"

    other = await shop.storage.write(webhooks.rotate, shop.account_id, HOOK, fresh, "ed25519", NOW)
    assert (other.signing, other.secret, other.old_secret) == ("ed25519", "whsk_1", "whsec_1")

    again = await shop.storage.write(webhooks.rotate, shop.account_id, HOOK, {**fresh, "ed25519": "whsk_2"}, "", NOW)
    assert (again.secret, again.old_secret) == ("whsk_2", "whsk_1")


async def test_a_key_pair_is_not_exchanged_for_a_secret_where_no_pair_can_be_made(shop: Shop) -> None:
    await made(shop)
    before = await shop.storage.write(webhooks.rotate, shop.account_id, HOOK, {"ed25519": "whsk_1"}, "ed25519", NOW)

    with pytest.raises(InvalidInput, match="nowserving\\[ed25519\\]"):
        await shop.storage.write(webhooks.rotate, shop.account_id, HOOK, {"hmac": "whsec_1"}, "", NOW)

    assert await shop.storage.read(webhooks.one, shop.account_id, HOOK) == before


async def test_another_accounts_webhook_is_not_there(shop: Shop) -> None:
    await made(shop)
    of = "somebody else"
    await shop.open("theirs", of)
    calls: list[tuple[Any, tuple[Any, ...]]] = [
        (webhooks.one, ()),
        (webhooks.rotate, ({"hmac": "whsec_x"}, "", NOW)),
        (webhooks.edit, ("x", None, None, None, NOW)),
        (webhooks.remove, ()),
        (posts.page, ("", "", 9)),
        (posts.ping, ("x", NOW)),
        (posts.replay, ("x", NOW)),
        (posts.replay_all, (0, 9, True, NOW)),
    ]
    for make, args in calls:
        with pytest.raises(NotFound):
            await shop.storage.write(make, of, HOOK, *args)
    assert (await shop.storage.read(webhooks.one, shop.account_id, HOOK)).secret == "whsec_new"


async def test_an_account_has_so_many_and_no_more(shop: Shop) -> None:
    for number in range(webhooks.MOST):
        await made(shop, f"{number:016x}")
    with pytest.raises(Conflict):
        await made(shop)
    assert len(await shop.storage.read(webhooks.every, shop.account_id)) == webhooks.MOST


async def test_one_that_is_deleted_leaves_nothing_owed(shop: Shop) -> None:
    await made(shop)
    await made(shop, OTHER)
    await shop.add()

    await shop.storage.write(webhooks.remove, shop.account_id, HOOK)

    with pytest.raises(NotFound):
        await told(shop)
    assert await told(shop, OTHER) == ["ticket.joined"]
    await shop.add()
    assert len(await told(shop, OTHER)) == 2


async def test_many_changes_at_once_leave_the_store_with_the_last_word(shop: Shop) -> None:
    """On Postgres these run side by side: whoever writes what the store knows holds the account."""
    await made(shop)
    await made(shop, OTHER)
    for _ in range(5):
        await asyncio.gather(
            edited(shop, on=False),
            edited(shop, id_=OTHER, events=("ticket.called",)),
            shop.add(),
            edited(shop, on=True),
            edited(shop, id_=OTHER, events=()),
        )
    wanted = await shop.storage.read(webhooks.listeners, shop.account_id)
    assert await shop.storage.read(_listening, shop.store_id) == wanted
