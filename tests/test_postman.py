"""The postman against a real server of the receiver, with the verifier that receivers use."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from email.utils import formatdate
from functools import partial
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from realtime.model import Action
from realtime.operations import posting, posts, tickets, webhooks
from realtime.operations.posts import Post
from realtime.operations.webhooks import Webhook
from realtime.postman import SCHEDULE_S, Postman
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.storage.statement import Operation, Statement, Storage
from tests.operations.conftest import Shop
from tests.support.carrying import a_shop, opened
from tests.support.evening import Clock
from tests.support.sink import Answer, HttpSink, Request
from tests.support.waiting import until_async

HOOK = "a" * 16
SECRET, NEWER = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "whsec_" + "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
DAY = 24 * 3_600_000


class Round:
    """A postman at work for a shop with one webhook, on a server that answers as it is told."""

    def __init__(self, shop: Shop, registry: Registry, settings: Settings, sink: HttpSink, chance: float) -> None:
        self.shop = shop
        self.sink = sink
        self.clock = Clock()
        self.mails = 0
        self.postman = Postman(settings, shop.storage, registry, self.clock, self._mail, lambda: chance)
        self.running = asyncio.create_task(self.postman.run())

    def _mail(self) -> None:
        self.mails += 1

    async def join(self, name: str = "Ann") -> None:
        await self.shop.add(name, now_ms=self.clock())
        self.postman.wake()

    async def later(self, seconds: float) -> None:
        self.clock.ahead_ms += int(seconds * 1000)
        self.postman.wake()

    async def arrived(self, count: int) -> list[Request]:
        return await asyncio.to_thread(self.sink.wait_for, count)

    async def posts(self) -> list[Post]:
        """Oldest first."""
        return list(reversed(await self.shop.storage.read(posts.page, self.shop.account_id, HOOK, "", "", 99)))

    async def until(self, *states: str) -> list[Post]:
        async def are() -> Any:
            found = await self.posts()
            return (found,) if [post.state for post in found] == list(states) else None

        (found,) = await until_async(are, what=f"{states}")
        return list(found)

    async def tried(self, count: int) -> Post:
        """The first post, once it waits after so many attempts."""

        async def is_so() -> Post | None:
            post = (await self.posts())[0]
            return post if post.state == "waiting" and post.attempts == count else None

        found: Post = await until_async(is_so, what=f"attempt {count}")
        return found

    async def webhook(self) -> Webhook:
        found: Webhook = await self.shop.storage.read(webhooks.one, self.shop.account_id, HOOK)
        return found

    async def edit(self, **changes: Any) -> None:
        wanted = {"name": None, "url": None, "events": None, "on": None, **changes}
        edit: Callable[..., Operation[Webhook]] = webhooks.edit
        await self.shop.storage.write(edit, self.shop.account_id, HOOK, *wanted.values(), self.clock())
        self.postman.wake()


@pytest.fixture
async def storage(database_url: str) -> AsyncIterator[Storage]:
    made = await opened(database_url)
    yield made
    await made.close()


@pytest.fixture
async def begin(storage: Storage, http_sink: HttpSink) -> AsyncIterator[Any]:
    shop = await a_shop(storage)
    stack = AsyncExitStack()

    async def start(chance: float = 0.5, url: str = "", **changes: Any) -> Round:
        wanted = {"outbound_networks": ("127.0.0.0/8",), **changes}
        settings = await asyncio.to_thread(partial(Settings.defaults, **wanted))
        registry = await asyncio.to_thread(partial(Registry.load, settings, ()))
        work = Round(shop, registry, settings, http_sink, chance)
        stack.push_async_callback(registry.close)
        stack.push_async_callback(_stop, work)
        new = Webhook(HOOK, shop.account_id, "Kitchen", url or f"{http_sink.url}/hook", (), SECRET, "", 0, 1_000, 0, 0, "")
        await storage.write(webhooks.make, new)
        return work

    async with stack:
        yield start


async def _stop(work: Round) -> None:
    await work.postman.stop(1)
    await work.running


def verified(request: Request, *secrets: str) -> dict[str, Any]:
    """What a receiver with one of these secrets makes of it, with the reference verifier."""
    said: list[dict[str, Any]] = [Verifier(secret).verify(request.body, request.headers) for secret in secrets]
    assert all(each == said[0] for each in said)
    return said[0]


async def test_nothing_is_posted_while_messages_are_captured_and_what_was_is_kept(begin: Any) -> None:
    work = await begin(capture_messages=True)
    await work.join("Ann")

    (post,) = await work.until("cancelled")

    assert "capture_messages" in post.outcome
    assert work.sink.requests == []


async def test_what_happens_arrives_signed_and_in_order(begin: Any) -> None:
    work = await begin()
    await work.join("Ann")
    await work.join("Bo")
    await work.shop.call_next(now_ms=work.clock())
    work.postman.wake()

    requests = await work.arrived(3)

    said = [verified(request, SECRET) for request in requests]
    assert [each["type"] for each in said] == ["ticket.joined", "ticket.joined", "ticket.called"]
    assert [each["data"]["ticket"]["label"] for each in said] == ["A01", "A02", "A01"]
    assert b"Ann" not in b"".join(request.body for request in requests)
    assert {request.headers["content-type"] for request in requests} == {"application/json"}
    done = await work.until("done", "done", "done")
    assert [post.id for post in done] == [request.headers["webhook-id"] for request in requests]


async def test_a_body_that_was_changed_on_the_way_is_refused(begin: Any) -> None:
    work = await begin()
    await work.join()
    (request,) = await work.arrived(1)
    changed = request.body.replace(b"A01", b"A02")
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(changed, request.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(NEWER).verify(request.body, request.headers)


async def test_after_a_rotation_both_secrets_verify_for_a_day(begin: Any) -> None:
    """Also what was owed, and tried, before it."""
    work = await begin()
    work.sink.answers += [Answer(500)]
    await work.join()
    first = (await work.arrived(1))[0]
    await work.tried(1)
    await work.shop.storage.write(webhooks.rotate, work.shop.account_id, HOOK, {"hmac": NEWER}, "", work.clock())

    await work.later(10)
    again = (await work.arrived(2))[1]
    assert verified(again, SECRET, NEWER)["type"] == "ticket.joined"
    assert len(again.headers["webhook-signature"].split()) == 2
    assert again.headers["webhook-id"] == first.headers["webhook-id"]
    assert again.body == first.body

    await work.until("done")
    late = work.clock() + DAY
    endpoint = await work.shop.storage.read(posting.endpoint, HOOK, False, late)
    assert endpoint
    assert endpoint.secrets == (NEWER,)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_2xx_counts_as_arrived(begin: Any, status: int) -> None:
    work = await begin()
    work.sink.answers += [Answer(status, b"")]
    await work.join()
    assert (await work.until("done"))[0].attempts == 1


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 413, 429, 500, 503])
async def test_everything_else_is_tried_again_and_no_redirect_is_followed(begin: Any, status: int) -> None:
    work = await begin()
    work.sink.answers += [Answer(status, b"", (("location", f"{work.sink.url}/elsewhere"),))]
    await work.join()

    post = await work.tried(1)

    assert post.outcome == f"It answered {status}."
    assert [request.path for request in work.sink.requests] == ["/hook"]
    assert (await work.webhook()).failing_ms > 0
    await work.later(10)
    await work.until("done")
    assert (await work.webhook()).failing_ms == 0


async def test_it_is_tried_for_three_days_then_given_up(begin: Any) -> None:
    work = await begin()
    work.sink.answers += [Answer(503)] * 20
    await work.join()
    for number, wait_s in enumerate(SCHEDULE_S, 1):
        post = await work.tried(number)
        assert abs((post.due_ms - work.clock()) / 1000 - wait_s) < wait_s * 0.01 + 30
        await work.later(wait_s + 60)

    (post,) = await work.until("expired")

    assert (post.attempts, post.outcome) == (10, "Given up after 10 attempts: It answered 503.")
    assert len({request.headers["webhook-id"] for request in work.sink.requests}) == 1
    assert len({request.headers["webhook-timestamp"] for request in work.sink.requests}) >= 1
    assert sum(SCHEDULE_S) > 3 * 24 * 3600


async def test_a_receiver_says_when_to_come_again(begin: Any) -> None:
    work = await begin()
    work.sink.answers += [Answer(429, b"", (("retry-after", "7200"),)), Answer(503, b"", (("retry-after", formatdate(2e9, usegmt=True)),))]
    await work.join()
    assert abs((await work.tried(1)).due_ms - work.clock() - 7_200_000) < 30_000
    await work.later(7_260)
    assert (await work.tried(2)).due_ms - work.clock() <= DAY, "however late it says, it is asked again after a day"


async def test_one_that_wants_no_more_is_off_at_once_and_what_is_owed_is_kept(begin: Any) -> None:
    work = await begin()
    await work.shop.storage.write(_confirm)
    work.sink.answers += [Answer(410, b"")]
    await work.shop.add(now_ms=work.clock())
    await work.shop.add(now_ms=work.clock())
    work.postman.wake()

    await work.until("expired", "cancelled")

    off = await work.webhook()
    assert (off.off_ms > 0, off.off_why) == (True, "It answered 410: it wants no more.")
    assert len(work.sink.requests) == 1
    await work.edit(on=True)
    count, _ = await work.shop.storage.write(posts.replay_all, work.shop.account_id, HOOK, 0, work.clock(), True, work.clock())
    assert count == 2
    work.postman.wake()
    await work.until("done", "done")
    assert len({request.headers["webhook-id"] for request in work.sink.requests}) == 2


async def test_days_of_failure_turn_it_off_and_a_mail_says_so(begin: Any) -> None:
    work = await begin(smtp_url="smtp://127.0.0.1:9", mail_from="q@example.com", public_url="https://q.example")
    await work.shop.storage.write(_confirm)
    work.sink.answers += [Answer(500)] * 20
    await work.join()
    await work.tried(1)
    await work.later(posting.FAILING_MS / 1000 + 60)

    await until_async(lambda: work.mails, what="the mail")
    await work.tried(2)

    assert (await work.webhook()).off_why == "Nothing has arrived there for five days."
    (mail,) = await work.shop.storage.read(_mails)
    body = json.loads(mail[1])
    assert (mail[0], body["about"], body["link"]) == ("owner@example.org", "Kitchen", "https://q.example/account")
    await work.later(2 * 3600)
    await work.until("cancelled")


async def test_one_that_hangs_does_not_stop_what_comes_later(begin: Any) -> None:
    """Every event has its first attempt while the one before waits for its second."""
    work = await begin()
    work.sink.answers += [Answer(503), Answer(503), Answer(200)]
    for _ in range(3):
        await work.join()
    await work.until("waiting", "waiting", "done")
    await work.later(10)
    await work.until("done", "done", "done")
    ids = [post.id for post in await work.posts()]
    order = [ids.index(request.headers["webhook-id"]) for request in work.sink.requests]
    assert order == [0, 1, 2, 0, 1]


async def test_an_address_in_a_private_network_is_never_called(begin: Any) -> None:
    work = await begin(outbound_networks=())
    await work.join()
    assert (await work.tried(1)).outcome == "This address leads into a private network."
    assert work.sink.requests == []


async def test_a_test_is_posted_once_and_turns_nothing_off(begin: Any) -> None:
    work = await begin()
    work.sink.answers += [Answer(410)]
    await work.edit(on=False)
    id_ = await work.shop.storage.write(posts.ping, work.shop.account_id, HOOK, "x", work.clock())
    work.postman.wake()

    (post,) = await work.until("expired")

    (request,) = work.sink.requests
    assert verified(request, SECRET) == {**verified(request, SECRET), "type": "ping", "data": {"webhook_id": HOOK}}
    assert (post.id, request.headers["webhook-id"]) == (id_, id_)
    assert (await work.webhook()).off_why == ""


async def test_one_that_is_deleted_while_its_event_is_owed_gets_nothing_more(begin: Any) -> None:
    work = await begin()
    work.sink.answers += [Answer(503)]
    await work.join()
    await work.tried(1)
    await work.shop.storage.write(webhooks.remove, work.shop.account_id, HOOK)
    await work.later(60)
    assert await work.shop.storage.read(_left) == []
    assert len(work.sink.requests) == 1


async def test_what_a_stopping_postman_holds_is_not_counted(begin: Any, storage: Storage) -> None:
    work = await begin()
    await work.postman.stop(0)
    await work.running
    ticket = await work.shop.add(now_ms=work.clock())
    await storage.write(tickets.change, work.shop.store_id, ticket.id, Action.CALL, "", None, work.clock())
    assert [post.attempts for post in await work.posts()] == [0, 0]


async def test_what_ended_long_ago_is_forgotten(begin: Any) -> None:
    work = await begin()
    await work.join()
    await work.until("done")
    await work.later(posting.KEEP_MS / 1000 - 60)
    assert len(await work.posts()) == 1
    await work.later(3600 + 120)
    await work.until()


def _confirm() -> Operation[None]:
    yield Statement("update accounts set confirmed_ms = 1")


def _mails() -> Operation[Sequence[Any]]:
    return (yield Statement("select recipient, body from jobs where queue = 'deliveries'"))


def _left() -> Operation[Sequence[Any]]:
    return (yield Statement("select id from jobs where queue = 'webhooks'"))
