"""What waits while the same is being done already, and is then done together: for a database where each operation has a transaction of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, NamedTuple

from realtime.errors import StorageBusy, StorageFailed, Unavailable
from realtime.storage.statement import Operation, Together, name_of

log = logging.getLogger(__name__)

MOST = 64
"""Calls that are done in one transaction: it holds what it changes until it ends."""
_Key = tuple[Together[Any, Any], Any]
"""An operation and its first argument: what waits for the same rows."""


class _Call(NamedTuple):
    args: tuple[Any, ...]
    future: asyncio.Future[Any]
    tell: Callable[[Any], None] | None
    until: float
    """The loop's time at which it has waited for too long."""


class Gathering:
    """
    Args:
        in_line: waits for a connection, then does something, whether or not the caller is still there; as `Places.run`,
            by name and by what is changed.
        attempt: one transaction, by name.
        most: calls that may wait.
        patience_s: how long one may wait until it is begun.
    """

    def __init__(
        self,
        in_line: Callable[[str, Callable[[], Coroutine[Any, Any, None]], str], Awaitable[None]],
        attempt: Callable[[Callable[[], Operation[Any]], str], Awaitable[Any]],
        most: int,
        patience_s: float,
    ) -> None:
        self._in_line = in_line
        self._attempt = attempt
        self._most = most
        self._patience_s = patience_s
        self._count = 0
        self._waiting: dict[_Key, list[_Call]] = {}
        self._lines: set[asyncio.Task[None]] = set()

    async def run(self, make: Together[Any, Any], args: tuple[Any, ...], tell: Callable[[Any], None] | None) -> Any:
        """One call; its value. A caller that goes away before it is begun takes it back.

        Raises:
            StorageBusy, and what the operation and the transaction raise.
        """
        if self._count >= self._most:
            log.warning("%s was refused: %d calls wait already", name_of(make), self._count)
            raise StorageBusy(retry_after=1)
        key, loop = (make, args[0]), asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        call = _Call(args, future, tell, loop.time() + self._patience_s)
        if key in self._waiting:
            self._waiting[key].append(call)
        else:
            self._waiting[key] = [call]
            line = asyncio.create_task(self._begin(key))
            self._lines.add(line)
            line.add_done_callback(self._lines.discard)
        self._count += 1
        try:
            return await future
        finally:
            self._count -= 1

    async def _begin(self, key: _Key) -> None:
        try:
            await self._in_line(name_of(key[0]), partial(self._work, key), key[1])
        except Exception as error:  # noqa: BLE001 - there was no connection: every caller is told
            for call in self._waiting.pop(key, ()):
                _settle(call, None, error)

    async def _work(self, key: _Key) -> None:
        waiting, loop = self._waiting[key], asyncio.get_running_loop()
        while waiting:
            calls, waiting[:MOST] = [call for call in waiting[:MOST] if not call.future.cancelled()], []
            for call in calls:
                if call.until < loop.time():
                    _settle(call, None, StorageBusy(retry_after=1))
            await self._do(key[0], [call for call in calls if not call.future.done()])
        del self._waiting[key]  # nothing was awaited since it was empty

    async def _do(self, make: Together[Any, Any], calls: Sequence[_Call]) -> None:
        name = name_of(make)
        if len(calls) > 1:
            try:
                values = await self._attempt(lambda: make.many([call.args for call in calls]), name)
            except Exception as error:  # noqa: BLE001 - one of them cannot be: each says for itself
                if isinstance(error, Unavailable) and not isinstance(error, StorageFailed):
                    for call in calls:  # perhaps it happened, so it is not tried again
                        _settle(call, None, error)
                    return
                log.debug("%s: %d calls are made singly: %s", name, len(calls), type(error).__name__)
            else:
                for call, value in zip(calls, values, strict=True):
                    _settle(call, value, None)
                return
        broken: StorageFailed | None = None
        for call in calls:
            if broken:  # it would cost each of them the same time again
                _settle(call, None, broken)
                continue
            try:
                value = await self._attempt(partial(make, *call.args), name)
            except Exception as error:  # noqa: BLE001 - the failure belongs to whoever waits for it
                broken = error if isinstance(error, StorageFailed) else None
                _settle(call, None, error)
            else:
                _settle(call, value, None)


def _settle(call: _Call, value: Any, error: Exception | None) -> None:
    if error is None and call.tell:
        call.tell(value)
    if call.future.done():
        return
    if error is None:
        call.future.set_result(value)
    else:
        call.future.set_exception(error)
