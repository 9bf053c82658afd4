"""SIGTERM in the middle of the evening: every socket is told when to come back, what was acknowledged is kept, the exit code is 0."""

from __future__ import annotations

import contextlib
import random

from tests.conftest import Serve
from tests.flows.client import MANY, Screen, deaf, off_loop, open_store, select, visitor
from tests.flows.crowd import Crowd
from tests.support.sink import Answer, HttpSink


async def test_a_server_that_is_told_to_stop_under_load_says_goodbye_and_keeps_everything(server: Serve, database_url: str) -> None:
    started = server(database_url=database_url, **MANY)
    async with contextlib.AsyncExitStack() as stack:
        owner = await stack.enter_async_context(open_store(started))
        screens = [Screen(started, owner.token, owner.topic) for _ in range(10)]
        for screen in screens:
            await screen.connect()
        never_reads = [await deaf(started, owner.token, owner.topic) for _ in range(3)]
        crowd = Crowd(owner, random.Random(7))
        crowd.start(customers=5, staff=2)

        for _ in range(2):
            await crowd.serve(40)
            code = await off_loop(started.stop)
            assert code == 0, started.output()
            for screen in screens:
                assert await screen.gone() == 1012
                (told,) = screen.told_to_come_back
                assert told["code"] == 1012
                assert 0 <= told["after_ms"] <= 10_000
                screen.told_to_come_back.clear()
            await off_loop(started.start)
            for screen in screens:
                await screen.come_back()
                assert screen.view.recovered is True
        await crowd.stop()

        await crowd.check()
        for screen in screens:
            await screen.check()
            await screen.lock()
        for socket in never_reads:
            socket.transport.abort()
        seqs = [seq for (seq,) in await select(database_url, "select seq from events order by seq")]
        assert seqs == list(range(1, len(seqs) + 1))


async def test_while_it_drains_it_is_not_ready_and_a_second_signal_is_not_needed(server: Serve) -> None:
    started = server(drain_seconds=3, **MANY)
    async with open_store(started) as owner, Screen(started, owner.token, owner.topic) as screen:
        assert await off_loop(started.stop, 10.0) == 0
        assert await screen.gone() == 1012
    assert "Traceback" not in started.output()
    assert "did not shut down in time" not in started.output()


async def test_a_job_that_the_outside_is_at_work_on_is_waited_for_and_not_done_again(server: Serve, http_sink: HttpSink) -> None:
    http_sink.answers.append(Answer(after_s=3.0))
    started = server(drain_seconds=8, job_service_url=http_sink.url, outbound_networks="127.0.0.0/8")
    async with open_store(started) as owner:
        made = await owner.http.post("/v1/tokens", json={"name": "Till", "scopes": ["jobs"]})
        async with visitor(started, Authorization=f"Bearer {made.raise_for_status().json()['token']}") as program:
            job = (await program.post("/addJob", json={"payload": 1})).raise_for_status().json()["jobId"]
            await off_loop(http_sink.wait_for)
            assert await off_loop(started.stop) == 0
            await off_loop(started.start)

            done = (await program.get(f"/status/{job}")).raise_for_status().json()

    assert (done["status"], len(done["attempts"]), len(http_sink.requests)) == ("SUCCESS", 1, 1)
