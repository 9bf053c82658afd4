"""The wall around one plugin: what it raises, returns wrongly, hangs in or blocks stays behind it, is named, and is counted."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import traceback
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any, Generic, TypeVar

from msgspec import Struct

from realtime.errors import NowServingError
from realtime.watchdog import Watchdog

T = TypeVar("T")

logger = logging.getLogger("nowserving.plugins")

FAILURES = 5
"""So many failures in a row suspend a hook."""
NEVER_SUSPENDED = frozenset({"deliver", "compose_store_closed", "compose_report"})
"""These are called again whatever they did: a notifier is left alone together with its provider, and a report is never given up."""
FIRST_PAUSE_S = 60.0
LONGEST_PAUSE_S = 3600.0
GRACE_S = 1.0
"""How long a cancelled plugin may still clean up."""
SLOW_S = 0.05
"""A synchronous call that takes longer is logged."""


class Broken(Struct, frozen=True):
    """A call that came to nothing, and why: one sentence without personal data."""

    why: str


def describe(error: BaseException) -> str:
    """What was raised and where. The message is left out unless it is one of ours: others may hold names and numbers."""
    if isinstance(error, NowServingError):
        return error.message
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


class Breaker:
    """Counts one hook's failures in a row; after `FAILURES` it is left alone for a while, then tried once, if it `suspends` at all."""

    def __init__(self, suspends: bool = True) -> None:
        self._suspends = suspends
        self.failures = 0
        self.last = ""
        self._in_a_row = 0
        self._pause_s = FIRST_PAUSE_S
        self._until = 0.0

    def remaining_s(self, now: float) -> float:
        """Seconds for which it stays suspended; 0 when it may be called."""
        if not self._suspends:
            return 0.0
        return max(self._until - now, 0.0) if self._in_a_row >= FAILURES else 0.0

    def passed(self) -> None:
        if self._in_a_row:
            self._in_a_row = 0
            self._pause_s = FIRST_PAUSE_S

    def failed(self, why: str, now: float) -> float:
        """Count a failure; returns the seconds of suspension that begin with it, or 0."""
        self.failures += 1
        self.last = why
        self._in_a_row += 1
        if not self._suspends or self._in_a_row < FAILURES or self._until > now:
            return 0.0
        pause, self._pause_s = self._pause_s, min(self._pause_s * 2, LONGEST_PAUSE_S)
        self._until = now + pause
        return pause


