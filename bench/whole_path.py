"""The whole path: a join over HTTP, committed with fsync, until each of the 1,000 screens of the store has it."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from bench import audience, machine, shop
from bench.fan_load import Load, compiled
from bench.program import Program
from bench.result import Result, line
from bench.steady import send_steadily
from realtime.server.listener import allow_files

SCREENS = 1_000
PER_S = 100
P50_MS, P99_MS, LAG_MS = 8, 25, 20


def run(quick: bool) -> list[Result]:
    """The figures of one run; the server has a core to itself."""
    allow_files()
    seconds = 6 if quick else 30
    cores = machine.shared_out()
    with shop.disk_folder() as folder, tempfile.TemporaryDirectory() as built:
        secret, program = shop.new_secret(), compiled("fan_load", Path(built))
        settings = shop.settings_in(folder, secret)
        warming = 2 * PER_S
        requests = shop.on_loop(audience.open_for(settings, seconds * PER_S + warming))
        with (
            Program(folder, audience.environment(settings.database_url, secret), cores.server) as server,
            Load(program, server.port, way=audience.at_board(secret), cores=cores.load) as load,
        ):
            if cores.load:
                os.sched_setaffinity(0, cores.load)
            load.open(SCREENS)
            shop.on_loop(send_steadily(server.port, requests[:warming], PER_S))
            before, used = audience.lags(server.port), server.cpu_s()
            load.record(audience.TICKET)
            sent = shop.on_loop(send_steadily(server.port, requests[warming:], PER_S))
            used = (server.cpu_s() - used) / seconds
            time.sleep(1)
            heard, load_busy = load.recorded(Path(built) / "heard")
            lag = audience.lag_ms(before, audience.lags(server.port), 0.99)
    delays = audience.delays_ms({each.id: each.sent_ns for each in sent}, heard)
    answers = sorted((each.answered_ns - each.sent_ns) / 1e6 for each in sent)
    p50, p99 = (audience.quantile(delays, share) for share in (0.5, 0.99))
    told = len(delays) / (len(sent) * SCREENS) * 100
    name = f"join to {SCREENS:,} screens, {PER_S} joins/s"
    return [
        Result(f"{name}, p50", p50, "ms", target=f"<= {P50_MS} ms", met=p50 <= P50_MS),
        Result(f"{name}, p99", p99, "ms", target=f"<= {P99_MS} ms", met=p99 <= P99_MS),
        Result("the same, the join's own answer, p50", audience.quantile(answers, 0.5), "ms"),
        Result("the same, pushes that came, of all", told, "%"),
        Result("the same, event-loop lag, p99 at most", lag, "ms", target=f"<= {LAG_MS} ms", met=lag <= LAG_MS),
        Result("the same, server CPU", used * 100, "%"),
        Result("the same, CPU of the load", load_busy * 100, "%"),
    ]


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
