"""Work that is begun at once, and gets a task only if it has to wait for something."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any


def begin(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Runs `work` up to where it first waits; the task that has the rest of it, or None if it is done. Raises what the first part raises.

    Until then there is no current task: nothing in it may ask for one (asyncio.timeout does).
    """
    try:
        waits_for = work.send(None)
    except StopIteration:
        return None
    return asyncio.get_running_loop().create_task(_rest(work, waits_for))


@types.coroutine
def _rest(work: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    try:
        while True:
            try:
                value = yield waits_for
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is for `work`: cancellation above all
                waits_for = work.throw(error)
            else:
                waits_for = work.send(value)
    except StopIteration:
        return
