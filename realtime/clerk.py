"""The one place where a change becomes real: commit, then tell - sockets, other processes, the courier, plugins; in this order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, Protocol, TypeVar

from realtime.errors import Restarting
from realtime.model import Event
from realtime.operations.changes import Change
from realtime.storage.statement import Operation, Storage

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("nowserving.clerk")

_ANEW_S = 1.0


class Tasks:
    """Tasks of one TaskGroup whose failures are their own: each is told to whoever awaits it, and never ends the others."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._running: set[asyncio.Task[None]] = set()
        self._ended = False

    def run(self, work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        """Start `work` now; the future has its result. A cancelled future does not cancel the work."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._ended:
            work.close()
            future.set_exception(Restarting())
        else:
            self._begin(_into(future, work), "work", work)
        return future

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start work that nobody waits for; its failure is logged by name. After the end it is left undone."""
        if self._ended:
            work.close()
        else:
            self._begin(_logged(name, work), name, work)

    def keep(self, name: str, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start work that has to go on as long as the process does: should it fail, it is logged and begun anew."""
        self._begin(_kept(name, make), name)

    def end(self) -> None:
        """Cancel what runs, and begin nothing any more."""
        self._ended = True
        for task in self._running:
            task.cancel()

    def _begin(self, watched: Coroutine[Any, Any, None], name: str, work: Coroutine[Any, Any, Any] | None = None) -> None:
        task = self._group.create_task(watched, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if work:  # one whose task is cancelled before it began is ended by nobody else
            task.add_done_callback(lambda _: work.close())


async def _kept(name: str, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            await make()
            return
        except Exception:  # noqa: BLE001 - a supervised edge: the process would go on without it
            _log.exception("%s failed and is begun anew", name)
            await asyncio.sleep(_ANEW_S)


async def _into(future: asyncio.Future[T], work: Coroutine[Any, Any, T]) -> None:
    try:
        result = await work
    except asyncio.CancelledError:
        future.cancel()
        raise
    except Exception as error:  # noqa: BLE001 - the failure belongs to whoever waits for this future
        if not future.done():
            future.set_exception(error)
    else:
        if not future.done():
            future.set_result(result)


async def _logged(name: str, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:  # noqa: BLE001 - a supervised edge: nobody waits for this work
        _log.exception("%s failed", name)


class Tells(Protocol):
    """Somebody who is told of committed events. Never raises, never waits."""

    def tell(self, events: tuple[Event, ...]) -> None: ...


class Clerk:
    """Runs operations that change a store.

    A caller that goes away leaves a change that is committed and told, or neither.
    """

    def __init__(
        self,
        storage: Storage,
        listeners: tuple[Tells, ...],
        wake_courier: Callable[[], None],
        wake_postman: Callable[[], None] = lambda: None,
    ) -> None:
        self._storage = storage
        self._listeners = listeners
        self._wake_courier = wake_courier
        self._wake_postman = wake_postman

    async def change(self, make: Callable[P, Operation[Change]], *args: P.args, **kwargs: P.kwargs) -> Any:
        """Commit, then tell; returns the change's value."""
        change = await self._storage.write_and_tell(self.tell, make, *args, **kwargs)
        return change.value

    def tell(self, change: Change) -> None:
        """What was committed goes to everybody whom it concerns."""
        try:
            for listener in self._listeners:
                listener.tell(change.events)
            if change.owed:
                self._wake_courier()
            if change.posted:
                self._wake_postman()
        except Exception:  # noqa: BLE001 - others wait behind this one, and what was committed stays so
            _log.exception("A committed change could not be told")
