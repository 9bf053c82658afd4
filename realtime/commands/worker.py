"""`nowserving worker`: do jobs, and nothing else, until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal

from realtime import logs
from realtime.errors import CannotStart
from realtime.settings import Settings

SENTENCE = "Do jobs in a process of its own; needs Postgres beside a server (run_jobs = false there)."

_log = logging.getLogger("nowserving")


def options(parser: argparse.ArgumentParser) -> None:
    """None: everything is a setting."""


def main(arguments: argparse.Namespace) -> int:
    """Returns 0 after a drain. Raises: CannotStart."""
    settings = Settings.load(os.environ, arguments.settings)
    if settings.database_url.startswith("sqlite"):
        raise CannotStart(
            "nowserving worker needs Postgres (set DATABASE_URL). A SQLite file belongs to one process, the server, which does the jobs"
            " itself while run_jobs is true."
        )
    logs.configure(settings.log_level)
    asyncio.run(work(settings))
    return 0


async def work(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; what cannot be finished in time is given back. A second signal ends at once."""
    # Imported only now: wrong settings are told at once, and the other commands start faster.
    from realtime.app import working

    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(sig: signal.Signals) -> None:
        if told.is_set():
            os._exit(128 + sig)
        told.set()

    for sig in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sig, stop, sig)
    async with working(settings):
        _log.info("The worker is at work")
        await told.wait()
        _log.info("Going down within %.0f s", settings.drain_seconds)
