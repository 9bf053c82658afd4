"""The program with an open store, the sockets that watch its board, and how long a change takes to reach them."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bench import shop
from bench.fan_load import Way
from bench.http_load import post
from realtime import app
from realtime.keys import Keys
from realtime.messages import Join, Party
from realtime.settings import Settings

_METRICS_TOKEN = "a token of at least 32 characters for figures"
TICKET = '"ticket":{"id":'
"""What stands before a ticket's number in a push."""
_LAG = re.compile(r'^nowserving_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)

Lags = list[tuple[float, float]]
"""(upper bound in seconds, samples up to it), as Prometheus counts."""


def environment(database_url: str, secret: str, **more: Any) -> dict[str, str]:
    """Settings of a program that one address may ask for everything."""
    settings = {
        "database_url": database_url,
        "secret_key": secret,
        "metrics_token": _METRICS_TOKEN,
        "joins_per_minute": 1_000_000,
        "max_sockets": 19_000,
        "max_sockets_per_address": 19_000,
        "max_sockets_per_store": 19_000,
        **more,
    }
    return {f"NOWSERVING_{name.upper()}": str(value) for name, value in settings.items()}


def at_board(secret: str, source: str = "") -> Way:
    """To the public line of the store, as a screen in the room sees it."""
    token = Keys(secret).board_token(shop.ACCOUNT)
    hellos = (
        f'{{"id":1,"authenticate":{{"token":"{token}"}}}}',
        f'{{"id":2,"subscribe":{{"topic":"store/{shop.STORE}/board"}}}}',
    )
    return Way("/live", "nowserving.v1", hellos, ready_after=2, source=source)


async def open_for(settings: Settings, joins: int) -> list[bytes]:
    """An open store, and a request for each of so many joins."""
    storage, keys = app.make_storage(settings), Keys(settings.secret_key)
    await storage.open()
    try:
        await shop.open_shop(storage, keys)
        codes = await shop.scanned_codes(storage, keys, joins)
    finally:
        await storage.close()
    return [
        post("/v1/tickets", msgspec.json.encode(Join(code.text, code.key, [Party(f"Guest {number:06d}", shop.QUEUE, party=2)])))
        for number, code in enumerate(codes)
    ]


def delays_ms(sent_ns: Mapping[int, int], heard: Sequence[tuple[int, int]]) -> list[float]:
    """From the sending of a change to each of its arrivals, sorted; arrivals of other changes are left out."""
    return sorted((at - sent_ns[number]) / 1e6 for number, at in heard if number in sent_ns)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest of the sorted figures that so many are not above. Raises: ValueError: there are none."""
    if not ordered:
        raise ValueError("nothing was heard")
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 10_000) * len(ordered) // 10_000) - 1))]


def lags(port: int) -> Lags:
    """How late the event loop was so far."""
    return [(float(bound), float(count)) for bound, count in _LAG.findall(_metrics(port))]


def figure(port: int, name: str) -> float:
    """One that has no labels. Raises: ValueError: it is not there."""
    found = re.search(rf"^{name} (\S+)$", _metrics(port), re.MULTILINE)
    if found is None:
        raise ValueError(f"/metrics has no {name}")
    return float(found[1])


def _metrics(port: int) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {_METRICS_TOKEN}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def lag_ms(before: Lags, after: Lags, share: float) -> float:
    """The bound of the bucket below which so many of the looks between two readings lie: not more than this, in ms."""
    counts = [(bound, late - early) for (bound, late), (_, early) in zip(after, before, strict=True)]
    return next((bound * 1000 for bound, count in counts if counts[-1][1] and count >= share * counts[-1][1]), 0.0)
