"""A server of the rehearsal's own: a process in a temporary folder, with SQLite, that knows no settings of the operator's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

from realtime.errors import CannotStart
from realtime.settings import HOST_NAMES, PREFIX

SETTINGS = {
    "host": "127.0.0.1",
    "port": "0",
    "database_url": "sqlite:///nowserving.db",
    "log_level": "info",
    # The whole evening comes from one address.
    "joins_per_minute": "1000000",
    "max_sockets": "20000",
    "max_sockets_per_address": "20000",
    "max_sockets_per_store": "20000",
}
START_SECONDS = 60.0
STOP_SECONDS = 20.0
KEPT_LINES = 40
_ADDRESS = re.compile(r"nowserving is at (http://[^\s,]+)")


class Host:
    """The running server. `complaints` are the lines of its log that should not be there."""

    def __init__(self, process: asyncio.subprocess.Process, database: Path) -> None:
        self.url = ""
        self.database = database
        self.complaints: list[str] = []
        self._process = process
        self._last: deque[str] = deque(maxlen=KEPT_LINES)
        self._found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def listen(self) -> None:
        """Reads its log to the end."""
        assert self._process.stderr is not None
        async for raw in self._process.stderr:
            line = raw.decode(errors="replace").rstrip()
            self._last.append(line)
            if not self._found.done() and (found := _ADDRESS.search(line)):
                self._found.set_result(found[1])
            if " ERROR " in line or " CRITICAL " in line or "Traceback" in line:
                self.complaints.append(line[:500])
        if not self._found.done():
            self._found.set_result("")

    async def ready(self) -> None:
        """Raises: CannotStart."""
        try:
            self.url = await asyncio.wait_for(self._found, START_SECONDS)
        except TimeoutError:
            self.url = ""
        if not self.url:
            raise CannotStart("The rehearsal's own server did not start:\n" + "\n".join(self._last))

    async def stop(self) -> int:
        """SIGTERM, and more where that is not enough; the exit code."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()


@contextlib.asynccontextmanager
async def own_server(folder: Path) -> AsyncIterator[Host]:
    """Starts it in this folder; it is stopped with the block, whatever happens. Raises: CannotStart."""
    environment = {name: value for name, value in os.environ.items() if name not in HOST_NAMES and not name.startswith(PREFIX)}
    environment |= {PREFIX + name.upper(): value for name, value in SETTINGS.items()}
    # In a checkout that is not installed, the package is found where this one was.
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), environment.get("PYTHONPATH", ""))))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "realtime",
        "run",
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the rehearsal, which then stops its server
    )
    host = Host(process, folder / "nowserving.db")
    listening = asyncio.create_task(host.listen())
    try:
        await host.ready()
        yield host
    finally:
        try:
            await host.stop()
        except BaseException:  # whoever cannot wait is not left with a server
            process.kill()
            raise
        await listening
