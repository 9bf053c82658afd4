"""How fast sockets come and what each takes: bare ones that a server only hands over, and screens of the program that sign in and subscribe."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench import audience, machine, shop
from bench.fan_load import Load, compiled
from bench.program import Program
from bench.result import Result, line
from realtime.server.listener import allow_files

FIRST = 50
TARGET = 4_500
TARGET_KIB = 9


def run(quick: bool) -> list[Result]:
    """The figures of one run; the server has a core to itself."""
    files = allow_files()
    sockets = min(2_000 if quick else 10_000, files - 300)
    cores = machine.shared_out()
    with shop.disk_folder() as folder, tempfile.TemporaryDirectory() as built:
        program = compiled("fan_load", Path(built))
        command = [sys.executable, "-m", "bench.fanout_server", "extension"]
        with machine.serving(command, cores.server) as bare, Load(program, bare.port, bare.control_port, cores=cores.load) as load:
            load.open(FIRST)
            used = bare.cpu_s()
            opened = load.open(sockets - FIRST)
            bare_us = (bare.cpu_s() - used) / (sockets - FIRST) * 1e6
            per_s, load_busy = (sockets - FIRST) / opened.seconds, opened.cpu_us / 1e6 / opened.seconds
        secret = shop.new_secret()
        settings = shop.settings_in(folder, secret)
        shop.on_loop(audience.open_for(settings, 0))
        environment = audience.environment(settings.database_url, secret)
        with (
            Program(folder, environment, cores.server) as server,
            Load(program, server.port, way=audience.at_board(secret), cores=cores.load) as load,
        ):
            load.open(FIRST)
            before, lags = server.rss_mib(), audience.lags(server.port)
            used = server.cpu_s()
            opened = load.open(sockets - FIRST)
            screen_us = (server.cpu_s() - used) / (sockets - FIRST) * 1e6
            kib = (server.rss_mib() - before) * 1024 / (sockets - FIRST)
            lag = audience.lag_ms(lags, audience.lags(server.port), 0.99)
    return [
        Result(f"connects, {sockets:,} bare sockets", per_s, "/s", target=f">= {TARGET:,}", met=per_s >= TARGET),
        Result("the same, server CPU", bare_us, "us"),
        Result("the same, CPU of the load", load_busy * 100, "%"),
        Result(f"screens that sign in and subscribe, {sockets:,}", (sockets - FIRST) / opened.seconds, "/s"),
        Result("the same, server CPU", screen_us, "us"),
        Result("the same, RSS of each", kib, "KiB", target=f"<= {TARGET_KIB} KiB", met=kib <= TARGET_KIB),
        Result("the same, event-loop lag while they come, p99 at most", lag, "ms", target="<= 20 ms", met=lag <= 20),
    ]


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
