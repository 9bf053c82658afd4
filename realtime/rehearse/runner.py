"""Runs a rehearsal from the command line's arguments to its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import tempfile
from pathlib import Path

import uvloop
from msgspec import Struct

from realtime.rehearse.evening import Evening, plan
from realtime.rehearse.host import own_server
from realtime.rehearse.http_client import Lost, Refused
from realtime.rehearse.progress import Progress
from realtime.rehearse.rehearsal import Rehearsal
from realtime.rehearse.summary import table, verdict
from realtime.server.listener import allow_files

AGREED, DIFFERED, IMPOSSIBLE = 0, 1, 2


class Wanted(Struct, frozen=True):
    """What was asked for."""

    customers: int
    minutes: float
    speed: float
    seed: int
    url: str
    """Empty: a server of its own."""


def run(wanted: Wanted) -> int:
    """0 when everybody saw what is true, 1 when somebody did not, 2 when it could not be played. Raises: CannotStart."""
    allow_files()
    evening = plan(wanted.customers, wanted.minutes, wanted.seed, contacts=not wanted.url)
    with (
        tempfile.TemporaryDirectory(prefix="nowserving-rehearsal-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(_run(wanted, evening, Path(folder)))


async def _run(wanted: Wanted, evening: Evening, folder: Path) -> int:
    task = asyncio.current_task()
    assert task is not None
    # A polite end from outside leaves no server and no store behind either.
    ended = asyncio.Event()

    def end() -> None:
        ended.set()
        task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    try:
        if wanted.url:
            return await _played(Rehearsal(evening, wanted.speed, wanted.url))
        async with own_server(folder) as host:
            rehearsal = Rehearsal(evening, wanted.speed, host.url, host.database)
            done = await _played(rehearsal)
        if host.complaints:
            print("\nThe server's log should not have:\n  " + "\n  ".join(host.complaints))
        return done or int(bool(host.complaints))
    except (Refused, Lost, OSError) as error:
        print(f"The rehearsal could not be played: {error}. Is a nowserving server at {wanted.url or 'the address'}?", file=sys.stderr)
        return IMPOSSIBLE
    except asyncio.CancelledError:
        if not ended.is_set():
            raise
        return 128 + signal.SIGTERM


async def _played(rehearsal: Rehearsal) -> int:
    progress = Progress(rehearsal)
    showing = asyncio.create_task(progress.run())
    try:
        async with rehearsal:
            try:
                await rehearsal.play()
                await rehearsal.settle()
                await rehearsal.check()
                await rehearsal.close()
            except (Refused, Lost, TimeoutError) as error:
                rehearsal.record.differs(f"While it was {rehearsal.phase}, the rehearsal could not go on: {error}")
    finally:
        showing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await showing
        progress.end()
    print(f"\n{table(rehearsal)}\n\n{verdict(rehearsal)}")
    return DIFFERED if rehearsal.record.differences else AGREED
