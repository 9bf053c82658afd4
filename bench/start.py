"""From the command to the first answer, and what the program takes once it has loaded all it needs, before anybody came."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from bench import shop
from bench.program import Program
from bench.result import Result, line

LONGEST_S = 1.0
MOST_MIB = 90


LIBRARIES = (
    "aiosqlite, aiosmtplib, argon2, databases, httptools, jinja2, jwt, msgspec, phonenumbers, pluggy, segno, starlette.applications,"
    " starlette.websockets, uvicorn, uvloop, websockets"
)


def run(quick: bool) -> list[Result]:
    """The figures, medians of several starts, each on an empty folder. The first one, which reads the program from disk, is not counted."""
    starts, alone = [], []
    for _ in range(4 if quick else 12):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {LIBRARIES}"], check=True)
        alone.append(time.perf_counter() - began)
        with shop.disk_folder() as folder, Program(folder) as program:
            first = program.start_s, program.cpu_s()
            starts.append((*first, _at_rest(program), program.rss_mib()))
    seconds, cpu, all_cpu, memory = (statistics.median(values) for values in zip(*starts[1:], strict=True))
    return [
        Result("a Python that imports the libraries, and nothing else", statistics.median(alone[1:]), "s"),
        Result("start to first answer", seconds, "s", None, "", f"<= {LONGEST_S} s", seconds <= LONGEST_S),
        Result("the same, CPU", cpu, "s"),
        Result("the same, CPU until it rests, with all libraries loaded", all_cpu, "s"),
        Result("RSS at rest", memory, "MiB", None, "", f"<= {MOST_MIB} MiB", memory <= MOST_MIB),
    ]


def _at_rest(program: Program) -> float:
    """CPU until it needs no more: what the first answer did not need is loaded after it."""
    before, used = -1.0, program.cpu_s()
    while used - before > 0.02:
        time.sleep(0.5)
        before, used = used, program.cpu_s()
    return used


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
