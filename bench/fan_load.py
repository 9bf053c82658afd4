"""Many WebSocket clients in a process of their own: the C program `fan_load.c`, or `fan_load_python.py` where there is no compiler."""

from __future__ import annotations

import array
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

HERE = Path(__file__).parent
ROOT = HERE.parent


class Way(NamedTuple):
    """How a client gets to where messages come."""

    path: str = "/live"
    subprotocol: str = ""
    hellos: Sequence[str] = ()
    """Texts to say: the first after the handshake, each next one after something was heard."""
    ready_after: int = 0
    """Texts that a client has heard when it is ready."""
    raw: bool = False
    """No handshake at all."""
    source: str = ""
    """The clients' own address."""


PLAIN = Way()


class Opened(NamedTuple):
    sockets: int
    seconds: float
    cpu_us: int
    """The load's own."""


class Run(NamedTuple):
    deliveries: int
    rounds: int
    seconds: float
    cpu_us: int
    """The load's own."""
    p50_us: int
    """From publication to receipt, as the other two."""
    p99_us: int
    most_us: int


def compiled(source: str, folder: Path) -> Path | None:
    """A C program of this folder, or None where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    target = folder / source
    built = subprocess.run([compiler, "-O2", "-o", str(target), str(HERE / f"{source}.c")], capture_output=True, check=False)
    return target if built.returncode == 0 else None


class Load:
    """`with Load(...) as load`. Its orders are those of fan_load.c.

    Raises:
        ConnectionError: from every order, when the clients came to no end: a socket was refused or closed, or messages did not come.
    """

    def __init__(self, program: Path | None, port: int, control_port: int = 0, way: Way = PLAIN, cores: Sequence[int] = ()) -> None:
        start = [str(program)] if program else [sys.executable, "-m", "bench.fan_load_python"]
        mode = "raw" if way.raw else "ws"
        self._command = [
            *start,
            str(port),
            str(control_port),
            mode,
            way.path,
            way.subprotocol,
            str(way.ready_after),
            way.source,
            *way.hellos,
        ]
        self._cores = list(cores)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        if self._cores:
            os.sched_setaffinity(self._process.pid, self._cores)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def open(self, number: int) -> Opened:
        return Opened(**self._ask(f"open {number}"))

    def deaf(self, number: int) -> Opened:
        """Clients that read nothing once they are ready."""
        return Opened(**self._ask(f"deaf {number}"))

    def run(self, in_flight: int, seconds: float) -> Run:
        """Publishes so many at a time and waits until everybody has them, for so long; at least once."""
        self.order(f"run {in_flight} {seconds}")
        return self.ran()

    def order(self, text: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # what it said before it ended is read next

    def ran(self) -> Run:
        """The answer to an order `run`."""
        return Run(**self.answer())

    def record(self, marker: str) -> None:
        """From now on notes the number behind `marker` of every text that has it, and when it came."""
        self.order(f"record {marker}")

    def recorded(self, file: Path) -> tuple[list[tuple[int, int]], float]:
        """What was noted since `record`: (number, nanoseconds of the monotonic clock) in the order in which they came; and the load's CPU share."""
        told = self._ask(f"stop {file}")
        numbers = array.array("Q")
        numbers.frombytes(file.read_bytes())
        return list(zip(numbers[::2], numbers[1::2], strict=True)), told["cpu_us"] / 1e6 / told["seconds"]

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        told: dict[str, Any] = json.loads(line) if line else {"error": f"the load ended with {self._process.wait()}"}
        if "error" in told:
            raise ConnectionError(told["error"])
        return told

    def _ask(self, order: str) -> dict[str, Any]:
        self.order(order)
        return self.answer()
