"""Several processes on one listening socket: started, started again when they die, and ended together."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from realtime import logs
from realtime.server.listener import listen
from realtime.server.run import make_server, serve_on
from realtime.settings import Settings

COULD_NOT_START = 3
FIGURES = "PROMETHEUS_MULTIPROC_DIR"
"""Where processes share what they measure, as the Prometheus client reads it."""
SPAWN_PAUSE_SECONDS = 1.0
"""Between two starts of the same worker, so that one that dies at once does not take the whole machine."""

log = logging.getLogger("realtime.server")


class Worker:
    """One process, and the pipe whose closing tells it that its supervisor is gone."""

    def __init__(self, app: str, settings: Settings, listener: socket.socket) -> None:
        spawn = multiprocessing.get_context("spawn")
        theirs, self._ours = spawn.Pipe(duplex=False)
        self.began = time.monotonic()
        self.process: SpawnProcess = spawn.Process(target=_work, args=(app, settings, listener, theirs))
        self.process.start()
        theirs.close()

    def end(self) -> None:
        """Asks it to drain."""
        if self.process.is_alive():
            self.process.terminate()

    def kill(self) -> None:
        self.process.kill()


def supervise(app: str, settings: Settings) -> int:
    """Runs `web_concurrency` workers until SIGTERM or SIGINT. Returns the exit code. Raises: CannotStart.

    A worker whose application cannot start ends all. On a second signal, or when the drain is over, workers are killed.
    """
    listener = listen(settings.host, settings.port)
    if settings.metrics_token or settings.operator_token:
        with tempfile.TemporaryDirectory(prefix="nowserving-figures-") as folder:
            os.environ[FIGURES] = folder  # the workers inherit it
            return _supervise(app, settings, listener)
    return _supervise(app, settings, listener)


def _supervise(app: str, settings: Settings, listener: socket.socket) -> int:
    signals: list[int] = []
    _on_signal(lambda sig, _frame: signals.append(sig))
    workers = [Worker(app, settings, listener) for _ in range(settings.web_concurrency)]
    code = 0
    while not signals and not code:
        wait(_sentinels(workers), timeout=0.5)
        for place, worker in enumerate(workers):
            exit_code = worker.process.exitcode
            if exit_code is None or signals:
                continue
            if exit_code == COULD_NOT_START:
                log.error("A process could not start; ending all")
                code = exit_code
            elif time.monotonic() - worker.began > SPAWN_PAUSE_SECONDS:
                _forget(worker.process.pid)
                log.warning("Process %s died (exit code %s); starting another", worker.process.pid, exit_code)
                workers[place] = Worker(app, settings, listener)
    listener.close()
    for worker in workers:
        worker.end()
    until = time.monotonic() + settings.drain_seconds
    while _sentinels(workers) and len(signals) < 2 and time.monotonic() < until:
        wait(_sentinels(workers), timeout=0.1)
    for worker in workers:
        worker.kill()
        worker.process.join()
    return 128 + signals[1] if len(signals) > 1 else code


def _forget(pid: int | None) -> None:
    """What a dead process measured is kept, but for what was true only while it lived."""
    if os.environ.get(FIGURES):
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]  # it comes without types


def _sentinels(workers: list[Worker]) -> list[int]:
    return [worker.process.sentinel for worker in workers if worker.process.is_alive()]


def _work(app: str, settings: Settings, listener: socket.socket, supervisor: Connection) -> None:
    """One worker's whole life. Ctrl-C reaches every process of a terminal, so it is the supervisor that hands it on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logs.configure(settings.log_level)
    threading.Thread(target=_end_with, args=(supervisor,), daemon=True).start()
    raise SystemExit(serve_on(listener, make_server(app, settings, alone=False), settings))


def _end_with(supervisor: Connection) -> None:
    """Drains this process when its supervisor died without a word."""
    wait([supervisor])
    os.kill(os.getpid(), signal.SIGTERM)


def _on_signal(handler: Callable[[int, FrameType | None], object]) -> None:
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, handler)
