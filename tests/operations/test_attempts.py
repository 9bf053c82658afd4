"""What is recorded of each attempt, on both databases: also of those that nobody answers for."""

from __future__ import annotations

from realtime.model import JobState
from realtime.operations import attempts, dead, decisions, jobs, leases, oversight, queue, receives
from realtime.operations.changes import DELIVERIES
from realtime.operations.oversight import Tried
from realtime.operations.queue import NewJob, Settled
from realtime.storage.statement import Operation, Statement
from tests.operations.conftest import Shop
from tests.support.desk import Desk, Q

ATTEMPTS = "select job_id, number, worker, outcome, detail, ended_ms > 0 from attempts order by job_id, number"


async def test_an_attempt_whose_worker_died_is_recorded_as_lost(desk: Desk) -> None:
    crashed, later = await desk.put(), await desk.put()
    await desk.claim(worker="one", lease_ms=0)
    desk.now += 1
    await desk.claim(lease="new", worker="two")
    await desk.done(crashed, "new")

    rows = [tuple(row) for row in await desk.rows(ATTEMPTS)]

    lost = ("one", "lost", "its worker ended without an answer", True)
    assert rows == [(crashed, 1, *lost), (crashed, 2, "two", "done", "", True), (later, 1, *lost), (later, 2, "two", "", "", False)]


async def test_an_attempt_that_was_answered_stays_as_it_was(desk: Desk) -> None:
    again, back = await desk.put(), await desk.put()
    await desk.claim(worker="one")
    await desk.later(again)
    await desk.later(back, counted=False)

    await desk.claim(worker="two")

    rows = [tuple(row) for row in await desk.rows(ATTEMPTS)]
    assert rows == [
        (again, 1, "one", "retry", "again", True),
        (again, 2, "two", "", "", False),
        (back, 0, "one", "given_back", "again", True),
        (back, 1, "two", "", "", False),
    ]


async def test_attempts_that_were_given_back_are_told_where_they_were(desk: Desk) -> None:
    id_ = await desk.put()
    for counted in (False, True, False, False):
        desk.now += 1
        await desk.claim()
        desk.now += 1
        await desk.later(id_, counted=counted)
    desk.now += 1
    await desk.claim()

    found = await desk.storage.read(oversight.one, "shop", id_, desk.now)

    assert found is not None
    assert [(each.number, each.outcome) for each in found[1]] == [
        (1, "given_back"),
        (2, "retry"),
        (3, "given_back"),
        (4, "given_back"),
        (5, ""),
    ]
    assert [row[0] for row in await desk.rows("select attempts from jobs")] == [2]


async def test_what_was_given_back_too_often_is_not_said_to_have_lost_its_worker(desk: Desk) -> None:
    id_ = await desk.put(max_attempts=1)
    await desk.claim()
    await desk.later(id_)

    assert await desk.claim() == []

    (letter,) = await desk.storage.read(dead.letters, Q, 10)
    assert letter.outcome == "given up after 1 attempt: again"
    rows = [tuple(row) for row in await desk.rows(ATTEMPTS)]
    assert (letter.attempts, rows) == (1, [(id_, 1, "", "retry", "again", True)]), "nobody was given it a second time"


async def test_what_came_too_late_was_never_tried(desk: Desk) -> None:
    id_ = await desk.put(not_after_ms=desk.now + 10)
    desk.now += 11

    assert await desk.claim() == []

    assert [tuple(row) for row in await desk.rows("select id, state, attempts from jobs")] == [(id_, "expired", 0)]
    assert await desk.rows(ATTEMPTS) == []


async def test_a_claim_tells_of_each_attempt_that_nobody_answered_for_once(desk: Desk) -> None:
    await desk.put(notifier="mail"), await desk.put(notifier="post", max_attempts=1), await desk.put(notifier="tube")
    assert (await desk.claim(worker="one", lease_ms=0)).lost == []
    desk.now += 1

    claimed = await desk.claim(lease="second", lease_ms=0)

    assert (len(claimed), sorted(claimed.lost)) == (2, ["mail", "post", "tube"]), "also of what is a dead letter now"
    desk.now += 1
    assert await desk.storage.write(leases.settle, Q, 10, 5, desk.now) == 2
    assert (await desk.claim(lease="third")).lost == [], "the end of the lease was told already"


async def test_a_claim_for_each_notifier_tells_it_too(shop: Shop) -> None:
    for number, notifier in enumerate(("sms", "email")):
        await shop.storage.write(queue.enqueue, NewJob("shop", str(number), DELIVERIES, "{}", notifier=notifier), 1_000)
    rooms, late_ms = {"sms": 1, "email": 1}, 10**13
    await shop.storage.write(jobs.claim_each, "lease", 0, rooms, late_ms)

    assert sorted((await shop.storage.write(jobs.claim_each, "new", 60_000, rooms, late_ms + 1)).lost) == ["email", "sms"]


async def test_how_long_attempts_took_is_known_once_they_have_ended(desk: Desk) -> None:
    first, second, held = [await desk.put() for _ in range(3)]
    await desk.claim()
    desk.now += 70
    await desk.done(first)
    await desk.fail(second)

    took = await desk.storage.read(receives.took, "shop", [first, second, held, "nobody's"], desk.now)

    assert took == [70, 70]


async def shown(desk: Desk, id_: str) -> list[Tried]:
    found = await desk.storage.read(oversight.one, "shop", id_, desk.now)
    assert found is not None
    return found[1]


async def tries(desk: Desk, id_: str) -> list[tuple[int, str, str]]:
    return [(each.number, each.worker, each.outcome) for each in await shown(desk, id_)]


