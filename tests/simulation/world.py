"""A small world: one database, processes with a real hub and a real Live each, wires between them that lose, delay and repeat, and phones."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from realtime import positions
from realtime.clerk import Tasks
from realtime.errors import NowServingError, StorageFailed
from realtime.frames import texts
from realtime.house import House
from realtime.hub import Hub
from realtime.keys import Keys
from realtime.live import Granted, Live
from realtime.model import Event
from realtime.operations import accounts, stores
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.storage.statement import Statement
from tests.flows.view import View
from tests.support.operations import Direct

OWNER, QUEUES = "owner", ("A", "B")
FAR_MS = 10**13
KEYS = Keys("k" * 40)
SETTINGS = tuple(Settings.defaults(replay_events=events) for events in (3, 20, 1000))


def _rename(epoch: str) -> Any:
    yield Statement("update stores set epoch = $1", (epoch,))


class Storage:
    """What Live reads from and writes to: the database itself, some time later, and now and then not at all."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def read(self, make: Callable[..., Any], /, *args: Any) -> Any:
        world = self._world
        await world.pause(0.02)
        if world.chance(world.fails):
            raise StorageFailed
        found = world.database.run(make(*args))
        await world.pause(0.02)
        return found

    async def carry_on(self) -> None:
        """The first who looks after the database went back gives every store's past another name."""
        await self._world.pause(0.02)
        if self._world.chance(self._world.fails):
            raise StorageFailed
        if self._world.named != self._world.pasts:
            self._world.named = self._world.pasts
            self._world.database.run(_rename(f"epoch {self._world.pasts}"))

    async def write(self, make: Callable[..., Any], /, *args: Any) -> Any:
        """As reading: nothing that runs here is undone half-way."""
        return await self.read(make, *args)


class Process:
    """One of the processes that serve, with nothing in it but what tells sockets."""

    def __init__(self, world: World, group: asyncio.TaskGroup) -> None:
        self.world = world
        settings = world.settings
        registry = Registry(settings)
        house = House(registry, KEYS, "http://shop.example", "")
        self.tasks = Tasks(group)
        self.live = Live(Storage(world), KEYS, house, self.tasks, lambda: 1, settings.replay_events)  # type: ignore[arg-type]  # what Live needs of it
        self.hub = Hub(
            soft_bytes=2_000,
            hard_bytes=8_000,
            max_age_s=5,
            window_ms=25,
            snapshot=self.live.snapshot,
            clock=asyncio.get_running_loop().time,
        )
        self.live.attach(self.hub, self._renew)
        self.tasks.keep("hub", self.hub.run)
        self.tasks.keep("positions", partial(positions.keep_comparing, self.live.check_positions, 20))
        self.tasks.keep("codes", lambda: self.live.keep_codes_fresh(10))
        self.sockets: dict[Socket, None] = {}
        self.up = True

    async def _renew(self, store_id: str, number: int) -> None:
        raise StorageFailed  # codes never expire here

    def heard(self, events: tuple[Event, ...], *, full: bool) -> None:
        """Something came from another process: the events themselves, or how far their stores are."""
        if not self.up:
            return
        if full:
            self.live.tell(events)
        for event in events:
            self.live.reached(event.store_id, event.seq)

    def die(self) -> None:
        self.up = False
        self.tasks.end()
        for socket in list(self.sockets):
            socket.lost()


class Socket:
    """One connection of a phone, as its process sees it: what is written is buffered, and arrives when the network likes it."""

    fd = -1

    def __init__(self, phone: Phone, process: Process) -> None:
        self.phone = phone
        self.process = process
        self.buffer: list[bytes] = []
        self.open = True
        self.asking = False
        """It waits for an answer, and asks nothing else meanwhile."""
        process.sockets[self] = None

    def write(self, data: bytes) -> None:
        if self.open:
            self.buffer.append(data)
            self.phone.world.later(self.phone.world.delay(), self._arrive)

    def buffered_bytes(self) -> int:
        return sum(map(len, self.buffer))

    def close(self, code: int, reason: str = "") -> None:
        self.phone.world.later(self.phone.world.delay(), self.lost)

    def abort(self) -> None:
        self.lost()

    def _arrive(self) -> None:
        if self.open and self.phone.stuck:
            self.phone.world.later(0.5, self._arrive)
            return
        waiting, self.buffer = self.buffer, []
        for data in waiting:
            for text in texts(data):
                if self.open:
                    self.phone.read(self, msgspec.json.decode(text))

    def lost(self) -> None:
        """The connection is gone, whichever end it was."""
        if self.open:
            self.open = False
            self.process.sockets.pop(self, None)
            self.process.live.drop(self)
            self.phone.left()

    async def subscribe(self) -> None:
        if self.asking or not self.open:
            return
        self.asking = True
        phone = self.phone
        since = (phone.view.epoch, phone.view.seq) if phone.view.epoch else None
        try:
            await self.process.live.subscribe(phone.granted, phone.topic, since, self, lambda body: b'{"reply":' + body + b"}", "")
        except NowServingError:
            self.lost()
        finally:
            if not self.open:
                self.process.live.drop(self)  # type: ignore[unreachable]  # it may have been lost meanwhile


