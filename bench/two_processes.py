"""Two processes on one Postgres, joined by Valkey or by Postgres itself: a change at one, until a client of the other has it."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import audience, shop
from bench.fan_load import Load, compiled
from bench.program import Program
from bench.result import Result, line
from bench.steady import send_steadily
from realtime.server.listener import allow_files
from realtime.settings import Settings

PER_S = 20
TARGETS = {"Valkey": (4.0, 20.0), "Postgres": (10.0, None)}
LAG_MS = 20


def run(quick: bool) -> list[Result]:
    """The figures of one run each; nothing has a core to itself, for there are too few for five programs."""
    allow_files()
    everywhere = shop.cores()
    found: list[Result] = []
    with shop.durable_postgres([]) as new_database:
        if new_database is None:
            return [Result("two processes", 0, "", against="not there: Postgres comes with the development tools")]
        if everywhere:
            os.sched_setaffinity(0, everywhere)
        for broker in TARGETS:
            with _redis(broker) as redis_url:
                found += _measure(broker, new_database(), redis_url, 5 if quick else 20)
    return found


def _measure(broker: str, url: str, redis_url: str, seconds: int) -> list[Result]:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder, secret = Path(name), shop.new_secret()
        warming = 2 * PER_S
        requests = shop.on_loop(audience.open_for(Settings.defaults(database_url=url, secret_key=secret), seconds * PER_S + warming))
        environment = audience.environment(url, secret, redis_url=redis_url)
        here, there = (stack.enter_context(Program(folder, environment)) for _ in range(2))
        program, way = compiled("fan_load", folder), audience.at_board(secret)
        near, far = (stack.enter_context(Load(program, each.port, way=way)) for each in (here, there))
        near.open(1)
        far.open(1)
        shop.on_loop(send_steadily(here.port, requests[:warming], PER_S))
        before = audience.lags(there.port)
        near.record(audience.TICKET)
        far.record(audience.TICKET)
        sent = shop.on_loop(send_steadily(here.port, requests[warming:], PER_S))
        time.sleep(1)
        at_near, at_far = dict(near.recorded(folder / "near")[0]), far.recorded(folder / "far")[0]
        lag = audience.lag_ms(before, audience.lags(there.port), 0.99)
    asked = {each.id: each.sent_ns for each in sent}
    # The change is known to be made when the one who asked is answered, or a client of the same process has it, whichever is sooner.
    made = {each.id: min(each.answered_ns, at_near.get(each.id, each.answered_ns)) for each in sent}
    hop, whole, own = audience.delays_ms(made, at_far), audience.delays_ms(asked, at_far), audience.delays_ms(asked, list(at_near.items()))
    told = len(hop) / len(sent) * 100
    p50, p99 = (audience.quantile(hop, share) for share in (0.5, 0.99))
    most, most_p99 = TARGETS[broker]
    judged = {} if most_p99 is None else {"target": f"<= {most_p99:g} ms", "met": p99 <= most_p99}
    return [
        Result(f"change to a client of another process, {broker}, p50", p50, "ms", target=f"<= {most:g} ms", met=p50 <= most),
        Result("the same, p99", p99, "ms", **judged),  # type: ignore[arg-type]  # two fields of a Result
        Result("the same, from the request, p50", audience.quantile(whole, 0.5), "ms"),
        Result("a client of the same process, from the request, p50", audience.quantile(own, 0.5), "ms"),
        Result("the same, pushes that came, of all", told, "%"),
        Result("the same, event-loop lag, p99 at most", lag, "ms", target=f"<= {LAG_MS} ms", met=lag <= LAG_MS),
    ]


@contextlib.contextmanager
def _redis(broker: str) -> Iterator[str]:
    if broker != "Valkey":
        yield ""
        return
    from tests.support.valkey import ValkeyServer

    with ValkeyServer() as valkey:
        yield valkey.url


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
