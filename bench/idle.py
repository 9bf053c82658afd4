"""What a socket costs that only waits: the server's resident memory for each of 10,000 idle subscribers."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.fanout import ROOT, python
from bench.load import Crowd
from bench.result import Result, line
from realtime.server.listener import allow_files

TARGET_KIB = 24


def run(quick: bool) -> list[Result]:
    """The figure, the median of several fresh servers."""
    files = allow_files()
    sockets, runs = (2_000, 1) if quick else (10_000, 3)
    sockets = min(sockets, files - 200)
    each = statistics.median(measure(sockets) for _ in range(runs))
    return [
        Result(
            f"idle sockets ({sockets:,}), server RSS each",
            each,
            "KiB",
            each / TARGET_KIB,
            f"{TARGET_KIB} KiB",
            "<= 1 x",
            each <= TARGET_KIB,
        )
    ]


def measure(sockets: int) -> float:
    """KiB that a server grew by for each of `sockets` subscribers, all of whom were sent one message."""
    with serving(python("extension")) as (process, port, control_port):
        warm = Crowd(port, control_port, 50)
        warm.wait_until_known()
        warm.deliver(1)
        before = rss_kib(process.pid)
        crowd = Crowd(port, control_port, sockets - 50)
        crowd.wait_until_known(beside=50)
        crowd.deliver(1)
        grown = rss_kib(process.pid) - before
        crowd.close()
        warm.close()
        return grown / (sockets - 50)


@contextmanager
def serving(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        port, control_port = map(int, process.stdout.readline().split())
        yield process, port, control_port
    finally:
        process.kill()
        process.wait()


def rss_kib(pid: int) -> int:
    return int(subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
