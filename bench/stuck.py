"""50 screens that never read among 500 that do: what the others notice, what each takes in process and kernel, and when it is gone."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench import audience, machine, shop
from bench.fan_load import Load, compiled
from bench.program import Program
from bench.result import Result, line
from bench.steady import Sent, send_steadily
from realtime.keys import Keys
from realtime.server.listener import allow_files

READERS, STUCK = 500, 50
PER_S = 40
"""Edits of some 2 KB a second: 80 KB for each screen."""
FROM = "127.0.0.9"
"""The address of the stuck, by which the system's list tells them from the others."""
PATIENCE_S = 40
P99_RATIO, MOST_KIB, GONE_S = 1.2, 300, 15
MARKER = '"waiting_text":"n='


class Phase(NamedTuple):
    """One stretch of edits."""

    p99_ms: float
    rss_kib: float
    """The most that was seen."""
    kernel_kib: float
    """For the stuck, the most that was seen."""
    gone_s: float


def run(quick: bool) -> list[Result]:
    """The figures; stretches without and with the stuck take turns."""
    allow_files()
    turns, seconds = (1, 5) if quick else (3, 12)
    cores = machine.shared_out()
    with shop.disk_folder() as folder, tempfile.TemporaryDirectory() as built:
        secret, program = shop.new_secret(), compiled("fan_load", Path(built))
        settings = shop.settings_in(folder, secret)
        shop.on_loop(audience.open_for(settings, 0))
        way = audience.at_board(secret)
        if program is None or cores.load == []:
            return [Result("stuck screens", 0, "", against="not there: needs a C compiler and two cores")]
        with Program(folder, audience.environment(settings.database_url, secret), cores.server) as server:
            os.sched_setaffinity(0, cores.load)
            edits = Edits(server, secret, Path(built) / "heard")
            with Load(program, server.port, way=way, cores=cores.load) as readers:
                readers.open(READERS)
                edits.phase(readers, 2)
                before = audience.lags(server.port)
                without, stuck = [], []
                for _ in range(turns):
                    without.append(edits.phase(readers, seconds))
                    with Load(program, server.port, way=way._replace(source=FROM), cores=cores.load) as deaf:
                        deaf.deaf(STUCK)
                        stuck.append(edits.phase(readers, seconds, until_gone=True))
                lag = audience.lag_ms(before, audience.lags(server.port), 0.99)
    p99, ratio = statistics.median(each.p99_ms for each in stuck), shop.ratio([s.p99_ms for s in stuck], [w.p99_ms for w in without])
    # Memory that the first stuck ones took is used again for the next.
    process_kib = max(0.0, stuck[0].rss_kib - without[0].rss_kib) / STUCK
    kernel_kib = max(each.kernel_kib for each in stuck) / STUCK
    gone_s = max(each.gone_s for each in stuck)
    return [
        Result(f"{STUCK} stuck among {READERS}, p99 of the others", p99, "ms", ratio, "without", f"<= {P99_RATIO} x", ratio <= P99_RATIO),
        Result("the same, kernel memory for each stuck", kernel_kib, "KiB"),
        Result("the same, with the process's", both := kernel_kib + process_kib, "KiB", target=f"<= {MOST_KIB} KiB", met=both <= MOST_KIB),
        Result("the same, until the last is gone", gone_s, "s", target=f"<= {GONE_S} s", met=gone_s <= GONE_S),
        Result("the same, event-loop lag, p99 at most", lag, "ms", target="<= 20 ms", met=lag <= 20),
    ]


class Edits:
    """An owner who edits the store all the time."""

    def __init__(self, server: Program, secret: str, file: Path) -> None:
        self._server = server
        token = Keys(secret).access_token(shop.ACCOUNT, shop.now_ms(), 600)
        self._head = f"PUT /v1/stores/{shop.STORE} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        self._file = file
        self._number = 0

    def phase(self, readers: Load, seconds: float, *, until_gone: bool = False) -> Phase:
        """Edits for so long, and on until the stuck are gone, at most 40 s."""
        readers.record(MARKER)
        sent: dict[int, int] = {}
        rss_kib, kernel, gone_s = 0.0, 0, 0.0
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds or (until_gone and not gone_s and passed < PATIENCE_S):
            first = self._number + 1
            answers = shop.on_loop(self._some(PER_S // 2))
            sent.update({number: each.sent_ns for number, each in enumerate(answers, first)})
            rss_kib = max(rss_kib, self._server.rss_mib() * 1024)
            if until_gone:
                listed = _listed(self._server.port)
                kernel = max(kernel, machine.kernel_bytes(listed))
                if not listed.strip() and not gone_s:
                    gone_s = time.monotonic() - began
        time.sleep(0.5)
        heard, _ = readers.recorded(self._file)
        return Phase(audience.quantile(audience.delays_ms(sent, heard), 0.99), rss_kib, kernel / 1024, gone_s or passed)

    async def _some(self, count: int) -> Sequence[Sent]:
        requests = []
        for _ in range(count):
            self._number += 1
            text = f"n={self._number} " + "Wait a little. " * 60
            body = json.dumps({"queues": [{"id": shop.QUEUE, "waiting_text": text, "end_text": text}]})
            requests.append(f"{self._head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        return await asyncio.create_task(send_steadily(self._server.port, requests, PER_S))


def _listed(port: int) -> str:
    """The server's connections to the stuck, as ss lists them; also those that it has closed, while the system still keeps what they did not read."""
    command = ["ss", "-tmH", "state", "connected", "exclude", "time-wait", "sport", "=", f":{port}", "and", "dst", FROM]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
