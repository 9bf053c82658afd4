"""The kit for handlers of jobs: what it does with them is what a server does, at the time that a test says."""

from __future__ import annotations

import asyncio
import re
import sys
import types
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plugins import party_size
from realtime.courier import Courier
from realtime.errors import InvalidInput
from realtime.hookspecs import Done, Idle, JobFacts, JobHandler, JobOutcome, Permanent, Retry, hookimpl
from realtime.model import Delivery
from realtime.operations.changes import owe
from realtime.opt_outs import OptOuts
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.testing import FakeClock, drain, run_job, workbench
from tests.plugins.office import GROUP
from tests.support.carrying import a_shop, opened
from tests.support.evening import Clock, Office


class Bells:
    """A plugin with handlers that do as they are told, and keep what they are given."""

    def __init__(self, *names: str) -> None:
        self.given: list[JobFacts] = []
        self.answers: list[object] = []
        self._names = names or ("ring",)

    @hookimpl
    def register_handlers(self, settings: Settings) -> list[JobHandler] | Idle:
        return [_Bell(name, self) for name in self._names] if settings.log_level != "error" else Idle("nobody listens")


class _Bell:
    def __init__(self, name: str, bells: Bells) -> None:
        self.name = name
        self._bells = bells

    async def handle(self, job: JobFacts) -> JobOutcome:
        self._bells.given.append(job)
        answer: Any = self._bells.answers.pop(0) if self._bells.answers else Done("rung")
        if isinstance(answer, Exception):
            raise answer
        outcome: JobOutcome = answer
        return outcome


# ---- one job


async def test_one_job_is_done_and_its_outcome_returned() -> None:
    bells = Bells()

    assert await run_job(bells, {"times": (1, 2)}, attempt=3) == Done("rung")

    (job,) = bells.given
    assert (job.payload, job.attempt, job.lane) == ({"times": [1, 2]}, 3, "")


@pytest.mark.parametrize("answer", [ValueError("secret"), "done", None])
async def test_what_a_handler_does_wrong_is_a_retry_as_in_a_server(answer: object) -> None:
    bells = Bells()
    bells.answers.append(answer if answer else {})

    outcome = await run_job(bells)

    assert isinstance(outcome, Retry)
    assert "secret" not in outcome.reason


async def test_a_handler_that_does_not_answer_ends_with_its_deadline() -> None:
    class Sleepy:
        name = "sleepy"
        deadline_s = 0.05

        async def handle(self, job: JobFacts) -> JobOutcome:
            await asyncio.Event().wait()
            return Done()

    class Plugin:
        @hookimpl
        def register_handlers(self) -> list[JobHandler]:
            return [Sleepy()]

    assert await run_job(Plugin()) == Retry("The handler 'sleepy' did not answer within 0.05 s.")