async def test_a_dead_letter_that_is_put_back_is_tried_anew_and_keeps_what_happened_before(desk: Desk) -> None:
    id_ = await desk.put(max_attempts=2)
    for worker in ("one", "two"):
        desk.now += 1
        await desk.claim(worker=worker)
        await (desk.later(id_) if worker == "one" else desk.fail(id_))

    assert await desk.storage.write(dead.redrive, Q, 10, desk.now) == 1
    assert await tries(desk, id_) == [(1, "one", "retry"), (2, "two", "dead")]
    desk.now += 1
    assert [job.attempts for job in await desk.claim(worker="three")] == [1], "the number of tries begins anew"
    await desk.later(id_)
    desk.now += 1
    assert [job.attempts for job in await desk.claim(worker="four")] == [2], "and so does giving up"
    await desk.done(id_)

    assert await tries(desk, id_) == [(1, "one", "retry"), (2, "two", "dead"), (3, "three", "retry"), (4, "four", "done")]
    assert [each.counted for each in await shown(desk, id_)] == [False, False, True, True]


async def test_one_that_is_retried_again_and_again_keeps_the_newest_fifty_attempts(desk: Desk) -> None:
    id_ = await desk.put()
    for round_ in range(20):
        for worker in "abc":
            desk.now += 1
            await desk.claim(worker=f"{round_}{worker}")
            await (desk.fail(id_) if worker == "c" else desk.later(id_, counted=worker == "b"))
            (count,) = (await desk.rows("select count(*) from attempts"))[0]
            assert count <= attempts.KEPT
        assert await desk.storage.write(dead.put_back, "shop", id_, desk.now)

    kept = await tries(desk, id_)

    assert len(kept) == attempts.KEPT - 1, "there is room for the next one"
    assert [each[1] for each in kept] == [f"{each // 3}{'abc'[each % 3]}" for each in range(11, 60)]


async def test_a_job_that_fails_for_ever_keeps_the_newest_fifty_attempts_and_its_own_number(desk: Desk) -> None:
    id_ = await desk.put()
    for number in range(1, 61):
        desk.now += 1
        assert [job.attempts for job in await desk.claim(worker=str(number))] == [number]
        await desk.later(id_)

    assert [each[1] for each in await tries(desk, id_)] == [str(number) for number in range(11, 61)]


async def test_an_attempt_under_way_is_kept_though_the_clock_was_set_back(desk: Desk) -> None:
    id_ = await desk.put()
    for _ in range(attempts.KEPT):
        desk.now += 1
        await desk.claim(worker="old")
        await desk.later(id_)
    desk.now -= 1

    def earlier() -> Operation[None]:
        yield Statement("update attempts set started_ms = started_ms + 3600000")

    await desk.storage.write(earlier)
    desk.now += 1
    await desk.claim(worker="new")

    await desk.done(id_)

    assert ("new", "done") in [each[1:] for each in await tries(desk, id_)]


async def test_a_report_that_is_sent_again_keeps_what_happened_before(desk: Desk) -> None:
    id_ = await desk.put(needs_report=True)
    for again in (decisions.retry, jobs.send_again):
        desk.now += 1
        await desk.claim(worker=again.__name__)
        await desk.storage.write(queue.end, "shop", id_, "lease", JobState.DEAD, "refused", desk.now)
        args = ("shop", id_, desk.now) if again is decisions.retry else ("shop", desk.now)
        await desk.storage.write(again, *args)  # type: ignore[arg-type]  # two operations, each with its own

    desk.now += 1
    assert [job.attempts for job in await desk.claim(worker="now")] == [1]
    assert await tries(desk, id_) == [(1, "retry", "dead"), (2, "send_again", "dead"), (3, "now", "")]


async def test_who_answers_too_late_for_what_was_put_back_is_told_so_and_changes_nothing(desk: Desk) -> None:
    id_ = await desk.put(max_attempts=1)
    await desk.claim(worker="slow", lease_ms=0)
    desk.now += 1
    await desk.storage.write(leases.settle, Q, 10, 5, desk.now)
    await desk.storage.write(dead.redrive, Q, 10, desk.now)
    desk.now += 1
    claimed = await desk.claim(lease="new", worker="quick")

    assert claimed.lost == [], "the end of the first lease was told already"
    assert await desk.done(id_) is Settled.LEASE_LOST
    late = {worker: await desk.storage.read(receives.lost, "shop", id_, worker, desk.now) for worker in ("slow", "quick")}
    assert late == {"slow": 1, "quick": 0}, "as the figures count it"
    assert await desk.done(id_, "new") is Settled.DONE
    assert await tries(desk, id_) == [(1, "slow", "lost"), (2, "quick", "done")]


async def test_attempts_from_before_go_with_their_job(desk: Desk) -> None:
    def kept() -> Operation[None]:
        yield Statement("update jobs set store_id = 'account-a'")
        yield Statement("update attempts set store_id = 'account-a'")

    done, deleted = await desk.put(), await desk.put()
    await desk.claim()
    for id_ in (done, deleted):
        await desk.fail(id_)
    await desk.storage.write(dead.redrive, Q, 10, desk.now)
    await desk.claim()
    await desk.fail(deleted)
    await desk.storage.write(dead.let_go, "shop", deleted, desk.now)
    await desk.done(done)
    assert await desk.rows("select count(*) from attempts where number < 1") == [(1,)]
    await desk.storage.write(kept)

    await desk.storage.write(jobs.forget, desk.now + 1, 0, desk.now, 10)

    assert await desk.rows("select * from attempts") == []
