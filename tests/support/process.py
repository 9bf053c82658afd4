"""The program itself as its users start it: a process of its own, with a port, a log and an end."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.support.nursery import Born, nursery
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """A port nobody listens on, below the range from which the system takes ports for outgoing connections."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def clean_environment(**more: str) -> dict[str, str]:
    """An environment with nothing of the developer's own settings in it."""
    kept = {
        name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "LD_PRELOAD", "SYSTEMROOT")
    }
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "default", **more}


def bear(*arguments: str, folder: Path, environment: Mapping[str, str], log: Path) -> Born:
    """`python -m realtime arguments` that has done its imports already."""
    return nursery(tuple(clean_environment().items())).bear(arguments, folder, environment, log)


class ServerProcess:
    """One nowserving server. `start` waits until it is ready; after `stop` or `kill` it may be started again on the same port."""

    def __init__(self, folder: Path, settings: Mapping[str, object], environment: Mapping[str, str], expect_errors: bool = False) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.expect_errors = expect_errors
        """Whether tracebacks in the log are part of the test."""
        said = {"database_url": f"sqlite:///{folder / 'nowserving.db'}", "port": self.port, **settings}
        self.environment = clean_environment(**{f"NOWSERVING_{name.upper()}": _text(value) for name, value in said.items()}, **environment)
        self.log = folder / f"server-{self.port}.log"
        self.process: subprocess.Popen[bytes] | Born | None = None
        self._anew = bool(environment) or "web_concurrency" in settings
        """Whether it must be an interpreter of its own: the environment may change how one starts, and workers look at how theirs was started."""

    @property
    def live_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/live"

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server was not started"
        return self.process.pid

    def start(self, within: float = 30.0) -> ServerProcess:
        if self._anew:
            self.start_nowait()
        else:
            self.process = bear("run", folder=self.folder, environment=self.environment, log=self.log)
        until(self.ready, within, "the server to be ready")
        return self

    def start_nowait(self) -> None:
        """Starts it as a user does, in an interpreter of its own, without waiting for anything."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "realtime", "run"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self.environment,
            )

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.output()}"
        try:
            with urllib.request.urlopen(self.url + "/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            error.close()  # it is the answer, and holds its connection
            return False
        except OSError:
            return False

    def output(self) -> str:
        """What it has printed and logged so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self, within: float = 20.0) -> int:
        """SIGTERM; returns the exit code. Kills it and fails when it does not end."""
        return self._end(signal.SIGTERM, within)

    def pause(self, how: signal.Signals) -> None:
        """SIGSTOP and SIGCONT: it keeps its sockets, and does nothing."""
        os.kill(self.pid, how)

    def kill(self) -> None:
        """SIGKILL: what a power cut or the kernel does."""
        self._end(signal.SIGKILL, 10)

    def _end(self, how: signal.Signals, within: float) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise AssertionError(f"the server did not end within {within:g} s:\n{self.output()}") from None
        self.process = None
        return code

    def close(self) -> None:
        """The end of a test: it stops as it should, and has written no traceback."""
        if self.process is not None:
            if self.process.poll() is None:
                code = self.stop()
                assert code == 0 or self.expect_errors, f"the server ended with {code}:\n{self.output()}"
            self.process = None
        assert self.expect_errors or "Traceback" not in self.output(), self.output()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