class Wall:
    """Calls one plugin's hooks so that nothing but a checked value comes back. May be used from several threads.

    `clock` counts seconds, for suspensions.
    """

    def __init__(self, plugin: str, watchdog: Watchdog, clock: Callable[[], float]) -> None:
        self.plugin = plugin
        self._watchdog = watchdog
        self._clock = clock
        self._lock = threading.Lock()
        self._breakers: dict[str, Breaker] = {}

    def remaining_s(self, hook: str) -> float:
        """Seconds for which this hook stays suspended; 0 when it may be called."""
        breaker = self._breakers.get(hook)
        return breaker.remaining_s(self._clock()) if breaker else 0.0

    def suspension(self) -> str:
        """Why a hook of the plugin is suspended now; empty if none is."""
        now = self._clock()
        with self._lock:
            for hook, breaker in sorted(self._breakers.items()):
                if (seconds := breaker.remaining_s(now)) > 0:
                    return f"{hook} failed {FAILURES} times in a row, last: {breaker.last}; tried again in {seconds:.0f} s"
        return ""

    @property
    def failures(self) -> int:
        """How often the plugin failed since the start."""
        with self._lock:
            return sum(breaker.failures for breaker in self._breakers.values())

    def call(self, hook: str, make: Callable[[], object], check: Callable[[object], T | Broken]) -> T | Broken:
        """Call a synchronous hook on this thread; `check` says what its answer is worth."""
        since = self._watchdog.enter(self.plugin, hook)
        result: T | Broken
        try:
            result = check(make())
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit and the like are a plugin's fault too
            result = Broken(f"raised {describe(error)}")
        held_s = self._watchdog.leave(since)
        self._count(hook, result, held_s)
        if SLOW_S < held_s < self._watchdog.limit_s and not hook.startswith("register_"):
            logger.warning("The plugin %s took %.0f ms in %s; everybody else waited.", self.plugin, held_s * 1000, hook)
        return result

    async def run(self, hook: str, make: Callable[[], object], check: Callable[[object], T | Broken], deadline_s: float) -> T | Broken:
        """Call an asynchronous hook and wait for it, `deadline_s` at most.

        It has a task of its own, so that it can be left behind: cancelled, and if it ignores that, never resumed again.
        A plain function is called as it is, which saves the task.
        """
        begun = self.begin(hook, make, check)
        return await self.finish(begun, deadline_s) if isinstance(begun, Begun) else begun

    def begin(self, hook: str, make: Callable[[], object], check: Callable[[object], T | Broken]) -> T | Broken | Begun:
        """Call a hook that may be asynchronous. What a plain function answers is the answer; anything else is for `finish` to wait for."""
        since = self._watchdog.enter(self.plugin, hook)
        try:
            answer: object = make()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit and the like are a plugin's fault too
            answer = Broken(f"raised {describe(error)}")
        held_s = self._watchdog.leave(since)
        # The answer is looked at, not the function: a callable object or a decorated function may return an awaitable too.
        if answer is not None and not isinstance(answer, Broken) and inspect.isawaitable(answer):
            return Begun(_Steps(self, hook, check, held_s), answer)
        result = answer if isinstance(answer, Broken) else check(answer)
        self._count(hook, result, held_s)
        return result

    async def finish(self, begun: Begun, deadline_s: float) -> Any:
        """Wait for what `begin` began, `deadline_s` at most."""
        steps, hook = begun.steps, begun.steps.hook
        task = asyncio.create_task(steps.finish(begun.answer), name=f"plugin {self.plugin} {hook}")
        result = await self._wait(steps, task, deadline_s)
        self._count(hook, result, steps.longest_s)
        return result

    async def _wait(self, steps: _Steps[T], task: asyncio.Task[T | Broken], deadline_s: float) -> T | Broken:
        try:
            await asyncio.wait({task}, timeout=deadline_s)
        finally:
            in_time = task.done()
            if not in_time:
                task.cancel()
                try:
                    await asyncio.wait({task}, timeout=GRACE_S)
                finally:
                    steps.end()
                    task.cancel()
        if not in_time:
            return Broken(f"did not answer within {deadline_s:g} s")
        return Broken("cancelled itself") if task.cancelled() else task.result()

    def enter(self, hook: str) -> float:
        return self._watchdog.enter(self.plugin, hook)

    def leave(self, since: float) -> float:
        return self._watchdog.leave(since)

    def _count(self, hook: str, result: object, held_s: float) -> None:
        why = result.why if isinstance(result, Broken) else ""
        if not why and held_s >= self._watchdog.limit_s:
            why = f"held its thread for {held_s:.1f} s"
        if not why and hook not in self._breakers:
            return
        with self._lock:
            breaker = self._breakers.setdefault(hook, Breaker(hook not in NEVER_SUSPENDED))
            if not why:
                breaker.passed()
                return
            pause_s = breaker.failed(why, self._clock())
        logger.error("The plugin %s failed in %s: %s.", self.plugin, hook, why)
        if pause_s:
            logger.error("%s of the plugin %s failed %d times in a row and is suspended for %.0f s.", hook, self.plugin, FAILURES, pause_s)


class _Steps(Generic[T]):
    """Drives a plugin's awaitable itself, step by step, to know how long each step holds the thread, and to be able to stop."""

    def __init__(self, wall: Wall, hook: str, check: Callable[[object], T | Broken], longest_s: float) -> None:
        self.longest_s = longest_s
        self._wall = wall
        self.hook = hook
        self._check = check
        self._ended = False

    def end(self) -> None:
        """Do not resume it again."""
        self._ended = True

    async def finish(self, answer: Awaitable[object]) -> T | Broken:
        try:
            return self._check(await _Driven(self, answer))
        except (KeyboardInterrupt, GeneratorExit, asyncio.CancelledError):
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit in a task would end the event loop
            return Broken(f"raised {describe(error)}")

    def drive(self, answer: Awaitable[object]) -> Generator[Any, Any, object]:
        inner = answer.__await__()
        value: object = None
        error: BaseException | None = None
        while True:
            try:
                waits_for = self._step(partial(inner.send, value) if error is None else partial(inner.throw, error))
            except StopIteration as stop:
                return stop.value
            except GeneratorExit as left:
                if left is error:
                    raise
                # Nobody closed it: it raised this by itself, and unwinding our own task with it would look as if we had been closed.
                raise RuntimeError("GeneratorExit") from left
            value = error = None
            try:
                value = yield waits_for
            except BaseException as thrown:
                if self._ended:
                    _let_go(inner)
                    raise
                error = thrown

    def _step(self, step: Callable[[], Any]) -> Any:
        since = self._wall.enter(self.hook)
        try:
            return step()
        finally:
            self.longest_s = max(self.longest_s, self._wall.leave(since))


class Begun:
    """A hook that was called and answered with something to wait for."""

    __slots__ = ("answer", "steps")

    def __init__(self, steps: _Steps[Any], answer: Awaitable[object]) -> None:
        self.steps = steps
        self.answer = answer


class _Driven:
    def __init__(self, steps: _Steps[Any], answer: Awaitable[object]) -> None:
        self._steps = steps
        self._answer = answer

    def __await__(self) -> Generator[Any, Any, object]:
        return self._steps.drive(self._answer)


def _let_go(inner: Generator[Any, Any, Any]) -> None:
    try:
        inner.close()
    except BaseException:  # noqa: BLE001 - whatever it says now, it is not asked again
        logger.debug("A plugin did not end when it was closed.")
