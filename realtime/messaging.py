"""The message queue: publish, consume under a lease, acknowledge; and what became of messages that nobody could process."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

import msgspec

from realtime import checks
from realtime.errors import InvalidInput, NotFound
from realtime.growing_ids import GrowingIds
from realtime.keys import digest
from realtime.metering import CONSUMER, Meter, NoMeter
from realtime.model import OnKey
from realtime.operations import answers, attempts, dead, keyed, queue, receives
from realtime.operations.claims import Claimed
from realtime.operations.dead import DeadJob
from realtime.operations.queue import Leased, NewJob, Settled
from realtime.queue_messages import (
    Acknowledge,
    Change,
    Consume,
    DeadLetter,
    DeadLetters,
    LetGo,
    Message,
    Publish,
    Published,
    Redrive,
    Redriven,
    ShowDead,
)
from realtime.settings import Settings
from realtime.storage.statement import Operation, Storage
from realtime.trace import split as split_trace

RELEASED = "released"
LOOK_S = 1.0
"""Another process may have published: whoever waits looks this often, give or take a half."""


class Messaging:
    """All message queues of all accounts. A queue belongs to one account; nobody else sees it.

    Args:
        clock_ms: the time of day.
        tell: called with the name of a queue that something was put into, for other processes.
        meter: notes how long messages waited, and what consumers made of them.
        leased: called with the time at which a lease ends that was given or changed.
    """

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        clock_ms: Callable[[], int],
        tell: Callable[[str], None] = lambda queue: None,
        meter: Meter | None = None,
        leased: Callable[[int], None] = lambda until_ms: None,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._now = clock_ms
        self._tell = tell
        self._meter: Meter = meter or NoMeter()
        self._measured = meter is not None
        self._leased = leased
        self._ids = GrowingIds()
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._ending = False

    async def publish(
        self, account_id: str, requests: Sequence[Publish], idempotency_key: str = "", *, batch: bool = False, trace: str = ""
    ) -> list[Published]:
        """Put messages in, all or none; once only, however often it is asked for with one key. Raises: InvalidInput."""
        now = self._now()
        new = [_New(self._job(account_id, request, now, trace), *_keyed(request)) for request in requests]
        make: Callable[[], Operation[list[Published]]] = partial(_publish_all, new, now)
        if idempotency_key:
            asked = digest(f"{'batch' if batch else ''}{msgspec.json.encode(requests).decode()}")
            make = partial(answers.same, _owner(account_id), idempotency_key, asked, now, make, list[Published])
        published = await self._storage.write_and_tell(lambda _: self._came(each.job.queue for each in new), make)
        for each in published:
            if each.deduplicated:
                self._meter.deduplicated(_queue(account_id, ""))
        return published

    def prepared(self, account_id: str, request: Publish) -> Callable[[], Operation[str]]:
        """What publishes a message now, as part of somebody's transaction; its id. Who commits it says so with `came`. Raises: InvalidInput."""
        now = self._now()
        return partial(_publish_one, _New(self._job(account_id, request, now, ""), *_keyed(request)), now)

    def came(self, account_id: str, queue: str) -> None:
        """Something was put into a queue."""
        self._came([_queue(account_id, queue)])

    def _came(self, names: Iterable[str]) -> None:
        for name in set(names):
            self.wake(name)
            self._tell(name)

    def _job(self, account_id: str, request: Publish, now: int, trace: str) -> NewJob:
        return NewJob(
            _owner(account_id),
            self._ids.next(now),
            _queue(account_id, request.queue),
            msgspec.json.encode(request.message).decode(),
            checks.line(request.lane, "lane", 128),
            request.priority,
            now + request.delay * 1000,
            now + (request.delay + request.expires) * 1000 if request.expires else 0,
            trace=trace,
            blocks=request.on_dead == "block",
        )

    async def consume(
        self, account_id: str, request: Consume, still: Callable[[], Coroutine[Any, Any, object]] | None = None
    ) -> list[Message]:
        """Lease up to `limit` messages; where there is none, wait for one. `still` raises if who waited may consume no more."""
        name, owner = _queue(account_id, request.queue), _owner(account_id)
        loop = asyncio.get_running_loop()
        until = loop.time() + request.wait
        lease_ms = (request.vt or self._settings.message_visibility_seconds) * 1000
        came = asyncio.Event()
        self._waiting.setdefault(name, set()).add(came)
        try:
            while not (self._ending and came.is_set()):
                came.clear()
                held = await self._storage.write(
                    receives.receive, name, request.cid, secrets.token_urlsafe(18), lease_ms, request.limit,
                    self._settings.message_receives, self._now(), owner=owner, attempt=request.attempt_id,
                )  # fmt: skip
                left = until - loop.time()
                self._noted(name, held)
                if held or held.again or left <= 0 or self._ending:
                    return [_message(each) for each in held]
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left, await self._until_ready(name))):
                        await came.wait()
                if still:
                    await still()
            return []
        finally:
            self._waiting[name].discard(came)
            if not self._waiting[name]:
                del self._waiting[name]

    def stop_waiting(self) -> None:
        """The process ends: who waits for a message is answered now, and nobody waits any more."""
        self._ending = True
        for waiting in self._waiting.values():
            for came in waiting:
                came.set()

    def _noted(self, name: str, held: Claimed[Leased]) -> None:
        self._meter.unanswered(name, held.lost)
        for each in held:
            self._leased(each.leased_until_ms)
            if each.attempts == 1 and each.ready_ms:
                self._meter.began(each.queue, (self._now() - each.ready_ms) / 1000)

    async def _until_ready(self, name: str) -> float:
        ready_ms = await self._storage.read(queue.next_ready_ms, name)
        look = LOOK_S * random.uniform(0.5, 1.5)
        return look if ready_ms is None else min(look, max((ready_ms - self._now()) / 1000, 0.01))

    async def acknowledge(self, account_id: str, requests: Sequence[Acknowledge]) -> list[bool]:
        """Whether each message is consumed now; said again it stays true. False when the lease was lost, or there is no such message.

        Raises:
            InvalidInput: a receipt is missing where this server asks for it.
        """
        self._check_receipts(requests)
        answered = await self._storage.write(_acknowledge_all, _owner(account_id), requests, self._now(), measured=self._measured)
        self._wake_all(account_id)  # the next of a lane may go
        self._measure(account_id, answered, "done")
        return answered.said

    async def change(self, account_id: str, request: Change) -> bool:
        """Hold a message longer, or give it back. False when the lease was lost, or there is no such message. Raises: InvalidInput."""
        self._check_receipts([request])
        now = self._now()
        most = self._settings.message_receives
        answered = await self._storage.write(_change, _owner(account_id), request, most, now, measured=self._measured)
        if request.vt:
            self._leased(now + request.vt * 1000)
        else:
            self._wake_all(account_id)
        self._measure(account_id, answered, "retry")
        return answered.said[0]

    def _measure(self, account_id: str, answered: _Answered, outcome: str) -> None:
        name = _queue(account_id, "")
        for _ in range(answered.lost):
            self._meter.lost(name)
        for took_ms in answered.took_ms:
            self._meter.ended(name, CONSUMER, outcome, took_ms / 1000)

    def _check_receipts(self, requests: Sequence[Acknowledge | Change]) -> None:
        if self._settings.message_receipt_required and not all(request.receipt for request in requests):
            raise InvalidInput("This server asks for the receipt that came with the message. Send it along.", field="receipt")

    # ---- dead letters

    async def dead_letters(self, account_id: str, request: ShowDead) -> DeadLetters:
        """A page of a queue's dead letters, the oldest first, and where the next one starts. Raises: InvalidInput."""
        name, limit = _queue(account_id, request.queue), request.limit
        if request.blocking:
            return DeadLetters([_letter(each) for each in await self._storage.read(dead.blocked, name, limit)])
        found = await self._storage.read(dead.letters, name, limit, _after(request.after))
        after = f"{found[-1].died_ms}.{found[-1].id}" if len(found) == limit else ""
        return DeadLetters([_letter(each) for each in found], after)

    async def redrive(self, account_id: str, request: Redrive) -> Redriven:
        """Put dead letters back into their places, the oldest first; in a dry run only say how many."""
        name, reason = _queue(account_id, request.queue), checks.line(request.reason, "reason", 500)
        if request.dry_run:
            return Redriven(len(await self._storage.read(dead.to_redrive, name, request.limit, reason=reason)), dry_run=True)
        count = await self._storage.write(dead.redrive, name, request.limit, self._now(), reason=reason)
        self._wake_all(account_id)
        return Redriven(count)

    async def let_go(self, account_id: str, request: LetGo) -> None:
        """Delete a dead letter; its lane goes on. Raises: NotFound."""
        name = _queue(account_id, request.queue) if request.queue else ""
        if not await self._storage.write(dead.let_go, _owner(account_id), request.id, self._now(), of=name):
            raise NotFound(f"There is no such dead letter{' in this queue' if name else ''}.")
        self._wake_all(account_id)

    def wake(self, name: str) -> None:
        """Something was put into a queue, here or by another process."""
        for came in self._waiting.get(name, ()):
            came.set()

    def _wake_all(self, account_id: str) -> None:
        start = _queue(account_id, "")
        for name, waiting in self._waiting.items():
            if name.startswith(start):
                for came in waiting:
                    came.set()


