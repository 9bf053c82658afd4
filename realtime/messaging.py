"""The message queue: publish, consume under a lease, acknowledge. And the tokens with which programs of an account do that."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from realtime import checks
from realtime.errors import NotAllowed, NotSignedIn
from realtime.keys import digest
from realtime.model import JobState
from realtime.operations import queue, receives, tokens
from realtime.operations.queue import Leased, NewJob, Settled
from realtime.queue_messages import Acknowledge, Change, Consume, MadeToken, Message, NewToken, Publish, Published, TokenView
from realtime.storage.statement import Operation, Storage

PREFIX = "ns_"
KEY_MS = 300_000
MOST_RECEIVES = 5
"""A message that was received so often and never acknowledged is a dead letter."""
LOOK_S = 1.0
"""Another process may have published: whoever waits looks this often, give or take a half."""


class Messaging:
    """All message queues of all accounts. A queue belongs to one account; nobody else sees it.

    Args:
        clock_ms: the time of day.
    """

    def __init__(self, storage: Storage, clock_ms: Callable[[], int]) -> None:
        self._storage = storage
        self._now = clock_ms
        self._last_id = 0
        self._waiting: dict[str, set[asyncio.Event]] = {}

    # ---- tokens

    async def make_token(self, account_id: str, request: NewToken) -> MadeToken:
        """Raises: InvalidInput, Conflict."""
        id_, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        token, scopes = f"{PREFIX}{id_}_{secret}", tuple(dict.fromkeys(request.scopes))
        await self._storage.write(tokens.make, account_id, id_, checks.name(request.name, "name"), digest(token), scopes, self._now())
        return MadeToken(id_, token)

    async def tokens(self, account_id: str) -> list[TokenView]:
        found = await self._storage.read(tokens.every, account_id)
        return [TokenView(token.id, token.name, list(token.scopes), token.created_ms) for token in found]

    async def revoke_token(self, account_id: str, id_: str) -> None:
        """Raises: NotFound."""
        await self._storage.write(tokens.revoke, account_id, id_, self._now())

    async def who(self, token: str, scope: str) -> str:
        """The account that a token speaks for. Raises: NotSignedIn, NotAllowed."""
        found = await self._storage.read(tokens.of_hash, digest(token)) if token.startswith(PREFIX) else None
        if found is None:
            raise NotSignedIn("There is no such token in use. Make one on the account page.")
        if scope not in found[1]:
            raise NotAllowed(f"This token may not {scope}.")
        return found[0]

    # ---- messages

    async def publish(self, account_id: str, requests: Sequence[Publish]) -> list[Published]:
        """Put messages in, all or none. Raises: InvalidInput."""
        now = self._now()
        new = [(self._job(account_id, request, now), request.key) for request in requests]
        ids = await self._storage.write_and_tell(lambda _: self._wake(new), _publish_all, new, now)
        return [Published(id_, id_ != job.id) for id_, (job, _) in zip(ids, new, strict=True)]

    def _job(self, account_id: str, request: Publish, now: int) -> NewJob:
        return NewJob(
            _owner(account_id),
            self._next_id(now),
            _queue(account_id, request.queue),
            msgspec.json.encode(request.message).decode(),
            checks.line(request.lane, "lane", 128),
            request.priority,
            now + request.delay * 1000,
            now + (request.delay + request.expires) * 1000 if request.expires else 0,
        )

    def _next_id(self, now: int) -> str:
        """Numbers that grow with time, of one width, so that their order is that of publishing; nineteen digits, until the year 2248."""
        self._last_id = max(self._last_id + 1, (now << 20) + secrets.randbelow(1 << 19))
        return str(self._last_id)

    async def consume(self, account_id: str, request: Consume) -> list[Message]:
        """Lease up to `limit` messages; where there is none, wait for one."""
        name, owner = _queue(account_id, request.queue), _owner(account_id)
        loop = asyncio.get_running_loop()
        until = loop.time() + request.wait
        came = asyncio.Event()
        self._waiting.setdefault(name, set()).add(came)
        try:
            while True:
                came.clear()
                held = await self._storage.write(
                    receives.receive, name, request.cid, secrets.token_urlsafe(18), request.vt * 1000, request.limit, MOST_RECEIVES,
                    self._now(), owner=owner, attempt=request.attempt_id,
                )  # fmt: skip
                left = until - loop.time()
                if held or left <= 0 or request.attempt_id:
                    return [_message(each) for each in held]
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left, await self._until_ready(name))):
                        await came.wait()
        finally:
            self._waiting[name].discard(came)
            if not self._waiting[name]:
                del self._waiting[name]

    async def _until_ready(self, name: str) -> float:
        ready_ms = await self._storage.read(queue.next_ready_ms, name)
        look = LOOK_S * random.uniform(0.5, 1.5)
        return look if ready_ms is None else min(look, max((ready_ms - self._now()) / 1000, 0.01))

    async def acknowledge(self, account_id: str, requests: Sequence[Acknowledge]) -> list[bool]:
        """Whether each message is consumed now; said again it stays true. False when the lease was lost, or there is no such message."""
        answers = await self._storage.write(_acknowledge_all, _owner(account_id), requests, self._now())
        self._wake_all(account_id)  # the next of a lane may go
        return answers

    async def change(self, account_id: str, request: Change) -> bool:
        """Hold a message longer, or give it back. False when the lease was lost, or there is no such message."""
        changed = await self._storage.write(_change, _owner(account_id), request, self._now())
        if not request.vt:
            self._wake_all(account_id)
        return changed

    def _wake(self, new: Sequence[tuple[NewJob, str]]) -> None:
        for name in {job.queue for job, _ in new}:
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
    return f"messages/{account_id}/{name}"


def _message(held: Leased) -> Message:
    body: Any = msgspec.json.decode(held.body)
    return Message(held.id, body, held.lease, held.attempts, held.lane, held.created_ms, held.leased_until_ms)


def _publish_all(new: Sequence[tuple[NewJob, str]], now_ms: int) -> Operation[list[str]]:
    ids = []
    # Lanes are held in one order by everybody, or two publishers would wait for each other.
    order = sorted(range(len(new)), key=lambda at: (new[at][0].queue, new[at][0].lane, at))
    done: dict[int, str] = {}
    for at in order:
        job, key = new[at]
        if key:
            done[at] = yield from queue.enqueue_once(job, key, KEY_MS, now_ms)
        else:
            yield from queue.enqueue(job, now_ms)
            done[at] = job.id
    ids = [done[at] for at in range(len(new))]
    return ids


def _acknowledge_all(owner: str, requests: Sequence[Acknowledge], now_ms: int) -> Operation[list[bool]]:
    answers = []
    for request in requests:
        lease = request.receipt or (yield from receives.lease_of(owner, request.id, request.cid))
        settled = yield from queue.end(owner, request.id, lease, JobState.DONE, "", now_ms)
        answers.append(settled in (Settled.DONE, Settled.ALREADY_DONE))
    return answers


def _change(owner: str, request: Change, now_ms: int) -> Operation[bool]:
    lease = request.receipt or (yield from receives.lease_of(owner, request.id, request.cid))
    if request.vt:
        settled = yield from queue.extend(owner, request.id, lease, request.vt * 1000, now_ms)
    else:
        settled = yield from queue.retry(owner, request.id, lease, now_ms, "released", now_ms)
    return settled is Settled.DONE
