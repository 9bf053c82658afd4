"""5,000 phones in one store's line whose server is killed and started again: until all are back and in sync, and how often the store was read for them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import sqlite3
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NamedTuple

from bench import audience, machine, shop
from bench.program import Program
from bench.result import Result, line
from realtime.keys import Keys
from realtime.server.listener import allow_files
from realtime.states import FRESH_S
from tests.flows.light_screen import LightScreen

SOCKETS = 5_000
ANEW = 5
"""Every fifth asks for the whole state, as a page that is loaded anew; the others for what they missed."""
WAITING = 50
"""Parties in the store's line, so that a whole state has its usual size."""
AT_ONCE = 200
TARGET_S = 15
LONGEST_S = 120
TOPIC = f"store/{shop.STORE}/public"


class Storm(NamedTuple):
    back_s: float
    """From the start of the new server until the last screen was in sync."""
    half_s: float
    """The same for half of them."""
    start_s: float
    """Of that, until the server answered."""
    refusals: int
    reads: float
    recovered: int
    cpu_s: float
    """The server's."""
    load_busy: float


def run(quick: bool) -> list[Result]:
    """The figures of one storm, or of the middle one of three; the server has a core to itself."""
    sockets = min(SOCKETS // 5 if quick else SOCKETS, allow_files() - 300)
    cores = machine.shared_out()
    if cores.load:
        os.sched_setaffinity(0, cores.load)
    storms = []
    for seed in range(1 if quick else 3):
        with shop.disk_folder() as folder:
            storms.append(_storm(folder, sockets, seed, cores))
    storm = sorted(storms)[len(storms) // 2]
    most_reads = storm.back_s / FRESH_S + 3
    return [
        Result(f"{sockets:,} phones after a kill, all in sync", storm.back_s, "s", target=f"<= {TARGET_S} s", met=storm.back_s <= TARGET_S),
        Result("the same, half of them", storm.half_s, "s"),
        Result("the same, until the server answers", storm.start_s, "s"),
        Result("the same, handshakes refused", storm.refusals, "", target="none", met=not storm.refusals),
        Result("the same, whole reads of the store", storm.reads, "", target="<= 1 in 100 ms", met=storm.reads <= most_reads),
        Result("the same, told what they missed", storm.recovered / sockets * 100, "%"),
        Result("the same, server CPU", storm.cpu_s / sockets * 1e6, "us each"),
        Result("the same, CPU of the load", storm.load_busy * 100, "%"),
    ]


def _storm(folder: Path, sockets: int, seed: int, cores: machine.Cores) -> Storm:
    secret = shop.new_secret()
    settings = shop.settings_in(folder, secret)
    shop.on_loop(audience.open_for(settings, 0))
    shop.fill_line(folder, WAITING)
    server = Program(folder, audience.environment(settings.database_url, secret), cores.server)
    with contextlib.closing(sqlite3.connect(folder / "nowserving.db")) as database:
        tickets = [id_ for (id_,) in database.execute("select id from tickets")]
        screens = []
        for number in range(sockets):
            id_ = tickets[number % len(tickets)]
            token = Keys(secret).live_token(shop.STORE, id_, shop.now_ms(), 60)
            screens.append(LightScreen(server.port, token, f"ticket/{shop.STORE}/{id_}", TOPIC, resumes=bool(number % ANEW)))
        return shop.on_loop(_kill_and_start(server, screens, random.Random(seed), database))


async def _kill_and_start(server: Program, screens: list[LightScreen], chance: random.Random, database: sqlite3.Connection) -> Storm:
    await asyncio.to_thread(server.__enter__)
    try:
        for at in range(0, len(screens), AT_ONCE):
            await asyncio.gather(*(screen.come() for screen in screens[at : at + AT_ONCE]))
        await asyncio.to_thread(server.kill)
        for screen in screens:
            await screen.gone()
        began, used = time.perf_counter(), _own_cpu_s()
        times: list[float] = []
        back = [asyncio.create_task(_noted(screen.come_back(chance), times)) for screen in screens]
        await asyncio.to_thread(server.__enter__)
        async with asyncio.timeout(LONGEST_S):
            await asyncio.gather(*back)
        half_s = audience.quantile(times, 0.5) - began
        back_s, own_s, cpu_s = time.perf_counter() - began, _own_cpu_s() - used, server.cpu_s()
        (kept,) = database.execute("select epoch, seq from stores").fetchall()
        if wrong := [screen for screen in screens if screen.faults or (screen.views[TOPIC].epoch, screen.views[TOPIC].seq) != kept]:
            raise ValueError(f"{len(wrong)} screens are not in sync: {wrong[0].faults}")
        reads = await asyncio.to_thread(audience.figure, server.port, "nowserving_whole_state_reads_total")
    finally:
        for screen in screens:
            screen.go()
        await asyncio.to_thread(server.__exit__, None, None, None)
    recovered = sum(bool(screen.views[TOPIC].recovered) for screen in screens)
    return Storm(back_s, half_s, server.start_s, sum(len(screen.refusals) for screen in screens), reads, recovered, cpu_s, own_s / back_s)


async def _noted(coming: Coroutine[Any, Any, None], times: list[float]) -> None:
    await coming
    times.append(time.perf_counter())


def _own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
