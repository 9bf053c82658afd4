"""The program as its users start it, in a process and where possible on a core of its own."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

ROOT = Path(__file__).parent.parent
RUN = ("-m", "realtime")
LONGEST_START_S = 60.0


class Program:
    """`with Program(folder) as program`: answers when the block begins, has ended after it. `start_s` is how long it took."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str] | None = None, cores: Sequence[int] = (), command: Sequence[str] = RUN
    ) -> None:
        self._folder = folder
        self._command = [sys.executable, *command]
        self._environment = dict(environment or {})
        self._cores = list(cores)
        self.port = free_port()
        self.start_s = 0.0

    def __enter__(self) -> Self:
        # Nothing of a developer's own settings comes along.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT") if name in os.environ}
        environment = {**kept, "PYTHONPATH": str(ROOT), "PORT": str(self.port), "NOWSERVING_HOST": "127.0.0.1", **self._environment}
        everywhere = os.sched_getaffinity(0) if self._cores else set()
        with (self._folder / f"server-{self.port}.log").open("wb") as log:
            if self._cores:
                os.sched_setaffinity(0, self._cores)  # inherited, and known to every thread from its first moment
            began = time.perf_counter()
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            if self._cores:
                os.sched_setaffinity(0, everywhere)
        self._about = psutil.Process(self._process.pid)
        try:
            while not self._answers():
                if self._process.poll() is not None or time.perf_counter() - began > LONGEST_START_S:
                    raise ConnectionError(f"The server did not start:\n{(self._folder / f'server-{self.port}.log').read_text()}")
                time.sleep(0.002)
            self.start_s = time.perf_counter() - began
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """What a power cut does. The block may be begun again, on the same port."""
        self._process.kill()
        self._process.wait()

    def cpu_s(self) -> float:
        """User and system time so far."""
        used = self._about.cpu_times()
        return float(used.user + used.system)

    def rss_mib(self) -> float:
        return float(self._about.memory_info().rss) / 2**20

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