class Phone:
    """A client: it comes back whenever its connection is gone, and asks again where it notices a gap."""

    def __init__(self, world: World, store_id: str, audience: str) -> None:
        self.world = world
        self.topic = f"store/{store_id}/{audience}"
        self.view = View(self.topic)
        self.granted = Granted("owner", OWNER, store_id, 0, (self.topic,), 0)
        self.stuck = False
        self.socket: Socket | None = None

    def read(self, socket: Socket, said: dict[str, Any]) -> None:
        if "reply" in said:
            socket.asking = False
            self.view.stand(said["reply"])
        elif "snapshot" in said:
            self.view.replace(said)
        elif said["seq"] > self.view.seq + 1:
            self.world.start(socket.subscribe())  # a gap: ask for this topic again
        else:
            self.view.push(said)

    def left(self) -> None:
        self.socket = None
        self.world.later(self.world.random.uniform(0, 2), self._back)

    def _back(self) -> None:
        if self.socket is None and not self.world.over:
            self.world.start(self.connect())

    def lose(self) -> None:
        if self.socket is not None:
            self.socket.lost()

    async def connect(self) -> None:
        up = [process for process in self.world.processes if process.up]
        if self.socket is None and up:
            self.socket = Socket(self, self.world.random.choice(up))
            await self.socket.subscribe()


class World:
    """Everything, and how bad things are. The database is emptied first."""

    def __init__(
        self, seed: int, group: asyncio.TaskGroup, database: Direct, *, stores: int = 2, phones: int = 6, processes: int = 2
    ) -> None:
        self.random = random.Random(seed)
        random.seed(seed)  # jitter in the program itself
        self.group = group
        self.fails = self.loses = self.repeats = 0.0
        self.full = self.random.random() < 0.5
        """Whether events are carried between processes, or only how far a store is."""
        self.over = False
        self.pasts = 0
        """How often the database went back. What is under way at that moment is lost with it."""
        self.named = 0
        """The last of these times that somebody noticed."""
        self.settings = self.random.choice(SETTINGS)
        self.database = database
        database.empty()
        self.now_ms = 1_000
        self.stores = [self._open(number) for number in range(stores)]
        self.processes = [Process(self, group) for _ in range(processes)]
        self.phones = [Phone(self, self.random.choice(self.stores), self.random.choice(["owner", "public"])) for _ in range(phones)]

    def _open(self, number: int) -> str:
        store_id, owner = f"shop{number}", f"{OWNER}{number}"
        self.database.run(accounts.make(owner, f"{owner}@example.org", "hash", accounts.Session(owner, owner, FAR_MS), 1))
        new = stores.NewStore("Luigi's", "", "UTC", "#112233", 3, False, [stores.NewQueue(name) for name in QUEUES])
        self.database.run(stores.open_store(store_id, owner, "epoch", new, KEYS.code_hash, 1, FAR_MS, FAR_MS))
        return store_id

    # ---- time and chance

    def chance(self, of: float) -> bool:
        return self.random.random() < of

    def delay(self) -> float:
        return self.random.expovariate(20)

    async def pause(self, mean_s: float) -> None:
        await asyncio.sleep(self.random.expovariate(1 / mean_s))

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_later(seconds, act)

    def start(self, work: Any) -> None:
        self.group.create_task(work)

    # ---- what goes between processes

    def commit(self, process: Process, operation: Any) -> None:
        """A process commits a change, tells its own sockets a moment later, and the other processes after that."""
        self.now_ms += 1
        try:
            events = tuple(self.database.run(operation).events)
        except NowServingError:
            return
        self.later(self.delay() / 4, partial(self._tell, process, events, self.pasts))

    def _tell(self, process: Process, events: tuple[Event, ...], pasts: int) -> None:
        if not process.up or pasts != self.pasts:
            return  # it died between the commit and telling anybody; or what it committed never happened
        process.live.tell(events)
        for other in self.processes:
            if other is process or self.chance(self.loses):
                continue
            for _ in range(1 + self.chance(self.repeats)):
                self.later(self.delay(), partial(self._hear, other, events, pasts))

    def _hear(self, other: Process, events: tuple[Event, ...], pasts: int) -> None:
        if pasts == self.pasts:
            other.heard(events, full=self.full)

    def replace(self, process: Process) -> None:
        """A process is killed, and another one takes its place."""
        process.die()
        self.processes[self.processes.index(process)] = Process(self, self.group)
