"""What waits while the same is being done already, and is then done together: for a database where each operation has a transaction of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, NamedTuple

from realtime.errors import Unavailable
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


class Gathering:
    """
    Args:
        in_line: waits for a connection, then does something, whether or not the caller is still there; as `PostgresStorage._in_line`.
        attempt: one transaction, by name.
    """

    def __init__(
        self,
        in_line: Callable[[str, Callable[[], Coroutine[Any, Any, None]]], Awaitable[None]],
        attempt: Callable[[Callable[[], Operation[Any]], str], Awaitable[Any]],
    ) -> None:
        self._in_line = in_line
        self._attempt = attempt
        self._waiting: dict[_Key, list[_Call]] = {}
        self._lines: set[asyncio.Task[None]] = set()

    async def run(self, make: Together[Any, Any], args: tuple[Any, ...], tell: Callable[[Any], None] | None) -> Any:
        """One call; its value. A caller that goes away before it is begun takes it back."""
        key = make, args[0]
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        call = _Call(args, future, tell)
        if key in self._waiting:
            self._waiting[key].append(call)
        else:
            self._waiting[key] = [call]
            line = asyncio.create_task(self._begin(key))
            self._lines.add(line)
            line.add_done_callback(self._lines.discard)
        return await future

    async def _begin(self, key: _Key) -> None:
        try:
            await self._in_line(name_of(key[0]), partial(self._work, key))
        except Exception as error:  # noqa: BLE001 - there was no connection: every caller is told
            for call in self._waiting.pop(key, ()):
                _settle(call, None, error)

    async def _work(self, key: _Key) -> None:
        waiting = self._waiting[key]
        while waiting:
            calls, waiting[:MOST] = [call for call in waiting[:MOST] if not call.future.cancelled()], []
            await self._do(key[0], calls)
        del self._waiting[key]  # nothing was awaited since it was empty

    async def _do(self, make: Together[Any, Any], calls: Sequence[_Call]) -> None:
        name = name_of(make)
        if len(calls) > 1:
            try:
                values = await self._attempt(lambda: make.many([call.args for call in calls]), name)
            except Unavailable as error:  # perhaps it happened, so it is not tried again
                for call in calls:
                    _settle(call, None, error)
                return
            except Exception as error:  # noqa: BLE001 - one of them cannot be: each says for itself
                log.debug("%s: %d calls are made singly: %s", name, len(calls), type(error).__name__)
            else:
                for call, value in zip(calls, values, strict=True):
                    _settle(call, value, None)
                return
        for call in calls:
            try:
                value = await self._attempt(partial(make, *call.args), name)
            except Exception as error:  # noqa: BLE001 - the failure belongs to whoever waits for it
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
