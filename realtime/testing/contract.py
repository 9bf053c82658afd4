"""The contract of a notifier, as cases that a notifier is run through before a server that misbehaves as it is told.

A `Rig` says how the notifier is made and what its server does; `cases` lists what is tried on it, and `Case.check` tries one. Nothing here
needs pytest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Self

from msgspec import Struct

from realtime.hookspecs import Accepted, Gone, Notifier, Outcome, OutgoingDelivery, Permanent, Retry, Sent, Suppressed, hookimpl
from realtime.model import Delivery
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.testing.sink import PATIENCE_S

OUTCOMES = (Sent, Accepted, Retry, Permanent, Gone, Suppressed)
TAKEN: tuple[type, ...] = (Sent, Accepted)
LATER: tuple[type, ...] = (Retry,)
NEVER: tuple[type, ...] = (Permanent, Gone, Suppressed)
AT_ONCE = 10
MISSES_DEADLINE = frozenset({"hang", "trickle"})
"""Here a notifier may leave it to the registry to end it."""


class Rig:
    """A notifier and the server behind it. Start with `with`; it is made anew for every case."""

    faults: Mapping[str, tuple[type, ...]] = {}
    """What its server can do, by name, and which outcomes may come of it."""
    left_out: Mapping[str, str] = {}
    """Cases that cannot hold for this notifier, and why not."""
    deadline_s = 0.5
    """What the notifier is told where its server does not answer. Elsewhere it has all the time it wants."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def make(self, deadline_s: float) -> Notifier:
        """The notifier, which should give up after so many seconds. Called on a thread of its own."""
        raise NotImplementedError

    def delivery(self, number: int) -> Delivery:
        """One that the notifier can carry, and whose words hold `number`."""
        raise NotImplementedError

    def parcel(self, delivery: OutgoingDelivery) -> OutgoingDelivery:
        """A delivery with what the core puts beside it for some notifiers: a browser's subscription, a webhook's endpoint."""
        return delivery

    def arrange(self, fault: str) -> None:
        """Have the server do what `faults` names, from now on."""

    def arrived(self) -> list[tuple[str, str]]:
        """What its server took: the mark by which it would know one that comes twice, and its words."""
        raise NotImplementedError

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait on this thread until something is true of the server. Raises: AssertionError."""
        assert condition(), what

    def is_hanging(self) -> bool:
        """Whether its server holds a request without an answer."""
        return True

    def is_left(self) -> bool:
        """Whether nobody is connected to its server any more."""
        return True


class Desk:
    """Has deliveries carried by one notifier, behind its wall, as the courier does."""

    def __init__(self, rig: Rig, notifier: Notifier, registry: Registry) -> None:
        self._rig = rig
        self._registry = registry
        self.notifier = notifier

    async def deliver(self, number: int = 1, attempt: int = 1) -> Outcome:
        outgoing = OutgoingDelivery(id=f"contract-{number}", attempt=attempt, delivery=self._rig.delivery(number))
        return await self._registry.deliver(self._rig.parcel(outgoing))

    @property
    def failures(self) -> int:
        """How often the notifier raised, answered what is no outcome, or did not answer in time."""
        return self._registry.plugins()[0].failures


@asynccontextmanager
async def at(rig: Rig, deadline_s: float = PATIENCE_S) -> AsyncIterator[Desk]:
    """The rig's notifier at work; closed at the end."""
    notifier = await asyncio.to_thread(rig.make, deadline_s)
    settings = await asyncio.to_thread(partial(Settings.defaults, notifier_deadline_seconds=max(deadline_s, 1.0)))
    registry = await asyncio.to_thread(partial(Registry.load, settings, [("under_test", _Brings(notifier))], group="nowserving.testing"))
    try:
        yield Desk(rig, notifier, registry)
    finally:
        await registry.close()


class _Brings:
    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    @hookimpl
    def register_notifiers(self) -> list[Notifier]:
        return [self._notifier]


