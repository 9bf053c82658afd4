"""What becomes of posts and of the webhooks they go to, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from realtime.errors import Conflict, NotFound
from realtime.model import Delivery, JobState
from realtime.operations import posting, posts, queue, webhooks
from realtime.operations.posts import QUEUE, Post
from realtime.operations.queue import Leased, Settled
from realtime.operations.webhooks import Webhook
from realtime.storage.statement import Operation, Statement
from tests.operations.conftest import Shop
from tests.operations.test_webhooks import HOOK, NOW, edited, hook

URL = hook().url
FAR = 10**12
DAY = 24 * 3_600_000


@pytest.fixture
async def posted(shop: Shop) -> Shop:
    """A shop with a webhook that three joins are owed to."""
    await shop.storage.write(webhooks.make, hook())
    for _ in range(3):
        await shop.add()
    return shop


async def claim(shop: Shop, limit: int = 9, now_ms: int = FAR) -> list[Leased]:
    found: list[Leased] = await shop.storage.write(queue.claim, QUEUE, "lease", FAR, limit, now_ms)
    return found


async def seen(shop: Shop, state: str = "") -> list[Post]:
    """Oldest first."""
    return list(reversed(await shop.storage.read(posts.page, shop.account_id, HOOK, state, "", 99)))


async def webhook(shop: Shop) -> Webhook:
    found: Webhook = await shop.storage.read(webhooks.one, shop.account_id, HOOK)
    return found


def mail(about: Webhook, email: str) -> Sequence[Delivery]:
    return [Delivery("email", email, "webhook_disabled", {"about": about.name, "why": about.off_why})]


def _confirm() -> Operation[None]:
    yield Statement("update accounts set confirmed_ms = 1")


def _mails() -> Operation[list[Any]]:
    return (yield Statement("select recipient, body from jobs where queue = 'deliveries'"))


async def fail(shop: Shop, job: Leased, now_ms: int, gone: str = "", url: str = URL) -> int:
    owed: int = await shop.storage.write(posting.failed, job, url, gone, mail, now_ms)
    return owed


async def test_posts_go_out_one_after_the_other(posted: Shop) -> None:
    (first,) = await claim(posted)
    assert first.id.startswith(f"{HOOK}-0000000002000-shop-")
    assert await claim(posted) == []
    assert await posted.storage.write(posting.sent, first, URL, "sent", NOW) is Settled.DONE
    (second,) = await claim(posted)
    assert second.id > first.id


async def test_one_that_failed_holds_up_none_that_came_later(posted: Shop) -> None:
    (first,) = await claim(posted)
    await posted.storage.write(posting.again, first, FAR + 5_000, "It answered 503.", NOW)

    (second,) = await claim(posted)
    assert second.id > first.id
    await posted.storage.write(posting.again, second, FAR + 5_100, "It answered 503.", NOW)
    (third,) = await claim(posted)
    await posted.storage.write(posting.sent, third, URL, "sent", NOW)

    assert [(post.state, post.outcome) for post in await seen(posted)] == [
        ("waiting", "It answered 503."), ("waiting", "It answered 503."), ("done", "sent"),
    ]  # fmt: skip
    (again,) = await claim(posted, now_ms=FAR + 6_000)
    assert (again.id, again.attempts) == (first.id, 2), "those that failed as often keep their order"
    assert await claim(posted, now_ms=FAR + 6_000) == []


async def test_what_is_new_goes_before_what_has_failed(posted: Shop) -> None:
    """One receiver that hangs has many to be tried again, another has its first one: that is next, though it came last."""
    (first,) = await claim(posted)
    await posted.storage.write(posting.again, first, NOW, "no", NOW)
    await posted.storage.write(webhooks.make, hook("b" * 16, ("ticket.called",)))
    await posted.call_next(now_ms=FAR - 1)

    assert [job.attempts for job in await claim(posted, 2)] == [1, 1]
    assert [job.id for job in await claim(posted, 2)] == [first.id]


async def test_one_that_fails_again_and_again_waits_alone(posted: Shop) -> None:
    (first,) = await claim(posted)
    for number in range(1, 4):
        await posted.storage.write(posting.again, first, FAR, "no", NOW)
        held = await claim(posted)
        first = next(job for job in held if job.attempts == number + 1)
        for other in held:
            if other is not first:
                await posted.storage.write(posting.sent, other, URL, "sent", NOW)
    assert [post.state for post in await seen(posted)] == ["leased", "done", "done"]
    assert [tried.outcome for tried in (await posted.storage.read(posts.one, posted.account_id, HOOK, first.id))[2]] == [*["retry"] * 3, ""]


async def test_a_lease_that_was_lost_changes_nothing(posted: Shop) -> None:
    (first,) = await claim(posted)
    await posted.storage.write(queue.retry, first.store_id, first.id, first.lease, NOW, "given back", NOW, counted=False)

    assert await posted.storage.write(posting.again, first, FAR, "late", NOW) is Settled.LEASE_LOST
    assert await posted.storage.write(posting.sent, first, URL, "sent", NOW) is Settled.LEASE_LOST
    assert await posted.storage.write(posting.dropped, first, JobState.EXPIRED, "late", NOW) is Settled.LEASE_LOST

    assert [post.state for post in await seen(posted)] == ["waiting"] * 3
    assert (await claim(posted))[0].id == first.id


async def test_both_secrets_sign_for_a_day(posted: Shop) -> None:
    await posted.storage.write(webhooks.rotate, posted.account_id, HOOK, {"hmac": "whsec_newer"}, "", NOW)

    at_once = await posted.storage.read(posting.endpoint, HOOK, False, NOW)
    later = await posted.storage.read(posting.endpoint, HOOK, False, NOW + DAY)

    assert at_once
    assert later
    assert at_once.secrets == ("whsec_newer", "whsec_new")
    assert later.secrets == ("whsec_newer",)


async def test_one_that_is_off_is_posted_to_for_a_test_only(posted: Shop) -> None:
    await edited(posted, on=False)
    assert await posted.storage.read(posting.endpoint, HOOK, False, NOW) is None
    found = await posted.storage.read(posting.endpoint, HOOK, True, NOW)
    assert found
    assert found.url == URL


async def test_a_webhook_that_failed_for_five_days_is_turned_off_and_its_owner_told_once(posted: Shop) -> None:
    await posted.storage.write(_confirm)
    (job,) = await claim(posted)
    assert await fail(posted, job, NOW) == 0
    assert (await webhook(posted)).failing_ms == NOW
    assert await fail(posted, job, NOW + posting.FAILING_MS - 1) == 0

    assert await fail(posted, job, NOW + posting.FAILING_MS) == 1
    assert await fail(posted, job, NOW + posting.FAILING_MS) == 0

    off = await webhook(posted)
    assert (off.off_ms, off.off_why) == (NOW + posting.FAILING_MS, "Nothing has arrived there for five days.")
    (told,) = await posted.storage.read(_mails)
    assert told[0] == "owner@example.org"
    await posted.add()
    assert len(await seen(posted)) == 3, "nothing more is owed to it"


async def test_one_success_and_the_days_are_counted_anew(posted: Shop) -> None:
    (job,) = await claim(posted)
    await fail(posted, job, NOW)
    await posted.storage.write(posting.sent, job, URL, "sent", NOW + 1)
    assert (await webhook(posted)).failing_ms == 0

    (job,) = await claim(posted)
    assert await fail(posted, job, NOW + posting.FAILING_MS + 1) == 0
    assert (await webhook(posted)).off_ms == 0


async def test_one_that_wants_no_more_is_turned_off_at_once(posted: Shop) -> None:
    (job,) = await claim(posted)
    assert await fail(posted, job, NOW, "It answered 410.") == 0, "an address that nobody has confirmed gets no mail"
    assert ((await webhook(posted)).off_ms, (await webhook(posted)).off_why) == (NOW, "It answered 410.")


async def test_a_new_address_is_not_blamed_for_the_old_one(posted: Shop) -> None:
    """The owner corrects the address while a post to the old one is under way."""
    (job,) = await claim(posted)
    await edited(posted, url="https://example.org/new")

    await fail(posted, job, NOW, "It answered 410.")

    assert ((await webhook(posted)).off_ms, (await webhook(posted)).failing_ms) == (0, 0)


async def test_one_that_was_turned_off_meanwhile_stays_so_whatever_comes_of_the_post(posted: Shop) -> None:
    (job,) = await claim(posted)
    await edited(posted, on=False)
    assert await fail(posted, job, NOW + 1, "It answered 410.") == 0
    await posted.storage.write(posting.sent, job, URL, "sent", NOW + 2)
    assert ((await webhook(posted)).off_ms, (await webhook(posted)).off_why) == (NOW, "")


async def test_a_webhook_that_is_deleted_under_a_post_leaves_only_that(posted: Shop) -> None:
    (job,) = await claim(posted)
    await posted.storage.write(webhooks.remove, posted.account_id, HOOK)

    assert await fail(posted, job, NOW) == 0
    assert await posted.storage.write(posting.sent, job, URL, "sent", NOW) is Settled.DONE
    assert await claim(posted) == []
    assert await posted.storage.write(posting.forget, NOW + 1, 9) == 1


async def test_a_test_is_posted_beside_the_others_and_one_at_a_time(posted: Shop) -> None:
    id_ = await posted.storage.write(posts.ping, posted.account_id, HOOK, "x", NOW)
    with pytest.raises(Conflict):
        await posted.storage.write(posts.ping, posted.account_id, HOOK, "y", NOW)

    held = {job.id: job for job in await claim(posted)}
    assert (len(held), held[id_].moment) == (2, "ping")
    assert await fail(posted, held[id_], NOW, "It answered 410.") == 0
    assert (await webhook(posted)).off_ms == 0, "a test turns nothing off"
    await posted.storage.write(posting.dropped, held[id_], JobState.EXPIRED, "It answered 410.", NOW)

    assert await posted.storage.write(posts.ping, posted.account_id, HOOK, "y", NOW + 1)


async def ended(shop: Shop, *states: JobState) -> list[str]:
    """Ends what is owed, one after another; their ids."""
    found = []
    for state in states:
        (job,) = await claim(shop, 1)
        await shop.storage.write(posting.dropped, job, state, "so", NOW)
        found.append(job.id)
    return found


async def test_what_ended_is_posted_again_as_it_was(posted: Shop) -> None:
    done, given_up, dropped = await ended(posted, JobState.DONE, JobState.EXPIRED, JobState.CANCELLED)
    before = {id_: await posted.storage.read(posts.one, posted.account_id, HOOK, id_) for id_ in (done, given_up, dropped)}

    for id_ in (done, given_up, dropped):
        await posted.storage.write(posts.replay, posted.account_id, HOOK, id_, NOW)
        (job,) = await claim(posted, 1)
        assert (job.id, job.attempts) == (id_, 1)
        assert (await posted.storage.read(posts.one, posted.account_id, HOOK, id_))[1] == before[id_][1] != ""
        with pytest.raises(Conflict):
            await posted.storage.write(posts.replay, posted.account_id, HOOK, id_, NOW)
        await posted.storage.write(posting.sent, job, URL, "sent", NOW)


async def test_its_earlier_attempts_stay_to_be_seen_in_their_order(posted: Shop) -> None:
    id_, *_ = await ended(posted, JobState.EXPIRED, JobState.DONE, JobState.DONE)
    for _ in range(2):
        await posted.storage.write(posts.replay, posted.account_id, HOOK, id_, NOW)
        (job,) = await claim(posted, 1)
        await posted.storage.write(posting.sent, job, URL, "sent", NOW)

    _, _, tries = await posted.storage.read(posts.one, posted.account_id, HOOK, id_)

    assert [(each.number, each.outcome) for each in tries] == [(1, "expired"), (2, "done"), (3, "done")]


async def test_one_that_waits_for_its_next_attempt_is_tried_now(posted: Shop) -> None:
    (first,) = await claim(posted)
    await posted.storage.write(posting.again, first, FAR + DAY, "no", NOW)

    hurried = await posted.storage.write(posts.replay, posted.account_id, HOOK, first.id, NOW)

    assert (hurried.due_ms, hurried.attempts) == (NOW, 1)
    assert sorted(job.attempts for job in await claim(posted)) == [1, 2]


async def test_a_span_is_posted_again_in_its_order(posted: Shop) -> None:
    ids = await ended(posted, JobState.DONE, JobState.EXPIRED, JobState.CANCELLED)
    again = posted.account_id, HOOK
    assert await posted.storage.write(posts.replay_all, *again, 2_001, FAR, True, NOW) == (0, 0)
    assert await posted.storage.write(posts.replay_all, *again, 0, 1_999, False, NOW) == (0, 0)

    assert await posted.storage.write(posts.replay_all, *again, 2_000, 2_000, True, NOW) == (2, 0)
    assert await ended(posted, JobState.DONE, JobState.DONE) == ids[1:]
    assert await posted.storage.write(posts.replay_all, *again, 0, FAR, False, NOW) == (3, 0)
    assert await ended(posted, JobState.DONE, JobState.DONE, JobState.DONE) == ids


async def test_a_long_span_goes_on_where_it_stopped(posted: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    await posted.add(now_ms=2_500)
    ids = await ended(posted, *[JobState.EXPIRED] * 4)
    monkeypatch.setattr(posts, "REPLAYED_AT_ONCE", 3)

    count, since_ms = await posted.storage.write(posts.replay_all, posted.account_id, HOOK, 0, FAR, True, NOW)
    assert (count, since_ms) == (3, 2_500)
    assert await posted.storage.write(posts.replay_all, posted.account_id, HOOK, since_ms, FAR, True, NOW) == (1, 0)
    assert await ended(posted, *[JobState.DONE] * 4) == ids


async def test_nothing_is_posted_again_while_it_is_off(posted: Shop) -> None:
    (id_, *_) = await ended(posted, *[JobState.EXPIRED] * 3)
    await edited(posted, on=False)
    with pytest.raises(Conflict):
        await posted.storage.write(posts.replay, posted.account_id, HOOK, id_, NOW)
    with pytest.raises(Conflict):
        await posted.storage.write(posts.replay_all, posted.account_id, HOOK, 0, FAR, True, NOW)


async def test_what_an_operator_cancelled_cannot_be_posted_again(posted: Shop) -> None:
    id_ = (await seen(posted))[1].id
    assert await posted.storage.write(queue.cancel, webhooks.posts_of(posted.account_id), id_, NOW)
    with pytest.raises(Conflict):
        await posted.storage.write(posts.replay, posted.account_id, HOOK, id_, NOW)
    assert await posted.storage.write(posts.replay_all, posted.account_id, HOOK, 0, FAR, False, NOW) == (0, 0)
    assert len(await claim(posted, 1)) == 1


async def test_a_list_is_read_page_by_page(posted: Shop) -> None:
    of = posted.account_id, HOOK
    newest, middle = await posted.storage.read(posts.page, *of, "", "", 2)
    (oldest,) = await posted.storage.read(posts.page, *of, "", middle.id, 2)
    assert newest.id > middle.id > oldest.id
    await ended(posted, JobState.DONE, JobState.EXPIRED)
    assert [len(await seen(posted, state)) for state in ("owed", "sent", "failed")] == [1, 1, 1]


async def test_what_ended_is_forgotten_with_its_attempts(posted: Shop) -> None:
    first, second = await ended(posted, JobState.DONE, JobState.EXPIRED)
    assert await posted.storage.write(posting.forget, NOW, 9) == 0
    assert await posted.storage.write(posting.forget, NOW + 1, 1) == 1
    assert await posted.storage.write(posting.forget, NOW + 1, 9) == 1
    for id_ in (first, second):
        with pytest.raises(NotFound):
            await posted.storage.read(posts.one, posted.account_id, HOOK, id_)
    assert len(await seen(posted)) == 1
