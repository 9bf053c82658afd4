"""Whether the report of a million tickets is made in flat memory: the peak RSS while it is made, beside that of ten thousand."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil

from bench import shop
from bench.program import ROOT
from bench.result import Result, line
from realtime import app
from realtime.keys import Keys
from realtime.model import StoreState
from realtime.operations import reports, stores

FEW, MANY = 10_000, 1_000_000
FLAT_MIB = 32
"""The peak may grow by this much: the caches of the database fill up, and nothing else."""


def run(quick: bool) -> list[Result]:
    """The figures, one run of each size in a fresh process."""
    many = 100_000 if quick else MANY
    few_mib, _ = in_process(FEW)
    many_mib, seconds = in_process(many)
    grown = many_mib - few_mib
    return [
        Result(f"report of {FEW:,} tickets, RSS rise", few_mib, "MiB"),
        Result(
            f"report of {many:,} tickets, RSS rise", many_mib, "MiB", None, f"{grown:+.1f} MiB", f"<= +{FLAT_MIB} MiB", grown <= FLAT_MIB
        ),
        Result(f"report of {many:,} tickets", seconds, "s"),
    ]


def in_process(tickets: int) -> tuple[float, float]:
    """How far the memory rose, and how long it took."""
    with shop.disk_folder() as folder:
        secret = shop.new_secret()
        shop.on_loop(_open(folder, secret))
        shop.fill_evening(folder, tickets)
        command = [sys.executable, "-m", "bench.report_size", str(folder), secret, str(tickets)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
        rise, seconds = json.loads(done.stdout)
        return float(rise), float(seconds)


async def _open(folder: Path, secret: str) -> None:
    storage = app.make_storage(shop.settings_in(folder, secret))
    await storage.open()
    await shop.open_shop(storage, Keys(secret))
    await storage.close()


async def close_and_watch(folder: Path, secret: str, tickets: int) -> tuple[float, float]:
    """The whole program's parts, without its sockets: the store is closed, and the memory watched until its report is made."""
    settings = shop.settings_in(folder, secret, report_files=["csv", "html", "jsonl"])
    about = psutil.Process()
    async with app.running(settings, app.make_storage(settings), app.load_plugins(settings)) as parts:
        await parts.storage.read(stores.one, shop.STORE)
        before = peak = about.memory_info().rss
        began = time.perf_counter()
        await parts.closing.close(shop.ACCOUNT, shop.STORE)
        while (await parts.storage.read(stores.one, shop.STORE)).state is StoreState.CLOSING:
            await asyncio.sleep(0.02)
            peak = max(peak, about.memory_info().rss)
        seconds = time.perf_counter() - began
        files = await parts.storage.read(reports.files, shop.STORE)
        if {file.tickets for file in files} != {tickets} or len(files) != len(settings.report_files):
            raise ValueError(f"The report holds {files}, not {tickets} tickets")
    return (peak - before) / 2**20, seconds


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps(shop.on_loop(close_and_watch(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))))
    else:
        for result in run("--quick" in sys.argv):
            print(line(result))
