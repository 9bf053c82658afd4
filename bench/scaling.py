"""The figures of docs/scaling.md, from those of bench/RESULTS.md: what was measured, and what follows from it.

`make bench` writes them anew; `python -m bench.scaling` does so by itself.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS, DOCUMENT = ROOT / "bench" / "RESULTS.md", ROOT / "docs" / "scaling.md"

DELIVERIES, CHANGES, SCREENS, PINGS, BACK_S = 50_000, 5_000, 1_000_000, 40_000, 60
"""Of the evening that the document assumes: a second, a second, in all, a second; and in how long all come back."""

SENTENCES = (
    "a bare `send()` in a loop in C takes {send:.1f} us there",
    "| {idle:.1f} KiB of RSS, at 10,000 |",
    "| screen that signed in and subscribed | {screen:.1f} KiB of RSS |",
    "| a change to one screen, when the store is quiet | {delivery:.1f} us of CPU",
    "| the same, when eight changes come together | {eighth:.1f} us |",
    "| a socket that comes | {connect:.0f} us of CPU; {connects:,.0f} a second |",
    "| a board that comes, signs in and subscribes | {board:.0f} us of CPU |",
    "| a join over HTTP, committed with fsync | {join:.0f} us of CPU; {joins:,.0f} a second |",
    "| joins through storage, SQLite | {sqlite:,.0f} a second |",
    "| joins through storage, Postgres on the same two cores | {postgres:,.0f} a second |",
    "all in sync after {sync:.1f} s, half of them after {half:.1f} s, {start:.1f} s of it the start;",
    "no handshake refused, 1 whole read, {phone:.0f} us of CPU each",
    "p50 {valkey:.1f} ms, p99 {valkey_99:.1f} ms through Valkey; {listen:.1f} and {listen_99:.1f} ms through Postgres",
    "10,000 screens take {screens:.0f} MiB beside the {rss:.0f} MiB of the process",
    "At {delivery:.1f} us a delivery, a core that does nothing else makes {core:,.0f} a second",
    "a store with 1,000 screens may change {thousand:.0f} times a second, or {thousand:.0f} such stores once a second each",
    "Each phone costs {phone:.0f} us, so 10,000 take one core {ten_thousand:.0f} s at least.",
    "about {about:,.0f} joins a second here",
    "| 50,000 x {delivery:.1f} us | {delivery_cores:.2f} cores |",
    "| 5,000 x {join:.0f} us | {join_cores:.1f} cores |",
    "| 40,000 x {ping:.1f} us = {ping_cores:.2f} cores |",
    "| 1,000,000 x {screen:.2f} KiB | {screen_gib:.1f} GiB |",
    "| 1,000,000 x {phone:.0f} us / 60 s | {back_cores:.1f} cores |",
    "| 5,000 / {postgres:,.0f} | {databases:.1f} of our Postgres;",
    "the quiet hour, which takes {quiet_cores:.1f} cores",
    "500 deliveries a second, {cell:.1f} % of what one Postgres takes here",
    "ten times as large is still {cells:.0f} % of one Postgres' writes at peak",
    "625 changes a second, {node:.0f} % of what was measured here",
)
"""Each stands once in the document, with whatever figures."""


def figures(results: str) -> dict[str, float]:
    """By the names that the sentences have for them, of the text of RESULTS.md. Raises: KeyError: a row is not there."""
    rows = _rows(results)

    def row(benchmark: str, name: str, behind: str = "") -> float:
        """The first whose name begins so; `behind`: after the one whose name begins like that."""
        found = rows[benchmark]
        begin = next((at for at, (each, _) in enumerate(found) if each.startswith(behind)), len(found))
        for each, value in found[begin:]:
            if each.startswith(name):
                return value
        raise KeyError(f"{benchmark}: {name}")

    connects, processes = "connects, 10,000", "change to a client of another process, "
    measured = {
        "send": row("fanout", "fan-out, C loop"),
        "idle": row("idle", "idle sockets"),
        "screen": row("connects", "the same, RSS"),
        "delivery": row("fanout_peers", "CPU for a delivery, 1,000 sockets, 1 in flight"),
        "eighth": row("fanout_peers", "CPU for a delivery, 1,000 sockets, 8 in flight"),
        "connects": row("fanout_peers", connects),
        "connect": row("fanout_peers", "the same, server CPU", connects),
        "board": row("connects", "the same, server CPU", "screens that sign in"),
        "joins": row("http_join", "durable join"),
        "join": row("http_join", "the same, server CPU", "durable join"),
        "sqlite": row("joins", "joins through storage, 64 writers"),
        "postgres": row("joins", "joins through storage, 64 writers, Postgres"),
        "sync": row("storm", "5,000 phones"),
        "half": row("storm", "the same, half"),
        "start": row("storm", "the same, until the server answers"),
        "phone": row("storm", "the same, server CPU"),
        "valkey": row("two_processes", processes + "Valkey"),
        "valkey_99": row("two_processes", "the same, p99"),
        "listen": row("two_processes", processes + "Postgres"),
        "listen_99": row("two_processes", "the same, p99", processes + "Postgres"),
        "rss": row("start", "RSS at rest"),
    }
    return measured | _derived(**measured)


def _derived(*, delivery: float, screen: float, join: float, phone: float, postgres: float, **others: float) -> dict[str, float]:
    core, ping = 1e6 / delivery, 2 * delivery
    cores = {
        "delivery_cores": DELIVERIES * delivery / 1e6,
        "join_cores": CHANGES * join / 1e6,
        "ping_cores": PINGS * ping / 1e6,
    }
    return cores | {
        "quiet_cores": sum(cores.values()),
        "core": round(core, -3),
        "thousand": core // 10_000 * 10,
        "ping": ping,
        "screens": screen * 10_000 / 1024,
        "screen_gib": screen * SCREENS / 2**20,
        "ten_thousand": phone / 100,
        "back_cores": SCREENS * phone / 1e6 / BACK_S,
        "about": round(postgres, -2),
        "databases": CHANGES / postgres,
        "cell": 50 / postgres * 100,
        "cells": 500 / postgres * 100,
        "node": 625 / postgres * 100,
    }


def rewritten(document: str, told: dict[str, float]) -> str:
    """The document with these figures. Raises: ValueError: a sentence is not there, or stands there twice."""
    for sentence in SENTENCES:
        pattern = r"[\d,.]*\d".join(re.escape(part) for part in re.split(r"\{[^}]*\}", sentence))
        document, found = re.subn(pattern, sentence.format(**told), document)
        if found != 1:
            raise ValueError(f"stands {found} times in the document: {sentence}")
    return document


def write() -> None:
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text(), figures(RESULTS.read_text())))


def _rows(results: str) -> dict[str, list[tuple[str, float]]]:
    rows: dict[str, list[tuple[str, float]]] = {}
    benchmark = ""
    for line in results.splitlines():
        if title := re.match(r"\| \*\*`python -m bench (\w+)`", line):
            benchmark = title[1]
        elif not line.startswith("|"):
            benchmark = ""
        elif benchmark and (value := re.match(r"\| ([^|]+) \| (-?[\d,.]+)", line)):
            rows.setdefault(benchmark, []).append((value[1], float(value[2].replace(",", ""))))
    return rows


if __name__ == "__main__":
    write()
