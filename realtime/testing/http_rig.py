"""The rig of notifiers that speak HTTP: every status and every fault a server can have, and what may come of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from types import TracebackType
from typing import Self

from realtime.hookspecs import Gone, Notifier, Permanent, Retry
from realtime.testing.contract import LATER, NEVER, TAKEN, Case, Rig, at, cases
from realtime.testing.sink import PATIENCE_S, Answer, Behaviour, Garbage, Hang, Huge, Reset, Sink, SinkRequest, Trickle

ASKED_S = 120
MOST_READ_BYTES = 16 << 20
"""Of a body of 64 MiB; what the kernel holds between the two ends is some of it."""
FAILED: tuple[type, ...] = (*LATER, *NEVER)
STATUSES: Mapping[int, tuple[type, ...]] = {
    **dict.fromkeys((200, 201, 202, 204), TAKEN),
    **dict.fromkeys((301, 302, 303, 307, 308), FAILED),
    **dict.fromkeys((400, 413), (Permanent,)),
    **dict.fromkeys((401, 403), (Retry, Permanent)),
    **dict.fromkeys((404, 410), (Permanent, Gone)),
    **dict.fromkeys((408, 425, 429, 500, 502, 503, 504), LATER),
}
"""What may come of each answer."""
FAULTS: Mapping[str, Behaviour] = {
    "hang": Hang(),
    "trickle": Trickle(),
    "reset before the request": Reset(after_request=False),
    "reset after the request": Reset(),
    "garbage": Garbage(),
}


class HttpRig(Rig):
    """Subclass it: say how the notifier is made for an address, what it carries, and where the mark is in a request."""

    faults = {**{f"status {status}": allowed for status, allowed in STATUSES.items()}, **dict.fromkeys(FAULTS, LATER)}

    def __enter__(self) -> Self:
        self.sink = Sink().__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.sink.__exit__(kind, error, trace)

    def at(self, url: str, deadline_s: float) -> Notifier:
        """The notifier, sending to an address such as http://127.0.0.1:49152."""
        raise NotImplementedError

    def mark(self, request: SinkRequest) -> str:
        """What stays the same when a delivery comes again."""
        return request.headers["idempotency-key"]

    def words(self, request: SinkRequest) -> str:
        return request.body.decode()

    def make(self, deadline_s: float) -> Notifier:
        return self.at(self.sink.url, deadline_s)

    def arrange(self, fault: str) -> None:
        status = fault.removeprefix("status ")
        if status == fault:
            self.sink.otherwise = FAULTS[fault]
        else:
            elsewhere = (("location", f"{self.sink.url}/elsewhere"),) if status.startswith("3") else ()
            self.sink.otherwise = Answer(int(status), headers=elsewhere)

    def arrived(self) -> list[tuple[str, str]]:
        return [(self.mark(request), self.words(request)) for request in self.sink.requests]

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        self.sink.wait_until(condition, what)

    def is_hanging(self) -> bool:
        return bool(self.sink.requests)

    def is_left(self) -> bool:
        return self.sink.connections == 0


def http_cases(rig: type[HttpRig]) -> list[Case]:
    """Everything that can be tried on a notifier that speaks HTTP, but what its rig leaves out."""
    return cases(rig, HTTP_CASES)


async def _follows_no_redirect(rig: Rig) -> None:
    assert isinstance(rig, HttpRig)
    for status in (301, 302, 303, 307, 308):
        rig.arrange(f"status {status}")
        async with at(rig) as desk:
            assert isinstance(await desk.deliver(), FAILED)
    assert not [request.path for request in rig.sink.requests if request.path.startswith("/elsewhere")], "a redirect was followed"


async def _waits(after: Callable[[], str], rig: Rig) -> None:
    assert isinstance(rig, HttpRig)
    for status in (429, 503):
        rig.sink.otherwise = Answer(status, headers=(("retry-after", after()),))
        async with at(rig) as desk:
            outcome = await desk.deliver()
            assert isinstance(outcome, Retry)
            assert outcome.after_s is not None, "Retry-After was not heeded"
            assert ASKED_S / 2 < outcome.after_s <= ASKED_S + 1


async def _survives_nonsense(rig: Rig) -> None:
    assert isinstance(rig, HttpRig)
    for nonsense in ("soon", "-5", "1e999", "9" * 400, "Fri, 99 Zzz 2026", ""):
        rig.sink.otherwise = Answer(503, headers=(("retry-after", nonsense),))
        async with at(rig) as desk:
            assert isinstance(await desk.deliver(), Retry)
            assert not desk.failures


async def _reads_only_so_much(rig: Rig) -> None:
    assert isinstance(rig, HttpRig)
    rig.sink.otherwise = Huge()
    async with at(rig) as desk:
        await desk.deliver()
        assert not desk.failures
    await asyncio.to_thread(rig.wait_until, rig.is_left, "the end of the connection")
    assert rig.sink.sent_bytes < MOST_READ_BYTES, f"{rig.sink.sent_bytes} bytes of an answer were read"


async def _nobody_is_there(rig: Rig) -> None:
    assert isinstance(rig, HttpRig)
    await asyncio.to_thread(rig.sink.stop)
    async with at(rig, PATIENCE_S) as desk:
        outcome = await desk.deliver()
        assert isinstance(outcome, Retry)
        assert not desk.failures


def _in_seconds() -> str:
    return str(ASKED_S)


def _as_date() -> str:
    return formatdate(time.time() + ASKED_S, usegmt=True)


async def _heeds_seconds(rig: Rig) -> None:
    await _waits(_in_seconds, rig)


async def _heeds_a_date(rig: Rig) -> None:
    await _waits(_as_date, rig)


HTTP_CASES = (
    Case("follows no redirect", _follows_no_redirect),
    Case("heeds Retry-After in seconds", _heeds_seconds),
    Case("heeds Retry-After as a date", _heeds_a_date),
    Case("survives a Retry-After that is nonsense", _survives_nonsense),
    Case("reads only so much of an answer", _reads_only_so_much),
    Case("tries again where nobody is", _nobody_is_there),
)
"""What is tried in addition on notifiers that speak HTTP."""