class Case(Struct, frozen=True):
    """One thing that every notifier does."""

    name: str
    body: Callable[[Rig], Awaitable[None]]

    def __str__(self) -> str:
        return self.name

    async def run(self, rig: Rig) -> None:
        """Raises: AssertionError."""
        await self.body(rig)

    def check(self, kind: Callable[[], Rig]) -> None:
        """Try it on a new rig, with an event loop of its own. Raises: AssertionError."""
        with kind() as rig:
            asyncio.run(self.run(rig))


def cases(rig: type[Rig], more: Sequence[Case] = ()) -> list[Case]:
    """Everything that can be tried on a rig, and `more`, but what it leaves out."""
    tried = [*CASES, *more, *(Case(fault, partial(_fault, fault)) for fault in rig.faults)]
    if unknown := rig.left_out.keys() - {case.name for case in tried}:
        raise ValueError(f"There is no case {', '.join(sorted(unknown))}.")
    return [case for case in tried if case.name not in rig.left_out]


async def _fault(fault: str, rig: Rig) -> None:
    rig.arrange(fault)
    slow = fault in MISSES_DEADLINE
    async with at(rig, rig.deadline_s if slow else PATIENCE_S) as desk:
        outcome = await desk.deliver()
        assert isinstance(outcome, rig.faults[fault]), f"{fault}: {outcome}"
        assert slow or not desk.failures, "the notifier raised, or answered what is no outcome"
        reason = getattr(outcome, "reason", "It went.")
        assert reason[:1].isupper(), f"a reason is a sentence: {reason}"
        assert rig.delivery(1).recipient not in reason, "a reason names nobody"


async def _is_taken(rig: Rig) -> None:
    async with at(rig) as desk:
        outcome = await desk.deliver()
        assert isinstance(outcome, TAKEN), f"{outcome}"
        assert not desk.failures
    assert len(rig.arrived()) == 1


async def _carries_the_same_mark(rig: Rig) -> None:
    async with at(rig) as desk:
        for number, attempt in ((1, 1), (1, 2), (2, 1)):
            await desk.deliver(number, attempt)
    first, again, other = (mark for mark, _ in rig.arrived())
    assert first == again, f"the same delivery came with {first!r}, then with {again!r}"
    assert first != other, "two deliveries came with the same mark"


async def _does_not_mix(rig: Rig) -> None:
    numbers = range(101, 101 + AT_ONCE)
    async with at(rig) as desk:
        outcomes = await asyncio.gather(*(desk.deliver(number) for number in numbers))
    assert all(isinstance(outcome, TAKEN) for outcome in outcomes)
    arrived = rig.arrived()
    assert len({mark for mark, _ in arrived}) == AT_ONCE
    assert sorted(number for number in numbers for _, words in arrived if str(number) in words) == list(numbers)


async def _leaves_nothing_behind(rig: Rig) -> None:
    if "hang" in rig.faults:
        rig.arrange("hang")
    before = asyncio.all_tasks()
    async with at(rig, rig.deadline_s) as desk:
        outgoing = rig.parcel(OutgoingDelivery(id="contract-1", attempt=1, delivery=rig.delivery(1)))
        carrying = asyncio.create_task(desk.notifier.deliver(outgoing))
        await asyncio.to_thread(rig.wait_until, rig.is_hanging, "the delivery")
        carrying.cancel()
        await asyncio.wait({carrying})
        assert asyncio.all_tasks() <= before, "a task was left behind"
    await asyncio.to_thread(rig.wait_until, rig.is_left, "the end of the connection")


async def _closes_twice(rig: Rig) -> None:
    async with at(rig) as desk:
        await desk.deliver()
        close = getattr(desk.notifier, "close", None)
        for _ in range(2):
            if close is not None:
                await close()
    await asyncio.to_thread(rig.wait_until, rig.is_left, "the end of the connection")


CASES = (
    Case("is taken", _is_taken),
    Case("carries the same mark when it comes again", _carries_the_same_mark),
    Case("does not mix what it carries at once", _does_not_mix),
    Case("leaves nothing behind when it is cancelled", _leaves_nothing_behind),
    Case("closes twice", _closes_twice),
)
"""What is tried on every notifier; what its server can do comes in addition."""
