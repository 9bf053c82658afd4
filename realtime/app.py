"""The composition root: joins all parts, in the lifespan, and takes them apart again in the opposite order."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from asyncio import TaskGroup
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette

from realtime import positions, web
from realtime.accounts import Accounts
from realtime.alarms import Alarms
from realtime.broker import Broker, Hears, NoBroker, PostgresBroker, ValkeyBroker
from realtime.callbacks import Callbacks
from realtime.clerk import Clerk, Tasks
from realtime.closing import Closing
from realtime.courier import Courier
from realtime.crew import ByCrew
from realtime.crowds import HELD_S, Crowds
from realtime.house import House
from realtime.hub import Hub
from realtime.job_service import JobService
from realtime.keys import Keys
from realtime.lease_ends import LeaseEnds
from realtime.lifecycle import Lifecycle
from realtime.live import Live
from realtime.messaging import Messaging
from realtime.model import Event
from realtime.operations import installation, posts, services
from realtime.operations.changes import DELIVERIES, Change
from realtime.opt_outs import OptOuts
from realtime.outbox import Outbox
from realtime.oversight import Oversight
from realtime.passwords import Passwords
from realtime.plugin_events import PluginEvents
from realtime.postman import Postman
from realtime.presence import Presence
from realtime.programs import Programs
from realtime.push import Push
from realtime.reception import Reception
from realtime.registry import Registry
from realtime.schedules import Schedules
from realtime.scribe import Scribe
from realtime.server import lag
from realtime.server.limits import of_addresses
from realtime.server.pings import PingWheel
from realtime.settings import Settings
from realtime.storage.statement import Storage
from realtime.tally import Tally
from realtime.web.context import SIGNED_OUT, Context
from realtime.web.limits import Limits
from realtime.web.sockets import Sockets
from realtime.web.spending import NOTE as SPENT
from realtime.web.spending import Spending
from realtime.webhooks import Webhooks
from realtime.worker import Worker

if TYPE_CHECKING:
    from realtime.metrics import Metrics

_log = logging.getLogger("nowserving")

CODES_LOOKED_AT_S = 10.0
LAST_WORDS_S = 0.5
"""How long the other processes may take to be told, at the end, what was done and what is counted here no more."""
POSITIONS_CHECKED_S = 20.0
WORK_SHARE = 0.7
"""How much of the drain deliveries and jobs under way may take, from its first moment; a tenth, however long sockets and requests took."""


def load_plugins(settings: Settings) -> Registry:
    """The plugins that are installed, the built-in ones among them."""
    return Registry.load(settings, ())


def now_ms() -> int:
    """The time of day."""
    return time.time_ns() // 1_000_000


def make_storage(settings: Settings) -> Storage:
    """The database that the settings name, not yet open."""
    url = settings.database_url
    if url.startswith("sqlite"):
        from realtime.storage.sqlite import SqliteStorage

        return SqliteStorage(
            url, write_queue=settings.write_queue, write_batch=settings.write_batch, read_connections=settings.read_connections
        )
    from realtime.storage.postgres import PostgresStorage

    return PostgresStorage(url, write_queue=settings.write_queue, pool=settings.postgres_pool)


def make_broker(settings: Settings, keys: Keys, hears: Hears) -> Broker:
    """What joins several processes; a single one on SQLite needs nothing. Raises: CannotStart."""
    if settings.broker == "redis" or (settings.broker == "auto" and settings.redis_url):
        return ValkeyBroker(settings.redis_url, keys.broker_key(), hears)
    if settings.broker == "none" or settings.sqlite_path:
        return NoBroker()
    return PostgresBroker(settings.database_url, hears)


async def make_keys(settings: Settings, storage: Storage) -> Keys:
    """The secrets of this installation, the same in each of its processes."""
    return Keys(settings.secret_key or await storage.write(installation.secret_key, secrets.token_urlsafe(48)))


def make_metrics(settings: Settings) -> Metrics | None:
    """What keeps figures, where somebody may ask for them."""
    if not (settings.metrics_token or settings.operator_token):
        return None
    from realtime.metrics import Metrics

    return Metrics()


class Parts:
    """Everything that runs in one process, joined."""

    def __init__(
        self, settings: Settings, storage: Storage, keys: Keys, registry: Registry, work: TaskGroup, background: TaskGroup
    ) -> None:
        self.tasks = Tasks(work)
        beside = self.beside = Tasks(background)
        self.settings = settings
        self.storage = storage
        self.keys = keys
        self.registry = registry
        self.passwords = Passwords(settings.hash_workers)
        house = House(registry, keys, settings.public_url, f"http://127.0.0.1:{settings.port}")
        live = self.live = Live(storage, keys, house, beside, now_ms, settings.replay_events)
        self.broker = make_broker(settings, keys, Hears(self._told, live.reached, live.catch_up, self._work, self._note))
        self.notes: dict[str, Callable[[bytes], None]] = {}
        """Who takes the notes of other processes, by their kind."""
        self.metrics = metrics = make_metrics(settings)
        if metrics:
            metrics.follow(live.counts)
        self.opt_outs = OptOuts(storage, keys, settings.public_url, now_ms)

        def tell(change: Change) -> None:
            clerk.tell(change)

        self.courier = Courier(settings, storage, registry, now_ms, self._settled, meter=metrics, told=tell, opt_outs=self.opt_outs)
        listeners = (self.live, self.broker, PluginEvents(registry, beside))
        self.postman = Postman(settings, storage, registry, now_ms, self.courier.wake, meter=metrics)
        clerk = Clerk(storage, listeners, self.courier.wake, self.postman.wake)
        self.callbacks = Callbacks(registry, clerk, keys, self.opt_outs, now_ms)
        self.reception = Reception(settings, storage, clerk, keys, house, now_ms)
        self.accounts = Accounts(settings, storage, clerk, keys, registry, self.passwords, self.reception, now_ms)
        self.lease_ends = LeaseEnds(settings, storage, now_ms, self._free, metrics)
        self.messaging = Messaging(settings, storage, now_ms, self.broker.tell_work, metrics, self.lease_ends.note)
        self.programs = Programs(storage, now_ms)
        self.worker = Worker(settings, storage, registry, now_ms, meter=metrics)
        self.crews: tuple[ByCrew[Any], ...] = self.courier, self.postman, self.worker
        self.ends_s = 0.0  # when the end began, by the monotonic clock
        self.jobs = JobService(settings, storage, registry, now_ms, self._added, metrics)
        self.schedules = Schedules(storage, self.messaging, self.jobs, now_ms)
        self.webhooks = Webhooks(settings, storage, now_ms, lambda: self._free(posts.QUEUE))
        self.oversight = Oversight(settings, storage, registry, now_ms, self._free, metrics, self.courier.providers)
        self.push = Push(settings, storage, keys, registry.push_keys, now_ms)
        self.alarms = Alarms(settings, storage, registry, now_ms, self.courier.wake)
        self.scribe = Scribe(settings, storage, clerk, registry, now_ms)
        self.outbox = Outbox(settings, storage)
        self.closing = Closing(storage, clerk, keys, registry, self.live, house, beside, self.courier.wake, now_ms)
        self.hub = Hub(
            soft_bytes=settings.soft_backlog_bytes,
            hard_bytes=settings.hard_backlog_bytes,
            max_age_s=settings.max_backlog_seconds,
            window_ms=settings.flush_window_ms,
            batches=settings.batch_sends,
            snapshot=self.live.snapshot,
            counts=self.live.counts,
        )
        self.live.attach(self.hub, self.reception.renew_code)
        self.alone = isinstance(self.broker, NoBroker)
        self.tallies: list[Tally[Any]] = []
        note = None if self.alone else self.broker.tell_note
        self.presence = Presence(self.hub, note, time.monotonic, now_ms, lambda address: keys.mark(address)[:8])
        self.hub.on_change = self.presence.changed
        self.pings = PingWheel(ping_seconds=settings.ping_seconds, pong_seconds=settings.pong_seconds)

    def _told(self, told: tuple[Event, ...]) -> None:
        if self.metrics:
            now = now_ms()
            for event in told:
                self.metrics.heard((now - event.at_ms) / 1000)
        self.live.tell(told)

    def _added(self) -> None:
        self.worker.wake()
        self.broker.tell_work(services.QUEUE)

    def _work(self, queue: str) -> None:
        if queue == services.QUEUE:
            self.worker.wake()
        elif queue == DELIVERIES:
            self.courier.wake()
        elif queue == posts.QUEUE:
            self.postman.wake()
        else:
            self.messaging.wake(queue)

    def _note(self, kind: str, body: bytes) -> None:
        # One of a kind that nobody takes comes from a newer version, as while that is rolled out.
        if take := self.notes.get(kind):
            take(body)

    def _free(self, queue: str) -> None:
        """Something of a queue can be taken, here and in every other process."""
        self._work(queue)
        self.broker.tell_work(queue)

    async def _settled(self, store_id: str) -> None:
        await self.closing.settled(store_id)

    def begin(self) -> None:
        """Start what runs as long as the process does."""
        self.beside.keep("courier", self.courier.run)
        self.beside.keep("postman", self.postman.run)
        if self.settings.run_jobs:
            self.beside.keep("worker", self.worker.run)
        self.beside.keep("closing", self.closing.run)
        self.beside.keep("alarms", self.alarms.run)
        self.beside.keep("lease ends", self.lease_ends.run)
        self.beside.keep("schedules", self.schedules.run)
        self.beside.keep("broker", self.broker.run)
        self.beside.keep("hub", self.hub.run)
        if self.presence.tally:
            self._share(self.presence.tally)
        self.beside.keep("positions", partial(positions.keep_comparing, self.live.check_positions, POSITIONS_CHECKED_S))
        self.beside.keep("fresh codes", lambda: self.live.keep_codes_fresh(CODES_LOOKED_AT_S))
        if self.metrics:
            self.beside.keep("lag", partial(lag.watch, self.metrics.late))

    def limits(self) -> Limits:
        """How often one visitor may ask, in all processes together."""
        limits = Limits.from_settings(self.settings, secret=self.keys.broker_key())
        if not self.alone:
            spending = Spending(self.broker.tell_note, now_ms)
            limits.share(spending)
            self.notes[SPENT] = spending.hear
            self.beside.keep("spending", spending.run)
        return limits

    def count_together(self, kind: str, crowds: Crowds, mark: Callable[[str], str] = str) -> None:
        """So many sockets in all processes together, where there are others; `mark` stands for a name that is not theirs to read."""
        if not self.alone:
            tally = Tally(kind, int, 0, crowds.worth_telling, self.broker.tell_note, time.monotonic, now_ms, keep_s=HELD_S)
            crowds.share(tally, mark)
            self._share(tally)

    def _share(self, tally: Tally[Any]) -> None:
        self.tallies.append(tally)
        self.notes[tally.kind] = tally.hear
        self.beside.keep(tally.kind, tally.run)

    def begin_to_end(self) -> None:
        """While sockets and requests end, nothing new is begun; deliveries and jobs under way go on."""
        self.ends_s = self.ends_s or time.monotonic()
        self.messaging.stop_waiting()
        for crew in self.crews:
            crew.claim_no_more()

    async def end(self) -> None:
        """Stop it; deliveries and jobs under way may finish, within their share of the drain."""
        self.begin_to_end()
        drain_s = self.settings.drain_seconds
        left_s = max(self.ends_s + drain_s * WORK_SHARE - time.monotonic(), drain_s / 10)
        async with TaskGroup() as ends:
            for crew in self.crews:
                ends.create_task(crew.stop(left_s))
        for tally in self.tallies:
            tally.end()
        await self.broker.told(LAST_WORDS_S)
        self.beside.end()


@contextlib.asynccontextmanager
async def running(settings: Settings, storage: Storage, registry: Registry) -> AsyncIterator[Parts]:
    """All parts at work; at the end what was accepted is finished, and everything is closed.

    Raises:
        CannotStart: with a sentence that says what to do.
    """
    await storage.open()
    try:
        keys = await make_keys(settings, storage)
        async with TaskGroup() as work, TaskGroup() as background:
            parts = Parts(settings, storage, keys, registry, work, background)
            registry.begin(parts.keys.plugin_secret)
            parts.begin()
            try:
                yield parts
            finally:
                await parts.end()
                parts.passwords.close()
    finally:
        await registry.close()
        await storage.close()


@contextlib.asynccontextmanager
async def working(settings: Settings, metrics: Metrics | None = None) -> AsyncIterator[Worker]:
    """A worker of jobs on its own, woken by the processes that serve.

    Raises:
        CannotStart: with a sentence that says what to do.
    """
    storage, registry = make_storage(settings), load_plugins(settings)
    await storage.open()
    try:
        async with TaskGroup() as background:
            beside = Tasks(background)
            worker = Worker(settings, storage, registry, now_ms, meter=metrics)
            hears = Hears(catch_up=worker.wake, work=lambda queue: worker.wake())
            broker = make_broker(settings, await make_keys(settings, storage), hears)
            beside.keep("broker", broker.run)
            beside.keep("worker", worker.run)
            try:
                yield worker
            finally:
                await worker.stop(settings.drain_seconds * WORK_SHARE)
                beside.end()
    finally:
        await registry.close()
        await storage.close()


def create_app(settings: Settings) -> tuple[Starlette, Lifecycle]:
    """The application and its lifecycle, as `realtime.server.run.serve` takes them. Reads files: not for the event loop."""
    storage, registry, pages = make_storage(settings), load_plugins(settings), web.templates()
    lifecycle = Lifecycle(of_addresses(settings.max_sockets_per_address), partial(web.compile_all, pages))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with running(settings, storage, registry) as parts:
            lifecycle.parts = parts
            context = Context(
                settings=settings,
                accounts=parts.accounts,
                reception=parts.reception,
                closing=parts.closing,
                messaging=parts.messaging,
                programs=parts.programs,
                jobs=parts.jobs,
                schedules=parts.schedules,
                webhooks=parts.webhooks,
                oversight=parts.oversight,
                push=parts.push,
                opt_outs=parts.opt_outs,
                callbacks=parts.callbacks,
                scribe=parts.scribe,
                outbox=parts.outbox,
                live=parts.live,
                storage=storage,
                lifecycle=lifecycle,
                limits=parts.limits(),
                templates=pages,
                pings=parts.pings,
                tasks=parts.tasks,
                notes=parts.broker,
                now_ms=now_ms,
                clock=time.monotonic,
                counts=parts.live.counts,
                asked=parts.presence.asked,
            )
            parts.count_together("sockets_of_stores", context.crowds)
            parts.count_together("sockets_of_addresses", lifecycle.addresses, parts.keys.mark)
            sockets = Sockets(context)
            parts.notes[SIGNED_OUT] = lambda body: context.close_sessions(body.decode())
            parts.beside.keep("socket sweep", sockets.sweep)
            if parts.metrics:
                from realtime.metrics import count_sockets

                parts.beside.keep("figures", partial(count_sockets, parts.metrics, context.sessions, parts.pings.sinks))
            app.router.routes.extend(web.routes(context, sockets))
            lifecycle.ready = True
            yield
            lifecycle.ready = False

    return web.application(settings, lifespan), lifecycle