@pytest.mark.parametrize(
    ("plugin", "handler", "said"),
    [
        (Bells("ring", "toll"), "", "Say which handler. It has: ring, toll."),
        (Bells(), "toll", "The plugin has no handler 'toll'. It has: ring."),
        (types.ModuleType("empty"), "", "The plugin takes no part: failed: "),
        (party_size, "", "Say which handler. It has none."),
        (Bells("Not a name"), "", "The plugin takes no part: failed: "),
    ],
)
async def test_what_cannot_be_run_says_why(plugin: object, handler: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        await run_job(plugin, handler=handler)


async def test_an_idle_plugin_says_so_too() -> None:
    with pytest.raises(ValueError, match="idle: nobody listens"):
        await run_job(Bells(), settings={"log_level": "error"})
    with pytest.raises(ValueError, match="idle: nobody listens"):
        async with workbench(Bells(), log_level="error"):
            pass


# ---- a queue


async def test_jobs_are_done_when_they_are_due_and_not_before() -> None:
    bells, clock = Bells("ring", "toll"), FakeClock()
    async with workbench(bells, clock) as bench:
        first = await bench.add("ring", 1, delay=10)
        await bench.add("toll", 2)

        assert await bench.drain() == 1
        assert await bench.drain() == 0
        clock.advance(10)
        assert await bench.drain() == 1

        assert [job.payload for job in bells.given] == [2, 1]
        assert [(job.id, job.state, job.outcome) for job in await bench.jobs("ring")] == [(first, "done", "rung")]


async def test_what_fails_is_tried_again_and_then_dead_with_its_payload() -> None:
    bells, clock = Bells(), FakeClock()
    bells.answers += [Retry("Not now."), Retry("In a while.", after_s=99), ValueError()]
    async with workbench(bells, clock, job_retries=2, retry_first_seconds=5) as bench:
        await bench.add("ring", "one")
        assert await bench.drain() == 1
        await bench.assert_enqueued("ring", payload="one", attempts=1, outcome="Not now.", due_ms=clock() + 5_000)
        clock.advance(5)
        assert await bench.drain() == 1
        clock.advance(98)
        assert await bench.drain() == 0
        clock.advance(1)
        assert await bench.drain() == 1

        (job,) = await bench.jobs()
        assert (job.state, job.payload, job.attempts) == ("dead", "one", 3)
        assert [facts.attempt for facts in bells.given] == [1, 2, 3]


async def test_a_lane_is_done_in_order_and_waits_for_its_head() -> None:
    bells, clock = Bells(), FakeClock()
    bells.answers += [Retry("Not now.")]
    async with workbench(bells, clock) as bench:
        for number in range(3):
            await bench.add("ring", number, lane="bell tower")
        assert await bench.drain() == 1

        clock.advance(3600)

        assert await drain(bench.worker) == 3
        assert [job.payload for job in bells.given] == [0, 0, 1, 2]


async def test_what_waits_is_looked_at_and_what_does_not_is_said() -> None:
    async with workbench(Bells("ring", "toll")) as bench:
        for number in (1, 2, 2):
            await bench.add("ring", number)

        await bench.assert_enqueued("ring", 3)
        await bench.assert_enqueued("ring", 2, payload=2)
        await bench.assert_enqueued("toll", 0)
        with pytest.raises(AssertionError, match=r"wanted 1 for 'ring', payload=2; there are 2, and waiting for it: \[PutIn\("):
            await bench.assert_enqueued("ring", payload=2)
        await bench.drain()
        await bench.assert_enqueued("ring", 0)


@pytest.mark.parametrize(
    ("handler", "more", "error"),
    [("toll", {}, InvalidInput), ("ring", {"delay": -1}, msgspec.ValidationError), ("ring", {"colour": 1}, msgspec.ValidationError)],
)
async def test_what_a_program_would_be_refused_is_refused(handler: str, more: dict[str, Any], error: type[Exception]) -> None:
    async with workbench(Bells()) as bench:
        with pytest.raises(error):
            await bench.add(handler, **more)
        assert await bench.jobs() == []


async def test_a_courier_that_does_not_run_is_drained_too(database_url: str) -> None:
    storage = await opened(database_url)
    shop, office, clock = await a_shop(storage), Office(), Clock()
    settings = await asyncio.to_thread(Settings.defaults)
    registry = await asyncio.to_thread(partial(Registry.load, settings, (("office", office),), group=GROUP))
    opt_outs = OptOuts(storage, shop.keys, "", clock)
    courier = Courier(settings, storage, registry, clock, _nobody_waits, opt_outs=opt_outs)
    for number in range(3):
        await storage.write(owe, shop.store_id, f"cause-{number}", [Delivery("text", f"+{number}", "called", {})], clock() - 60_000)
    office.text.answers.append(Retry("Not now.", after_s=60))

    assert await drain(courier) == 3

    assert len(office.text.given) == 3
    assert await drain(courier) == 0
    clock.ahead_ms = 24 * 3_600_000
    assert await drain(courier) == 1
    await registry.close()
    await storage.close()


async def _nobody_waits(store_id: str) -> None:
    pass


async def test_what_has_no_end_is_found_out() -> None:
    class Endless:
        async def claim(self, lease: str, room: int, worker: str) -> Sequence[int]:
            return [1]

        async def carry(self, job: int) -> None:
            pass

    with pytest.raises(AssertionError, match="after 7 jobs"):
        await drain(Endless(), 7)  # type: ignore[arg-type]  # a list is what it returns


def test_time_passes_when_a_test_says_so_and_never_goes_back() -> None:
    clock = FakeClock(1_000)
    assert clock() == clock() == 1_000
    clock.advance(0.5)
    assert clock() == 1_500
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)


async def test_the_example_in_the_documents_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    document = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text()
    (plugin,) = re.findall(r"^## `register_handlers`$.*?```python\n(.*?)```", document, re.DOTALL | re.MULTILINE)
    (example,) = re.findall(r"### Test your handler.*?```python\n(.*?)```", document, re.DOTALL)
    module = types.ModuleType("shouting")
    exec(compile(plugin, "docs/hooks.md", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "shouting", module)
    names: dict[str, Any] = {"Done": Done, "Permanent": Permanent}
    exec(compile(example, "docs/hooks.md", "exec"), names)

    tests = [run for name, run in names.items() if name.startswith("test_")]
    for run in tests:
        await run()

    assert len(tests) == 2
