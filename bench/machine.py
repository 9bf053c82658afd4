"""What the operating system says about other processes: CPU time, memory and sockets; and the cores that server and load get."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")
LONGEST_GOODBYE_S = 5


class Cores(NamedTuple):
    """Empty where there is only one, or where they cannot be chosen."""

    server: list[int]
    load: list[int]


def shared_out() -> Cores:
    """The last core for the server that is measured, the others for everything else."""
    found = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return Cores(found[-1:], found[:-1]) if len(found) > 1 else Cores([], [])


class Serving(NamedTuple):
    """A compared server that listens."""

    port: int
    control_port: int
    pids: Sequence[int]
    """The processes whose time and memory are its own."""

    def cpu_s(self) -> float:
        return sum(cpu_s(pid) for pid in self.pids)

    def rss_kib(self) -> int:
        return sum(rss_kib(pid) for pid in self.pids)


@contextmanager
def serving(command: Sequence[str], cores: Sequence[int] = (), environment: Mapping[str, str] | None = None) -> Iterator[Serving]:
    """Runs a server that prints `port control_port [pid ...]` for as long as the block lasts. Raises: ConnectionError."""
    before = os.sched_getaffinity(0) if cores else set()
    if cores:
        os.sched_setaffinity(0, cores)  # inherited, and known to every thread from its first moment
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, **(environment or {})})
    finally:
        if cores:
            os.sched_setaffinity(0, before)
    try:
        assert process.stdout is not None
        said = process.stdout.readline().split()
        if len(said) < 2:
            raise ConnectionError("the server did not start")
        yield Serving(int(said[0]), int(said[1]), [int(pid) for pid in said[2:]] or [process.pid])
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(LONGEST_GOODBYE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.communicate()


def cpu_s(pid: int) -> float:
    """User and system time of all threads so far: utime and stime of proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_kib(pid: int) -> int:
    """Resident memory."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


def kernel_bytes(text: str) -> int:
    """What the kernel holds for the sockets that `ss -tm` lists: received and not read, to be sent, and other memory of the socket.

    Of skmem (see ss(8)): r and w are the bytes that the two queues take with all their overhead, o is options.
    """
    return sum(int(r) + int(w) + int(o) for r, w, o in re.findall(r"skmem:\(r(\d+),.*?,w(\d+),o(\d+)", text))
