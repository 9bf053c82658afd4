"""The durable queue as a few lines of Python, and the operations beside it: workers crash, leases end and the power fails between any two steps."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from realtime.model import JobState, OnKey
from realtime.operations import attempts, dead, jobs, keyed, leases, pauses, queue
from realtime.operations.queue import NewJob, Settled
from realtime.storage.statement import Operation, Row, Statement

Q = "work"
OWNER = "account-shop"
MOST = 4
LONG_MS = 10**9
WINDOW_MS = 1_000
LANES = ("", "a", "a", "a", "b")
SOON = (0, 0, 0, 500)
"""Milliseconds; half of what now and then passes."""
CHANCE = st.randoms(use_true_random=True)
"""Hypothesis chooses what happens in which order, and where this starts; it draws the rest evenly, which Hypothesis would not."""
ENDS = ("done", "dead", "expired", "cancelled")


@dataclass
class Job:
    """A job, as simple as it can be."""

    id: str
    lane: str
    priority: int
    due_ms: int
    not_after_ms: int
    state: str = "waiting"
    attempts: int = 0
    lease: str = ""
    old_lease: str = "token 0"
    lapsed: bool = False
    """Its worker crashed, or took too long."""
    blocks: bool = False
    """Its lane waits if it is given up."""
    in_order: bool = True
    """Never went back out of the dead letters, which is the one way in which a later one of its lane may have been done before it."""


class PowerCut(Exception):
    """The process ends in the middle of a transaction."""


class Work(RuleBasedStateMachine):
    """The reference: a list in the order of publishing. In a lane whoever is pending and stands first is the head."""

    run_: Callable[[Operation[Any]], Any]

    def __init__(self) -> None:
        super().__init__()
        self.run_ = self.database()
        self.now = int(time.time() * 1000)
        self.jobs: list[Job] = []
        self.keys: dict[str, tuple[str, int]] = {}
        self.done: list[Job] = []
        self.tokens = 0

    def database(self) -> Callable[[Operation[Any]], Any]:
        raise NotImplementedError

    def run(self, operation: Operation[Any]) -> Any:
        self.now += 1
        return self.run_(operation)

    # ---- the reference

    def job(self, id_: str) -> Job:
        return next(job for job in self.jobs if job.id == id_)

    def is_head(self, job: Job) -> bool:
        if not job.lane:
            return True
        lane = [other for other in self.jobs if other.lane == job.lane]
        if any(other.blocks and other.state == "dead" for other in lane) or any(
            other.state == "leased" for other in lane if other is not job
        ):
            return False
        return next(other for other in lane if other.state in ("waiting", "leased")) is job

    def free(self) -> list[Job]:
        """What can be claimed."""
        lapsed = [job for job in self.jobs if job.state == "leased" and job.lapsed]
        return lapsed + [job for job in self.jobs if job.state == "waiting" and job.due_ms <= self.now and self.is_head(job)]

    def some(self, chance: Random, *states: str) -> Job:
        return chance.choice([job for job in self.jobs if job.state in states])

    def any(self, *states: str) -> bool:
        return any(job.state in states for job in self.jobs)

    # ---- what is done to both

    def new(self, lane: str = "", priority: int = 1, blocks: bool = False, delay: int = 0, expires: int = 0) -> tuple[Job, NewJob]:
        due_ms, late_ms = self.now + delay, self.now + delay + expires if expires else 0
        job = Job(f"{len(self.jobs):06d}", lane, priority, due_ms, late_ms, blocks=blocks)
        return job, NewJob(OWNER, job.id, Q, "{}", lane, priority, due_ms, late_ms, blocks=blocks)

    @initialize(chance=CHANCE)
    def begin(self, chance: Random) -> None:
        for _ in range(6):
            self.publish(chance)

    @rule(chance=CHANCE)
    def a_while(self, chance: Random) -> None:
        """Many steps, of which some happen more often than others."""
        ways = [
            self.publish,
            self.publish_once,
            *[self.claim] * 4,
            *[self.settle] * 4,
            self.settle_together,
            self.settle_together,
            self.lapse,
            self.sweep,
            self.decide,
            self.power_cut,
        ]
        for _ in range(50):
            chance.choice(ways)(chance)
            self.now += chance.choice((0, 0, 0, 1_000))
            self.check()

    def publish(self, chance: Random) -> None:
        job, new = self.new(chance.choice(LANES), chance.randrange(4), chance.random() < 0.5, chance.choice(SOON), chance.choice(SOON))
        self.run(queue.enqueue(new, self.now - chance.choice((0, 0, 5))))  # another process's clock is behind
        self.jobs.append(job)

    def publish_once(self, chance: Random) -> None:
        key, on_key = chance.choice("xy"), chance.choice(list(OnKey))
        job, new = self.new(chance.choice(LANES), delay=chance.choice(SOON), expires=chance.choice(SOON))
        first, until_ms = self.keys.get(key, ("", 0))
        earlier = self.job(first) if until_ms > self.now else None
        if earlier and on_key is not OnKey.KEEP and earlier.state != "waiting":
            earlier = None  # it stands for nothing newer
        at = self.now

        stands = self.run(keyed.enqueue_once(new, key, WINDOW_MS, at, on_key))

        assert (stands.id, stands.first) == ((earlier.id, False) if earlier else (job.id, True))
        assert stands.replaced == (earlier is not None and on_key is not OnKey.KEEP)
        if earlier is None:
            self.jobs.append(job)
            self.keys[key] = job.id, at + WINDOW_MS
        elif stands.replaced:
            earlier.not_after_ms = new.not_after_ms
            if on_key is OnKey.POSTPONE:
                earlier.due_ms = min(new.due_ms, until_ms)

    def claim(self, chance: Random) -> None:
        self.claim_some(chance.randrange(1, 4), chance.random() < 0.25)

    def claim_some(self, limit: int, crashes: bool) -> None:
        free = self.free()
        self.tokens += 1
        lease, at = f"token {self.tokens}", self.now
        claimed = self.run(queue.claim(Q, lease, 0 if crashes else LONG_MS, limit, at, most=MOST))
        ended = []
        for job in free:
            state = self.find(job.id)[0]
            if state == "expired":
                assert job.not_after_ms
                assert at > job.not_after_ms
                ended.append((job, state))
            elif state == "dead":
                assert job.attempts == MOST
                ended.append((job, state))
        assert len(claimed) + len(ended) == min(limit, len(free))
        taken = [self.job(each.id) for each in claimed]
        for each, job in zip(claimed, taken, strict=True):
            assert job in free
            assert not job.not_after_ms or at <= job.not_after_ms
            assert each.attempts == job.attempts + 1 <= MOST, (each, job)
        gone = [*taken, *(job for job, _ in ended)]
        assert len(claimed.lost) == sum(job.state == "leased" for job in gone), "each that lapsed is told once, by a claim or a sweep"
        left = [job for job in free if job.state == "waiting" and job not in gone]
        fresh = [job for job in gone if job.state == "waiting"]
        assert not left or not fresh or max(job.priority for job in fresh) <= min(job.priority for job in left)
        assert not fresh or all(job in gone for job in free if job.state == "leased"), "those that lapsed come first"
        for job in taken:
            job.old_lease, job.lease = job.lease or job.old_lease, lease
            job.state, job.attempts, job.lapsed = "leased", job.attempts + 1, crashes
        for job, state in ended:
            job.state = state

    def settle(self, chance: Random) -> None:
        if not self.any("leased"):
            return
        job, old, due_ms = self.some(chance, "leased"), chance.random() < 0.2, self.now + chance.choice(SOON)
        how = chance.choice(("done", "retry", "back", "dead", "dead", "dead", "extend"))
        answer = self.run(self.settling(job, how, job.old_lease if old else job.lease, due_ms))
        if old or job.lapsed:
            assert answer is Settled.LEASE_LOST
            return
        assert answer is Settled.DONE
        job.attempts -= how == "back"
        job.due_ms = due_ms if how in ("retry", "back") else job.due_ms
        job.state = {"done": "done", "dead": "dead", "extend": "leased"}.get(how, "waiting")
        if job.state == "done":
            self.done.append(job)

    def settle_together(self, chance: Random) -> None:
        leased = [job for job in self.jobs if job.state == "leased"]
        some = chance.sample(leased, min(len(leased), chance.randrange(4)))
        old = [chance.random() < 0.2 for _ in some]
        asked = [queue.Done(OWNER, job.id, job.old_lease if each else job.lease) for job, each in zip(some, old, strict=True)]
        answers = self.run(queue.end_all(asked, self.now))
        for job, each, answer in zip(some, old, answers, strict=True):
            assert answer is (Settled.LEASE_LOST if each or job.lapsed else Settled.DONE)
            if answer is Settled.DONE:
                job.state = "done"
                self.done.append(job)

    def settling(self, job: Job, how: str, lease: str, due_ms: int) -> Operation[Any]:
        args = OWNER, job.id, lease
        ways: dict[str, Callable[[], Operation[Any]]] = {
            "done": lambda: queue.end(*args, JobState.DONE, "", self.now),
            "together": lambda: queue.end_all([queue.Done(*args)] * 2, self.now),
            "retry": lambda: queue.retry(*args, due_ms, "again", self.now),
            "back": lambda: queue.retry(*args, due_ms, "again", self.now, counted=False),
            "extend": lambda: queue.extend(*args, attempts.LONGEST_MS // 2, self.now),
            "dead": lambda: queue.bury(*args, "no", self.now),
        }
        return ways[how]()

    def lapse(self, chance: Random) -> None:
        if not self.any("leased"):
            return
        job = self.some(chance, "leased")
        self.run(_lapse(job.id))
        job.lapsed = True

    def sweep(self, chance: Random) -> None:
        """Nobody claims, and yet what lapsed is settled."""
        at, lapsed = self.now, [job for job in self.jobs if job.state == "leased" and job.lapsed]
        limit = chance.randrange(1, 4)
        assert self.run(leases.settle(Q, limit, MOST, at)) == min(limit, len(lapsed))
        for job in lapsed:
            state, _, _ = self.find(job.id)
            if state == "leased":
                continue
            late = bool(job.not_after_ms and at > job.not_after_ms)
            assert state == ("expired" if late else "dead" if job.attempts == MOST else "waiting")
            job.state, job.lapsed = state, False
            job.due_ms = min(job.due_ms, at)

    @rule()
    def nothing_is_claimed_from_a_paused_queue(self) -> None:
        assert self.run(pauses.pause(Q, self.now))
        assert self.run(queue.claim(Q, "never", LONG_MS, 4, self.now, most=MOST)) == []
        assert self.run(queue.next_ready_ms(Q)) is None
        assert self.run(pauses.resume(Q))

    @rule(chance=CHANCE)
    def decide(self, chance: Random) -> None:
        how = chance.choice(("redrive", "let_go", "forget", "nothing"))
        if how == "redrive":
            self.redrive()
        elif how == "forget":
            self.forget()
        elif how == "let_go" and self.any("dead"):
            job = self.some(chance, "dead")
            assert self.run(dead.let_go(OWNER, job.id, self.now))
            job.state = "gone"

    def cancel(self, chance: Random) -> None:
        if self.any("waiting"):
            job = self.some(chance, "waiting")
            assert self.run(queue.cancel(OWNER, job.id, self.now))
            job.state = "cancelled"

    def redrive(self) -> None:
        at = self.now
        self.run(dead.redrive(Q, 1000, at))
        for job in self.jobs:
            if job.state == "dead":
                job.state, job.attempts, job.due_ms, job.in_order = "waiting", 0, at, False

    def forget(self) -> None:
        self.run(jobs.forget(self.now, self.now, self.now, 1000))
        for job in self.jobs:
            if job.state in ("done", "expired", "cancelled") or (job.state == "dead" and not (job.blocks and job.lane)):
                job.state = "gone"

    def power_cut(self, chance: Random) -> None:
        """Any operation, cut off after so many statements: the other steps find everything as it was."""
        _, new = self.new(chance.choice(LANES), blocks=chance.random() < 0.5)
        ways: list[Callable[[], Operation[Any]]] = [
            lambda: queue.enqueue(new, self.now),
            lambda: keyed.enqueue_once(new, "z", WINDOW_MS, self.now),
            lambda: keyed.enqueue_once(new, "x", WINDOW_MS, self.now, OnKey.POSTPONE),
            lambda: queue.claim(Q, "never", LONG_MS, 3, self.now, most=MOST),
            lambda: leases.settle(Q, 3, MOST, self.now),
            lambda: dead.redrive(Q, 1000, self.now),
            lambda: jobs.forget(self.now, self.now, self.now, 1000),
        ]
        for job in self.jobs:
            if job.state == "leased":
                ways += [
                    lambda job=job, how=how: self.settling(job, how, job.lease, self.now)  # type: ignore[misc]  # its defaults are bound here
                    for how in ("done", "together", "retry", "dead")
                ]
            elif job.state == "waiting":
                ways.append(lambda job=job: queue.cancel(OWNER, job.id, self.now))  # type: ignore[misc]  # as above
            elif job.state == "dead":
                ways.append(lambda job=job: dead.let_go(OWNER, job.id, self.now))  # type: ignore[misc]  # as above
        with contextlib.suppress(PowerCut):
            self.run(_cut(chance.choice(ways)(), chance.randrange(7)))

    # ---- they agree

    def find(self, id_: str) -> Row:
        (row,) = [row for row in self.run_(_everything()) if row[0] == id_]
        found: Row = row[1:]
        return found

    @invariant()
    def check(self) -> None:
        self.every_job_is_in_exactly_one_state()
        self.one_of_a_lane_is_in_flight()
        self.a_lane_is_done_in_the_order_of_publishing()
        self.somebody_who_waits_is_woken_in_time()

    def every_job_is_in_exactly_one_state(self) -> None:
        found = {row[0]: row[1:] for row in self.run_(_everything())}
        assert len(found) == sum(job.state != "gone" for job in self.jobs)
        for job in self.jobs:
            if job.state != "gone":
                state, attempts, outcome = found[job.id]
                assert (state, attempts) == (job.state, job.attempts), job
                assert attempts <= MOST, outcome

    def one_of_a_lane_is_in_flight(self) -> None:
        lanes = [job.lane for job in self.jobs if job.lane and job.state == "leased"]
        assert len(lanes) == len(set(lanes))

    def a_lane_is_done_in_the_order_of_publishing(self) -> None:
        for lane in "ab":
            ids = [job.id for job in self.done if job.lane == lane and job.in_order]
            assert ids == sorted(ids)

    def somebody_who_waits_is_woken_in_time(self) -> None:
        ready_ms = self.run_(queue.next_ready_ms(Q))
        if self.free():
            assert ready_ms is not None
            assert ready_ms <= max(self.now, int(time.time() * 1000))  # leases live by the database's clock

    def teardown(self) -> None:
        """What was committed comes to its end, once somebody has decided about those for which a lane waits."""
        self.redrive()
        for job in self.jobs:
            if job.state == "leased":
                self.run(_lapse(job.id))
                job.lapsed = True
        while self.any("waiting", "leased", "dead"):
            self.now += LONG_MS
            self.claim_some(1000, False)
            for job in self.jobs:
                if job.state == "leased":
                    assert self.run(queue.end(OWNER, job.id, job.lease, JobState.DONE, "", self.now)) is Settled.DONE
                    job.state = "done"
                    self.done.append(job)
            self.redrive()
        self.every_job_is_in_exactly_one_state()
        assert {job.state for job in self.jobs} <= {*ENDS, "gone"}
        self.a_lane_is_done_in_the_order_of_publishing()


def _cut(operation: Operation[Any], after: int) -> Operation[Any]:
    """The first so many statements of an operation, then the end of the process."""
    with contextlib.suppress(StopIteration):
        statement = next(operation)
        for _ in range(after):
            statement = operation.send((yield statement))
    raise PowerCut


def _lapse(id_: str) -> Operation[None]:
    yield Statement("update jobs set leased_until_ms = 1 where id = $1", (id_,))


def _everything() -> Operation[list[Row]]:
    return (yield Statement("select id, state, attempts, outcome from jobs union all select id, 'dead', attempts, outcome from dead_jobs"))
