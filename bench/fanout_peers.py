"""Fan-out beside others, one table in one run: what a delivery costs each server, how soon it comes, and what a socket takes.

A round publishes so many 128-byte messages at once ("in flight") and ends when every socket has every one. Each server has one core, read
from the system's accounting of its process; the clients have the other ones.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import machine
from bench.fan_load import Load, compiled
from bench.peers import known
from bench.peers.installing import NotThere
from bench.peers.known import Peer, Start
from bench.result import Result, Table, line
from realtime.server.listener import allow_files

FEW, MANY = 1_000, 10_000
IN_FLIGHT = (1, 2, 8, 32)
FIRST = 50
"""Sockets that are there before memory is looked at: the first ones pay for what all share."""
LONGEST_ROUND_S = 1.5
"""After a round that took longer nothing with more in flight is measured, but what a target speaks of."""
LONGEST_OPENING_S = 40.0
"""A server that would take longer until all the many sockets are there is spared them."""
JUDGED = 8
MANY_TURNS = 3
"""With the many sockets; only ours and those that come closest to it are in more than the first."""
CLOSEST = (known.OURS, known.BUN, known.C_LOOP)
TURNS_S = 150
"""After so long nothing is measured once more: on a busy machine the last table would else never come."""
MOST_KIB, FEWEST_CONNECTS = 9, 4_500


class Step(NamedTuple):
    """One number of messages in flight."""

    cost_us: float
    per_s: float
    p50_ms: float
    p99_ms: float
    busy: float
    """Share of its core that the server used."""
    load_busy: float


class Visit(NamedTuple):
    """One process of a server."""

    steps: dict[int, Step]
    kib: float
    """Resident memory each socket took."""
    connects_per_s: float
    connect_us: float
    """Of the server's CPU."""


Visits = dict[tuple[str, int], list[Visit]]


def run(quick: bool) -> list[Result | Table]:
    """The figures. Servers take turns, so that a busy machine is busy for all; ratios are medians of what each turn says."""
    files = allow_files()
    few, many = FEW, min(2_000 if quick else MANY, files - 300)
    turns, seconds = (1, 0.4) if quick else (3, 1.0)
    began = time.monotonic()
    cores = machine.shared_out()
    absent: list[list[str]] = []
    visits: Visits = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program, c_loop = compiled("fan_load", folder), compiled("send_loop", folder)
        there: list[tuple[Peer, Start]] = []
        for peer in known.peers(c_loop):
            try:
                there.append((peer, peer.get(cores.server[0] if cores.server else -1, files)))
            except NotThere as error:
                absent.append([peer.name, f"not there: {error}"])
        if cores.load:
            os.sched_setaffinity(0, cores.load)
        broken: set[str] = set()
        for turn in range(turns + (1 if quick else MANY_TURNS)):
            sockets = few if turn < turns else many
            if 0 < turn < turns and time.monotonic() - began > TURNS_S:
                continue
            for peer, start in there:
                if peer.name in broken or (turn and visits[peer.name, few] and _slow(visits[peer.name, few][0]) and sockets == few):
                    continue
                if turn > turns and peer.name not in CLOSEST:
                    continue
                if turn == turns and (waits := _longest_opening(visits[peer.name, few], many)) > LONGEST_OPENING_S:
                    absent.append([peer.name, f"left out with {many:,} sockets: they would take {waits:.0f} s to connect"])
                    continue
                try:
                    visits[peer.name, sockets].append(_visit(program, cores, peer, start, sockets, seconds, judged=sockets == few))
                except (OSError, ValueError) as error:
                    broken.add(peer.name)
                    absent.append([peer.name, f"did not come to an end with {sockets:,} sockets: {error}"])
    versions = {peer.name: start.version for peer, start in there}
    return [*_judged(visits, few, many), *_tables(visits, versions, absent, program is not None)]


def _visit(program: Path | None, cores: machine.Cores, peer: Peer, start: Start, sockets: int, seconds: float, *, judged: bool) -> Visit:
    with (
        machine.serving(start.command, cores.server if start.pinned else cores.load, start.environment) as server,
        Load(program, server.port, server.control_port, peer.way, cores.load) as load,
    ):
        load.open(FIRST)
        load.run(1, 0)
        before = server.rss_kib()
        connecting = server.cpu_s()
        opened = load.open(sockets - FIRST)
        connecting = server.cpu_s() - connecting
        ran = load.run(1, 0.2)
        kib = (server.rss_kib() - before) / (sockets - FIRST)
        steps: dict[int, Step] = {}
        for in_flight in IN_FLIGHT:
            if ran.seconds / ran.rounds > LONGEST_ROUND_S and not (judged and in_flight <= JUDGED):
                break
            used = server.cpu_s()
            ran = load.run(in_flight, seconds)
            used = server.cpu_s() - used
            steps[in_flight] = Step(
                used / ran.deliveries * 1e6,
                ran.deliveries / ran.seconds,
                ran.p50_us / 1e3,
                ran.p99_us / 1e3,
                used / ran.seconds,
                ran.cpu_us / 1e6 / ran.seconds,
            )
        return Visit(steps, kib, (sockets - FIRST) / opened.seconds, connecting / (sockets - FIRST) * 1e6)