def _owner(account_id: str) -> str:
    return f"account-{account_id}"


def _queue(account_id: str, name: str) -> str:
    return receives.queue_of(account_id, name)


def _message(held: Leased) -> Message:
    body: Any = msgspec.json.decode(held.body)
    return Message(held.id, body, held.lease, held.attempts, held.lane, held.created_ms, held.leased_until_ms, *split_trace(held.trace))


def _letter(dead_job: DeadJob) -> DeadLetter:
    body: Any = msgspec.json.decode(dead_job.body)
    return DeadLetter(
        dead_job.id, body, dead_job.attempts, dead_job.lane, dead_job.outcome, dead_job.created_ms, dead_job.died_ms, dead_job.blocks
    )


def _after(cursor: str) -> tuple[int, str]:
    died_ms, _, id_ = cursor.partition(".")
    return int(died_ms or 0), id_


class _New(msgspec.Struct, frozen=True):
    """A message that is published, and the key that it comes under."""

    job: NewJob
    key: str
    window_ms: int
    on_key: OnKey


def _keyed(request: Publish) -> tuple[str, int, OnKey]:
    """Raises: InvalidInput."""
    return checks.line(request.key, "key", 128), request.window * 1000, request.on_key


def _publish_one(new: _New, now_ms: int) -> Operation[str]:
    (published,) = yield from _publish_all([new], now_ms)
    return published.messageId


