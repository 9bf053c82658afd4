"""Processes of the program that need not import it first: they are forked from one that has, and are like others from then on.

To import the program takes longer than most of what tests then do with it. What differs from `python -m realtime`, and is tested with that:
how an interpreter starts.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_BYTES = 2**20
"""Of what a process is asked to become."""


class Born:
    """A process as subprocess.Popen has it; a keeper beside it waits for its end and tells the exit code."""

    def __init__(self, keeper: socket.socket, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._keeper = keeper
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal. Raises: subprocess.TimeoutExpired."""
        with self._lock:
            if self.returncode is None:
                if not select.select([self._keeper], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired("realtime", timeout or 0)
                self.returncode = int(self._keeper.recv(100))
                self._keeper.close()
            return self.returncode

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that has imported the program. It ends with the one that made it, and whoever it bore does not."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._asking, theirs = socket.socketpair()
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.nursery"], stdin=theirs.fileno(), cwd=ROOT, env=dict(environment)
            )
        atexit.register(self.close)

    def close(self) -> None:
        self._asking.close()
        self._process.wait(10)

    def bear(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> Born:
        """`python -m realtime arguments` in a folder, with that environment and no other, and with what it says appended to a file."""
        asked = json.dumps({"arguments": arguments, "folder": str(folder), "environment": dict(environment), "log": str(log)})
        ours, keepers = socket.socketpair()
        with keepers, self._lock:
            socket.send_fds(self._asking, [asked.encode() + b"\n"], [keepers.fileno()])
            pid = int(ours.recv(100))
        return Born(ours, pid)


@functools.cache
def nursery(environment: tuple[tuple[str, str], ...]) -> Nursery:
    """One for the run, made when first asked for: `environment` is what an interpreter looks at when it starts."""
    return Nursery(dict(environment))


# ---- in the process that has imported the program -----------------------------------------------------------------


def _import_all() -> None:
    for package in map(importlib.import_module, ("realtime", "plugins", "notifiers")):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # What is not installed is missed by those only who use it.
            if not module.name.endswith(".__main__"):
                with contextlib.suppress(ImportError):
                    importlib.import_module(module.name)
    importlib.import_module("realtime.server.warming").load()
    assert threading.active_count() == 1, "a thread would not be there in those that are forked"
    gc.collect()
    gc.freeze()


def _bear_all(asked: socket.socket) -> list[str]:
    """Returns only in the processes that are to become the program, with their arguments."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        text, descriptors, _, _ = socket.recv_fds(asked, MOST_BYTES, 1)
        while text and not text.endswith(b"\n"):
            text += asked.recv(MOST_BYTES)
        if not text:
            os._exit(0)
        if os.fork() == 0:
            asked.close()
            return _keep(json.loads(text), socket.socket(fileno=descriptors[0]))
        os.close(descriptors[0])
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _keep(become: dict[str, object], told: socket.socket) -> list[str]:
    pid = os.fork()
    if pid:
        told.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(OSError):
            told.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    told.close()
    return _become(**become)  # type: ignore[arg-type]  # as Nursery.bear wrote it


def _become(arguments: list[str], folder: str, environment: dict[str, str], log: str) -> list[str]:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, path, how in ((0, os.devnull, os.O_RDONLY), (1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)):
        opened = os.open(path, how, 0o666)
        os.dup2(opened, number)
        os.close(opened)
    os.dup2(1, 2)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.path[0] = folder
    return ["realtime", *arguments]


if __name__ == "__main__":
    _import_all()
    # From the descriptor that is also its standard input.
    with socket.socket(fileno=os.dup(0)) as asking:
        sys.argv = _bear_all(asking)
    runpy.run_module("realtime", run_name="__main__", alter_sys=True)
