"""40,000 live sockets: the memory of as many servers as the limit of open files asks for, and how soon the last socket has one event."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

from bench import machine
from bench.fan_load import Load, compiled
from bench.result import Result, line
from realtime.server.listener import allow_files

SOCKETS = 40_000
TARGET_MIB, TARGET_S = 512, 1.0


def run(quick: bool) -> list[Result]:
    """The figures of one run. The servers share a core."""
    sockets = SOCKETS // 8 if quick else SOCKETS
    each_holds = min(allow_files() - 300, sockets)
    processes = -(-sockets // each_holds)
    cores = machine.shared_out()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        program = compiled("fan_load", Path(folder))
        command = [sys.executable, "-m", "bench.fanout_server", "extension"]
        servers = [stack.enter_context(machine.serving(command, cores.server)) for _ in range(processes)]
        loads = [stack.enter_context(Load(program, server.port, server.control_port, cores=cores.load)) for server in servers]
        for number, load in enumerate(loads):
            load.open((sockets - number + processes - 1) // processes)
        for load in loads:
            load.run(1, 0)
        rss_mib = sum(server.rss_kib() for server in servers) / 1024
        slowest = []
        for _ in range(1 if quick else 3):
            for load in loads:
                load.order("run 1 0")
            slowest.append(max(load.ran().most_us for load in loads) / 1e6)
    name = f"{sockets:,} sockets in {processes} process{'es' if processes > 1 else ''}"
    within = min(slowest)
    return [
        Result(f"{name}, RSS of all", rss_mib, "MiB", target=f"<= {TARGET_MIB} MiB", met=rss_mib <= TARGET_MIB),
        Result(
            "the same, one event to all of them, until the last has it", within, "s", target=f"<= {TARGET_S:g} s", met=within <= TARGET_S
        ),
    ]


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
