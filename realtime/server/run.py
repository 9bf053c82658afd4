"""The runner: one process that serves until it is told to stop, and then ends in order, inside a fixed time."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol, cast

import uvicorn
from starlette.types import ASGIApp

from realtime.crowds import Crowds
from realtime.errors import CannotStart
from realtime.server import door, warming
from realtime.server.access import AccessLog
from realtime.server.faults import FaultLog
from realtime.server.garbage import Garbage
from realtime.server.limits import SocketLimits
from realtime.server.listener import BACKLOG, address, allow_files, everywhere, listen
from realtime.server.request import RequestProtocol
from realtime.server.starting import Starting
from realtime.server.wire import Upgrade
from realtime.settings import Settings

SOCKETS_SHARE = 0.5
"""How much of the drain may go into saying goodbye to sockets."""
LIFESPAN_SHARE = 0.25
"""How much of it is kept for the application's own shutdown."""
FILES_BESIDE_SOCKETS = 100
SWITCH_S = 0.001
"""How long another thread may keep the interpreter from the loop: with CPython's own 5 ms, a loop that writes to four sockets is late by 20."""

log = logging.getLogger("realtime.server")


class Lifecycle(Protocol):
    """What the runner must be able to tell the application once it answers, and when it ends; and what both count."""

    @property
    def addresses(self) -> Crowds:
        """The sockets of each address."""

    @property
    def warm_up(self) -> Callable[[], None]:
        """Called on a thread once it answers, to do what the first answer did not need."""

    def begin_drain(self) -> None:
        """From now on `/readyz` says 503, and nothing long is begun."""

    async def disconnect_all(self, budget_s: float) -> None:
        """Tells every socket when to come back and closes it; see drain.disconnect_all."""


class Server(uvicorn.Server):
    """uvicorn's server with an end of its own: not ready, no new connections, sockets told, requests finished, application shut down.

    A second signal ends the process at once, unless a supervisor is there to do that.
    """

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle, *, drain_seconds: float, alone: bool = True) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._drain_seconds = drain_seconds
        self._alone = alone
        self._last_resort: threading.Timer | None = None
        self._garbage = Garbage()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._garbage.start()
        sys.setswitchinterval(SWITCH_S)
        warming.begin(self._lifecycle.warm_up)
        for listener in sockets or []:
            more = ", and at every other address of this machine" if everywhere(listener) else ""
            log.info("nowserving is at %s%s", address(listener), more)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called for SIGTERM and SIGINT. uvicorn would raise them again in the end, and the process would not exit with 0."""
        if not self.should_exit:
            self.should_exit = True
            if self._alone:
                self._last_resort = threading.Timer(self._drain_seconds, _exit_anyway, (self._drain_seconds,))
                self._last_resort.daemon = True
                self._last_resort.start()
        elif self._alone:
            os._exit(128 + sig)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._drain_seconds * 0.9  # the rest is for the interpreter to end
        log.info("Going down within %.0f s", self._drain_seconds)
        self._lifecycle.begin_drain()
        self._garbage.stop()
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            if isinstance(connection, RequestProtocol | door.Door):  # idle ones close, busy ones do after their answer
                connection.shutdown()
        budget_s = self._drain_seconds * SOCKETS_SHARE
        try:
            async with asyncio.timeout(budget_s):
                await self._lifecycle.disconnect_all(budget_s * 0.8)
        except TimeoutError:
            log.warning("Not every socket could be told to come back within %.1f s", budget_s)
        except Exception:
            log.exception("Sockets could not be told to come back")
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._finish(end - self._drain_seconds * LIFESPAN_SHARE)
        try:
            async with asyncio.timeout_at(end):
                await self.lifespan.shutdown()
        except TimeoutError:
            log.error("The application did not shut down in time; nothing that was acknowledged is lost")

    async def _finish(self, until: float) -> None:
        """Waits for connections and requests; what is left at the end is dropped."""
        loop, state = asyncio.get_running_loop(), self.server_state
        while (state.connections or state.tasks) and loop.time() < until:  # noqa: ASYNC110 - uvicorn's sets tell nobody when they are empty
            await asyncio.sleep(0.02)
        if state.connections or state.tasks:
            log.warning("Dropping %d connections that did not end in time", len(state.connections))
        for task in list(state.tasks):
            task.cancel()
        for connection in list(state.connections):
            abort = getattr(connection, "abort", None) or connection.transport.abort
            abort()
        while state.connections and loop.time() < until + 0.2:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)


def serve(app: ASGIApp | str, settings: Settings, lifecycle: Lifecycle | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit code: 0 after a drain, 3 when the application could not start.

    `app` comes with its `lifecycle`, or it is the name of a function, "package.module:function", that is called with the settings and
    returns both. Only with a name can there be several processes (`web_concurrency`). Raises: CannotStart.
    """
    for note in settings.notes:
        log.warning("%s", note)
    if settings.web_concurrency > 1:
        if not isinstance(app, str):
            raise CannotStart("Several processes each make their own application; give serve() its import name.")
        from realtime.server.workers import supervise  # one process needs no multiprocessing, and starts sooner without

        return supervise(app, settings)
    server = make_server(app, settings, lifecycle)
    return serve_on(listen(settings.host, settings.port), server, settings)


def serve_on(listener: socket.socket, server: Server, settings: Settings) -> int:
    """Serves from this process on a listening socket. Returns the exit code."""
    files = allow_files()
    if settings.max_sockets + FILES_BESIDE_SOCKETS > files:
        log.warning("Only %d files may be open; raise the limit (ulimit -n) or lower max_sockets, which is %d", files, settings.max_sockets)
    try:
        server.run([listener])
    except SystemExit as stop:  # uvicorn's way to say that the application did not start
        return int(stop.code or 0)
    return 0 if server.started else 3


def make_server(app: ASGIApp | str, settings: Settings, lifecycle: Lifecycle | None = None, *, alone: bool = True) -> Server:
    """The server of this process, not yet running."""
    if isinstance(app, str):
        app, lifecycle = _made(app, settings)
    if lifecycle is None:
        raise CannotStart("An application is served together with its lifecycle; give serve() both.")
    faults = FaultLog()
    edge = Starting(AccessLog(SocketLimits(app, settings.max_sockets, lifecycle.addresses, settings.public_url)))
    config = uvicorn.Config(
        cast(Any, edge),
        interface="asgi3",
        loop="auto",
        http=door.opened(settings.request_head_seconds, faults),
        ws=cast(Any, Upgrade),
        ws_max_size=settings.max_frame_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # pings are `{}` texts that a page can see, from the wheel
        lifespan="on",
        log_config=None,
        log_level=None,
        access_log=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        server_header=False,
        workers=1,
        backlog=BACKLOG,
    )
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi"):  # its own lines about starting and stopping say less than ours
        logging.getLogger(name).setLevel(logging.WARNING)
    return Server(config, lifecycle, drain_seconds=settings.drain_seconds, alone=alone)


def _made(name: str, settings: Settings) -> tuple[ASGIApp, Lifecycle]:
    module, _, function = name.partition(":")
    made: tuple[ASGIApp, Lifecycle] = getattr(importlib.import_module(module), function)(settings)
    return made


def _exit_anyway(seconds: float) -> None:
    """The last resort, in a thread of its own: a plugin may block the loop, and a thread may not end."""
    log.error("Still busy after %.0f s; ending now. Nothing that was acknowledged is lost", seconds)
    logging.shutdown()
    os._exit(0)
