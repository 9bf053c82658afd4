"""Figures for Prometheus. Imported only where somebody may ask for them.

Several processes share theirs through files in PROMETHEUS_MULTIPROC_DIR, so that whichever is asked answers for all.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterable, Sequence, Sized

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from realtime.counts import Counts
from realtime.metering import CONSUMER
from realtime.operations import receives
from realtime.operations.oversight import Backlog
from realtime.sink import Sink

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_WAITS = (0.005, 0.02, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)
_RUNS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LAGS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_STANDINGS = ("ready", "deferred", "behind", "held", "in_flight", "dead")
MESSAGES = "messages"
"""All message queues of all accounts together: nobody should need a series for each."""
COUNTED_S = 5.0
SLICE = 500
"""Sockets that are looked at before the loop's other work gets its turn."""


def kind(queue: str) -> str:
    """What a queue is called here."""
    return MESSAGES if queue.startswith(receives.MESSAGES) else queue


class Metrics:
    """Implements Meter."""

    def __init__(self) -> None:
        own = self._own = CollectorRegistry()
        self._wait = Histogram(
            "nowserving_job_wait_seconds", "From when a job could be taken to when it was.", ["queue"], buckets=_WAITS, registry=own
        )
        self._run = Histogram("nowserving_job_run_seconds", "How long an attempt took.", ["queue", "name"], buckets=_RUNS, registry=own)
        self._attempts = Counter("nowserving_job_attempts", "Attempts that ended, and how.", ["queue", "name", "outcome"], registry=own)
        self._lost = Counter("nowserving_leases_lost", "Outcomes that came after the lease had ended.", ["queue"], registry=own)
        self._unanswered = Counter(
            "nowserving_leases_unanswered", "Leases that ended without an answer, as when a worker died.", ["queue"], registry=own
        )
        self._known_keys = Counter(
            "nowserving_deduplicated", "Messages and jobs whose key stood for an earlier one.", ["queue"], registry=own
        )
        self._down = Gauge(
            "nowserving_provider_down",
            "1 while the provider of a notifier is left alone.",
            ["name"],
            registry=own,
            multiprocess_mode="livemax",
        )
        self._sockets = Gauge("nowserving_sockets", "Live sockets.", registry=own, multiprocess_mode="livesum")
        self._buffered = Gauge(
            "nowserving_buffered_bytes",
            "What was written to live sockets and not yet taken by the network.",
            registry=own,
            multiprocess_mode="livesum",
        )
        self._lag = Histogram(
            "nowserving_loop_lag_seconds", "How late the event loop came to a timer that fires every 50 ms.", buckets=_LAGS, registry=own
        )
        self._heard = Histogram(
            "nowserving_broker_lag_seconds",
            "From when an event was made in another process to when it came here.",
            buckets=_LAGS,
            registry=own,
        )
        self._published = Counter("nowserving_events_published", "Events that were told to sockets of this process.", registry=own)
        self._conflated = Counter("nowserving_conflations", "Whole states that slow readers got in place of changes.", registry=own)
        self._whole_reads = Counter("nowserving_whole_state_reads", "Stores that were read as a whole.", registry=own)
        self._recoveries = Counter(
            "nowserving_recoveries", "How those who came back were told what they missed.", ["outcome"], registry=own
        )
        self._found = Counter("nowserving_positions_found", "Stores that were not where they were told up to.", ["found"], registry=own)
        self._closes = Counter("nowserving_socket_closes", "Live sockets that ended, by close code.", ["code"], registry=own)
        self._counts = Counts()
        self._known: dict[tuple[Counter, str], int] = {}

    def began(self, queue: str, waited_s: float) -> None:
        self._wait.labels(kind(queue)).observe(max(waited_s, 0.0))

    def ended(self, queue: str, name: str, outcome: str, ran_s: float) -> None:
        self._run.labels(kind(queue), name).observe(ran_s)
        self._attempts.labels(kind(queue), name, outcome).inc()

    def lost(self, queue: str) -> None:
        self._lost.labels(kind(queue)).inc()

    def unanswered(self, queue: str, names: Sequence[str]) -> None:
        for name in names:
            self._unanswered.labels(kind(queue)).inc()
            self._attempts.labels(kind(queue), name or CONSUMER, "lost").inc()

    def deduplicated(self, queue: str) -> None:
        self._known_keys.labels(kind(queue)).inc()

    def provider(self, notifier: str, *, down: bool) -> None:
        self._down.labels(notifier).set(int(down))

    def sockets(self, count: int) -> None:
        """So many are open in this process."""
        self._sockets.set(count)

    def buffered(self, count: int) -> None:
        """So many bytes wait in this process for the network."""
        self._buffered.set(count)

    def heard(self, seconds: float) -> None:
        """An event of another process came so long after it was made."""
        self._heard.observe(max(seconds, 0.0))

    def follow(self, counts: Counts) -> None:
        """Show what is counted there, whenever `catch_up` is called."""
        self._counts = counts

    def catch_up(self) -> None:
        """Take over what was counted since the last time. Only from the loop's thread."""
        counts = self._counts
        for counter, label, total in (
            (self._published, "", counts.published),
            (self._conflated, "", counts.conflated),
            (self._whole_reads, "", counts.whole_reads),
            *((self._recoveries, outcome, total) for outcome, total in counts.recoveries.items()),
            *((self._found, found, total) for found, total in counts.found.items()),
            *((self._closes, str(code or "other"), total) for code, total in counts.closes.items()),
        ):
            known = self._known.get((counter, label), 0)
            (counter.labels(label) if label else counter).inc(total - known)
            self._known[counter, label] = total

    def late(self, seconds: float) -> None:
        """The event loop came so much too late to a timer."""
        self._lag.observe(seconds)

    def text(self, backlogs: Sequence[Backlog], alarms: Sequence[str], now_ms: int) -> bytes:
        """Everything, as Prometheus reads it. Reads files where there are several processes: not for the event loop."""
        now = CollectorRegistry()
        now.register(_Now(backlogs, alarms, now_ms))
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            shared = CollectorRegistry()
            MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # it comes without types
            return generate_latest(shared) + generate_latest(now)
        ProcessCollector(registry=now)
        return generate_latest(self._own) + generate_latest(now)

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Show what this process measures at /metrics there, from a thread of its own, to whoever asks; ends when the answer is called.

        Raises: OSError, where that cannot be listened at.
        """
        ProcessCollector(registry=self._own)
        server, thread = start_http_server(port, host, self._own)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop


class _Now(Collector):
    """The queues as they stand in the database: the same whichever process is asked."""

    def __init__(self, backlogs: Sequence[Backlog], alarms: Sequence[str], now_ms: int) -> None:
        self._backlogs = backlogs
        self._alarms = alarms
        self._now = now_ms

    def collect(self) -> Iterable[Metric]:
        jobs = GaugeMetricFamily("nowserving_jobs", "Jobs by where they stand.", labels=["queue", "state"])
        oldest = GaugeMetricFamily(
            "nowserving_oldest_ready_seconds", "How long the job that could be taken has waited that waited longest.", labels=["queue"]
        )
        blocked = GaugeMetricFamily("nowserving_blocked_lanes", "Lanes that wait for a decision about a dead letter.", labels=["queue"])
        paused = GaugeMetricFamily("nowserving_queues_paused", "Queues from which nothing is taken.", labels=["queue"])
        by_kind: dict[str, list[Backlog]] = {"deliveries": [], "service": [], MESSAGES: []}
        for backlog in self._backlogs:
            by_kind.setdefault(kind(backlog.queue), []).append(backlog)
        for name, group in by_kind.items():
            for standing in _STANDINGS:
                jobs.add_metric([name, standing], sum(getattr(each, standing) for each in group))
            since = min((each.oldest_ready_ms for each in group if each.oldest_ready_ms), default=self._now)
            oldest.add_metric([name], max(self._now - since, 0) / 1000)
            blocked.add_metric([name], sum(each.blocked_lanes for each in group))
            paused.add_metric([name], sum(1 for each in group if each.paused_ms))
        raised = GaugeMetricFamily("nowserving_alarms", "Alarms that are raised.", labels=["name"])
        for alarm in ("dead_letters", "backlog_age", "failed_reports", "missed_deletions"):
            raised.add_metric([alarm], int(alarm in self._alarms))
        return (jobs, oldest, blocked, paused, raised)


async def count_sockets(metrics: Metrics, sessions: Sized, sinks: Collection[Sink]) -> None:
    """Note how many live sockets there are, what waits for them and what they came to, for ever."""
    while True:
        metrics.sockets(len(sessions))
        waiting = 0
        for number, sink in enumerate(list(sinks), 1):
            waiting += sink.buffered_bytes()
            if number % SLICE == 0:
                await asyncio.sleep(0)
        metrics.buffered(waiting)
        metrics.catch_up()
        await asyncio.sleep(COUNTED_S)