def _publish_all(new: Sequence[_New], now_ms: int) -> Operation[list[Published]]:
    # Lanes are held in one order by everybody, or two publishers would wait for each other.
    order = sorted(range(len(new)), key=lambda at: (new[at].job.queue, new[at].job.lane, at))
    done: dict[int, Published] = {}
    for at in order:
        job, key = new[at].job, new[at].key
        if key:
            stands = yield from keyed.enqueue_once(job, key, new[at].window_ms, now_ms, new[at].on_key)
            done[at] = Published(stands.id, not stands.first, stands.replaced)
        else:
            yield from queue.enqueue(job, now_ms)
            done[at] = Published(job.id)
    return [done[at] for at in range(len(new))]


class _Answered(msgspec.Struct, frozen=True):
    """What became of what a consumer said of its messages."""

    said: list[bool]
    """An answer for each."""
    lost: int
    """How many came after the lease had ended."""
    took_ms: Sequence[int] = ()
    """How long each attempt took that this ended."""


def _acknowledge_all(owner: str, requests: Sequence[Acknowledge], now_ms: int, *, measured: bool = False) -> Operation[_Answered]:
    ended = []
    for request in requests:
        id_, consumer = str(request.id), str(request.cid)
        lease = request.receipt or (yield from receives.lease_of(owner, id_, consumer))
        ended.append(queue.Done(owner, id_, lease))
    settled = yield from queue.end_all(ended, now_ms)
    lost = 0
    for request, each in zip(requests, settled, strict=True):
        if each is Settled.LEASE_LOST:
            lost += yield from receives.lost(owner, str(request.id), str(request.cid), now_ms)
    now_done = [job.id for job, each in zip(ended, settled, strict=True) if each is Settled.DONE]
    took_ms = (yield from receives.took(owner, now_done, now_ms)) if measured and now_done else ()
    return _Answered([each in (Settled.DONE, Settled.ALREADY_DONE) for each in settled], lost, took_ms)


def _change(owner: str, request: Change, most: int, now_ms: int, *, measured: bool = False) -> Operation[_Answered]:
    id_, consumer = str(request.id), str(request.cid)
    lease = request.receipt or (yield from receives.lease_of(owner, id_, consumer))
    if request.vt:
        settled = yield from queue.extend(owner, id_, lease, request.vt * 1000, now_ms)
    elif (received := (yield from receives.times(owner, id_))) >= most:
        settled = yield from queue.bury(owner, id_, lease, attempts.given_up(received, RELEASED), now_ms)
    else:
        settled = yield from queue.retry(owner, id_, lease, now_ms, RELEASED, now_ms)
    if settled is Settled.TOO_LONG:
        raise InvalidInput("A message is held for 12 hours at most, from when it was received. Ask for less, or give it back.", field="vt")
    lost = (yield from receives.lost(owner, id_, consumer, now_ms)) if settled is Settled.LEASE_LOST else 0
    given_back = settled is Settled.DONE and not request.vt
    took_ms = (yield from receives.took(owner, [id_], now_ms)) if measured and given_back else ()
    return _Answered([settled is Settled.DONE], lost, took_ms)
