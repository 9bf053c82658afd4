"""Whatever a plugin does, it does to itself: it raises, hangs, blocks or answers nonsense, and is named, counted and suspended."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from blockbuster import BlockBuster

from realtime import isolation
from realtime.errors import InvalidInput
from realtime.isolation import FAILURES, FIRST_PAUSE_S, Broken, Wall, describe
from realtime.watchdog import Watchdog
from tests.support.waiting import until


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    watchdog = Watchdog(limit_s=0.1)
    yield watchdog
    watchdog.close()


@pytest.fixture
def wall(watchdog: Watchdog, clock: Clock) -> Wall:
    return Wall("bad", watchdog, clock)


def text(answer: object) -> str | Broken:
    return answer if isinstance(answer, str) else Broken("returned no text")


def raises(error: BaseException) -> Callable[[], object]:
    def run() -> object:
        raise error

    return run


def recurses() -> object:
    return recurses()


EVERYTHING = [
    ValueError("+49151 is no number"),
    SystemExit(1),
    BaseException(),
    asyncio.CancelledError(),
    GeneratorExit(),
    StopIteration(),
    MemoryError(),
]


@pytest.mark.parametrize("error", EVERYTHING, ids=lambda error: type(error).__name__)
def test_whatever_a_sync_hook_raises_stays_behind_the_wall(wall: Wall, error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    answer = wall.call("check_join", raises(error), text)

    assert isinstance(answer, Broken)
    assert type(error).__name__ in answer.why
    assert "The plugin bad failed in check_join" in caplog.text


@pytest.mark.parametrize("error", EVERYTHING, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("later", [False, True])
async def test_whatever_an_async_hook_raises_stays_behind_the_wall(wall: Wall, error: BaseException, later: bool) -> None:
    async def hook() -> str:
        if later:
            await asyncio.sleep(0)
        raise error

    answer = await wall.run("on_event", hook, text, deadline_s=5)

    assert isinstance(answer, Broken)


async def test_endless_recursion_is_a_failure_like_any_other(wall: Wall) -> None:
    async def hook() -> object:
        return recurses()

    assert isinstance(wall.call("check_join", recurses, text), Broken)
    assert isinstance(await wall.run("on_event", hook, text, deadline_s=5), Broken)


def test_the_log_names_the_place_but_not_what_the_error_says(wall: Wall, caplog: pytest.LogCaptureFixture) -> None:
    wall.call("check_join", raises(ValueError("+4915112345678 is no number")), text)

    assert "raised ValueError at test_isolation.py:" in caplog.text
    assert "4915112345678" not in caplog.text


def test_our_own_errors_speak_for_themselves() -> None:
    assert describe(InvalidInput("smtp_url must be a URL")) == "smtp_url must be a URL"


async def test_a_good_answer_comes_through(wall: Wall) -> None:
    async def hook() -> str:
        await asyncio.sleep(0)
        return "fine"

    assert wall.call("check_join", lambda: "fine", text) == "fine"
    assert await wall.run("on_event", hook, text, deadline_s=5) == "fine"
    assert await wall.run("on_event", lambda: "fine", text, deadline_s=5) == "fine"
    assert wall.failures == 0


async def test_an_awaitable_that_is_no_coroutine_is_awaited(wall: Wall) -> None:
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, "fine")

    assert await wall.run("on_event", lambda: future, text, deadline_s=5) == "fine"


async def test_timeouts_tasks_and_context_work_inside_a_hook(wall: Wall) -> None:
    async def hook() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            async with asyncio.TaskGroup() as group:
                return await group.create_task(asyncio.sleep(0, "fine"))
        return "never"

    assert await wall.run("on_event", hook, text, deadline_s=5) == "fine"


# ---- hanging ------------------------------------------------------------------------------------------------------


async def test_a_hook_that_hangs_is_cancelled_at_its_deadline_and_may_clean_up(wall: Wall) -> None:
    cleaned = asyncio.Event()

    async def hook() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    answer = await wall.run("on_event", hook, text, deadline_s=0.01)

    assert answer == Broken("did not answer within 0.01 s")
    assert cleaned.is_set()


async def test_a_hook_that_swallows_its_cancellation_is_left_behind(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "GRACE_S", 0.01)
    resumed = 0

    async def hook() -> None:
        nonlocal resumed
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                resumed += 1

    before = asyncio.all_tasks()

    answer = await wall.run("on_event", hook, text, deadline_s=0.01)
    while asyncio.all_tasks() - before:
        await asyncio.sleep(0)

    assert answer == Broken("did not answer within 0.01 s")
    assert resumed == 1, "cancelled once, and then never resumed"


async def test_whoever_waits_for_a_hook_may_go_away(wall: Wall) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def hook() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(wall.run("deliver", hook, text, deadline_s=60))
    await started.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert ended.is_set()


async def test_one_that_hangs_does_not_hold_up_another(watchdog: Watchdog, clock: Clock) -> None:
    hangs, good, go = Wall("hangs", watchdog, clock), Wall("good", watchdog, clock), asyncio.Event()
    hanging = asyncio.create_task(hangs.run("on_event", go.wait, text, deadline_s=60))

    answer = await good.run("on_event", lambda: asyncio.sleep(0, "fine"), text, deadline_s=5)

    assert answer == "fine"
    assert not hanging.done()
    go.set()
    await hanging


# ---- blocking -----------------------------------------------------------------------------------------------------


def test_a_hook_that_holds_its_thread_is_named_while_it_still_does(
    watchdog: Watchdog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    wall, go = Wall("blocks", watchdog, clock), threading.Event()

    def holds_on() -> str:
        assert go.wait(30)
        return "fine"

    calling = threading.Thread(target=wall.call, args=("compose_ticket_notice", holds_on, text))
    calling.start()
    until(lambda: "The plugin blocks has held its thread for more than 0.1 s in compose_ticket_notice" in caplog.text)
    assert "in holds_on" in caplog.text, "the stack says where"
    assert wall.failures == 0, "it has not given the thread back yet"
    go.set()
    calling.join(30)

    assert wall.failures == 1
    assert caplog.text.count("has held its thread") == 1


async def test_a_step_that_blocks_the_loop_is_counted_against_the_plugin_that_made_it(
    watchdog: Watchdog, clock: Clock, caplog: pytest.LogCaptureFixture, blocking_is_an_error: BlockBuster
) -> None:
    blocking_is_an_error.deactivate()
    blocks, good = Wall("blocks", watchdog, clock), Wall("good", watchdog, clock)

    async def hook() -> str:
        await asyncio.sleep(0)
        deadline = time.monotonic() + 30
        while "The plugin blocks has held its thread" not in caplog.text:
            assert time.monotonic() < deadline
        return "fine"

    answers = await asyncio.gather(
        blocks.run("on_event", hook, text, deadline_s=60), good.run("on_event", lambda: asyncio.sleep(0, "fine"), text, deadline_s=60)
    )
    blocking_is_an_error.activate()

    assert list(answers) == ["fine", "fine"]
    assert (blocks.failures, good.failures) == (1, 0)


# ---- suspension ---------------------------------------------------------------------------------------------------


def fail(wall: Wall, times: int, hook: str = "check_join") -> None:
    for _ in range(times):
        wall.call(hook, raises(ValueError()), text)


def test_five_failures_in_a_row_suspend_the_hook_for_a_while(wall: Wall, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    fail(wall, FAILURES - 1)
    assert not wall.remaining_s("check_join")

    fail(wall, 1)

    assert wall.remaining_s("check_join") == FIRST_PAUSE_S
    assert wall.suspension().startswith("check_join failed 5 times in a row, last: raised ValueError")
    assert "check_join of the plugin bad failed 5 times in a row and is suspended for 60 s" in caplog.text
    clock.now += FIRST_PAUSE_S
    assert not wall.remaining_s("check_join")
    assert wall.suspension() == ""


def test_one_good_answer_in_between_begins_the_count_again(wall: Wall) -> None:
    fail(wall, FAILURES - 1)
    wall.call("check_join", lambda: "fine", text)
    fail(wall, FAILURES - 1)

    assert not wall.remaining_s("check_join")
    assert wall.failures == 2 * (FAILURES - 1)


def test_who_fails_again_after_the_pause_is_suspended_longer_up_to_an_hour(wall: Wall, clock: Clock) -> None:
    fail(wall, FAILURES)
    pauses = []
    for _ in range(8):
        clock.now += wall.remaining_s("check_join")
        fail(wall, 1)
        pauses.append(wall.remaining_s("check_join"))

    assert pauses == [120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_who_recovers_starts_afresh(wall: Wall, clock: Clock) -> None:
    fail(wall, FAILURES)
    clock.now += FIRST_PAUSE_S
    wall.call("check_join", lambda: "fine", text)
    fail(wall, FAILURES)

    assert wall.remaining_s("check_join") == FIRST_PAUSE_S


def test_only_the_hook_that_fails_is_suspended(wall: Wall) -> None:
    fail(wall, FAILURES, "handle")

    assert wall.remaining_s("handle")
    assert not wall.remaining_s("compose_ticket_notice")


def test_a_notifier_is_not_suspended_here_but_left_alone_with_its_provider(wall: Wall) -> None:
    fail(wall, FAILURES, "deliver")

    assert not wall.remaining_s("deliver")
    assert wall.suspension() == ""
    assert wall.failures == FAILURES
