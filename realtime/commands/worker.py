"""`nowserving worker`: do jobs, and nothing else, until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from typing import TYPE_CHECKING

from realtime import logs
from realtime.errors import CannotStart
from realtime.settings import Settings

if TYPE_CHECKING:
    from realtime.metrics import Metrics

SENTENCE = "Do jobs in a process of its own; needs Postgres beside a server (run_jobs = false there)."

_log = logging.getLogger("nowserving")


def options(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command; everything else is a setting."""
    parser.add_argument(
        "--metrics-port", type=int, default=0, metavar="PORT", help="show this worker's figures to Prometheus there (nowhere)"
    )
    parser.add_argument(
        "--metrics-host", default="127.0.0.1", metavar="ADDRESS", help="at this address of the machine, without a token (127.0.0.1)"
    )


def main(arguments: argparse.Namespace) -> int:
    """Returns 0 after a drain. Raises: CannotStart."""
    settings = Settings.load(os.environ, arguments.settings)
    if settings.database_url.startswith("sqlite"):
        raise CannotStart(
            "nowserving worker needs Postgres (set DATABASE_URL). A SQLite file belongs to one process, the server, which does the jobs"
            " itself while run_jobs is true."
        )
    logs.configure(settings.log_level)
    if not arguments.metrics_port:
        asyncio.run(work(settings))
        return 0
    # Imported only where somebody asks for figures.
    from realtime.metrics import Metrics

    metrics = Metrics()
    try:
        stop = metrics.serve(arguments.metrics_host, arguments.metrics_port)
    except (OSError, OverflowError) as error:
        raise CannotStart(f"{arguments.metrics_host} port {arguments.metrics_port} cannot be listened at: {error}.") from error
    try:
        asyncio.run(work(settings, metrics))
    finally:
        stop()
    return 0


async def work(settings: Settings, metrics: Metrics | None = None) -> None:
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
    async with working(settings, metrics):
        _log.info("The worker is at work")
        await told.wait()
        _log.info("Going down within %.0f s", settings.drain_seconds)
