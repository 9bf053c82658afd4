"""The plugins of this process: found, checked, called one by one, and listed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from msgspec import Struct

from realtime import answers
from realtime.checked_file import CheckedFile
from realtime.hookspecs import (
    PROJECT,
    AccountNotice,
    Arrival,
    Callback,
    ClosedStore,
    EventFacts,
    Idle,
    JobFacts,
    JobHandler,
    JobOutcome,
    JoinFacts,
    Notifier,
    Outcome,
    OutgoingDelivery,
    Preview,
    Retry,
    StoreClosed,
    TicketNotice,
    Wish,
)
from realtime.isolation import Begun, Broken, Wall
from realtime.loading import Candidate, Implementations, candidates, load, near
from realtime.model import Delivery
from realtime.settings import Settings
from realtime.watchdog import Watchdog

T = TypeVar("T")

logger = logging.getLogger("nowserving.plugins")

EVENT_SECONDS = 5.0
"""How long one on_event may take."""
EVENTS_BEHIND = 1000
"""So many events may wait for one plugin; later ones pass it by."""
CLOSE_SECONDS = 2.0
CALLBACK_SECONDS = 5.0
ABSENT_RETRY_S = 300.0
"""A delivery whose notifier is not here is tried again after so long: the notifier may come back with the next start."""


class PluginInfo(Struct, frozen=True):
    """A plugin as `nowserving plugins` lists it."""

    name: str
    version: str
    hooks: tuple[str, ...]
    status: str
    """"active", "off", or "idle", "failed" or "suspended" with ": why"."""
    failures: int = 0
    """How often it failed since the start."""


class _Plugin:
    """One plugin and its wall."""

    def __init__(self, candidate: Candidate, wall: Wall) -> None:
        self.name = candidate.name
        self.version = candidate.version
        self.wall = wall
        self.hooks: Implementations = {}
        self.status = "active"
        self.turn = asyncio.Lock()
        self.plain = True
        """Its on_event has never answered with something to wait for."""
        self.behind = 0
        self.passed_by = 0


class _Carrier(Struct, frozen=True):
    """A notifier and the plugin that brought it."""

    notifier: Notifier
    plugin: _Plugin


class _Worker(Struct, frozen=True):
    """A handler of jobs and the plugin that brought it."""

    handler: JobHandler
    plugin: _Plugin


class Registry:
    """Calls every plugin's hooks, each behind its own wall: whatever one of them does, the others and the core go on.

    The `compose_*` methods and `check_join` may be called from any thread, `on_event`, `deliver` and `close` on the event loop.
    None of them raises on account of a plugin.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._watchdog = Watchdog()
        self._plugins: list[_Plugin] = []
        self._calls: dict[str, list[tuple[_Plugin, Callable[..., object]]]] = {}
        self._carriers: dict[str, _Carrier] = {}
        self._workers: dict[str, _Worker] = {}

    @classmethod
    def load(
        cls,
        settings: Settings,
        builtin: Sequence[tuple[str, object]],
        *,
        group: str = PROJECT,
        clock: Callable[[], float] = time.monotonic,
    ) -> Registry:
        """Load the plugins that installed packages offer in an entry-point group, nowserving's own among them, and those in `builtin`.

        Reads the disk: not for the event loop.

        A plugin that cannot be imported, has wrong hooks, or fails when it registers its notifiers is listed as failed, and leaves
        nothing behind. Plugins named in the setting `plugins_off` are not even imported.
        """
        registry = cls(settings, clock)
        found = candidates(builtin, group)
        for candidate in found:
            registry._load(candidate)
        registry._plugins.sort(key=lambda plugin: plugin.name)
        for plugin in (plugin for plugin in registry._plugins if plugin.status == "active"):
            for hook, function in plugin.hooks.items():
                registry._calls.setdefault(hook, []).append((plugin, function))
        names = [candidate.name for candidate in found]
        for name in settings.plugins_off:
            if name not in names:
                logger.warning("plugins_off names %r, but there is no such plugin%s.", name, near(name, names))
        return registry

    def plugins(self) -> list[PluginInfo]:
        """Every plugin that was found, by name, with its status now."""
        listed = []
        for plugin in self._plugins:
            why = plugin.wall.suspension() if plugin.status == "active" else ""
            status = f"suspended: {why}" if why else plugin.status
            listed.append(PluginInfo(plugin.name, plugin.version, tuple(plugin.hooks), status, plugin.wall.failures))
        return listed

    def notifiers(self) -> frozenset[str]:
        """The names under which deliveries can be carried."""
        return frozenset(self._carriers)

    def handlers(self) -> frozenset[str]:
        """The names of the kinds of jobs that can be done."""
        return frozenset(self._workers)

    def implements(self, hook: str) -> bool:
        """Whether any plugin has this hook, so that nobody makes facts that nobody reads."""
        return bool(self._calls.get(hook))

    def stays(self, notifier: str) -> bool:
        """Whether what this notifier carries never leaves this server."""
        carrier = self._carriers.get(notifier)
        return carrier is not None and getattr(carrier.notifier, "stays", False) is True

    def preview(self, delivery: OutgoingDelivery) -> Preview | None:
        """A delivery as its recipient would see it; None where its notifier cannot say. May read files: not for the event loop."""
        carrier = self._carriers.get(delivery.delivery.notifier)
        make = getattr(carrier.notifier, "preview", None) if carrier else None
        if carrier is None or make is None:
            return None
        shown = carrier.plugin.wall.call("preview", partial(make, delivery), answers.preview)
        return None if isinstance(shown, Broken) else shown

    # ---- before and inside the transaction

    def check_join(self, join: JoinFacts) -> str | None:
        """The first sentence with which a plugin refuses this party; None if it may join."""
        for plugin, function in self._calls.get("check_join", ()):
            if not plugin.wall.remaining_s("check_join"):
                refusal = plugin.wall.call("check_join", partial(function, join=join), answers.refusal)
                if isinstance(refusal, str):
                    return refusal
        return None

    def compose_ticket_notice(self, notice: TicketNotice) -> list[Delivery]:
        """What a party is owed for this moment."""
        return self._compose("compose_ticket_notice", partial(answers.deliveries, self._carriers), notice=notice)

    def compose_account_notice(self, notice: AccountNotice) -> list[Delivery]:
        """What an owner is owed for this moment."""
        return self._compose("compose_account_notice", partial(answers.deliveries, self._carriers), notice=notice)

    def compose_store_closed(self, closed: StoreClosed) -> list[Delivery]:
        """What a closed store owes. If none of it needs the report, nobody gets the report: a person must decide."""
        check = partial(answers.deliveries, self._carriers, with_report=True)
        return self._compose("compose_store_closed", check, suspends=False, closed=closed)

    def compose_report(self, store: ClosedStore) -> list[CheckedFile]:
        """The files of a closed store's report, one plugin after another."""
        files: list[CheckedFile] = []
        for plugin, function in self._calls.get("compose_report", ()):
            made = plugin.wall.call("compose_report", partial(function, store=store), answers.report_files)
            if not isinstance(made, Broken):
                taken = {file.name for file in files}
                files += [CheckedFile(file, plugin.wall) for file in made if file.name not in taken]
        return files

    def _compose(
        self, hook: str, check: Callable[[object], list[Delivery] | Broken], *, suspends: bool = True, **facts: object
    ) -> list[Delivery]:
        owed: list[Delivery] = []
        for plugin, function in self._calls.get(hook, ()):
            if not (suspends and plugin.wall.remaining_s(hook)):
                composed = plugin.wall.call(hook, partial(function, **facts), check)
                if not isinstance(composed, Broken):
                    owed += composed
        return owed

    # ---- after commit

    async def on_event(self, event: EventFacts) -> None:
        """Tell every plugin of a committed change, and wait for them. Each gets the events in the order of these calls."""
        await asyncio.gather(*self.tell(event))

    def tell(self, event: EventFacts) -> list[Coroutine[Any, Any, None]]:
        """The same without waiting: plain functions have been called when this returns; the others are in what it returns, to be run."""
        return [waits for plugin, function in self._calls.get("on_event", ()) if (waits := self._begin(plugin, function, event))]

    def _begin(self, plugin: _Plugin, function: Callable[..., object], event: EventFacts) -> Coroutine[Any, Any, None] | None:
        """Tell one plugin at once, if it has heard of all that was before; what has to be waited for, if anything."""
        if plugin.behind >= EVENTS_BEHIND:
            plugin.passed_by += 1
            if plugin.passed_by.bit_count() == 1:  # at 1, 2, 4, 8 ...: a storm does not fill the log
                logger.warning("The plugin %s is %d events behind; %d have passed it by.", plugin.name, plugin.behind, plugin.passed_by)
            return None
        call = partial(function, event=event)
        begun: object = None
        if plugin.plain and not plugin.behind:
            if plugin.wall.remaining_s("on_event"):
                return None
            begun = plugin.wall.begin("on_event", call, answers.anything)
            if not isinstance(begun, Begun):
                return None
            plugin.plain = False
        plugin.behind += 1
        return self._in_turn(plugin, call, begun)

    async def _in_turn(self, plugin: _Plugin, call: Callable[[], object], begun: object) -> None:
        try:
            async with plugin.turn:
                if isinstance(begun, Begun):
                    await plugin.wall.finish(begun, EVENT_SECONDS)
                elif not plugin.wall.remaining_s("on_event"):
                    await plugin.wall.run("on_event", call, answers.anything, EVENT_SECONDS)
        finally:
            plugin.behind -= 1

    async def deliver(self, delivery: OutgoingDelivery) -> Outcome:
        """Have one delivery carried by its notifier. What the notifier does wrong is a `Retry`, as if its provider was down."""
        name = delivery.delivery.notifier
        carrier = self._carriers.get(name)
        if carrier is None:
            return Retry(f"There is no notifier {name!r} here. Set it up, or install and enable the plugin that has it.", ABSENT_RETRY_S)
        notifier, wall = carrier.notifier, carrier.plugin.wall
        outcome: Outcome | Broken = await wall.run(
            "deliver", partial(notifier.deliver, delivery), answers.outcome, deadline_s(notifier, self._settings)
        )
        return answers.plain(Retry(f"The notifier {name!r} {outcome.why}.", provider_down=True) if isinstance(outcome, Broken) else outcome)

    def begin(self, secret: Callable[[str], bytes]) -> None:
        """Hand every notifier that takes one (`use_secret`) a secret of its own, before anything is delivered."""
        for name, carrier in self._carriers.items():
            if use_secret := getattr(carrier.notifier, "use_secret", None):
                carrier.plugin.wall.call("use_secret", partial(use_secret, secret(name)), answers.anything)

    def push_keys(self) -> dict[str, str]:
        """The public keys with which browsers subscribe, by the notifier that carries to them."""
        keys = {name: getattr(carrier.notifier, "push_key", "") for name, carrier in self._carriers.items()}
        return {name: key for name, key in keys.items() if isinstance(key, str) and key}

    def hears(self, name: str) -> bool:
        """Whether a notifier is here that its provider may call back."""
        carrier = self._carriers.get(name)
        return carrier is not None and callable(getattr(carrier.notifier, "callback", None))

    async def callback(self, name: str, callback: Callback) -> Sequence[Arrival | Wish] | Broken | None:
        """What a request to a notifier that `hears` tells; None if it is not its provider's. Never suspended: strangers could bring that about."""
        carrier = self._carriers[name]
        call = partial(cast(Any, carrier.notifier).callback, callback)
        return await carrier.plugin.wall.run("callback", call, answers.heard, CALLBACK_SECONDS)

    async def handle(self, name: str, job: JobFacts) -> JobOutcome:
        """Have one job done by its handler. What the handler does wrong is a `Retry`."""
        worker = self._workers.get(name)
        if worker is None:
            return Retry(f"There is no handler {name!r} here. Install and enable the plugin that has it.", ABSENT_RETRY_S)
        handler, wall = worker.handler, worker.plugin.wall
        if pause_s := wall.remaining_s("handle"):
            return Retry(f"The handler {name!r} failed too often and is left alone for a while.", pause_s)
        outcome: JobOutcome | Broken = await wall.run(
            "handle", partial(handler.handle, job), answers.job_outcome, deadline_s(handler, self._settings)
        )
        return answers.plain(Retry(f"The handler {name!r} {outcome.why}.") if isinstance(outcome, Broken) else outcome)

    async def close(self) -> None:
        """Let every notifier close what it holds, and end the watchdog."""
        held = [(carrier.notifier, carrier.plugin) for carrier in self._carriers.values()]
        for each, plugin in (*held, *((worker.handler, worker.plugin) for worker in self._workers.values())):
            close = getattr(each, "close", None)
            if close is not None:
                await plugin.wall.run("close", close, answers.anything, CLOSE_SECONDS)
        await asyncio.to_thread(self._watchdog.close)

    # ---- at start

    def _load(self, candidate: Candidate) -> None:
        plugin = _Plugin(candidate, Wall(candidate.name, self._watchdog, self._clock))
        taken = any(other.name == candidate.name for other in self._plugins)
        self._plugins.append(plugin)
        if taken:
            self._fail(
                plugin, f"the name is taken by another plugin; rename the entry point, or turn one off with plugins_off = [{plugin.name!r}]"
            )
            return
        if candidate.name in self._settings.plugins_off:
            plugin.status = "off"
            return
        found = load(candidate)
        if isinstance(found, Broken):
            self._fail(plugin, found.why)
            return
        plugin.hooks = found
        if self._register(plugin):
            self._register_handlers(plugin)

    def _register(self, plugin: _Plugin) -> bool:
        register = plugin.hooks.get("register_notifiers")
        if register is not None:
            brought: list[Notifier] | Idle | Broken = plugin.wall.call(
                "register_notifiers", partial(register, settings=self._settings), answers.notifiers
            )
            if isinstance(brought, Broken):
                return self._fail(plugin, brought.why)
            if isinstance(brought, Idle):
                plugin.status = f"idle: {brought.why}"
                return False
            clash = [notifier.name for notifier in brought if notifier.name in self._carriers]
            if clash:
                owner = self._carriers[clash[0]].plugin.name
                return self._fail(plugin, f"the notifier {clash[0]!r} is there already, from the plugin {owner!r}")
            self._carriers |= {notifier.name: _Carrier(notifier, plugin) for notifier in brought}
        return True

    def _register_handlers(self, plugin: _Plugin) -> None:
        register = plugin.hooks.get("register_handlers")
        if register is None:
            return
        brought: list[JobHandler] | Idle | Broken = plugin.wall.call(
            "register_handlers", partial(register, settings=self._settings), answers.handlers
        )
        if isinstance(brought, Idle):
            plugin.status = f"idle: {brought.why}"
            return
        clash = "" if isinstance(brought, Broken) else next((each.name for each in brought if each.name in self._workers), "")
        if isinstance(brought, Broken) or clash:
            # What it registered before takes no part either.
            self._carriers = {name: carrier for name, carrier in self._carriers.items() if carrier.plugin is not plugin}
            self._fail(plugin, brought.why if isinstance(brought, Broken) else f"the handler {clash!r} is there already")
            return
        self._workers |= {handler.name: _Worker(handler, plugin) for handler in brought}

    def _fail(self, plugin: _Plugin, why: str) -> bool:
        plugin.status = f"failed: {why}"
        logger.error("The plugin %s %s takes no part: %s.", plugin.name, plugin.version, why)
        return False


def deadline_s(notifier: Notifier | JobHandler, settings: Settings) -> float:
    """How long one delivery or job may take: shorter than the lease, or another process would do it as well."""
    own: Any = getattr(notifier, "deadline_s", None)
    wanted = float(own) if isinstance(own, int | float) and own > 0 else settings.notifier_deadline_seconds
    return min(wanted, settings.job_lease_seconds * 0.9)
