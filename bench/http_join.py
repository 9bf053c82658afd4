"""A durable join over HTTP: requests per second of `POST /v1/tickets`, beside an empty Starlette POST on the same server and one by itself."""

from __future__ import annotations

import os
import sqlite3
import statistics
import sys
from functools import partial
from pathlib import Path

import msgspec

from bench import shop
from bench.http_load import post, send_all
from bench.join_server import PATH
from bench.program import Program
from bench.result import Result, line
from realtime import app
from realtime.keys import Keys
from realtime.messages import Join, Party
from realtime.settings import Settings

CONNECTIONS = 64
JOIN_SERVER = ("-m", "bench.join_server")
EMPTY_SERVER = ("-m", "bench.empty_server")


def run(quick: bool) -> list[Result]:
    """The figures, medians of several runs; the servers have a core to themselves and take turns, this process has another."""
    runs, joins = (3, 1_000) if quick else (7, 4_000)
    everywhere = shop.cores()
    with shop.disk_folder() as folder:
        secret = shop.new_secret()
        requests = shop.on_loop(prepare(shop.settings_in(folder, secret), (runs + 1) * joins))
        environment = {
            "NOWSERVING_DATABASE_URL": f"sqlite:///{folder / 'nowserving.db'}",
            "NOWSERVING_SECRET_KEY": secret,
            "NOWSERVING_JOINS_PER_MINUTE": "1000000",
        }
        core = everywhere[-1:] if len(everywhere) > 1 else []
        start = partial(Program, folder, environment, core)
        with start(command=JOIN_SERVER) as program, start(command=EMPTY_SERVER) as nothing:
            if core:
                os.sched_setaffinity(0, set(everywhere) - set(core))
            rates: dict[str, list[float]] = {"join": [], "empty": [], "bare": []}
            cost: dict[str, list[float]] = {"join": [], "empty": [], "bare": []}
            for turn in range(runs + 1):
                some = requests[turn * joins : (turn + 1) * joins]
                nothings = [post(PATH, request.partition(b"\r\n\r\n")[2]) for request in some]
                for name, server, sent, status in (
                    ("bare", nothing, nothings, 200),
                    ("empty", program, nothings, 200),
                    ("join", program, some, 201),
                ):
                    before = server.cpu_s()
                    rate = shop.on_loop(send_all(server.port, sent, CONNECTIONS, status))
                    if turn:  # the first one warms up
                        rates[name].append(rate)
                        cost[name].append((server.cpu_s() - before) / joins * 1e6)
        _count(folder, len(requests))
    middle = {name: statistics.median(each) for name, each in rates.items()}
    to_empty, to_bare = shop.ratio(rates["join"], rates["empty"]), shop.ratio(rates["join"], rates["bare"])
    return [
        Result(f"empty POST in a Starlette application that is nothing else, {CONNECTIONS} connections", middle["bare"], "/s"),
        Result("the same, server CPU", statistics.median(cost["bare"]), "us"),
        Result(f"empty Starlette POST on the same server, {CONNECTIONS} connections", middle["empty"], "/s"),
        Result("the same, server CPU", statistics.median(cost["empty"]), "us"),
        Result(
            f"durable join over HTTP, {CONNECTIONS} connections", middle["join"], "/s", to_empty, "empty POST", ">= 0.4 x", to_empty >= 0.4
        ),
        Result(f"durable join over HTTP, {CONNECTIONS} connections", middle["join"], "/s", to_bare, "the one that is nothing else"),
        Result("the same, server CPU", statistics.median(cost["join"]), "us"),
    ]


async def prepare(settings: Settings, count: int) -> list[bytes]:
    """An open store, and a request for each of its scanned codes."""
    storage, keys = app.make_storage(settings), Keys(settings.secret_key)
    await storage.open()
    try:
        await shop.open_shop(storage, keys)
        codes = await shop.scanned_codes(storage, keys, count)
    finally:
        await storage.close()
    return [
        post("/v1/tickets", msgspec.json.encode(Join(code.text, code.key, [Party(f"Guest {number:06d}", shop.QUEUE, party=2)])))
        for number, code in enumerate(codes)
    ]


def _count(folder: Path, expected: int) -> None:
    with sqlite3.connect(folder / "nowserving.db") as connection:
        (found,) = connection.execute("select count(*) from tickets").fetchone()
    connection.close()
    if found != expected:
        raise ValueError(f"{expected} joins were answered, {found} are in the database")


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
