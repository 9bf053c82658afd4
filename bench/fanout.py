"""What it costs the server to tell 1,000 sockets something: CPU time per delivery, beside a C loop of send() and a loop of send_text."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.load import Crowd, rounds
from bench.result import Result, line
from realtime.server.listener import allow_files

SOCKETS = 1000
HERE = Path(__file__).parent
ROOT = HERE.parent


def run(quick: bool) -> list[Result]:
    """The figures, medians of several runs. Runs of the compared servers take turns, so that a busy machine is busy for all."""
    allow_files()
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) - _server_core())
    runs, deliveries = (3, 50_000) if quick else (5, 100_000)
    with tempfile.TemporaryDirectory() as folder:
        loop = compiled(Path(folder))
        servers: dict[str, tuple[list[str], int, bool]] = {
            # Without a window, as the C loop has none: with one message in flight it only adds waiting.
            "extension, 1 in flight": (python("extension", "0"), 1, True),
            "extension, 8 in flight": (python("extension"), 8, True),
            "send_text, 8 in flight": (python("send_text"), 8, True),
        }
        if loop is not None:
            servers["C send(), 1 in flight"] = ([str(loop)], 1, False)
        taken: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(runs):
            for name, (command, in_flight, websocket) in servers.items():
                taken[name].append(measure(command, in_flight, deliveries, websocket=websocket))
    cost = {name: statistics.median(values) for name, values in taken.items()}
    one, eight, text = (cost[name] for name in ("extension, 1 in flight", "extension, 8 in flight", "send_text, 8 in flight"))
    results = []
    if loop is not None:
        floor = cost["C send(), 1 in flight"]
        results.append(Result("fan-out, C loop of send(), 1 in flight", floor, "us"))
        results.append(Result("fan-out, extension, 1 in flight", one, "us", one / floor, "C send()", "<= 1.6 x", one / floor <= 1.6))
    else:
        results.append(Result("fan-out, extension, 1 in flight", one, "us", against="no C compiler here, so nothing to compare with"))
    results.append(Result("fan-out, Starlette send_text, 8 in flight", text, "us"))
    results.append(Result("fan-out, extension, 8 in flight", eight, "us", eight / text, "send_text", "<= 0.15 x", eight / text <= 0.15))
    return results


def measure(command: list[str], in_flight: int, deliveries: int, *, websocket: bool) -> float:
    """Microseconds of the server's CPU for one delivery, in a fresh process of it."""
    with serving(command) as (port, control_port):
        crowd = Crowd(port, control_port, SOCKETS, websocket=websocket)
        crowd.wait_until_known()
        for _ in rounds(deliveries // 10, SOCKETS, in_flight):
            crowd.deliver(in_flight)
        before, delivered = crowd.cpu_us(), 0
        for _ in rounds(deliveries, SOCKETS, in_flight):
            crowd.deliver(in_flight)
            delivered += SOCKETS * in_flight
        cost = (crowd.cpu_us() - before) / delivered
        crowd.close()
        return cost


@contextmanager
def serving(command: list[str]) -> Iterator[tuple[int, int]]:
    """Runs a server on a core of its own, where cores can be chosen, for as long as the block lasts."""
    pin = _pin if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1 else None
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, preexec_fn=pin)
    try:
        assert process.stdout is not None
        port, control_port = map(int, process.stdout.readline().split())
        yield port, control_port
    finally:
        process.kill()
        process.wait()


def _server_core() -> set[int]:
    return {(os.cpu_count() or 1) - 1}


def _pin() -> None:
    os.sched_setaffinity(0, _server_core())


def python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bench.fanout_server", *arguments]


def compiled(folder: Path) -> Path | None:
    """The C loop, or None where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    target = folder / "send_loop"
    built = subprocess.run([compiler, "-O2", "-o", str(target), str(HERE / "send_loop.c")], capture_output=True, check=False)
    return target if built.returncode == 0 else None


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
