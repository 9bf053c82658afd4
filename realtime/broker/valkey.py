"""Publish and subscribe on Valkey or Redis: events in full, sealed, so that a change needs no look into the database on its way to a screen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from realtime.broker import announcing
from realtime.broker.announcing import Announcing, go_on
from realtime.broker.contract import Hears
from realtime.broker.news import Batch, read_msgpack
from realtime.broker.sealed import NotOurs, channel, opened, seal
from realtime.errors import CannotStart

MOST_BYTES = 1 << 16
"""Of one message. Of an event that does not fit only the `seq` is told, and it is read."""

_encode = msgspec.msgpack.Encoder().encode


class ValkeyBroker(Announcing):
    """Two connections: one publishes, one listens. Nothing is stored there.

    A message that is repeated by a stranger does no harm: events and stores go by their `seq`, work is a hint, and a note may come again.

    Args:
        key: 32 secret bytes that every process of this installation has, and nobody else.
    """

    def __init__(self, url: str, key: bytes, hears: Hears) -> None:
        super().__init__(hears, MOST_BYTES, in_full=True)
        # Imported here, where nobody waits yet: it reads files.
        try:
            from redis import asyncio as redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError as error:
            raise CannotStart("redis_url is set, but what speaks to Redis is not installed: pip install 'nowserving[redis]'") from error

        self._client_from: Callable[..., Any] = redis.from_url
        # It would connect again by itself, and say nothing of what was missed meanwhile.
        self._never_again: Callable[[], Any] = lambda: Retry(NoBackoff(), 0)
        self._url = url
        self._key = key
        self._channel = channel(key)

    async def _connected(self) -> None:
        client = self._client_from(
            self._url,
            socket_connect_timeout=announcing.ANSWER_S,
            socket_timeout=announcing.ANSWER_S,
            socket_keepalive=True,
            retry=self._never_again(),
        )
        subscription = client.pubsub()
        try:
            async with asyncio.TaskGroup() as group:
                async with asyncio.timeout(2 * announcing.ANSWER_S):
                    await subscription.subscribe(self._channel)
                group.create_task(self._listen(subscription))
                await self._announce(lambda batch: client.publish(self._channel, self._sealed(batch)), client.ping)
        finally:
            # A server that does not read would keep what was not written yet, and this process with it.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(announcing.CLOSE_S):
                    await subscription.aclose()
                    await client.aclose()

    async def _listen(self, subscription: Any) -> None:
        asked = False
        while True:
            go_on()
            message = await subscription.get_message(timeout=announcing.ANSWER_S if asked else announcing.PING_S)
            if message is None:
                if asked:
                    raise ConnectionError
                await subscription.ping()
            elif message["type"] == "subscribe":
                self._is_up()
            elif message["type"] == "message":
                self._read(message["data"])
            asked = message is None

    def _sealed(self, batch: Batch) -> bytes:
        return seal(self._key, _encode(batch))

    def _read(self, message: bytes) -> None:
        try:
            payload = opened(self._key, message)
        except NotOurs:
            self._ignore("a message that is not from this installation")
            return
        try:
            batch = read_msgpack(payload)
        except msgspec.MsgspecError:
            self._ignore("an unreadable message")
            # It is one of another version of this program, as while a new one is rolled out.
            self._hear(self._hears.catch_up)
        else:
            self._heard(batch)