def _slow(visit: Visit) -> bool:
    """Whether one visit says enough."""
    return JUDGED not in visit.steps or FEW * JUDGED / visit.steps[JUDGED].per_s > 2


def _longest_opening(visits: Sequence[Visit], sockets: int) -> float:
    """Seconds that so many sockets would take to connect."""
    return max((sockets / visit.connects_per_s for visit in visits), default=0.0)


def _median(visits: Sequence[Visit], in_flight: int) -> Step | None:
    """Of each figure by itself."""
    steps = [visit.steps[in_flight] for visit in visits if in_flight in visit.steps]
    return Step(*(statistics.median(figures) for figures in zip(*steps, strict=True))) if steps else None


def _ratio(visits: Visits, peer: str, sockets: int, in_flight: int, ours: str = known.OURS) -> float | None:
    """Our cost as so many of a peer's: the median of what the turns say that both were in."""
    pairs = zip(visits[ours, sockets], visits[peer, sockets], strict=False)
    found = [
        mine.steps[in_flight].cost_us / theirs.steps[in_flight].cost_us
        for mine, theirs in pairs
        if in_flight in mine.steps and in_flight in theirs.steps and theirs.steps[in_flight].cost_us
    ]
    return statistics.median(found) if found else None


def _judged(visits: Visits, few: int, many: int) -> Iterator[Result]:
    """What the figures were asked to be."""
    asked = [(1, known.BUN, 1.5), (1, known.C_LOOP, 1.5), (8, known.BUN, 1.0), (32, known.BUN, 1.0)]
    asked += [(JUDGED, peer, 0.1) for peer in (*known.PYTHON, known.SOCKET_IO)]
    for sockets in (few, many):
        for in_flight, peer, most in asked:
            step, ratio = _median(visits[known.OURS, sockets], in_flight), _ratio(visits, peer, sockets, in_flight)
            if step and ratio is not None:
                name = f"CPU for a delivery, {sockets:,} sockets, {in_flight} in flight"
                yield Result(name, step.cost_us, "us", ratio, peer, f"<= {most:g} x", ratio <= most)
    for ours in visits[known.OURS, many][:1]:
        yield Result(f"RSS of a socket, {many:,}", ours.kib, "KiB", target=f"<= {MOST_KIB} KiB", met=ours.kib <= MOST_KIB)
        for nchan in visits[known.NCHAN, many]:
            yield Result("the same", ours.kib, "KiB", ours.kib / nchan.kib, known.NCHAN, "< 1 x", ours.kib < nchan.kib)
        met = ours.connects_per_s >= FEWEST_CONNECTS
        yield Result(f"connects, {many:,}", ours.connects_per_s, "/s", target=f">= {FEWEST_CONNECTS:,}", met=met)
        yield Result("the same, server CPU", ours.connect_us, "us")
    busiest = max((step.load_busy for found in visits.values() for visit in found for step in visit.steps.values()), default=0.0)
    yield Result("CPU of the load at its busiest", busiest * 100, "%", target="< 95 %", met=busiest < 0.95)


def _tables(visits: Visits, versions: dict[str, str], absent: list[list[str]], cheap: bool) -> Iterator[Table]:
    rows = []
    for (peer, sockets), found in sorted(visits.items(), key=lambda item: (item[0][1], list(versions).index(item[0][0]))):
        name = f"{peer} ({versions[peer]})" if versions[peer] else peer
        for in_flight in IN_FLIGHT:
            step = _median(found, in_flight)
            if step is None:
                continue
            ratio = _ratio(visits, peer, sockets, in_flight)
            rows.append(
                [
                    name,
                    f"{sockets:,}",
                    str(in_flight),
                    f"{step.cost_us:.2f}",
                    f"{ratio:.2f}" if ratio is not None else "",
                    f"{step.per_s:,.0f}",
                    f"{step.p50_ms:.1f}",
                    f"{step.p99_ms:.1f}",
                    f"{step.busy:.0%}",
                    f"{step.load_busy:.0%}",
                ]
            )
    columns = ["server", "sockets", "in flight", "us each", "ours is", "deliveries/s", "p50 ms", "p99 ms", "server CPU", "load CPU"]
    load = "a C program" if cheap else "Python, for want of a C compiler"
    yield Table(
        f"Fan-out of 128-byte messages. The load is {load}; where a round took over {LONGEST_ROUND_S:g} s, more in flight was not tried.",
        columns,
        rows,
    )
    sizes = []
    for (peer, sockets), found in visits.items():
        if found:
            kib, per_s, each_us = (statistics.median(figures) for figures in zip(*(visit[1:] for visit in found), strict=True))
            sizes.append([peer, f"{sockets:,}", f"{kib:.1f}", f"{per_s:,.0f}", f"{each_us:,.0f}"])
    yield Table("What a socket takes.", ["server", "sockets", "RSS each, KiB", "connects/s", "CPU to connect, us"], sizes)
    if absent:
        yield Table("Not in the table.", ["server", "why"], absent)


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
