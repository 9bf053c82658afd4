"""The durable queue as a few lines of Python, and the operations on both databases beside it: workers crash and leases end between any two steps."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from realtime.app import make_storage
from realtime.model import JobState
from realtime.operations import dead, queue
from realtime.operations.queue import LOST, NewJob, Settled
from realtime.settings import Settings
from realtime.storage.statement import Operation, Row, Statement
from tests.support.operations import Direct

Q = "work"
MOST = 4
LONG_MS = 10**9
LANES = st.sampled_from(["", "", "a", "b", "c"])


@dataclass
class Job:
    """A job, as simple as it can be."""

    id: str
    lane: str
    priority: int
    state: str = "waiting"
    attempts: int = 0
    lease: str = ""
    lapsed: bool = False
    """Its worker crashed, or took too long."""
    blocks: bool = False
    """Its lane waits if it is given up."""


class Work(RuleBasedStateMachine):
    """The reference: a list in the order of publishing. In a lane whoever is pending and stands first is the head."""

    run_: Callable[[Operation[Any]], Any]

    def __init__(self) -> None:
        super().__init__()
        self.run_ = self.database()
        self.now = int(time.time() * 1000)
        self.jobs: list[Job] = []
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
        return lapsed + [job for job in self.jobs if job.state == "waiting" and self.is_head(job)]

    def held(self) -> list[Job]:
        return [job for job in self.jobs if job.state == "leased"]

    # ---- what is done to both

    @rule(lane=LANES, priority=st.integers(0, 3), blocks=st.booleans())
    def publish(self, lane: str, priority: int, blocks: bool) -> None:
        job = Job(f"{len(self.jobs):06d}", lane, priority, blocks=blocks)
        self.run(queue.enqueue(NewJob("shop", job.id, Q, "{}", lane, priority, blocks=blocks), self.now))
        self.jobs.append(job)

    @rule()
    def publish_and_roll_back(self) -> None:
        def broken() -> Operation[None]:
            yield from queue.enqueue(NewJob("shop", "never", Q, "{}", "a"), self.now)
            raise KeyError

        with pytest.raises(KeyError):
            self.run(broken())

    @rule(limit=st.integers(1, 4), crashes=st.booleans())
    def claim(self, limit: int, crashes: bool) -> None:
        free = self.free()
        self.tokens += 1
        lease = f"token {self.tokens}"
        claimed = self.run(queue.claim(Q, lease, 0 if crashes else LONG_MS, limit, self.now, most=MOST))
        taken = [job for job in free if job.state == "leased" and job.lapsed and job.attempts == MOST]
        for each in claimed:
            job = self.job(each.id)
            assert job in free
            assert self.is_head(job) or job.state == "leased"
            job.attempts += 1
            assert each.attempts == job.attempts <= MOST
        buried = [job for job in taken if self.find(job.id)[0] == "dead"]
        assert len(claimed) + len(buried) == min(limit, len(free))
        left = [job for job in free if job.state == "waiting" and job.id not in {each.id for each in claimed}]
        fresh = [self.job(each.id) for each in claimed if self.job(each.id).state == "waiting"]
        assert not left or not fresh or max(job.priority for job in fresh) <= min(job.priority for job in left)
        for each in claimed:
            job = self.job(each.id)
            job.state, job.lease, job.lapsed = "leased", lease, crashes
        for job in buried:
            job.state, job.attempts = "dead", job.attempts + 1

    @precondition(lambda self: bool(self.held()))
    @rule(data=st.data(), how=st.sampled_from(["done", "retry", "back", "dead", "extend"]), old=st.booleans())
    def settle(self, data: st.DataObject, how: str, old: bool) -> None:
        job = data.draw(st.sampled_from(self.held()))
        lease = "token 0" if old else job.lease
        args = "shop", job.id, lease
        if how == "done":
            answer = self.run(queue.end(*args, JobState.DONE, "", self.now))
        elif how in ("retry", "back"):
            answer = self.run(queue.retry(*args, self.now, "again", self.now, counted=how == "retry"))
        elif how == "extend":
            answer = self.run(queue.extend(*args, LONG_MS, self.now))
        else:
            answer = self.run(queue.bury(*args, "no", self.now))
        if old or job.lapsed:
            assert answer is Settled.LEASE_LOST
            return
        assert answer is Settled.DONE
        job.attempts -= how == "back"
        job.state = {"done": "done", "retry": "waiting", "back": "waiting", "dead": "dead", "extend": "leased"}[how]

    @precondition(lambda self: bool(self.held()))
    @rule(data=st.data())
    def lapse(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.held()))

        def lapse() -> Operation[None]:
            yield Statement("update jobs set leased_until_ms = 0 where id = $1", (job.id,))

        self.run(lapse())
        job.lapsed = True

    @rule()
    def redrive(self) -> None:
        self.run(dead.redrive(Q, 1000, self.now))
        for job in self.jobs:
            if job.state == "dead":
                job.state, job.attempts = "waiting", 0

    @precondition(lambda self: any(job.state == "waiting" for job in self.jobs))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from([job for job in self.jobs if job.state == "waiting"]))

        assert self.run(queue.cancel("shop", job.id, self.now))

        job.state = "cancelled"

    # ---- they agree

    def find(self, id_: str) -> Row:
        def ask() -> Operation[list[Row]]:
            return (
                yield Statement(
                    "select state, attempts, outcome from jobs where id = $1 union all select 'dead', attempts, outcome from dead_jobs where id = $1",
                    (id_,),
                )
            )

        found: list[Row] = self.run_(ask())
        (row,) = found
        return row

    @invariant()
    def every_job_is_in_exactly_one_state(self) -> None:
        for job in self.jobs:
            state, attempts, outcome = self.find(job.id)
            assert (state, attempts) == (job.state, job.attempts), job
            assert attempts <= MOST or outcome.endswith(LOST)

    @invariant()
    def one_of_a_lane_is_in_flight(self) -> None:
        lanes = [job.lane for job in self.held() if job.lane]
        assert len(lanes) == len(set(lanes))


class OnSqlite(Work):
    def database(self) -> Callable[[Operation[Any]], Any]:
        self.folder = tempfile.TemporaryDirectory()
        self.direct = Direct(Path(self.folder.name) / "nowserving.db")
        return self.direct.run

    def teardown(self) -> None:
        self.direct.close()
        self.folder.cleanup()


TestOnSqlite = OnSqlite.TestCase
TestOnSqlite.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_on_postgres(new_database: Callable[[], str]) -> None:
    with asyncio.Runner() as runner:
        storage = make_storage(Settings.defaults(database_url=new_database()))
        runner.run(storage.open())

        def given(operation: Operation[Any]) -> Operation[Any]:
            return operation

        def run(operation: Operation[Any]) -> Any:
            return runner.run(storage.write(partial(given, operation)))

        def empty() -> Operation[None]:
            for table in ("jobs", "dead_jobs", "attempts", "job_keys"):
                yield Statement(f"delete from {table}")

        class OnPostgres(Work):
            def database(self) -> Callable[[Operation[Any]], Any]:
                run(empty())
                return run

        try:
            run_state_machine_as_test(
                OnPostgres,
                settings=settings(max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]),
            )
        finally:
            runner.run(storage.close())
